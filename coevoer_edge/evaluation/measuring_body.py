"""The body that evaluation measures on: posed meshes with their alignment points, vertex sets and keypoints.

In: a `BodyModel`, SMPL-X parameters of a batch. Out: `Meshes`, and which vertices belong to which part.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.keypoints import Keypoints
from coevoer_edge.body.layer import BodyLayer, SmplxTensors, all_coefficients, all_rotations, with_surface_points
from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import InputError

ANCHORS = ("pelvis", "neck", "left_wrist", "right_wrist")
"""Joints at which the whole body, face, left hand and right hand are aligned. OSX data/UBody/UBody.py: evaluate."""


class Meshes(NamedTuple):
    """B posed bodies, m, before the camera's translation."""

    vertices: Tensor  # B V 3
    anchors: Tensor  # B 4 3: ANCHORS
    keypoints: Tensor  # B K 3: body.keypoints.KEYPOINT_NAMES


class MeasuringBody(nn.Module):
    """Poses bodies for measurement.

    The anchors are regressed from the posed mesh (J_regressor times vertices), as OSX does; they differ by a few mm
    from the joints of forward kinematics.

    Raises:
        InputError: the file does not identify the vertices of face and hands, or has no face landmarks.
    """

    regressor: Tensor
    part_of_vertex: Tensor
    corners: Tensor
    shares: Tensor

    def __init__(self, model: BodyModel) -> None:
        super().__init__()
        if missing := [part for part in contract.PARTS if part not in model.part_vertices]:
            raise InputError(
                f"{model.name} does not identify the vertices of {', '.join(missing)}, which evaluation measures; put "
                "SMPL-X__FLAME_vertex_ids.npy and MANO_SMPLX_vertex_ids.pkl of https://smpl-x.is.tue.mpg.de beside "
                "the file, or leave --body out for the open body."
            )
        keypoints = Keypoints.of(model)
        self.model = model
        self.layer = BodyLayer(model)
        self.part_vertices = {part: model.part_vertices[part].astype(np.int64) for part in contract.PARTS}
        part_of_vertex = np.zeros(model.num_vertices, np.int64)  # V: index into Record.known
        for number, part in enumerate(contract.PARTS, start=1):
            part_of_vertex[self.part_vertices[part]] = number
        rows = model.file.J_regressor[[JOINT_NAMES.index(name) for name in ANCHORS]]  # 4 V
        constants = {
            "regressor": rows.astype(np.float32),
            "part_of_vertex": part_of_vertex,
            "corners": keypoints.corners.reshape(-1).astype(np.int64),
            "shares": keypoints.shares.astype(np.float32),
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)

    @property
    def device(self) -> torch.device:
        """The device of the measurement."""
        return self.regressor.device

    def forward(self, parameters: SmplxTensors) -> Meshes:
        """Shape and pose a batch of bodies."""
        vertices, joints = self.layer(all_rotations(parameters).float(), all_coefficients(parameters).float())
        return self.of_vertices(vertices, joints)

    def of_vertices(self, vertices: Tensor, joints: Tensor) -> Meshes:
        """Take meshes (B, V, 3) and joints (B, 55, 3) unchanged."""
        keypoints = with_surface_points(joints, vertices, self.corners, self.shares)  # B K 3
        return Meshes(vertices, self.regressor @ vertices, keypoints)

    def known_vertices(self, known: Tensor) -> Tensor:
        """(B, 4) weights of `Record.known` to (B, V) 0 or 1: the true place of the vertex is known."""
        parts = (known > 0) & (known[:, :1] > 0)  # no other part is where it should be without the body
        return parts[:, self.part_of_vertex].double()
