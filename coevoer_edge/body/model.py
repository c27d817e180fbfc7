"""The body layer in numpy: SMPL-X parameters to a mesh.

In: `SmplxParameters`. Out: `PosedBody`. No torch and no smplx; the same sums as smplx/lbs.py, in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model_file import Floats, Ints, ModelFile, read_model_file
from coevoer_edge.parameters import SmplxParameters

# Vertices in one block. Products this small stay on the calling thread in OpenBLAS; woken for a whole mesh, its
# threads cost more than they save and tens of milliseconds when the processor is busy.
_BLOCK = 128

_EYES = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))  # the network gives no gaze


@dataclass(frozen=True)
class PosedBody:
    """One body in SMPL-X's frame (x to the person's left, y up, z forward before `global_orient`); m."""

    vertices: Floats  # V 3
    joints: Floats  # 55 3


class BodyModel:
    """A body in SMPL-X's schema: the open body that comes with the package, or a user's own SMPL-X file.

    joint_names, parents: the 55 joints in SMPL-X order. faces: (F, 3) int32. part_vertices: vertex indices by
    `contract.PARTS`; a part that the file does not tell is absent. extras: the file's other arrays.
    """

    joint_names = JOINT_NAMES
    parents = PARENTS

    def __init__(self, file: ModelFile) -> None:
        self.name = file.name
        self.licence = file.licence
        self.faces: Ints = file.faces
        self.part_vertices: Mapping[str, Ints] = file.parts
        self.extras: Mapping[str, NDArray[Any]] = file.extras
        self.file = file

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
        coefficients, rotations, transforms, posed_joints = self._skeleton(parameters)
        rest = self._template + (coefficients @ self._directions).reshape(self._template.shape)  # C 3 n
        if self._pose_directions is not None:
            feature = (rotations[1:] - np.eye(3, dtype=np.float32)).reshape(-1)  # 486
            rest += (feature @ self._pose_directions).reshape(rest.shape)
        blended = transforms.reshape(NUM_JOINTS, 12).T @ self._weights  # C 12 n
        return PosedBody(_skin(blended, rest)[: self.num_vertices], posed_joints)

    def joints(self, parameters: SmplxParameters) -> Floats:
        """(55, 3) the joints that `pose` gives, without the mesh, which is most of its work."""
        return self._skeleton(parameters)[3]

    def _skeleton(self, parameters: SmplxParameters) -> tuple[Floats, Floats, Floats, Floats]:
        """Coefficients (20,), rotations (55, 3, 3), skinning transforms (55, 3, 4) and posed joints (55, 3)."""
        coefficients = np.concatenate((parameters.betas, parameters.expression)).astype(np.float32)
        rotations = _all_rotations(parameters)
        joints = self.joint_template + (self.joint_directions @ coefficients).reshape(NUM_JOINTS, 3)
        return coefficients, rotations, *_forward_kinematics(rotations, joints)

    # Each product's constant side, laid out once, on first use: coordinates apart, vertices last, in C blocks of n.

    @cached_property
    def _template(self) -> Floats:
        return _in_blocks(self.file.v_template.T)  # C 3 n

    @cached_property
    def _directions(self) -> Floats:
        directions = self.file.shapedirs.transpose(2, 1, 0)  # 20 3 V
        blocks = _in_blocks(directions.reshape(-1, self.num_vertices))  # C 60 n
        return blocks.reshape(len(blocks), len(directions), -1)  # C 20 3*n

    @cached_property
    def _pose_directions(self) -> Floats | None:
        if self.file.posedirs is None:
            return None
        directions = self.file.posedirs.transpose(2, 1, 0)  # 486 3 V
        blocks = _in_blocks(directions.reshape(-1, self.num_vertices))  # C 1458 n
        blocks = blocks.reshape(len(blocks), len(directions), -1)  # C 486 3*n
        return np.ascontiguousarray(blocks.swapaxes(0, 1)).reshape(len(directions), -1)

    @cached_property
    def _weights(self) -> Floats:
        return _in_blocks(self.file.weights.T)  # C 55 n

    @cached_property
    def joint_template(self) -> Floats:
        """(55, 3): the mean shape's joints at rest, m."""
        return self.file.J_regressor @ self.file.v_template  # 55 3

    @cached_property
    def joint_directions(self) -> Floats:
        """(165, 20): how the joints at rest move with betas and expression."""
        directions = np.tensordot(self.file.J_regressor, self.file.shapedirs, axes=1)  # 55 3 20
        return np.ascontiguousarray(directions.reshape(NUM_JOINTS * 3, -1))


def _in_blocks(columns: Floats) -> Floats:
    """(R, V) to (C, R, n): blocks of n vertices, the last filled with zeros."""
    R, V = columns.shape
    padded = np.zeros((R, -(-V // _BLOCK) * _BLOCK), np.float32)
    padded[:, :V] = columns
    return np.ascontiguousarray(padded.reshape(R, -1, _BLOCK).swapaxes(0, 1))


def _all_rotations(p: SmplxParameters) -> Floats:
    """(55, 3, 3) in SMPL-X's joint order: root, body, jaw, eyes, left hand, right hand."""
    parts = (p.global_orient, p.body_pose, p.jaw_pose, _EYES, p.left_hand_pose, p.right_hand_pose)
    return np.concatenate(parts, dtype=np.float32, casting="same_kind")


def _forward_kinematics(rotations: Floats, joints: Floats) -> tuple[Floats, Floats]:
    """Rotations (55, 3, 3) and rest joints (55, 3) to skinning transforms (55, 3, 4) and posed joints (55, 3).

    smplx/lbs.py: batch_rigid_transform. Each transform takes a rest point to its posed place.
    """
    world = np.empty((NUM_JOINTS, 3, 3), np.float32)
    posed = np.empty((NUM_JOINTS, 3), np.float32)
    world[0], posed[0] = rotations[0], joints[0]
    offsets = joints - joints[list(PARENTS)]
    for joint in range(1, NUM_JOINTS):
        parent = PARENTS[joint]
        np.dot(world[parent], rotations[joint], out=world[joint])
        posed[joint] = posed[parent] + world[parent] @ offsets[joint]
    shift = posed - (world @ joints[:, :, None])[..., 0]
    return np.concatenate((world, shift[:, :, None]), axis=2), posed


def _skin(blended: Floats, rest: Floats) -> Floats:
    """Blended transforms (C, 12, n), rows of 3 x 4, of rest vertices (C, 3, n) to posed vertices (C * n, 3)."""
    posed = np.empty((len(rest), _BLOCK, 3), np.float32)
    for axis in range(3):
        row = blended[:, 4 * axis : 4 * axis + 4]  # C 4 n
        row[:, :3] *= rest
        posed[..., axis] = row.sum(axis=1)
    return posed.reshape(-1, 3)
