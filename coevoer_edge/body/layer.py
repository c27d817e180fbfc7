"""The body layer in torch: batched and differentiable, for training, rendering and evaluation.

In: a `BodyModel`; rotations and coefficients of a batch. Out: joints, vertices and keypoints, m. Apps use the numpy
layer (`coevoer_edge.body.model`); a test compares the two.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.keypoints import Keypoints
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters


class SmplxTensors(Protocol):
    """Anything that holds SMPL-X parameters of a batch: the network's outputs, a training record."""

    @property
    def global_orient(self) -> Tensor:
        """(B, 1, 3, 3)."""

    @property
    def body_pose(self) -> Tensor:
        """(B, 21, 3, 3)."""

    @property
    def left_hand_pose(self) -> Tensor:
        """(B, 15, 3, 3)."""

    @property
    def right_hand_pose(self) -> Tensor:
        """(B, 15, 3, 3)."""

    @property
    def jaw_pose(self) -> Tensor:
        """(B, 1, 3, 3)."""

    @property
    def betas(self) -> Tensor:
        """(B, 10)."""

    @property
    def expression(self) -> Tensor:
        """(B, 10)."""


class SmplxBatch(NamedTuple):
    """SMPL-X parameters of a batch and nothing else; shapes as in `SmplxTensors`."""

    global_orient: Tensor
    body_pose: Tensor
    left_hand_pose: Tensor
    right_hand_pose: Tensor
    jaw_pose: Tensor
    betas: Tensor
    expression: Tensor

    @classmethod
    def of(cls, people: Sequence[SmplxParameters], device: torch.device | str = "cpu") -> "SmplxBatch":
        """Stack the parameters of single people into one float32 batch."""
        stacked = (np.stack([getattr(person, name) for person in people]) for name in cls._fields)
        return cls(*(torch.from_numpy(array.astype(np.float32)).to(device) for array in stacked))


def all_rotations(p: SmplxTensors) -> Tensor:
    """(B, 55, 3, 3) in SMPL-X's joint order: root, body, jaw, eyes (at rest), left hand, right hand."""
    B = p.global_orient.shape[0]
    eyes = torch.eye(3, device=p.jaw_pose.device, dtype=p.jaw_pose.dtype).expand(B, 2, 3, 3)
    return torch.cat((p.global_orient, p.body_pose, p.jaw_pose, eyes, p.left_hand_pose, p.right_hand_pose), dim=1)


def all_coefficients(p: SmplxTensors) -> Tensor:
    """(B, 20): betas, then expression."""
    return torch.cat((p.betas, p.expression), dim=1)


