"""The network from image to SMPL-X parameters.

In: image (B, 3, 256, 192), RGB in [0, 1]. Out: `CoEvoerOutputs`, in the contract's order.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.model.attention import Mlp
from coevoer_edge.model.boxes import BoxNet, PartFeatures
from coevoer_edge.model.encoder import Encoder
from coevoer_edge.model.enhancer import CollaborativeEvolutionEnhancer, ConcatenatedSelfAttention, RefineNet
from coevoer_edge.model.foreground import ForegroundExtraction, PooledSegments
from coevoer_edge.model.heads import TokenHead, sixd_to_rotation, to_translation

_BODY = 1 + contract.NUM_BODY_JOINTS  # rotations of the body head: root and body joints
_HAND = contract.NUM_HAND_JOINTS


class CoEvoerOutputs(NamedTuple):
    """The contract's outputs; units and frames in `coevoer_edge.contract.OUTPUTS`."""

    global_orient: Tensor  # B 1 3 3
    body_pose: Tensor  # B 21 3 3
    left_hand_pose: Tensor  # B 15 3 3
    right_hand_pose: Tensor  # B 15 3 3
    jaw_pose: Tensor  # B 1 3 3
    betas: Tensor  # B 10
    expression: Tensor  # B 10
    camera: Tensor  # B 3
    part_boxes: Tensor  # B 3 4
    visibility: Tensor  # B 4


class CoEvoer(nn.Module):
    """Encoder, Portrait Foreground Extraction, BoxNet, enhancer, RefineNet and heads, as the paper connects them."""

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        foreground: ForegroundExtraction | PooledSegments,
        box_net: BoxNet,
        part_features: PartFeatures,
        enhancer: CollaborativeEvolutionEnhancer | ConcatenatedSelfAttention,
        refine_net: RefineNet,
        body_tokens: nn.Linear,
        body_head: TokenHead,
        face_head: TokenHead,
        left_hand_head: TokenHead,
        right_hand_head: TokenHead,
        visibility_head: Mlp,
    ) -> None:
        super().__init__()
        self.name = name
        self.encoder = encoder
        self.foreground = foreground
        self.box_net = box_net
        self.part_features = part_features
        self.enhancer = enhancer
        self.refine_net = refine_net
        self.body_tokens = body_tokens
        self.body_head = body_head
        self.face_head = face_head
        self.left_hand_head = left_hand_head
        self.right_hand_head = right_hand_head
        self.visibility_head = visibility_head

    def forward(self, image: Tensor) -> CoEvoerOutputs:
        """Image (B, 3, 256, 192), RGB in [0, 1]."""
        patches, body_tasks, part_tasks = self.encoder(image)
        part_boxes = self.box_net(part_tasks[:, 1:])  # without the person

        segments = self.foreground(patches)
        parts = self.part_features(patches, part_boxes.detach())
        (face, left_hand, right_hand), segments = self.enhancer(parts, segments)
        torso = self.refine_net(segments)

        body = self.body_head(torch.cat((self.body_tokens(body_tasks), torso), dim=1))  # B 22*6+10+3
        face = self.face_head(face)  # B 6+10
        body_end, betas_end = _BODY * 6, _BODY * 6 + contract.NUM_BETAS
        sixd = (
            body[:, :body_end].unflatten(1, (6, _BODY)),
            self.left_hand_head(left_hand).unflatten(1, (6, _HAND)),
            self.right_hand_head(right_hand).unflatten(1, (6, _HAND)),
            face[:, :6].unflatten(1, (6, 1)),
        )
        rotation = sixd_to_rotation(torch.cat(sixd, dim=2))  # B 53 3 3
        left, right, jaw = _BODY, _BODY + _HAND, _BODY + 2 * _HAND
        return CoEvoerOutputs(
            global_orient=rotation[:, :1],
            body_pose=rotation[:, 1:left],
            left_hand_pose=rotation[:, left:right],
            right_hand_pose=rotation[:, right:jaw],
            jaw_pose=rotation[:, jaw:],
            betas=body[:, body_end:betas_end],
            expression=face[:, 6:],
            camera=to_translation(body[:, betas_end:]),
            part_boxes=part_boxes,
            visibility=torch.sigmoid(self.visibility_head(part_tasks).flatten(1)),
        )
