"""The training record, which every dataset, synthetic or real, yields and which training and evaluation take.

In: tensors. Out: `Record`, `collate`. Rotations, boxes, camera and visibility are in the contract's units and frames.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

BODY_PARTS = ("background", "body", "head", "left_hand", "right_hand", "left_arm", "right_arm", "torso", "legs")
"""Values of `Record.labels`, in order; "body" marks a pixel of a person whose body part is not known."""
UNKNOWN = 255
"""The value of a pixel about which nothing is known."""

BOX_SCALE = 1.2
"""Size of a part's box relative to its keypoints' bounds (OSX data/UBody/UBody.py: face; tool/AGORA/agora2coco.py)."""

KNOWN = ("body", "face", "left_hand", "right_hand")
"""Order of `Record.known`."""


class Record(NamedTuple):
    """B samples (or one, without the batch axis). Unknown values are finite but arbitrary, and have weight 0.

    The keypoints are `body.keypoints.KEYPOINT_NAMES`. The crop's camera frame is x right, y down, z into the scene.
    `camera` is the translation with which the contract's virtual camera (focal 5000 px) best reprojects the keypoints.
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
    keypoints_3d: Tensor  # B K 3, m, camera frame, relative to the pelvis
    keypoints_3d_weight: Tensor  # B K
    keypoints_2d: Tensor  # B K 2, px of the crop
    keypoints_2d_weight: Tensor  # B K
    part_boxes: Tensor  # B 3 4, x1 y1 x2 y2 as fractions of the crop
    part_boxes_weight: Tensor  # B 3
    visibility: Tensor  # B 4, 0 or 1: person, face, left hand, right hand
    visibility_weight: Tensor  # B 4
    labels: Tensor  # B 256 192, uint8: BODY_PARTS or UNKNOWN

    def to(self, device: torch.device | str) -> "Record":
        """A copy of the record on another device."""
        return Record(*(tensor.to(device, non_blocking=True) for tensor in self))


def collate(records: Sequence[Record]) -> Record:
    """Stack single samples into a batch."""
    return Record(*(torch.stack(tensors) for tensors in zip(*records, strict=True)))


class RecordSource(Protocol):
    """A dataset with samples by index. The same index always gives the same sample."""

    def __len__(self) -> int:
        """Number of samples; for an endless source, the upper limit of its indices."""

    def batch(self, indices: Sequence[int]) -> Record:
        """The samples at these indices, in the given order."""


@runtime_checkable
class StagedSource(Protocol):
    """A dataset whose `batch` has two stages: one for the CPUs of worker processes, one for the training device."""

    def prepare(self, indices: Sequence[int]) -> Any:
        """The data that `finish` needs for these samples; it is sent between processes."""

    def finish(self, prepared: Any) -> Record:
        """The samples, on the source's device."""


@runtime_checkable
class VertexSource(Protocol):
    """A dataset whose ground truth has meshes, as evaluation datasets do."""

    def vertices(self, indices: Sequence[int]) -> Tensor:
        """(B, V, 3) m, in the camera frame of the dataset's own camera and in SMPL-X's vertex order."""
