"""A record source for tests: random people posed with the open body, dots at their keypoints as the image."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.body.layer import KeypointLayer, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.record import Record
from coevoer_edge.training.losses import FACE, LEFT_HAND, RIGHT_HAND, project_for_loss

H, W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX
SPREAD = {"global_orient": (1, 0.3), "body_pose": (21, 0.25), "left_hand_pose": (15, 0.3)}
SPREAD |= {"right_hand_pose": (15, 0.3), "jaw_pose": (1, 0.1)}


class FakeSource:
    """`length` people; the same index gives the same person."""

    def __init__(self, length: int = 8) -> None:
        self.length = length
        self.keypoints = KeypointLayer(BodyModel.open())

    def __len__(self) -> int:
        return self.length

    def batch(self, indices: Sequence[int]) -> Record:
        return make_record(self.keypoints, indices)


def rotations(rng: np.random.Generator, joints: int, spread: float) -> Tensor:
    return torch.from_numpy(axis_angle_to_matrix(rng.normal(0, spread, (joints, 3)))).float()


def make_record(layer: KeypointLayer, seeds: Sequence[int]) -> Record:
    """One person for each seed, upright and in the crop; everything known."""
    B = len(seeds)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    poses = {name: torch.stack([rotations(rng, *spread) for rng in rngs]) for name, spread in SPREAD.items()}
    facing = torch.from_numpy(axis_angle_to_matrix((np.pi, 0, 0))).float()
    poses["global_orient"] = facing @ poses["global_orient"]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joint = BODY_JOINT_NAMES.index(f"{side}_shoulder") - 1
        down = torch.from_numpy(axis_angle_to_matrix((0, 0, -sign * 1.0))).float()
        poses["body_pose"][:, joint] = down @ poses["body_pose"][:, joint]
    numbers = torch.from_numpy(np.stack([rng.normal(0, 1, 23) for rng in rngs])).float()
    record = Record(
        image=torch.zeros(B, 3, H, W, dtype=torch.uint8),
        **poses,
        betas=numbers[:, :10],
        expression=numbers[:, 10:20],
        camera=numbers[:, 20:23] * torch.tensor([0.05, 0.05, 2.0]) + torch.tensor([0.0, 0.6, 24.0]),
        known=torch.ones(B, 4),
        keypoints_3d=torch.zeros(0),
        keypoints_3d_weight=torch.ones(B, 116),
        keypoints_2d=torch.zeros(0),
        keypoints_2d_weight=torch.ones(B, 116),
        part_boxes=torch.zeros(0),
        part_boxes_weight=torch.ones(B, 3),
        visibility=torch.ones(B, 4),
        visibility_weight=torch.ones(B, 4),
        labels=torch.zeros(B, H, W, dtype=torch.uint8),
    )
    points = layer(all_rotations(record), all_coefficients(record))
    flat = project_for_loss(points + record.camera[:, None])
    parts = [flat[:, part] for part in (FACE, LEFT_HAND, RIGHT_HAND)]
    size = torch.tensor([W, H])
    boxes = torch.stack([torch.cat((p.amin(1) / size, p.amax(1) / size), dim=1) for p in parts], dim=1)
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    seen = ((centre > 0) & (centre < 1)).all(-1).float()
    image, labels = draw(flat)
    return record._replace(
        image=image,
        labels=labels,
        keypoints_3d=points - points[:, :1],
        keypoints_2d=flat,
        part_boxes=boxes,
        part_boxes_weight=seen,
        visibility=torch.cat((torch.ones(B, 1), seen), dim=1),
    )


def draw(points: Tensor) -> tuple[Tensor, Tensor]:
    """A square of 5 x 5 px in a colour of its own at each keypoint; labels 2, 3, 4 on face and hands, else 1."""
    B, K, _ = points.shape
    image = torch.full((B, H, W, 3), 40, dtype=torch.uint8)
    labels = torch.zeros(B, H, W, dtype=torch.uint8)
    colours = torch.from_numpy(np.random.default_rng(0).integers(60, 256, (K, 3))).to(torch.uint8)
    label_of = {**dict.fromkeys(FACE, 2), **dict.fromkeys(LEFT_HAND, 3), **dict.fromkeys(RIGHT_HAND, 4)}
    for b in range(B):
        for k, (x, y) in enumerate(points[b].floor().int().tolist()):
            if 2 <= x < W - 2 and 2 <= y < H - 2:
                image[b, y - 2 : y + 3, x - 2 : x + 3] = colours[k]
                labels[b, y - 2 : y + 3, x - 2 : x + 3] = label_of.get(k, 1)
    return image.permute(0, 3, 1, 2).contiguous(), labels
