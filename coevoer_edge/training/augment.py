"""Augmentation on the batch's own device: rotation, scale, shift, flip, colour, noise, erased rectangles.

In: a `Record` from a dataset, and each sample's position in the training run. Out: a `Record` whose image is float32 in
[0, 1], the network's input. All labels are transformed with the image.

Random numbers depend on the seed and on a sample's position in the run, not on the process that handles the sample.

Geometry: pixels are rotated, scaled and shifted about the crop's centre, u' = s Rz (u - c) + c + d. The body is rotated
about the camera's axis by the same Rz. Its camera translation is changed such that the pelvis projects to the
transformed pixel and the body is s times as large at the pelvis's depth (weak perspective, exact at that depth).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.layer import PELVIS, BodyLayer
from coevoer_edge.data.record import Record
from coevoer_edge.training.flip import flip
from coevoer_edge.training.recipe import Augmentation

_H, _W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX
_DRAWS = 32  # uniform numbers per sample; `Augmenter.forward` assigns them
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def to_input(image: Tensor) -> Tensor:
    """(B, 3, 256, 192) uint8 RGB to the network's input in [0, 1]; a float image is returned unchanged."""
    return image.float() / 255 if image.dtype == torch.uint8 else image


class Warp(NamedTuple):
    """u' = s Rz (u - c) + c + d for each sample."""

    turn: Tensor  # B 3 3, Rz: clockwise in the image
    scale: Tensor  # B
    shift_px: Tensor  # B 2


class Augmenter(nn.Module):
    """Augments batches with the strengths of a recipe.

    The noise is one field for the whole run, rolled by an offset of each sample's own: generating a new field for each
    sample would take longer than everything else here.

    Args:
        strengths: amounts and probabilities of each change.
        body: provides the pelvis position before the camera translation.
        seed: the run's seed.
    """

    pelvis: Tensor
    pelvis_directions: Tensor
    field: Tensor

    def __init__(self, strengths: Augmentation, body: BodyLayer, seed: int) -> None:
        super().__init__()
        self.strengths = strengths
        self.seed = seed
        self.register_buffer("pelvis", body.joint_template[PELVIS].clone(), persistent=False)
        directions = body.joint_directions[:, 3 * PELVIS : 3 * PELVIS + 3]  # 20 3
        self.register_buffer("pelvis_directions", directions[: contract.NUM_BETAS].clone(), persistent=False)
        field = torch.randn(3, _H, _W, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("field", field, persistent=False)

    def forward(self, record: Record, positions: list[int]) -> Record:
        """Augment B samples, whose positions in the run are `positions`."""
        if not self.strengths.on:
            return record._replace(image=to_input(record.image))
        device = record.image.device
        u = torch.stack([_uniform(self.seed, position) for position in positions]).to(device)  # B _DRAWS
        record = self._flipped(record, u[:, 0] < self.strengths.flip_probability)
        grain = self._grain(u[:, 1:3])
        image = jitter(to_input(record.image), u[:, 3:13], self.strengths)
        warp = draw_warp(u[:, 13:18], self.strengths)
        warped, labels, inside = warp_image(image, record.labels, warp)
        record = self.warp_labels(record, warp)._replace(labels=labels)
        image = (warped + inside * self._noise(u[:, 18:20]) * grain).clamp(0, 1)
        return erase(record._replace(image=image), grain, u[:, 20:29], self.strengths)

    def rest_pelvis(self, betas: Tensor) -> Tensor:
        """Pelvis positions (B, 3), m, of the shapes (B, 10) before the camera translation, whatever the rotations."""
        return self.pelvis + betas @ self.pelvis_directions

    def warp_labels(self, record: Record, warp: Warp) -> Record:
        """Transform all labels except the image and its per-pixel classes."""
        r, (turn, scale, shift) = record, warp
        rest = self.rest_pelvis(r.betas)
        pelvis = r.camera + rest  # B 3, in the camera frame
        depth = pelvis[:, 2:] / scale[:, None]
        across = (turn[:, :2, :2] @ pelvis[:, :2, None])[..., 0] + shift * depth / contract.VIRTUAL_FOCAL_PX
        boxes = warp_boxes(r.part_boxes, warp)
        centre = (boxes[..., :2] + boxes[..., 2:]) / 2
        seen = ((centre >= 0) & (centre <= 1)).all(-1).to(boxes.dtype)  # B 3
        return r._replace(
            global_orient=turn[:, None] @ r.global_orient,
            keypoints_3d=r.keypoints_3d @ turn.transpose(1, 2),
            keypoints_2d=warp_points(r.keypoints_2d, warp),
            camera=torch.cat((across, depth), dim=1) - rest,
            part_boxes=boxes,
            part_boxes_weight=r.part_boxes_weight * seen,
            visibility=torch.cat((r.visibility[:, :1], r.visibility[:, 1:] * seen), dim=1),
        )

    def _flipped(self, record: Record, chosen: Tensor) -> Record:
        mirrored = flip(record)
        rest = self.rest_pelvis(record.betas)  # x is 0, up to rounding, for a symmetric body
        mirrored = mirrored._replace(camera=mirrored.camera - rest * rest.new_tensor((2.0, 0.0, 0.0)))
        return Record(
            *(torch.where(chosen.view(-1, *(1,) * (a.ndim - 1)), b, a) for a, b in zip(record, mirrored, strict=True))
        )

    def _grain(self, u: Tensor) -> Tensor:
        """Standard normal noise (B, 3, 256, 192)."""
        rolls = (u * u.new_tensor((_H, _W))).long().tolist()
        return torch.stack([self.field.roll((dy, dx), (1, 2)) for dy, dx in rolls])

    def _noise(self, u: Tensor) -> Tensor:
        """Standard deviation of the noise, (B, 1, 1, 1)."""
        sigma = self.strengths.noise_sigma * u[:, 1] * (u[:, 0] < self.strengths.noise_probability)
        return sigma[:, None, None, None]


def _uniform(seed: int, position: int) -> Tensor:
    """The uniform numbers of one sample, (_DRAWS,)."""
    generator = torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + position * 0xBF58476D1CE4E5B9) % 2**63)
    return torch.rand(_DRAWS, generator=generator)


