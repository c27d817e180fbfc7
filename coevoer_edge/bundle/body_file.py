"""The portable body: `body.safetensors`, which all implementations of the pipeline read (docs/pipeline.md, section 5).

In: a `BodyModel`. Out: one little-endian safetensors file whose header describes the shape of each tensor. As a
command:

    python -m coevoer_edge.bundle.body_file --body SMPLX_NEUTRAL.npz -o body.safetensors

converts a user's own SMPL-X model, which keeps its licence. Tensors (V vertices, F faces; lengths in m):

    v_template        V 3       f32   mean shape at rest
    shapedirs         20 V 3    f32   betas, then expression
    joint_template    55 3      f32
    joint_directions  20 55 3   f32
    parents           55        i32   -1 for the root
    faces             F 3       i32
    skin_joints       V 8       u8    largest weight first, zero padded
    skin_weights      V 8       f32
    part_face, part_left_hand, part_right_hand    n    i32   vertex indices; absent if not in the model
    posedirs          486 V 3   f32   only if the model has them
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.joints import NUM_JOINTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.bundle.tensor_file import write_tensors
from coevoer_edge.errors import InputError
from coevoer_edge.terminal.console import Command

FILE_NAME = "body.safetensors"
MAX_SKIN_JOINTS = 8
MAX_DROPPED_WEIGHT = 0.02
"""The most weight that a vertex may lose when only `MAX_SKIN_JOINTS` joints are kept; a greater loss is an error. The
remaining weights are rescaled to sum to 1."""

_SHAPES = {
    "v_template": "V 3, m",
    "shapedirs": "20 V 3, m: betas, then expression",
    "joint_template": "55 3, m",
    "joint_directions": "20 55 3, m",
    "parents": "55, -1 for the root",
    "faces": "F 3",
    "skin_joints": "V 8, largest weight first",
    "skin_weights": "V 8, zero padded",
    "posedirs": "486 V 3, m: rows of R - I, joints 1 to 54",
}


def body_tensors(model: BodyModel) -> dict[str, NDArray[Any]]:
    """The tensors of the portable body. Raises `InputError` if eight joints per vertex are too few."""
    file = model.file
    joints, weights = _skin(file.weights)
    tensors: dict[str, NDArray[Any]] = {
        "v_template": file.v_template,
        "shapedirs": file.shapedirs.transpose(2, 0, 1),  # 20 V 3
        "joint_template": model.joint_template,
        "joint_directions": model.joint_directions.T.reshape(-1, NUM_JOINTS, 3),  # 20 55 3
        "parents": np.array(model.parents, "<i4"),
        "faces": model.faces,
        "skin_joints": joints,
        "skin_weights": weights,
    }
    tensors |= {f"part_{part}": indices for part, indices in model.part_vertices.items()}
    if file.posedirs is not None:
        tensors["posedirs"] = file.posedirs.transpose(2, 0, 1)  # 486 V 3
    return tensors


def write_body(model: BodyModel, path: Path) -> None:
    """Write the portable body. Raises `InputError` if eight joints per vertex are too few."""
    tensors = body_tensors(model)
    shapes = {name: _SHAPES.get(name, "n vertex indices") for name in tensors}
    metadata = {"name": model.name, "licence": model.licence, "shapes": json.dumps(shapes)}
    write_tensors(path, tensors, metadata)


def _skin(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Convert (V, 55) weights to joints and weights (V, 8), largest first; equal weights are ordered by joint."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :MAX_SKIN_JOINTS]
    kept = np.take_along_axis(weights, order, axis=1)
    dropped = weights.sum(1, dtype=np.float64) - kept.sum(1, dtype=np.float64)
    many = (weights > 0).sum(1) > MAX_SKIN_JOINTS
    if many.any() and (worst := float(dropped[many].max())) > MAX_DROPPED_WEIGHT:
        raise InputError(
            f"{int((many & (dropped > MAX_DROPPED_WEIGHT)).sum())} vertices follow more than {MAX_SKIN_JOINTS} joints "
            f"and would lose up to {worst:.3f} of their weight; at most {MAX_DROPPED_WEIGHT} may be lost. "
            "Give SMPLX_NEUTRAL.npz as published, or prune its skinning weights."
        )
    kept = np.where(many[:, None], kept / kept.sum(1, keepdims=True), kept)
    joints = np.where(kept > 0, order, 0)
    return joints.astype(np.uint8), kept.astype(np.float32)


@click.command(cls=Command)
@click.option("--body", type=click.Path(path_type=Path), help="Your SMPLX_NEUTRAL.npz.  [default: the open body]")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path(FILE_NAME), show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def main(body: Path | None, output: Path, overwrite: bool) -> None:
    """Write a body model as the one file that the web module, C++, Kotlin and Swift read."""
    if output.is_dir():
        raise InputError(f"{output} is a folder; give a file name with -o, such as {output / FILE_NAME}.")
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; add --overwrite, or give another name with -o.")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is not a folder; create it first, or give another name with -o.")
    model = BodyModel.open(body)
    write_body(model, output)
    click.echo(
        f"{output}: {model.name} ({model.licence}), {model.num_vertices:,} vertices, {len(model.faces):,} faces, "
        f"{output.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.bundle.body_file")
