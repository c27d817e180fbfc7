"""`coevoer-edge run` on a video or a camera.

In: a bundle folder, a video file or `camera[:N]`. Out: the files of `stream_files`, and `StreamOutcome`. Ctrl-C ends it
and leaves all files complete up to that frame.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.estimator import Estimator
from coevoer_edge.media.animated_image import AnimatedImage, is_animated
from coevoer_edge.media.camera_device import CameraDevice, camera_number
from coevoer_edge.media.frames import VIDEO_SUFFIXES, VideoFile
from coevoer_edge.media.images import IMAGE_SUFFIXES, is_image
from coevoer_edge.output.results import UNTRAINED, make_folder, provenance, refuse_existing, refuse_file
from coevoer_edge.output.stream_files import StreamFiles, stream_paths
from coevoer_edge.pipeline.person import frame_camera
from coevoer_edge.terminal.console import ENDING, Steps
from coevoer_edge.terminal.progress import FrameProgress

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.media.frames import Frame, FrameSource
    from coevoer_edge.output.viewer import Viewer


@dataclass(frozen=True)
class StreamOptions:
    """Options of a run on a stream."""

    every: int = 1  # use each N-th frame
    max_frames: int | None = None  # stop after that many used frames
    smooth: bool = True
    focal_px: float | None = None  # the real lens, for places in a world; None: the frame's diagonal
    view: bool = False
    overlay: bool = True  # write the .overlay.mp4

    def __post_init__(self) -> None:
        """Refuse a focal length that is no lens; `nan` passes comparisons and reached the files."""
        if self.focal_px is not None and not 0 < self.focal_px < math.inf:
            raise InputError(f"The focal length is {self.focal_px} px; give a finite number of pixels above 0.")


@dataclass(frozen=True)
class StreamOutcome:
    """The result of a run on a stream."""

    source: str
    files: tuple[Path, ...]
    frames: int  # that the network ran on
    found: int  # with a person
    skipped: int  # out of order, damaged, or passed over because the camera was faster
    seconds: float
    interrupted: int  # the signal that ended it (Ctrl-C is SIGINT), 0 for none
    problem: str | None  # what was wrong with the source, in a sentence

    @property
    def fps(self) -> float:
        """Frames per second, including all work."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def is_stream(source: str | Path) -> bool:
    """Whether a source is a camera, a video file or an animation, rather than images.

    A file counts as a video by its suffix. One with another suffix, or none, is a video where Pillow does not know it.
    """
    path, suffix = Path(source), Path(source).suffix.lower()
    if camera_number(str(source)) is not None:
        return True
    if path.is_dir() or suffix in VIDEO_SUFFIXES or not path.is_file():
        return suffix in VIDEO_SUFFIXES and not path.is_dir()
    return is_animated(path) if suffix in IMAGE_SUFFIXES else not is_image(path)


def run_stream(
    bundle: str | Path,
    source: str | Path,
    output_dir: str | Path = "out",
    *,
    body: str | Path | None = None,
    options: StreamOptions | None = None,
    overwrite: bool = False,
    steps: Steps | None = None,
) -> tuple["Bundle", StreamOutcome]:
    """Run a bundle on a stream and write the results.

    A source that breaks off gives an outcome with its `problem`, and the files up to that point. Raises `InputError`
    for one that cannot be opened, and before any work when a result exists (unless `overwrite`).
    """
    from coevoer_edge.bundle import Bundle

    steps, options, folder = steps or Steps(2, quiet=True), options or StreamOptions(), Path(output_dir)
    refuse_file(folder)
    with ExitStack() as stack:
        frames = open_source(source)
        stack.callback(frames.close)
        paths = stream_paths(folder, frames.name, overlay=options.overlay)
        recording = folder / f"{frames.name}.rrd"
        refuse_existing([*paths.values(), *([recording] if options.view else [])], overwrite)
        steps.step(f"Open {bundle}")
        opened = Bundle.open(bundle)
        manifest = opened.manifest
        estimator = stack.enter_context(Estimator.from_bundle(opened, body, smooth=options.smooth))
        steps.note(f"{manifest.model}, {manifest.target}, {manifest.precision}; body: {estimator.body.name}")
        if not manifest.trained:
            steps.note(UNTRAINED, style="bold yellow")
        steps.step(f"Run {source}" + ("; Ctrl-C ends it" if frames.live else ""))
        make_folder(folder)
        viewer = None
        if options.view:
            from coevoer_edge.output.viewer import Viewer

            viewer = stack.enter_context(Viewer(recording, estimator.body, frames.size_px, focal_px=options.focal_px))
            steps.note(viewer.where)
        return opened, _run(opened, str(source), frames, estimator, paths, options, viewer, steps)


