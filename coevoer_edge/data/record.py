"""The training record: what every dataset yields, synthetic or real, and what training and evaluation take.

In: tensors. Out: `Record`, `collate`. Rotations, boxes, camera and visibility are in the contract's units and frames.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

BODY_PARTS = ("background", "body", "head", "left_hand", "right_hand", "left_arm", "right_arm", "torso", "legs")
"""Values of `Record.labels`, in order; "body" is a person's pixel of which no more is known."""
UNKNOWN = 255
"""The value of a pixel of which nothing is known."""

BOX_SCALE = 1.2
"""Size of a part's box over the bounds of its keypoints. OSX data/UBody/UBody.py (face), tool/AGORA/agora2coco.py."""

KNOWN = ("body", "face", "left_hand", "right_hand")
"""Order of `Record.known`."""


class Record(NamedTuple):
    """B samples (or one, without the batch axis). What a dataset does not know has weight 0 and any finite value.

    The keypoints are `body.keypoints.KEYPOINT_NAMES`. The crop's camera frame is x right, y down, z into the scene.
    `camera` is the translation under which the contract's virtual camera (focal 5000 px) shows the keypoints best.
    """

    image: Tensor  # B 3 256 192, uint8 RGB
    global_orient: Tensor  # B 1 3 3
    body_pose: Tensor  # B 21 3 3
    left_hand_pose: Tensor  # B 15 3 3
    right_hand_pose: Tensor  # B 15 3 3
    jaw_pose: Tensor  # B 1 3 3
    betas: Tensor  # B 10
    expression: Tensor  # B 10
    camera: Tensor  # B 3, m
    known: Tensor  # B 4: weight of the SMPL-X parameters of KNOWN; body covers orientation, shape and camera too
    keypoints_3d: Tensor  # B K 3, m, camera frame, from the pelvis
    keypoints_3d_weight: Tensor  # B K
    keypoints_2d: Tensor  # B K 2, px of the crop
    keypoints_2d_weight: Tensor  # B K
    part_boxes: Tensor  # B 3 4, x1 y1 x2 y2 as fractions of the crop
    part_boxes_weight: Tensor  # B 3
    visibility: Tensor  # B 4, 0 or 1: person, face, left hand, right hand
    visibility_weight: Tensor  # B 4
    labels: Tensor  # B 256 192, uint8: BODY_PARTS or UNKNOWN

    def to(self, device: torch.device | str) -> "Record":
        """The same on another device."""
        return Record(*(tensor.to(device, non_blocking=True) for tensor in self))


def collate(records: Sequence[Record]) -> Record:
    """Stack single samples into a batch."""
    return Record(*(torch.stack(tensors) for tensors in zip(*records, strict=True)))


class RecordSource(Protocol):
    """A dataset: samples by index. The same index gives the same sample, always."""

    def __len__(self) -> int:
        """How many samples there are; for an endless source, how many its indices may reach."""

    def batch(self, indices: Sequence[int]) -> Record:
        """The samples of these indices, in their order."""


@runtime_checkable
class StagedSource(Protocol):
    """A dataset whose `batch` is two stages: one for the CPUs of worker processes, one for the device that trains."""

    def prepare(self, indices: Sequence[int]) -> Any:
        """What `finish` needs of these samples; travels between processes."""

    def finish(self, prepared: Any) -> Record:
        """The samples, on the source's device."""


@runtime_checkable
class VertexSource(Protocol):
    """A dataset whose ground truth has meshes: those of evaluation."""

    def vertices(self, indices: Sequence[int]) -> Tensor:
        """(B, V, 3) m in the axes of the camera frame, from the dataset's own camera; SMPL-X's vertex order."""