def _levels() -> list[list[int]]:
    """Joints by their distance from the root: each level needs only the one before it."""
    depth = [0] * NUM_JOINTS
    for joint in range(1, NUM_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    return [[j for j in range(NUM_JOINTS) if depth[j] == level] for level in range(1, max(depth) + 1)]


_LEVELS = _levels()
_REORDER = np.argsort([0, *(joint for level in _LEVELS for joint in level)]).tolist()


class BodyLayer(nn.Module):
    """Shape and pose a batch of bodies as smplx does: the root turns about the pelvis joint, nothing is translated.

    Args:
        model: the open body or a user's own SMPL-X file.
        vertices: indices of the vertices to compute; all by default.
    """

    template: Tensor
    directions: Tensor
    pose_directions: Tensor | None
    weights: Tensor
    joint_template: Tensor
    joint_directions: Tensor

    def __init__(self, model: BodyModel, vertices: NDArray[np.integer] | None = None) -> None:
        super().__init__()
        chosen = np.arange(model.num_vertices) if vertices is None else np.asarray(vertices)
        file = model.file
        constants = {
            "template": file.v_template[chosen].T,  # 3 V
            "directions": file.shapedirs[chosen].transpose(2, 1, 0).reshape(20, -1),  # 20 3*V
            "weights": file.weights[chosen].T,  # 55 V
            "joint_template": model.joint_template,  # 55 3
            "joint_directions": model.joint_directions.T.reshape(20, -1),  # 20 55*3
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, np.float32)), persistent=False)
        pose = None
        if file.posedirs is not None:  # 486 3*V
            pose = torch.from_numpy(file.posedirs[chosen].transpose(2, 1, 0).reshape(486, -1).astype(np.float32))
        self.register_buffer("pose_directions", pose, persistent=False)

    def forward(self, rotations: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations (B, 55, 3, 3) and betas with expression (B, 20) to vertices (B, V, 3) and joints (B, 55, 3), m."""
        B = rotations.shape[0]
        transforms, joints = self._kinematics(rotations, coefficients)
        rest = self.template + (coefficients @ self.directions).view(B, 3, -1)  # B 3 V: vertices last, for speed
        if self.pose_directions is not None:
            feature = rotations[:, 1:] - torch.eye(3, device=rotations.device, dtype=rotations.dtype)
            rest = rest + (feature.flatten(1) @ self.pose_directions).view(B, 3, -1)
        rows = transforms.permute(2, 3, 0, 1).reshape(12 * B, NUM_JOINTS)
        turn = (rows @ self.weights).view(3, 4, B, -1)  # 3 4 B V
        axes = [sum((turn[i, j] * rest[:, j] for j in range(3)), start=turn[i, 3]) for i in range(3)]  # each B V
        return torch.stack(axes, dim=-1), joints

    def joints(self, rotations: Tensor, coefficients: Tensor) -> Tensor:
        """The joints alone (B, 55, 3), m."""
        return self._kinematics(rotations, coefficients)[1]

    def orientations(self, rotations: Tensor, coefficients: Tensor) -> Tensor:
        """Orientation of each joint in the frame that `global_orient` maps to, (B, 55, 3, 3)."""
        return self._kinematics(rotations, coefficients)[0][..., :3]

    def _kinematics(self, rotations: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Skinning transforms (B, 55, 3, 4) and posed joints (B, 55, 3). smplx/lbs.py: batch_rigid_transform."""
        B = rotations.shape[0]
        rest = self.joint_template + (coefficients @ self.joint_directions).view(B, NUM_JOINTS, 3)
        world: dict[int, Tensor] = {0: rotations[:, 0]}
        posed: dict[int, Tensor] = {0: rest[:, 0]}
        ordered_world, ordered_posed = [rotations[:, :1]], [rest[:, :1]]
        for level in _LEVELS:
            parents = [PARENTS[joint] for joint in level]
            above = torch.stack([world[parent] for parent in parents], dim=1)  # B n 3 3
            start = torch.stack([posed[parent] for parent in parents], dim=1)  # B n 3
            turned = above @ rotations[:, level]
            reached = start + (above @ (rest[:, level] - rest[:, parents])[..., None])[..., 0]
            world |= {joint: turned[:, i] for i, joint in enumerate(level)}
            posed |= {joint: reached[:, i] for i, joint in enumerate(level)}
            ordered_world.append(turned)
            ordered_posed.append(reached)
        turns = torch.cat(ordered_world, dim=1)[:, _REORDER]  # B 55 3 3
        joints = torch.cat(ordered_posed, dim=1)[:, _REORDER]  # B 55 3
        shift = joints - (turns @ rest[..., None])[..., 0]
        return torch.cat((turns, shift[..., None]), dim=-1), joints


class KeypointLayer(nn.Module):
    """The keypoints of a batch of bodies: 55 joints, ten fingertips, 51 face landmarks (`KEYPOINT_NAMES`)."""

    corners: Tensor
    shares: Tensor

    def __init__(self, model: BodyModel) -> None:
        super().__init__()
        keypoints = Keypoints.of(model)
        used, corners = np.unique(keypoints.corners, return_inverse=True)
        self.body = BodyLayer(model, used)
        self.register_buffer("corners", torch.from_numpy(corners.reshape(-1).astype(np.int64)), persistent=False)
        self.register_buffer("shares", torch.from_numpy(keypoints.shares.astype(np.float32)), persistent=False)

    def forward(self, rotations: Tensor, coefficients: Tensor) -> Tensor:
        """Rotations (B, 55, 3, 3) and coefficients (B, 20) to keypoints (B, K, 3), m."""
        vertices, joints = self.body(rotations, coefficients)
        return with_surface_points(joints, vertices, self.corners, self.shares)


def with_surface_points(joints: Tensor, vertices: Tensor, corners: Tensor, shares: Tensor) -> Tensor:
    """Joints (B, 55, 3), then the points on the surface: shares (n, 3) of the vertices at corners (n * 3,)."""
    around = vertices[:, corners].view(len(vertices), *shares.shape, 3)  # B n 3 3: point, corner, xyz
    return torch.cat((joints, (around * shares[..., None]).sum(2)), dim=1)


PELVIS = JOINT_NAMES.index("pelvis")
