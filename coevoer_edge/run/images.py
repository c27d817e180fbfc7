"""`coevoer-edge run` on photographs.

In: a bundle folder, an image or a folder of images. Out, for each: `.json`, `.npz`, `.glb` and `.overlay.png`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.estimator import DEFAULT_PASSES, Estimator, Person
from coevoer_edge.media.images import OVERLAY_SUFFIX, find_images
from coevoer_edge.output.animation.bvh import joint_tips
from coevoer_edge.output.results import (
    CONVENTION,
    UNTRAINED,
    avatar_values,
    make_folder,
    numbers,
    provenance,
    refuse_existing,
    refuse_file,
    smplx_arrays,
)
from coevoer_edge.pipeline.image import Pixels, load_image
from coevoer_edge.terminal.console import Steps

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle

_SUFFIXES = (".json", ".npz", ".glb", OVERLAY_SUFFIX)


@dataclass(frozen=True)
class Outcome:
    """What became of one image: the files written, or the reason why none were."""

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
    planned = _plan(images, output_dir, _SUFFIXES if overlay else _SUFFIXES[:-1], overwrite)
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


def write_person(
    files: Sequence[Path], image_name: str, pixels: Pixels, person: Person, estimator: Estimator, bundle: "Bundle"
) -> None:
    """Write one person to `files` (json, npz, glb and, unless it is left out, overlay).

    Each of them says so when the model is untrained.
    """
    from coevoer_edge.output.meshes import write_glb

    json_path, npz_path, glb_path = files[:3]
    make_folder(json_path.parent)
    record = _record(image_name, pixels, person, estimator, bundle)
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items()]
    json_path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")  # one line a key
    np.savez_compressed(npz_path, **_npz_arrays(person))
    vertices, faces = person.mesh(), estimator.body.faces
    extras = {key: str(record[key]) for key in ("trained", "warning") if key in record}
    write_glb(glb_path, vertices, faces, extras=extras | {"body_licence": estimator.body.licence})
    for overlay_path in files[3:]:
        _write_overlay(overlay_path, pixels, person, faces)


def _write_overlay(path: Path, pixels: Pixels, person: Person, faces: NDArray[np.integer]) -> None:
    """Write the photograph with the mesh and the joints over it, and a banner where the weights are untrained."""
    from PIL import Image

    from coevoer_edge.output.overlay import draw_joints, draw_overlay, stamp

    overlay = draw_overlay(pixels, person.mesh(), faces, person.camera)
    overlay = draw_joints(overlay, person.joints_cam, person.camera)
    Image.fromarray(overlay if person.trained else stamp(overlay, UNTRAINED)).save(path)


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
    crop = person.crop
    return {
        "trained": person.trained,
        **({} if person.trained else {"warning": UNTRAINED}),
        "image": {"file": image_name, "width_px": pixels.shape[1], "height_px": pixels.shape[0]},
        "provenance": provenance(bundle, estimator.body),
        "convention": CONVENTION,
        "gender": "neutral",
        **{name: numbers(array[0]) for name, array in smplx_arrays(person).items()},
        "camera": {
            "focal_px": person.camera.focal_px,
            "principal_point_px": list(person.camera.principal_point_px),
        },
        "crop_px": {"x0": crop.x0, "y0": crop.y0, "width": crop.width, "height": crop.height},
        "part_boxes_px": dict(zip(contract.PARTS, numbers(person.part_boxes_px), strict=True)),
        "visibility": dict(zip(contract.VISIBILITY, numbers(person.visibility), strict=True)),
        "joints_px": dict(zip(JOINT_NAMES, numbers(person.joints_px), strict=True)),
        "joints_cam_m": dict(zip(JOINT_NAMES, numbers(person.joints_cam), strict=True)),
        **avatar_values(person.parameters, estimator.body, joint_tips(estimator.body)),
    }


def _plan(
    images: Sequence[Path], output_dir: Path, suffixes: Sequence[str], overwrite: bool
) -> dict[Path, tuple[Path, ...]]:
    """The files of each image, one a suffix; refuses clashes and, without `overwrite`, what is there already."""
    refuse_file(output_dir)
    by_stem: dict[str, Path] = {}
    for image in images:
        other = by_stem.setdefault(image.stem, image)
        if other != image:
            raise InputError(
                f"{other.name} and {image.name} would both write {image.stem}.json; rename one, or run them apart."
            )
    plan = {image: tuple(output_dir / (image.stem + suffix) for suffix in suffixes) for image in images}
    refuse_existing([file for files in plan.values() for file in files], overwrite)
    return plan