def open_source(source: str | Path) -> "FrameSource":
    """Open a video file, an animation or a camera. Raises `InputError` for one that cannot be opened."""
    number = camera_number(str(source))
    if number is not None:
        return CameraDevice(number)
    return AnimatedImage(source) if is_animated(Path(source)) else VideoFile(source)


def _run(
    bundle: "Bundle",
    source: str,
    frames: "FrameSource",
    estimator: Estimator,
    paths: dict[str, Path],
    options: StreamOptions,
    viewer: "Viewer | None",
    steps: Steps,
) -> StreamOutcome:
    out = StreamFiles(
        paths,
        frames.size_px,
        frames.frames_per_second / options.every,
        estimator.body,
        camera=frame_camera(*frames.size_px),
        focal_px=options.focal_px,
        trained=bundle.manifest.trained,
    )
    began, written = time.perf_counter(), tuple[Path, ...]()
    problem = None
    with until_interrupted() as interrupted:
        try:
            with FrameProgress(steps, _expected(frames, options)) as progress:
                for frame in _chosen(frames, options, interrupted):
                    tracked = estimator.detect_for_video(frame.pixels, frame.timestamp_ms)
                    picture = out.add(frame, tracked)
                    if viewer is not None:
                        viewer.add(frame.timestamp_ms, picture, tracked.person)
                    progress.advance(out.found)
            problem = frames.problem
        finally:  # what was written is kept, whatever happened
            skipped = frames.count.unordered + frames.count.damaged
            written = out.close(
                {
                    "source": Path(source).name,
                    "frames": len(out),
                    "found": out.found,
                    "skipped": skipped,
                    "interrupted": bool(interrupted()),
                    "problem": frames.problem,
                    "every": options.every,
                    "smoothed": options.smooth,
                    "provenance": provenance(bundle, estimator.body),
                }
            )
    files = (*written, *([viewer.path] if viewer is not None else []))
    seconds = time.perf_counter() - began
    return StreamOutcome(source, files, len(out), out.found, skipped, seconds, interrupted(), problem)


def _expected(frames: "FrameSource", options: StreamOptions) -> int | None:
    known = None if frames.frames is None else -(-frames.frames // options.every)
    limits = [n for n in (known, options.max_frames) if n is not None]
    return min(limits) if limits else None


def _chosen(frames: "FrameSource", options: StreamOptions, stop: Callable[[], int]) -> Iterator["Frame"]:
    """Every N-th frame, until there are enough or Ctrl-C is pressed."""
    used = 0
    for number, frame in enumerate(frames):
        if stop():
            return
        if number % options.every == 0:
            yield frame
            used += 1
            if used == options.max_frames:
                return


@contextmanager
def until_interrupted() -> Iterator[Callable[[], int]]:
    """Let Ctrl-C, SIGTERM and SIGHUP set a flag instead of interrupting in the middle of a frame.

    Gives a function that returns the number of the signal, 0 while there was none. A second signal interrupts at once.
    """
    came = 0
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield lambda: came
        return

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = number

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    for number in before:
        signal.signal(number, press)
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stream_summary(bundle: "Bundle", outcome: StreamOutcome) -> dict[str, object]:
    """The content of `--json`."""
    return {
        "trained": bundle.manifest.trained,
        "model": bundle.manifest.model,
        "source": outcome.source,
        "frames": outcome.frames,
        "skipped": outcome.skipped,
        "found": outcome.found,
        "fps": round(outcome.fps, 2),
        "interrupted": bool(outcome.interrupted),
        "problem": outcome.problem,
        "files": [str(file) for file in outcome.files],
    }


def stream_lines(bundle: "Bundle", outcome: StreamOutcome) -> Sequence[str]:
    """The same as lines of text."""
    lines = [] if bundle.manifest.trained else [UNTRAINED]
    lines.append(
        f"{outcome.frames} frames, a person in {outcome.found}, {outcome.skipped} skipped, {outcome.fps:.1f} frames/s"
    )
    if not outcome.found:
        lines.append("No person was found, so there is no .bvh and no .glb.")
    return [*lines, *(f"Wrote {file}" for file in outcome.files)]


def refuse_problem(outcome: StreamOutcome) -> None:
    """Raise `CheckFailed` when the source was incomplete."""
    if outcome.problem:
        kept = f"the {outcome.frames} frames before are kept" if outcome.frames else "nothing could be used"
        raise CheckFailed(f"{outcome.source}: {outcome.problem} What could be decoded was run; {kept}.")
