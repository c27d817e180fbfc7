"""The mirror image of a record, with left and right swapped in every label.

In: a `Record`. Out: its mirror image. Betas and expression stay unchanged, which requires a symmetric body such as the
open body.
"""

import torch
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.body.keypoints import MIRRORED_KEYPOINTS
from coevoer_edge.data.record import BODY_PARTS, Record


def _swapped(names: tuple[str, ...]) -> list[int]:
    """Index of each name's counterpart on the other side."""
    other = {"left_": "right_", "right_": "left_"}
    return [names.index(next((o + n.removeprefix(s) for s, o in other.items() if n.startswith(s)), n)) for n in names]


_BODY = [i - 1 for i in _swapped(BODY_JOINT_NAMES)[1:]]
_PARTS = _swapped(contract.PARTS)
_VISIBILITY = _swapped(contract.VISIBILITY)  # also the order of `known`
_LABELS = [*_swapped(BODY_PARTS), *range(len(BODY_PARTS), 256)]
_KEYPOINTS = list(MIRRORED_KEYPOINTS)


def mirror_rotations(rotations: Tensor) -> Tensor:
    """Mirrored rotations (..., 3, 3): D R D with D = diag(-1, 1, 1)."""
    sign = rotations.new_tensor((-1.0, 1.0, 1.0))
    return rotations * sign[:, None] * sign


def flip(record: Record) -> Record:
    """Mirror all samples. Mirroring twice restores them."""
    r = record
    minus_x = r.camera.new_tensor((-1.0, 1.0, 1.0))
    x, y = r.keypoints_2d[:, _KEYPOINTS].unbind(-1)
    x1, y1, x2, y2 = r.part_boxes[:, _PARTS].unbind(-1)
    labels = torch.tensor(_LABELS, dtype=torch.uint8, device=r.labels.device)
    return Record(
        image=r.image.flip(-1),
        global_orient=mirror_rotations(r.global_orient),
        body_pose=mirror_rotations(r.body_pose[:, _BODY]),
        left_hand_pose=mirror_rotations(r.right_hand_pose),
        right_hand_pose=mirror_rotations(r.left_hand_pose),
        jaw_pose=mirror_rotations(r.jaw_pose),
        betas=r.betas,
        expression=r.expression,
        camera=r.camera * minus_x,
        known=r.known[:, _VISIBILITY],
        keypoints_3d=r.keypoints_3d[:, _KEYPOINTS] * minus_x,
        keypoints_3d_weight=r.keypoints_3d_weight[:, _KEYPOINTS],
        keypoints_2d=torch.stack((contract.IMAGE_WIDTH_PX - x, y), dim=-1),
        keypoints_2d_weight=r.keypoints_2d_weight[:, _KEYPOINTS],
        part_boxes=torch.stack((1 - x2, y1, 1 - x1, y2), dim=-1),
        part_boxes_weight=r.part_boxes_weight[:, _PARTS],
        visibility=r.visibility[:, _VISIBILITY],
        visibility_weight=r.visibility_weight[:, _VISIBILITY],
        labels=labels[r.labels.flip(-1).long()],
    )
