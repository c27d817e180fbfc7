"""Batched metrics, one function each: distances, Procrustes alignment, angles, boxes.

In: float tensors of a batch. Out: one number per sample (B,), NaN where a sample does not count. Distances keep the
unit of their input.
"""

import torch
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.pipeline.camera import NEAR_M

_TINY = 1e-12


def mean_distance(a: Tensor, b: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean distance (B,) between points (B, N, D), weighted by (B, N); NaN where all weights are 0."""
    distance: Tensor = torch.linalg.vector_norm(a - b, dim=-1)  # B N
    if weight is None:
        return distance.mean(1)
    return (distance * weight).sum(1) / weight.sum(1)


def move_to(points: Tensor, anchor: Tensor, target_anchor: Tensor) -> Tensor:
    """Translate points (B, N, 3) so that their anchor (B, 3) coincides with the target's: OSX's root alignment."""
    return points - anchor[:, None] + target_anchor[:, None]


def procrustes(source: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Scale, turn and translate `source` (B, N, 3) onto `target`, least squares weighted by (B, N); float64.

    The rotation is proper: reflections are excluded. OSX common/utils/transforms.py: rigid_align. If all points
    coincide, they are moved to the target's centre.
    """
    source, target = source.double(), target.double()
    share = torch.ones_like(source[..., 0]) if weight is None else weight.double()
    share = (share / share.sum(1, keepdim=True).clamp(min=_TINY))[..., None]  # B N 1, sum 1
    centre = (share * target).sum(1, keepdim=True)  # B 1 3
    source = source - (share * source).sum(1, keepdim=True)
    covariance = (share * (target - centre)).mT @ source  # B 3 3
    u, spread, vt = torch.linalg.svd(covariance)
    mirrored = torch.linalg.det(u @ vt) < 0
    sign = torch.ones_like(spread)
    sign[:, 2] = torch.where(mirrored, -1.0, 1.0)
    rotation = (u * sign[:, None]) @ vt  # B 3 3, source to target
    variance = (share * source.square()).sum((1, 2))  # B
    scale = (spread * sign).sum(1) / variance.clamp(min=_TINY**2)
    aligned: Tensor = scale[:, None, None] * (source @ rotation.mT) + centre
    return aligned


def geodesic_deg(a: Tensor, b: Tensor) -> Tensor:
    """Angle in degrees, [0, 180], from a to b; (..., 3, 3) each, to (...). `rotations.geodesic_deg` in torch."""
    between = a.double().mT @ b.double()
    turn = (between - between.mT)[..., (2, 0, 1), (1, 2, 0)]  # ... 3: axis times twice the sine
    cosine = (between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(torch.atan2(torch.linalg.vector_norm(turn, dim=-1) / 2, cosine))


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) x1 y1 x2 y2, to (...). An empty or inverted box has no overlap."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared: Tensor = (high - low).clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (a, b)]
    union: Tensor = areas[0] + areas[1] - shared
    return shared / union.clamp(min=_TINY)


def project(points_cam: Tensor, nearest_m: float = NEAR_M) -> Tensor:
    """(B, N, 3), m, in the crop's camera frame to (B, N, 2), px of the crop: `camera.VIRTUAL_CAMERA` in torch.

    Points nearer to the camera than `nearest_m`, or behind it, are projected from that depth, so that their error stays
    finite.
    """
    centre = points_cam.new_tensor((contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2))
    return contract.VIRTUAL_FOCAL_PX * points_cam[..., :2] / points_cam[..., 2:].clamp(min=nearest_m) + centre


def in_crop(points_px: Tensor) -> Tensor:
    """(B, N) bool: the point (B, N, 2), px, lies within the crop."""
    size = points_px.new_tensor((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    return ((points_px > 0) & (points_px < size)).all(-1)


def mean_of_known(values: Tensor) -> Tensor:
    """Mean over the last axis, ignoring NaN, (..., n) to (...); NaN if all values are NaN."""
    return torch.nanmean(values, dim=-1)
