"""`coevoer-edge run`: a bundle and a photograph in, SMPL-X parameters, mesh and overlay out.

In: a bundle folder, an image or a folder of images. Out, for each: `.json`, `.npz`, `.glb` and `.overlay.png`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from coevoer_edge import __version__, contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.console import Command, Steps
from coevoer_edge.errors import CheckFailed, CoEvoerError, InputError
from coevoer_edge.estimator import DEFAULT_PASSES, Array, Estimator, Person
from coevoer_edge.image import Pixels, load_image
from coevoer_edge.rotations import matrix_to_axis_angle

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle

UNTRAINED = "Untrained weights: these numbers are random."
CONVENTION = (
    "Axis-angle in rad, m. Hand poses are absolute: smplx.create(..., use_pca=False, flat_hand_mean=True). "
    "transl is in the camera below (x right, y down, z into the scene); pixel (0, 0) has its centre at (0.5, 0.5)."
)
_SUFFIXES = (".json", ".npz", ".glb", ".overlay.png")
_IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif"),  # not read by Pillow, but found, so that they are reported
)


@dataclass(frozen=True)
class Outcome:
    """What became of one image: the files written, or the reason why none were."""

    image: Path
    files: tuple[Path, ...]
    error: str | None = None


def run(
    bundle: str | Path,
    image: str | Path,
    output_dir: str | Path = "out",
    *,
    body: str | Path | None = None,
    passes: int = DEFAULT_PASSES,
    overwrite: bool = False,
    steps: Steps | None = None,
) -> tuple["Bundle", list[Outcome]]:
    """Run a bundle on an image, or on every image of a folder, and write the results.

    In a folder a bad image becomes an `Outcome` with its error; a single bad image raises `InputError`. Raises
    `InputError` before any work when an output exists (unless `overwrite`) or two images would write the same file.
    """
    from coevoer_edge.bundle import Bundle

    steps = steps or Steps(2, quiet=True)
    image, output_dir = Path(image), Path(output_dir)
    images = find_images(image)
    planned = _plan(images, output_dir, overwrite)
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
                pixels = load_image(path)
                person = estimator(pixels)
            except InputError as error:
                if not image.is_dir():
                    raise
                steps.note(f"Left out: {error}", style="red")
                outcomes.append(Outcome(path, (), str(error)))
                continue
            write_person(planned[path], path.name, pixels, person, estimator, opened)
            outcomes.append(Outcome(path, planned[path]))
    return opened, outcomes


def find_images(path: Path) -> list[Path]:
    """The image itself, or the images of a folder (not of its subfolders) by name, without overlays of earlier runs."""
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"No image at {path}; give an image file or a folder of images.")
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGE_SUFFIXES and p.is_file())
    images = [p for p in files if not p.name.endswith(".overlay.png")]
    if not images:
        raise InputError(f"No images in {path}; it should hold files ending in {', '.join(_IMAGE_SUFFIXES)}.")
    return images


def smplx_arrays(person: Person) -> dict[str, Array]:
    """The parameters under SMPL-X's own names with a batch axis of 1, as `smplx.SMPLX.forward` takes them.

    Rotations are axis-angle, rad; `transl` in m, in the frame of `person.camera`. The eyes look straight ahead: the
    network does not tell. Hands have no mean pose added (`flat_hand_mean=True`).
    """
    p = person.parameters
    rotations = {
        "global_orient": p.global_orient,
        "body_pose": p.body_pose,
        "left_hand_pose": p.left_hand_pose,
        "right_hand_pose": p.right_hand_pose,
        "jaw_pose": p.jaw_pose,
    }
    return {
        **{name: matrix_to_axis_angle(matrices).reshape(1, -1) for name, matrices in rotations.items()},
        "leye_pose": np.zeros((1, 3)),
        "reye_pose": np.zeros((1, 3)),
        "betas": np.asarray(p.betas, np.float64)[None],
        "expression": np.asarray(p.expression, np.float64)[None],
        "transl": person.translation_m[None],
    }


def write_person(
    files: Sequence[Path], image_name: str, pixels: Pixels, person: Person, estimator: Estimator, bundle: "Bundle"
) -> None:
    """Write one person to the four `files` (json, npz, glb, overlay), each saying so when the model is untrained."""
    from PIL import Image

    from coevoer_edge.mesh_io import write_glb
    from coevoer_edge.overlay import draw_joints, draw_overlay, stamp

    json_path, npz_path, glb_path, overlay_path = files
    folder = json_path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CoEvoerError(f"{folder} cannot be made ({error.strerror}); give another folder with -o.") from None
    record = _record(image_name, pixels, person, estimator, bundle)
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items()]
    json_path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")  # one line a key
    np.savez_compressed(npz_path, **_npz_arrays(person))
    vertices, faces = person.mesh(), estimator.body.faces
    extras = {key: str(record[key]) for key in ("trained", "warning") if key in record}
    write_glb(glb_path, vertices, faces, extras=extras | {"body_licence": estimator.body.licence})
    overlay = draw_overlay(pixels, vertices, faces, person.camera)
    overlay = draw_joints(overlay, person.joints_cam, person.camera)
    Image.fromarray(overlay if person.trained else stamp(overlay, UNTRAINED)).save(overlay_path)


def _npz_arrays(person: Person) -> dict[str, Any]:
    """SMPL-X's parameters in float32, as `torch.from_numpy` and smplx want them, and the rest of the JSON file."""
    return {
        **{name: array.astype(np.float32) for name, array in smplx_arrays(person).items()},
        "gender": np.array("neutral"),
        "trained": np.array(person.trained),
        "focal_px": np.array(person.camera.focal_px),
        "principal_point_px": np.array(person.camera.principal_point_px),
        "joints_cam": person.joints_cam,
        "joints_px": person.joints_px,
        "part_boxes_px": person.part_boxes_px,
        "visibility": person.visibility,
    }


