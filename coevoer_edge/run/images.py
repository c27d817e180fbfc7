"""`coevoer-edge run` on photographs.

In: a bundle folder, an image or a folder of images. Out, for each: `.json`, `.npz`, `.glb` and `.overlay.png`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.errors import InputError
from coevoer_edge.estimator import DEFAULT_PASSES, Estimator
from coevoer_edge.media.images import find_images
from coevoer_edge.output.person_files import person_paths
from coevoer_edge.output.results import UNTRAINED, refuse_existing, refuse_file
from coevoer_edge.terminal.console import Steps

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle


@dataclass(frozen=True)
class Outcome:
    """The result for one image: the files written, or the reason why none were."""

    image: Path
    files: tuple[Path, ...]
    error: str | None = None


def run_images(
    bundle: str | Path,
    image: str | Path,
    output_dir: str | Path = "out",
    *,
    body: str | Path | None = None,
    passes: int = DEFAULT_PASSES,
    overlay: bool = True,
    overwrite: bool = False,
    steps: Steps | None = None,
) -> tuple["Bundle", list[Outcome]]:
    """Run a bundle on an image, or on every image of a folder, and write the results.

    `overlay=False` writes no `.overlay.png`, which takes longer than all other files of an image together.
    In a folder a bad image becomes an `Outcome` with its error; a single bad image raises `InputError`. Raises
    `InputError` before any work when an output exists (unless `overwrite`) or two images would write the same file.
    """
    from coevoer_edge.bundle import Bundle

    steps = steps or Steps(2, quiet=True)
    image, output_dir = Path(image), Path(output_dir)
    images = find_images(image)
    _refuse_clashes(images, output_dir, overlay=overlay, overwrite=overwrite)
    steps.step(f"Open {bundle}")
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    outcomes = []
    with Estimator.from_bundle(opened, body, passes=passes) as estimator:
        steps.note(f"{manifest.model}, {manifest.target}, {manifest.precision}; body: {estimator.body.name}")
        if not manifest.trained:
            steps.note(UNTRAINED, style="bold yellow")
        steps.step(f"Run {image}" if len(images) == 1 else f"Run the {len(images)} images of {image}")
        for path in steps.track(images, lambda path: path.name) if image.is_dir() else images:
            try:
                person = estimator(path)
            except InputError as error:
                if not image.is_dir():
                    raise
                steps.note(f"Left out: {error}", style="red")
                outcomes.append(Outcome(path, (), str(error)))
                continue
            outcomes.append(Outcome(path, person.save(output_dir, path.stem, overlay=overlay, overwrite=overwrite)))
    return opened, outcomes


def _refuse_clashes(images: Sequence[Path], output_dir: Path, *, overlay: bool, overwrite: bool) -> None:
    """Raise `InputError` for two images with the same name and, without `overwrite`, for results that exist."""
    refuse_file(output_dir)
    by_stem: dict[str, Path] = {}
    for image in images:
        other = by_stem.setdefault(image.stem, image)
        if other != image:
            raise InputError(
                f"{other.name} and {image.name} would both write {image.stem}.json; rename one, or run them separately."
            )
    refuse_existing([p for stem in by_stem for p in person_paths(output_dir, stem, overlay=overlay)], overwrite)
