"""The command `run`: a bundle on photographs, a video or a camera.

`coevoer_edge.run(...)` does from Python what the command does.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.terminal.extras import names_its_extra

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.run.images import Outcome
    from coevoer_edge.run.stream import StreamOutcome

__all__ = ["RunResult", "run"]


@dataclass(frozen=True)
class RunResult:
    """The result of a run."""

    bundle: "Bundle"
    files: tuple[Path, ...]  # everything that was written
    images: "tuple[Outcome, ...]" = ()  # of photographs: the files of each, or why there are none
    stream: "StreamOutcome | None" = None  # of a video or a camera


@names_its_extra
def run(
    bundle: str | Path,
    source: str | Path,
    output_dir: str | Path = "out",
    *,
    body: str | Path | None = None,
    passes: int | None = None,
    every: int | None = None,
    max_frames: int | None = None,
    smooth: bool | None = None,
    focal_px: float | None = None,
    view: bool | None = None,
    overlay: bool = True,
    overwrite: bool = False,
    quiet: bool = True,
) -> RunResult:
    """Run a bundle on a photograph, a folder of photographs, a video or a camera, and write the results.

        result = coevoer_edge.run("artifacts/coevoer-t-onnx-w8a8", "photo.jpg", "out")
        result.files  # out/photo.json, .npz, .glb and .overlay.png

    Args:
        bundle: the folder that an export wrote.
        source: an image, a folder of images, a video file, or "camera" ("camera:1" for the second one).
        output_dir: the folder for the results; docs/outputs.md describes them.
        body: your SMPLX_NEUTRAL.npz; None for the open body.
        passes: images only: how often the network runs; the first pass looks at the whole frame, each further one at
            the body found by the one before.
        every: streams only: use every N-th frame.
        max_frames: streams only: stop after that many frames.
        smooth: streams only: False disables temporal smoothing.
        focal_px: streams only: focal length of the real lens in pixels of the frame, for positions in the world; None
            takes the frame's diagonal.
        view: streams only: True shows it in a viewer while it runs, and keeps the recording (.rrd).
        overlay: False writes no overlay picture or video.
        overwrite: replace results that exist.
        quiet: False prints steps and progress on stderr.

    Returns:
        The files that were written. In a folder, an image that cannot be used is left out: `images` says why. A video
        that breaks off is run as far as it goes: `stream.problem` says so. Ctrl-C ends a stream with complete files.

    Raises:
        InputError: an unusable source, an option that does not apply to it, or results that exist; raised before any
            work where that is possible.
        BundleError: a bundle that cannot be opened.
        PlatformError: a bundle, a camera or an extra that does not run here.
    """
    from coevoer_edge.errors import InputError
    from coevoer_edge.media.source import refuse_unusable
    from coevoer_edge.run.stream import is_stream
    from coevoer_edge.terminal.console import Steps

    refuse_unusable(source)
    stream = is_stream(source)
    streams_only = {"every": every, "max_frames": max_frames, "smooth": smooth, "focal_px": focal_px, "view": view}
    for name, value in ({"passes": passes} if stream else streams_only).items():
        if value is not None:
            kind, other = ("a video or camera", "images") if stream else ("images", "videos and cameras")
            raise InputError(f"The argument {name} has no meaning for {kind}; it is for {other}. Leave it out.")
    for name, number in {"passes": passes, "every": every, "max_frames": max_frames}.items():
        if number is not None and number < 1:
            raise InputError(f"The argument {name} is {number}; give 1 or more.")
    steps = Steps(2, quiet=quiet)
    if stream:
        from coevoer_edge.run.stream import StreamOptions, run_stream

        options = StreamOptions(
            every=every or 1,
            max_frames=max_frames,
            smooth=smooth is not False,
            focal_px=focal_px,
            view=bool(view),
            overlay=overlay,
        )
        opened, outcome = run_stream(
            bundle, source, output_dir, body=body, options=options, overwrite=overwrite, steps=steps
        )
        return RunResult(opened, outcome.files, stream=outcome)

    from coevoer_edge.estimator import DEFAULT_PASSES
    from coevoer_edge.run.images import run_images

    opened, outcomes = run_images(
        bundle,
        source,
        output_dir,
        body=body,
        passes=passes or DEFAULT_PASSES,
        overlay=overlay,
        overwrite=overwrite,
        steps=steps,
    )
    return RunResult(opened, tuple(file for outcome in outcomes for file in outcome.files), images=tuple(outcomes))


sys.modules[__name__].__class__ = CallableModule
