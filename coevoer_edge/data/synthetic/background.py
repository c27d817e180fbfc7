"""Backgrounds (photographs, rooms, gradients, noise, patterns), and rounded boxes behind or in front of the person.

In: the parameters of each sample's background. Out: pictures (B, 3, 256, 192) in [0, 1], on any device.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.kinds import ALL_KINDS
from coevoer_edge.data.synthetic.scene import Background

H, W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX
PHOTOGRAPHS = Path(__file__).parent / "photographs"
GREY_PHOTOGRAPHS = ("brick", "grass", "gravel")  # these are tinted
_PHOTOGRAPH_PX = 512


def stacked(values: Sequence[Float64Array | float | int], device: torch.device) -> Tensor:
    """Stack one number or array per sample into a (B, ...) float32 tensor."""
    return torch.from_numpy(np.stack([np.asarray(value, np.float32) for value in values])).to(device)


def paint_backgrounds(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    """Render backgrounds, (B, 3, H, W) in [0, 1]."""
    result = torch.empty(len(backgrounds), 3, H, W, device=device)
    for kind in ALL_KINDS["background"]:
        chosen = [i for i, background in enumerate(backgrounds) if background.kind == kind]
        if chosen:
            some = [backgrounds[i] for i in chosen]
            result[chosen] = _KINDS[kind](some, device)
    for level in (1, 2, 3, 4):
        chosen = [i for i, background in enumerate(backgrounds) if background.blur == level]
        if chosen:
            small = F.avg_pool2d(result[chosen], 2**level)
            result[chosen] = F.interpolate(small, size=(H, W), mode="bicubic", align_corners=False)
    chosen = [i for i, background in enumerate(backgrounds) if background.limbs[0, 0] > 0]
    if chosen:
        limbs = stacked([backgrounds[i].limbs for i in chosen], device)
        color = stacked([backgrounds[i].limb_color for i in chosen], device)[:, None, None].expand(
            -1, limbs.shape[1], 2, 3
        )
        layer, alpha = paint_boxes(limbs, color * color.new_tensor((1.0, 0.75))[:, None], soft_px=2.5)
        result[chosen] = result[chosen] * (1 - alpha) + layer
    return result.clamp_(0, 1)


def pixel_grid(device: torch.device) -> tuple[Tensor, Tensor]:
    """x (1, 1, W) and y (1, H, 1) of pixel centres, px."""
    return torch.arange(W, device=device)[None, None] + 0.5, torch.arange(H, device=device)[None, :, None] + 0.5


def paint_boxes(boxes: Tensor, colors: Tensor, soft_px: float = 0.8) -> tuple[Tensor, Tensor]:
    """Render overlapping rounded boxes: premultiplied colour (B, 3, H, W) and opacity (B, 1, H, W).

    `boxes` (B, K, 7): opacity, centre x, y, half width, half height, angle (rad), corner radius; px. `colors`
    (B, K, 2, 3) run from the upper to the lower end.
    """
    x, y = pixel_grid(boxes.device)
    layer = boxes.new_zeros(len(boxes), 3, H, W)
    alpha = boxes.new_zeros(len(boxes), 1, H, W)
    for k in range(boxes.shape[1]):
        opacity, cx, cy, wide, high, angle, radius = boxes[:, k, :, None, None].unbind(1)
        dx, dy = x - cx, y - cy
        u = dx * angle.cos() + dy * angle.sin()
        v = dy * angle.cos() - dx * angle.sin()
        radius = torch.minimum(radius, torch.minimum(wide, high))
        outside_u, outside_v = u.abs() - wide + radius, v.abs() - high + radius
        distance = torch.hypot(outside_u.clamp(min=0), outside_v.clamp(min=0)) - radius
        distance = distance + torch.maximum(outside_u, outside_v).clamp(max=0)
        cover = ((0.5 - distance / soft_px).clamp(0, 1) * opacity)[:, None]  # B 1 H W
        along = (0.5 + 0.5 * v / high).clamp(0, 1)[:, None]
        first, second = colors[:, k].unbind(1)
        color = first[..., None, None] + (second - first)[..., None, None] * along
        layer = layer * (1 - cover) + color * cover
        alpha = alpha * (1 - cover) + cover
    return layer, alpha


@cache
def _photograph(name: str) -> Tensor:
    """(3, S, S) float in [0, 1], the square centre crop."""
    with Image.open(PHOTOGRAPHS / f"{name}.jpg") as picture:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.resize((_PHOTOGRAPH_PX, _PHOTOGRAPH_PX), box=(left, top, left + side, top + side))
        return torch.from_numpy(np.asarray(square, np.float32).copy()).permute(2, 0, 1) / 255


@cache
def _photographs(names: tuple[str, ...], device: torch.device) -> Tensor:
    return torch.stack([_photograph(name) for name in names]).to(device)


def _warped(pictures: Tensor, backgrounds: Sequence[Background]) -> Tensor:
    """Rotate, zoom, shift, mirror and tilt pictures (B, 3, h, w); the outside is filled by reflection."""
    device = pictures.device
    warp = stacked([background.warp for background in backgrounds], device)[:, :, None, None]
    x, y = pixel_grid(device)
    u, v = (x - W / 2) / H * 2, (y - H / 2) / H * 2  # the height is 2
    turn, zoom, shift_x, shift_y, mirror, tilt = warp.unbind(1)
    nearer = 1 + tilt * u
    u, v = u / nearer * mirror, v / nearer
    across = (turn.cos() * u - turn.sin() * v) * zoom + shift_x * (1 - zoom)
    down = (turn.sin() * u + turn.cos() * v) * zoom + shift_y * (1 - zoom)
    return F.grid_sample(pictures, torch.stack((across, down), -1), padding_mode="reflection", align_corners=False)


def _photograph_part(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    names = tuple(sorted({background.photograph for background in backgrounds}))
    chosen = [names.index(background.photograph) for background in backgrounds]
    picture = _warped(_photographs(names, device)[chosen], backgrounds)
    amount = stacked([background.amount for background in backgrounds], device)[:, :, None, None, None]
    colors = stacked([background.colors for background in backgrounds], device)[:, :, :, None, None]
    grey = stacked([float(background.photograph in GREY_PHOTOGRAPHS) for background in backgrounds], device)
    tinted = 0.3 * colors[:, 0] + (0.7 * colors[:, 1] + 0.3) * picture
    pale = torch.lerp(picture.mean(1, keepdim=True), picture, 0.2 + 0.8 * amount[:, 2])
    free = pale.clamp(min=1e-3) ** (0.6 + 0.9 * amount[:, 0]) * (0.65 + 0.7 * colors[:, 2])
    return torch.where(grey[:, None, None, None] > 0, tinted, free)


def _colors(backgrounds: Sequence[Background], device: torch.device) -> tuple[Tensor, ...]:
    colors = stacked([background.colors for background in backgrounds], device)
    return colors[..., None, None].unbind(1)  # each B 3 1 1


def _grown(grid: Tensor) -> Tensor:
    return F.interpolate(grid, size=(H, W), mode="bicubic", align_corners=True)


def _gradient(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    colors = stacked([background.colors for background in backgrounds], device)
    return F.interpolate(colors.mT.reshape(-1, 3, 2, 2), size=(H, W), mode="bilinear", align_corners=True)


def _noise(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    fine = stacked([background.grid for background in backgrounds], device).permute(0, 3, 1, 2)  # B 3 12 9
    weights = stacked([background.amount for background in backgrounds], device)[:, :, None, None, None] + 0.05
    finest = F.interpolate(fine.flip(2), size=(48, 36)) * F.interpolate(fine.mT, size=(48, 36)) * 1.6
    grids = (fine[:, :, :4, :3], fine[:, :, :6, :5], fine, finest)
    total = sum((weights[:, i] * _grown(grid) for i, grid in enumerate(grids)), torch.zeros(()))
    return total / weights.sum(1)


def _turned(backgrounds: Sequence[Background], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated coordinates (B, 1, H, W) and a period (B, 1, 1, 1), px."""
    amount = stacked([background.amount for background in backgrounds], device)[:, :, None, None, None]
    x, y = pixel_grid(device)
    angle, period = amount[:, 0] * torch.pi, 6 + 50 * amount[:, 1] ** 2
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin(), period


