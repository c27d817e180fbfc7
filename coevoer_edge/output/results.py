"""What the results of photographs and of streams have in common: keys, numbers, checks.

In: persons, paths. Out: SMPL-X arrays under SMPL-X's own names, provenance, and errors before any work.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coevoer_edge import __version__
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.rotations import matrix_to_axis_angle
from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import refusing_os_errors, write_whole

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.body.parameters import SmplxParameters
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.pipeline.person import Person


OPEN_BODY = "open body"
UNTRAINED = "Untrained weights: these numbers are random."
CONVENTION = (
    "Axis-angle in rad, m. Hand poses are absolute: smplx.create(..., use_pca=False, flat_hand_mean=True). "
    "transl is in the camera below (x right, y down, z into the scene); pixel (0, 0) has its centre at (0.5, 0.5)."
)


def smplx_arrays(person: "Person") -> dict[str, Float64Array]:
    """The parameters under SMPL-X's own names with a batch axis of 1, as `smplx.SMPLX.forward` takes them.

    Rotations are axis-angle, rad; `transl` in m, in the frame of `person.camera`. The eyes look straight ahead, because
    the network does not estimate gaze. Hands have no mean pose added (`flat_hand_mean=True`).
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


def numbers(array: Float64Array) -> list[object]:
    """Nested lists with six decimals: 1e-6 rad, m or px is far below any error."""
    return [round(v, 6) if isinstance(v, float) else numbers(np.asarray(v)) for v in array.tolist()]


def provenance(bundle: "Bundle | None", body: "BodyModel") -> dict[str, str | None]:
    """The bundle and the body that produced a result; None where a runtime was given without its bundle."""
    origin: dict[str, str | None] = dict.fromkeys(("bundle", "artifact", "model", "target", "precision"))
    if bundle is not None:
        origin = {
            "bundle": bundle.artifact.parent.name,
            "artifact": bundle.artifact.name,
            "model": bundle.manifest.model,
            "target": bundle.manifest.target,
            "precision": bundle.manifest.precision,
        }
    return origin | {
        "body": body.name,
        "body_licence": body.licence,
        "coevoer_edge": __version__,
    }


def avatar_values(parameters: "SmplxParameters", body: "BodyModel", tips: Float64Array) -> dict[str, Any]:
    """What drives an avatar: VRM rotations by bone (x y z w) and, for the open body's face, ARKit weights by name.

    `tips` is `animation.bvh.joint_tips(body)`. ARKit is None with another body, whose expression coefficients have
    other meanings.
    """
    from coevoer_edge.output.avatar.arkit import ARKIT_NAMES, arkit_weights
    from coevoer_edge.output.avatar.vrm import by_bone, vrm_rig, vrm_rotations

    rotations = vrm_rotations(parameters, vrm_rig(body, np.asarray(parameters.betas), tips))
    arkit = None
    if body.name == OPEN_BODY:
        weights = numbers(arkit_weights(parameters.expression, parameters.jaw_pose))
        arkit = dict(zip(ARKIT_NAMES, weights, strict=True))
    return {"arkit": arkit, "vrm": {bone: numbers(q) for bone, q in by_bone(rotations).items()}}


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON file with one line for each key."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items()]
    write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")


def make_folder(folder: Path) -> None:
    """Make a folder for results. Raises `CoEvoerError` where it cannot be made."""
    with refusing_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def refuse_file(output_dir: Path) -> None:
    """Raise `InputError` where the output folder is a file."""
    if output_dir.exists() and not output_dir.is_dir():
        raise InputError(f"{output_dir} is a file; give a folder for the results.")


def file_stem(name: str) -> str:
    """Check a name for files, to which suffixes are added. Raises `InputError` for a folder or an empty name."""
    if not name or Path(name).name != name:
        raise InputError(f"{name!r} is not a file name; give one without a folder, such as 'photo'.")
    return name


def refuse_existing(files: Sequence[Path], overwrite: bool) -> None:
    """Raise `InputError` where a result exists, unless it may be overwritten."""
    if folders := [file for file in files if file.is_dir()]:
        raise InputError(f"{folders[0]} is a folder, where a file is to be written; remove it, or give another folder.")
    existing = [file for file in files if file.exists()]
    if existing and not overwrite:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise InputError(
            f"{existing[0]}{more} exists; replace it with --overwrite (in Python, overwrite=True), or give another "
            "folder."
        )
