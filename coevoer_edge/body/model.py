"""The body layer in numpy: SMPL-X parameters to a mesh.

In: `SmplxParameters`. Out: `PosedBody`. It needs neither torch nor smplx, and computes the same sums as smplx/lbs.py in
float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float32Array, Int32Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model_file import ModelFile, read_model_file
from coevoer_edge.body.parameters import SmplxParameters

# Vertices in one block. Neighbours in a model file follow the same few joints, so a block needs few of the 55; and
# products this small stay on the calling thread in OpenBLAS, whose threads cost more than they save and tens of
# milliseconds when the processor is busy.
_BLOCK = 256

_EYES = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))  # the network does not estimate gaze
_ONE = np.ones(1, np.float32)


def _ancestors() -> list[NDArray[np.intp]]:
    """Each joint's parent, grandparent, then 4 and 8 steps up; `NUM_JOINTS` beyond the root."""
    up = np.array((*(parent if parent >= 0 else NUM_JOINTS for parent in PARENTS), NUM_JOINTS))
    steps = []
    while (up < NUM_JOINTS).any():
        steps.append(up)
        up = up[up]
    return steps


_ANCESTORS = _ancestors()


@dataclass(frozen=True)
class PosedBody:
    """One body in SMPL-X's frame (x to the person's left, y up, z forward before `global_orient`); m."""

    vertices: Float32Array  # V 3
    joints: Float32Array  # 55 3


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A posed body without its skin, in `PosedBody`'s frame: enough for a tracker, at a tenth of the mesh's cost."""

    coefficients: Float32Array  # 20: betas, then expression
    rotations: Float32Array  # 55 3 3, each joint to its parent
    transforms: Float32Array  # 55 3 4, from rest position to posed position
    joints: NDArray[np.float64]  # 55 3


class BodyModel:
    """A body in SMPL-X's schema: the open body that comes with the package, or a user's own SMPL-X file.

    joint_names, parents: the 55 joints in SMPL-X order. faces: (F, 3) int32. part_vertices: vertex indices by
    `contract.PARTS`; a part that the file does not define is absent. extras: the file's other arrays.
    """

    joint_names = JOINT_NAMES
    parents = PARENTS

    def __init__(self, file: ModelFile) -> None:
        self.name = file.name
        self.licence = file.licence
        self.faces: Int32Array = file.faces
        self.part_vertices: Mapping[str, Int32Array] = file.parts
        self.extras: Mapping[str, NDArray[Any]] = file.extras
        self.file = file

    def __repr__(self) -> str:
        return f"<BodyModel {self.name}: {self.num_vertices} vertices, {len(self.faces)} faces, {self.licence}>"

    @classmethod
    def open(cls, path: Path | str | None = None) -> "BodyModel":
        """The open body, or SMPLX_NEUTRAL.npz as published. `InputError` if the file cannot be used."""
        return cls(read_model_file(path))

    @property
    def num_vertices(self) -> int:
        """V."""
        return len(self.file.v_template)

    def pose(self, parameters: SmplxParameters) -> PosedBody:
        """Shape and pose one body as smplx does: the root turns about the pelvis joint, nothing is translated."""
        skeleton = self.skeleton(parameters)
        return PosedBody(np.ascontiguousarray(self.skin(skeleton).T), skeleton.joints.astype(np.float32))

    def skeleton(self, parameters: SmplxParameters) -> Skeleton:
        """The joints that `pose` returns, and everything that `skin` needs to compute the mesh."""
        coefficients = np.concatenate((parameters.betas, parameters.expression)).astype(np.float32)
        rotations = _all_rotations(parameters)
        joints = self.joint_template + (self.joint_directions @ coefficients).reshape(NUM_JOINTS, 3)
        return Skeleton(coefficients, rotations, *_forward_kinematics(rotations, joints))

    def skin(self, skeleton: Skeleton) -> Float32Array:
        """The vertices that `pose` returns, with the coordinate axis first: (3, V), m."""
        blocks = len(self._block_joints)
        coefficients = np.concatenate((_ONE, skeleton.coefficients))
        rest = (coefficients @ self._directions).reshape(blocks, 3, _BLOCK)  # C 3 n
        if self._pose_directions is not None:
            feature = (skeleton.rotations[1:] - np.eye(3, dtype=np.float32)).reshape(-1)  # 486
            rest += (feature @ self._pose_directions).reshape(rest.shape)
        transforms = skeleton.transforms.reshape(NUM_JOINTS, 12).take(self._block_joints, axis=0)  # C J 12
        blended = (transforms.swapaxes(1, 2) @ self._block_weights).reshape(blocks, 3, 4, _BLOCK)
        posed: Float32Array = np.einsum("cijn,cjn->icn", blended[:, :, :3], rest)
        posed += blended[:, :, 3].swapaxes(0, 1)
        return posed.reshape(3, -1)[:, : self.num_vertices]

    # The constant factor of each product is arranged once, on first use: vertices on the last axis, in C blocks of n.

    @cached_property
    def _directions(self) -> Float32Array:
        """The template, then the directions of the 20 coefficients."""
        directions = np.concatenate((self.file.v_template.T[None], self.file.shapedirs.transpose(2, 1, 0)))  # 21 3 V
        blocks = _in_blocks(directions.reshape(-1, self.num_vertices))  # C 63 n
        return blocks.reshape(len(blocks), len(directions), -1)  # C 21 3*n

    @cached_property
    def _pose_directions(self) -> Float32Array | None:
        if self.file.posedirs is None:
            return None
        directions = self.file.posedirs.transpose(2, 1, 0)  # 486 3 V
        blocks = _in_blocks(directions.reshape(-1, self.num_vertices))  # C 1458 n
        blocks = blocks.reshape(len(blocks), len(directions), -1)  # C 486 3*n
        return np.ascontiguousarray(blocks.swapaxes(0, 1)).reshape(len(directions), -1)

    @cached_property
    def _block_joints(self) -> NDArray[np.intp]:
        """C J: the joints that a block follows, padded with other joints to the largest number of any block."""
        used = (_in_blocks(self.file.weights.T) != 0).any(-1)  # C 55
        return np.argsort(~used, axis=1, kind="stable")[:, : used.sum(1).max()]

    @cached_property
    def _block_weights(self) -> Float32Array:
        weights = _in_blocks(self.file.weights.T)  # C 55 n
        return np.take_along_axis(weights, self._block_joints[:, :, None], axis=1)  # C J n

    @cached_property
    def joint_template(self) -> Float32Array:
        """(55, 3): the mean shape's joints at rest, m."""
        return self.file.J_regressor @ self.file.v_template  # 55 3

    @cached_property
    def joint_directions(self) -> Float32Array:
        """(165, 20): how the joints at rest move with betas and expression."""
        directions = np.tensordot(self.file.J_regressor, self.file.shapedirs, axes=1)  # 55 3 20
        return np.ascontiguousarray(directions.reshape(NUM_JOINTS * 3, -1))