def _square(phase: Tensor) -> Tensor:
    """A square wave in [0, 1] with soft edges."""
    return (0.5 + 4 * torch.sin(phase)).clamp(0, 1)


def _stripes(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    first, second, _, _ = _colors(backgrounds, device)
    u, _, period = _turned(backgrounds, device)
    return first + (second - first) * _square(u * (torch.pi / period))


def _checks(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    first, second, _, _ = _colors(backgrounds, device)
    u, v, period = _turned(backgrounds, device)
    a, b = _square(u * (torch.pi / period)), _square(v * (torch.pi / period))
    return first + (second - first) * (a + b - 2 * a * b)


def _waves(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    first, second, third, _ = _colors(backgrounds, device)
    u, v, period = _turned(backgrounds, device)
    wave = torch.sin(u / period + 2 * torch.sin(v / (1.7 * period))) * 0.5 + 0.5
    return first + (second - first) * wave + 0.3 * (third - first) * torch.sin(v / (2.3 * period))


def _discs(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    result = _gradient(backgrounds, device)
    boxes = stacked([background.boxes for background in backgrounds], device)
    colors = stacked([background.box_colors for background in backgrounds], device)
    x, y = pixel_grid(device)
    for k in range(2, boxes.shape[1]):
        radius = (6 + 200 * boxes[:, k, 3] ** 2)[:, None, None]
        distance = torch.hypot(x - boxes[:, k, 0, None, None] * W, y - boxes[:, k, 1, None, None] * H)
        cover = (0.7 * (radius - distance).clamp(0, 1))[:, None]
        result = result + (colors[:, k, :, None, None] - result) * cover
    return result


def _boxed(backgrounds: Sequence[Background], device: torch.device, shelves: bool) -> Tensor:
    boxes = stacked([background.boxes for background in backgrounds], device)
    colors = stacked([background.box_colors for background in backgrounds], device)
    first, _, _, _ = _colors(backgrounds, device)
    result = (0.45 + 0.5 * first).expand(-1, 3, H, W).clone()
    x, y = pixel_grid(device)
    for k in range(0 if not shelves else 2, boxes.shape[1]):
        cx, cy, wide, high, shade = boxes[:, k, :, None, None].unbind(1)
        if shelves:  # books: thin boxes that stand on one of five boards
            cy = (cy * 5).round() / 5 + 0.1 - high * 0.3
            wide, high = wide * 0.25, high * 0.3
        across = ((wide * W - (x - cx * W).abs()) + 0.5).clamp(0, 1)  # B 1 W
        down = ((high * H - (y - cy * H).abs()) + 0.5).clamp(0, 1)  # B H 1
        lit = 1 + shade * (y / H - cy).clamp(-1, 1)  # B H 1
        color = colors[:, k, :, None, None] * lit[:, None]
        result = result + (color - result) * (across * down)[:, None] * (wide > 0)[:, None]
    if shelves:
        line = ((y / H * 5 + 0.5) % 1 > 0.93).float()[:, None]
        result = result * (1 - 0.6 * line)
    return _warped(result, backgrounds)


def _room(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    return _boxed(backgrounds, device, shelves=False)


def _shelves(backgrounds: Sequence[Background], device: torch.device) -> Tensor:
    return _boxed(backgrounds, device, shelves=True)


_KINDS: dict[str, Callable[[Sequence[Background], torch.device], Tensor]] = {
    "photograph": _photograph_part,
    "room": _room,
    "gradient": _gradient,
    "noise": _noise,
    "stripes": _stripes,
    "checks": _checks,
    "held_out_photograph": _photograph_part,
    "discs": _discs,
    "shelves": _shelves,
    "waves": _waves,
}