def _record(image_name: str, pixels: Pixels, person: Person, estimator: Estimator, bundle: "Bundle") -> dict[str, Any]:
    """The content of the JSON file; the same numbers as the npz, with names, provenance and conventions."""
    manifest, crop = bundle.manifest, person.crop
    return {
        "trained": person.trained,
        **({} if person.trained else {"warning": UNTRAINED}),
        "image": {"file": image_name, "width_px": pixels.shape[1], "height_px": pixels.shape[0]},
        "provenance": {
            "bundle": bundle.artifact.parent.name,
            "artifact": bundle.artifact.name,
            "model": manifest.model,
            "target": manifest.target,
            "precision": manifest.precision,
            "body": estimator.body.name,
            "body_licence": estimator.body.licence,
            "coevoer_edge": __version__,
        },
        "convention": CONVENTION,
        "gender": "neutral",
        **{name: _numbers(array[0]) for name, array in smplx_arrays(person).items()},
        "camera": {
            "focal_px": person.camera.focal_px,
            "principal_point_px": list(person.camera.principal_point_px),
        },
        "crop_px": {"x0": crop.x0, "y0": crop.y0, "width": crop.width, "height": crop.height},
        "part_boxes_px": dict(zip(contract.PARTS, _numbers(person.part_boxes_px), strict=True)),
        "visibility": dict(zip(contract.VISIBILITY, _numbers(person.visibility), strict=True)),
        "joints_px": dict(zip(JOINT_NAMES, _numbers(person.joints_px), strict=True)),
        "joints_cam_m": dict(zip(JOINT_NAMES, _numbers(person.joints_cam), strict=True)),
    }


def _numbers(array: Array) -> list[object]:
    """Nested lists with six decimals: 1e-6 rad, m or px is far below any error."""
    return [round(v, 6) if isinstance(v, float) else _numbers(np.asarray(v)) for v in array.tolist()]


def _plan(images: Sequence[Path], output_dir: Path, overwrite: bool) -> dict[Path, tuple[Path, ...]]:
    """The four files of each image; refuses clashes and, without `overwrite`, what is there already."""
    if output_dir.exists() and not output_dir.is_dir():
        raise InputError(f"{output_dir} is a file; give a folder with -o.")
    by_stem: dict[str, Path] = {}
    for image in images:
        other = by_stem.setdefault(image.stem, image)
        if other != image:
            raise InputError(
                f"{other.name} and {image.name} would both write {image.stem}.json; rename one, or run them apart."
            )
    plan = {image: tuple(output_dir / (image.stem + suffix) for suffix in _SUFFIXES) for image in images}
    existing = [file for files in plan.values() for file in files if file.exists()]
    if existing and not overwrite:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise InputError(f"{existing[0]}{more} exists; give --overwrite to replace it, or another folder with -o.")
    return plan


def _report(bundle: "Bundle", outcomes: Sequence[Outcome], steps: Steps, as_json: bool) -> None:
    """Say what was written, on stdout; raise `CheckFailed` when images were left out."""
    failed = [outcome for outcome in outcomes if outcome.error]
    if as_json:
        summary = {
            "trained": bundle.manifest.trained,
            "model": bundle.manifest.model,
            "written": [{"image": str(o.image), "files": [str(f) for f in o.files]} for o in outcomes if not o.error],
            "failed": [{"image": str(o.image), "error": o.error} for o in failed],
        }
        click.echo(json.dumps(summary, indent=1))
    else:
        if not bundle.manifest.trained:
            steps.result(UNTRAINED)
        for file in (file for outcome in outcomes for file in outcome.files):
            steps.result(f"Wrote {file}")
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(outcomes)} images could not be used: {', '.join(o.image.name for o in failed)}."
        )


@click.command(cls=Command, name="run")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("out"), show_default=True)
@click.option("--body", type=click.Path(path_type=Path), help="Your SMPLX_NEUTRAL.npz; without it, the open body.")
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=DEFAULT_PASSES,
    show_default=True,
    help="Runs of the network: 1 looks at the whole frame, each further one at the body found before.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing results.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON on stdout.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    bundle: Path,
    image: Path,
    output_dir: Path,
    body: Path | None,
    passes: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run BUNDLE on IMAGE (a file, or a folder of images) and write parameters, mesh and overlay for each."""
    steps = Steps(2, quiet=quiet)
    opened, outcomes = run(bundle, image, output_dir, body=body, passes=passes, overwrite=overwrite, steps=steps)
    _report(opened, outcomes, steps, as_json)


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.run")