def _in_blocks(columns: Float32Array) -> Float32Array:
    """(R, V) to (C, R, n): blocks of n vertices, the last filled with zeros."""
    R, V = columns.shape
    padded = np.zeros((R, -(-V // _BLOCK) * _BLOCK), np.float32)
    padded[:, :V] = columns
    return np.ascontiguousarray(padded.reshape(R, -1, _BLOCK).swapaxes(0, 1))


def _all_rotations(p: SmplxParameters) -> Float32Array:
    """(55, 3, 3) in SMPL-X's joint order: root, body, jaw, eyes, left hand, right hand."""
    parts = (p.global_orient, p.body_pose, p.jaw_pose, _EYES, p.left_hand_pose, p.right_hand_pose)
    return np.concatenate(parts, dtype=np.float32, casting="same_kind")


def _forward_kinematics(rotations: Float32Array, joints: Float32Array) -> tuple[Float32Array, NDArray[np.float64]]:
    """Rotations (55, 3, 3) and rest joints (55, 3) to skinning transforms (55, 3, 4) and posed joints (55, 3).

    smplx/lbs.py: batch_rigid_transform. Each joint's own transform rotates rest points about its rest position. The
    transform of a chain is the product of those of its joints, computed here by doubling: four products over all joints
    instead of one for each. In float64, so that the
    order of the products does not affect the result.
    """
    chained = np.zeros((NUM_JOINTS + 1, 4, 4))  # the last one, the identity, is the root's parent
    chained[:, range(4), range(4)] = 1
    chained[:-1, :3, :3] = rotations
    chained[:-1, :3, 3] = joints - (rotations @ joints[:, :, None])[..., 0]
    for ancestor in _ANCESTORS:
        chained = chained[ancestor] @ chained
    transforms = chained[:-1, :3]
    posed = (transforms[..., :3] @ joints[:, :, None])[..., 0] + transforms[..., 3]
    return transforms.astype(np.float32), posed