def _between(u: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * u


def draw_warp(u: Tensor, a: Augmentation) -> Warp:
    """Turn uniform numbers (B, 5) into a warp: normally distributed rotation, log-uniform scale, uniform shift."""
    normal = math.sqrt(2) * torch.erfinv((2 * u[:, 0] - 1).clamp(-0.999999, 0.999999))
    angle_deg = (normal * a.rotation_sigma_deg).clamp(-a.rotation_limit_deg, a.rotation_limit_deg)
    angle = torch.deg2rad(angle_deg) * (u[:, 1] < a.rotation_probability)
    scale = torch.exp(_between(u[:, 2], math.log(a.scale[0]), math.log(a.scale[1])))
    return Warp(turn_about_axis(angle), scale, _between(u[:, 3:5], -a.shift, a.shift) * _W)


def turn_about_axis(angle: Tensor) -> Tensor:
    """Angles (B,), rad, to rotations (B, 3, 3) about the camera's axis z; clockwise in the image, whose y is down."""
    c, s, o = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack((c, -s, o, s, c, o, o, o, o + 1), dim=-1).view(-1, 3, 3)


def warp_points(points_px: Tensor, warp: Warp) -> Tensor:
    """Map pixels (B, K, 2) of the crop before the warp to pixels after it."""
    centre = points_px.new_tensor((_W / 2, _H / 2))
    turned = (points_px - centre) @ warp.turn[:, :2, :2].transpose(1, 2)
    return warp.scale[:, None, None] * turned + centre + warp.shift_px[:, None]


def warp_boxes(boxes: Tensor, warp: Warp) -> Tensor:
    """Warp boxes (B, P, 4), fractions of the crop: the bounds of the rotated ellipse inscribed in each box.

    The bounds of the rotated corners would grow with every rotation, although faces and hands are rounder than boxes.
    """
    size = boxes.new_tensor((_W, _H))
    low, high = boxes[..., :2] * size, boxes[..., 2:] * size
    centre = warp_points((low + high) / 2, warp)
    half = ((high - low) / 2).square() @ warp.turn[:, :2, :2].square().transpose(1, 2)  # B P 2
    half = warp.scale[:, None, None] * half.clamp_min(0).sqrt()
    return torch.cat(((centre - half) / size, (centre + half) / size), dim=-1)


def warp_image(image: Tensor, labels: Tensor, warp: Warp) -> tuple[Tensor, Tensor, Tensor]:
    """Resample the image (B, 3, 256, 192) bilinearly and labels (B, 256, 192) by nearest pixel, with 0 outside.

    The third result (B, 1, 256, 192) is 1 inside the original image and 0 outside.
    """
    rows, columns = (torch.arange(n, device=image.device) + 0.5 for n in (_H, _W))
    y, x = torch.meshgrid(rows - _H / 2, columns - _W / 2, indexing="ij")
    points = torch.stack((x, y), dim=-1).view(1, -1, 2) - warp.shift_px[:, None]  # B H*W 2, relative to the centre
    source = (points @ warp.turn[:, :2, :2]) / warp.scale[:, None, None]  # Rz's inverse is its transpose
    grid = (source / source.new_tensor((_W / 2, _H / 2))).view(-1, _H, _W, 2)
    inside = (grid.abs() <= 1).all(-1)[:, None].to(image.dtype)
    classes = F.grid_sample(labels[:, None].float(), grid, "nearest", "zeros", align_corners=False)
    return (
        F.grid_sample(image, grid, "bilinear", "zeros", align_corners=False),
        classes[:, 0].to(labels.dtype),
        inside,
    )


def jitter(image: Tensor, u: Tensor, a: Augmentation) -> Tensor:
    """Change colours of images (B, 3, 256, 192) in [0, 1]: channel gains, contrast, brightness, gamma, grey."""
    v = u[..., None, None, None]  # B 10 1 1 1
    image = image * _between(u[:, 0:3], 1 - a.channel_gain, 1 + a.channel_gain)[..., None, None]
    mean = image.mean((1, 2, 3), keepdim=True)
    image = (image - mean) * _between(v[:, 3], 1 - a.contrast, 1 + a.contrast) + mean
    image = (image + _between(v[:, 4], -a.brightness, a.brightness)).clamp(0, 1)
    if a.gamma > 0:
        image = image.clamp_min(1e-4) ** _between(v[:, 5], -a.gamma, a.gamma).exp()
    grey = (image * image.new_tensor(_GREY).view(3, 1, 1)).sum(1, keepdim=True)
    return torch.where(v[:, 6] < a.grey_probability, grey, image)


def erase(record: Record, grain: Tensor, u: Tensor, a: Augmentation) -> Record:
    """Cover a rectangle of some images with a colour and grain; its pixels become background, visibility stays."""
    area = _between(u[:, 1], *a.erase_area) * _H * _W
    ratio = torch.exp(_between(u[:, 2], -0.7, 0.7))  # width to height, 1:2 to 2:1
    half = torch.stack((area * ratio, area / ratio), dim=-1).sqrt() / 2  # B 2
    centre = u[:, 3:5] * u.new_tensor((_W, _H))
    low, high = centre - half, centre + half
    x, y = (torch.arange(n, device=u.device) + 0.5 for n in (_W, _H))
    covered = ((x > low[:, :1]) & (x < high[:, :1]))[:, None] & ((y > low[:, 1:]) & (y < high[:, 1:]))[..., None]
    covered = covered & (u[:, 0] < a.erase_probability)[:, None, None]  # B H W
    colour = u[:, 5:8, None, None]
    fill = (colour + 0.15 * (u[:, 8] * 2 - 1).clamp_min(0)[:, None, None, None] * grain).clamp(0, 1)
    return record._replace(
        image=torch.where(covered[:, None], fill, record.image),
        labels=record.labels.masked_fill(covered, 0),
    )
