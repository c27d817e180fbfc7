"""`coevoer-edge run`: a bundle and a photograph, a video or a camera in; SMPL-X parameters, meshes and motion out.

In: the command line. Out: what `run_images` and `run_stream` write. A folder stands for its images; a file with the
suffix of a video is a video, any other an image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.estimator import DEFAULT_PASSES
from coevoer_edge.media.camera_device import camera_number
from coevoer_edge.media.source import refuse_unusable
from coevoer_edge.output.results import UNTRAINED
from coevoer_edge.run.images import Outcome
from coevoer_edge.run.images import run_images as run
from coevoer_edge.run.stream import StreamOptions, is_stream, refuse_problem, run_stream, stream_lines, stream_summary
from coevoer_edge.terminal.console import JSON_OPTION, Command, Steps, print_json

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle

__all__ = ["UNTRAINED", "command", "is_stream", "run", "run_stream"]


def _report(bundle: "Bundle", outcomes: Sequence[Outcome], steps: Steps, as_json: bool) -> None:
    """Print which files were written for images; raise `CheckFailed` when some images were left out."""
    failed = [outcome for outcome in outcomes if outcome.error]
    if not bundle.manifest.trained:
        steps.result(UNTRAINED)
    for file in (file for outcome in outcomes for file in outcome.files):
        steps.result(f"Wrote {file}")
    if as_json:
        summary = {
            "trained": bundle.manifest.trained,
            "model": bundle.manifest.model,
            "written": [{"image": str(o.image), "files": [str(f) for f in o.files]} for o in outcomes if not o.error],
            "failed": [{"image": str(o.image), "error": o.error} for o in failed],
        }
        print_json(summary)
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(outcomes)} images could not be used: {', '.join(o.image.name for o in failed)}."
        )


def _refuse_misplaced(context: click.Context, stream: bool) -> None:
    """Raise `InputError` for an option that does not apply to the source."""
    streams_only = ("every", "max_frames", "no_smoothing", "focal_px", "view")
    misplaced = ("passes",) if stream else streams_only
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if name in misplaced and given:
            kind, other = ("a video or camera", "images") if stream else ("images", "videos and cameras")
            raise InputError(f"{parameter.opts[0]} has no meaning for {kind}; it is for {other}. Leave it out.")


@click.command(cls=Command, name="run")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("source", type=str)
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("out"), show_default=True)
@click.option(
    "--body", type=click.Path(path_type=Path), help="Use your own SMPLX_NEUTRAL.npz instead of the open body."
)
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=DEFAULT_PASSES,
    show_default=True,
    help="Images: how often the network runs. The first pass looks at the whole frame, each further one at the body "
    "that the pass before found.",
)
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Video: use every N-th frame.")
@click.option("--max-frames", type=click.IntRange(min=1), help="Video: stop after that many frames.")
@click.option("--no-smoothing", is_flag=True, help="Video: disable temporal smoothing.")
@click.option(
    "--focal-px",
    type=click.FloatRange(min=0, min_open=True),
    help="Video: focal length of the real lens in pixels of the frame, for positions in the world.  "
    "[default: the frame's diagonal]",
)
@click.option(
    "--view",
    is_flag=True,
    help="Video: show the result in the Rerun viewer, and write its recording.",
)
@click.option("--no-overlay", is_flag=True, help="Write no overlay picture or video.")
@click.option("--overwrite", is_flag=True, help="Replace existing results.")
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.pass_context
def command(
    context: click.Context,
    bundle: Path,
    source: str,
    output_dir: Path,
    body: Path | None,
    passes: int,
    every: int,
    max_frames: int | None,
    no_smoothing: bool,
    focal_px: float | None,
    view: bool,
    no_overlay: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run BUNDLE on SOURCE and write SMPL-X parameters, overlays and meshes.

    SOURCE is an image, a folder of images, a video file, an animated GIF, PNG or WebP, camera, or camera:N. A video
    gives an overlay video, the parameters of every frame (.npz, and .jsonl with ARKit weights and VRM rotations) and
    animations (.bvh, .glb).
    """
    refuse_unusable(source)
    steps, stream = Steps(2, quiet=quiet, json_only=as_json), is_stream(source)
    _refuse_misplaced(context, stream)
    if not stream:
        opened, images = run(
            bundle,
            source,
            output_dir,
            body=body,
            passes=passes,
            overlay=not no_overlay,
            overwrite=overwrite,
            steps=steps,
        )
        _report(opened, images, steps, as_json)
        return
    options = StreamOptions(every, max_frames, not no_smoothing, focal_px, view, overlay=not no_overlay)
    opened, outcome = run_stream(
        bundle, source, output_dir, body=body, options=options, overwrite=overwrite, steps=steps
    )
    for line in stream_lines(opened, outcome):
        steps.result(line)
    if as_json:
        print_json(stream_summary(opened, outcome))
    refuse_problem(outcome)
    if outcome.interrupted and camera_number(source) is None:
        context.exit(128 + outcome.interrupted)


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.run")
