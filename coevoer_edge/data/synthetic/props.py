"""Props on the head (voluminous hair, hats, glasses, headphones), made of simple shapes of one topology.

In: each sample's hair parameters. Out: vertices on the mean head at rest, (B, P, 3) m, their colours, and the faces.
A shape that is not worn is collapsed to a point inside the head, so that the rasteriser drops it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.background import stacked
from coevoer_edge.data.synthetic.look import Hair

INSIDE_HEAD_M = (0.0, 0.32, 0.06)
EYE_M = (0.031, 0.298, 0.178)  # position of the left lens
EAR_M = (0.079, 0.297, 0.065)
NUM_BALLS = 5  # three for hair or hat, two for the cups of a headset
_RINGS, _ROUND = 12, 16  # of a ball
_ALONG, _AROUND = 20, 4  # of a tube
_TUBES = ("left rim", "right rim", "bridge", "left temple", "right temple", "headband")
_LENS = _ALONG + 1  # vertices


def ball() -> tuple[Float64Array, NDArray[np.int64]]:
    """Unit sphere: vertices ((_RINGS + 1) * _ROUND, 3) and outward faces."""
    polar, turn = np.meshgrid(
        np.linspace(0, np.pi, _RINGS + 1), np.linspace(0, 2 * np.pi, _ROUND, endpoint=False), indexing="ij"
    )
    vertices = np.stack((np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)), -1)
    return vertices.reshape(-1, 3), _grid_faces(_RINGS, _ROUND, closed=True)


def _grid_faces(rows: int, columns: int, closed: bool) -> NDArray[np.int64]:
    i, j = np.meshgrid(np.arange(rows), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    return np.stack((a, a + columns, b, b, a + columns, b + columns), -1).reshape(-1, 3)


def prop_faces() -> NDArray[np.int64]:
    """(F, 3) faces of all shapes; tubes and lenses are two-sided."""
    vertices, faces = ball()
    parts, start = [], 0
    for _ in range(NUM_BALLS):
        parts.append(faces + start)
        start += len(vertices)
    tube = _grid_faces(_ALONG - 1, _AROUND, closed=True)
    for _ in _TUBES:
        parts += [tube + start, tube[:, ::-1] + start]
        start += _ALONG * _AROUND
    around = np.arange(_ALONG)
    lens = np.stack((np.full(_ALONG, _ALONG), around, (around + 1) % _ALONG), 1)
    for _ in range(2):
        parts += [lens + start, lens[:, ::-1] + start]
        start += _LENS
    return np.concatenate(parts)


# Centre and radii of up to three balls, m, from four shares in [0, 1]; x to the person's left, y up, z forward.
Ball = tuple[tuple[float, float, float], tuple[float, float, float]]


def _hair_balls(kind: str, s: Float64Array) -> list[Ball]:
    a, b, c, _ = (float(share) for share in s)
    long = 0.12 + 0.08 * a
    match kind:
        case "long":
            return [((0, 0.408 - long, 0.014), (0.085 + 0.02 * b, long, 0.065 + 0.015 * c))]
        case "bob":
            return [((0, 0.315 + 0.01 * a, 0.035), (0.09 + 0.015 * b, 0.105, 0.075 + 0.015 * c))]
        case "bun":
            return [((0, 0.33 + 0.1 * a, -0.03 + 0.07 * a), (0.03 + 0.02 * b,) * 3)]
        case "ponytail":
            return [((0.05 * (b - 0.5), 0.3, -0.05), (0.025 + 0.02 * c, 0.08 + 0.06 * a, 0.03))]
        case "afro":
            wide = 0.105 + 0.03 * a
            return [((0, 0.345 + 0.02 * a, 0.045), (wide, wide, 0.095 + 0.02 * b))]
        case "mohawk":
            return [((0, 0.385, 0.06), (0.010 + 0.01 * a, 0.06 + 0.03 * b, 0.10))]
        case "pigtails":
            out, size = 0.105 + 0.02 * a, (0.03 + 0.015 * b, 0.07 + 0.06 * c, 0.03)
            return [((out, 0.25, 0.03), size), ((-out, 0.25, 0.03), size)]
        case _:
            return []


def _wear_balls(kind: str, s: Float64Array) -> list[Ball]:
    a, b, _, _ = (float(share) for share in s)
    dome: Ball = ((0, 0.36, 0.066), (0.09, 0.07 + 0.02 * a, 0.104))
    match kind:
        case "beanie":
            return [((0, 0.358, 0.062), (0.09, 0.075 + 0.025 * a, 0.102))]
        case "brimmed":
            return [dome, ((0, 0.357, 0.165), (0.07, 0.006, 0.05 + 0.03 * b))]
        case "wide_hat":
            return [dome, ((0, 0.362, 0.066), (0.13 + 0.05 * b, 0.006, 0.15 + 0.04 * b))]
        case "hood":
            return [((0, 0.31, 0.03), (0.105 + 0.015 * a, 0.13, 0.1))]
        case _:
            return []


def place_props(hairs: Sequence[Hair], device: torch.device) -> tuple[Tensor, Tensor]:
    """Vertices (B, P, 3) on the mean head at rest, m, and their colours (B, P, 3)."""
    centres, radii = np.zeros((len(hairs), NUM_BALLS, 3)) + INSIDE_HEAD_M, np.zeros((len(hairs), NUM_BALLS, 3))
    colors = np.zeros((len(hairs), NUM_BALLS, 3))
    for i, hair in enumerate(hairs):
        covered = hair.headwear in ("cover", "hood", "beanie", "wide_hat", "brimmed")
        own = (
            []
            if covered and hair.kind not in ("long", "bob", "ponytail", "pigtails")
            else _hair_balls(hair.kind, hair.size)
        )
        own = [] if hair.headwear in ("cover", "hood") else own
        worn = _wear_balls(hair.headwear, hair.size)
        cup = float(hair.headset[1])
        for side in (1, -1):
            if hair.headset[0]:
                place, size = (side * (EAR_M[0] + 0.004), *EAR_M[1:]), (0.016, cup, cup)
                centres[i, 3 + (side < 0)], radii[i, 3 + (side < 0)] = place, size
        colors[i, 3:] = hair.headset_color
        shapes = [(b, hair.wear_color) for b in worn] + [(b, hair.color) for b in own]
        for k, ((centre, size), color) in enumerate(shapes[:3]):
            centres[i, k], radii[i, k], colors[i, k] = centre, size, color
    unit = torch.from_numpy(ball()[0]).float().to(device)
    balls = stacked([*centres], device)[:, :, None] + stacked([*radii], device)[:, :, None] * unit  # B 5 n 3
    ball_colors = stacked([*colors], device)[:, :, None].expand_as(balls)
    tubes, tube_colors = _tubes(hairs, device)
    lenses, lens_colors = _lenses(hairs, device)
    return (
        torch.cat([part.flatten(1, 2) for part in (balls, tubes, lenses)], 1),
        torch.cat([part.flatten(1, 2) for part in (ball_colors, tube_colors, lens_colors)], 1),
    )


def _rim(hairs: Sequence[Hair], device: torch.device) -> Tensor:
    """(B, _ALONG, 3): the left lens's outline about its centre, a superellipse."""
    _, radius, _, roundness, height, _ = stacked([hair.glasses for hair in hairs], device)[..., None].unbind(1)
    angle = torch.linspace(0, 2 * torch.pi, _ALONG, device=device)
    x, y = angle.cos(), angle.sin()
    x, y = (axis.sign() * axis.abs() ** (0.4 + 0.6 * roundness) for axis in (x, y))
    return torch.stack((x * radius, y * radius * height, -4.0 * (x * radius + 0.02).clamp(min=0) ** 2), -1)


def _tubes(hairs: Sequence[Hair], device: torch.device) -> tuple[Tensor, Tensor]:
    """Vertices of tubes (B, tubes, _ALONG * _AROUND, 3), and their colours."""
    rim = _rim(hairs, device)
    flip = rim.new_tensor((-1.0, 1.0, 1.0))
    left = rim + rim.new_tensor(EYE_M)
    worn, _, thick, _, _, _ = stacked([hair.glasses for hair in hairs], device)[:, :, None, None].unbind(1)
    share = torch.linspace(0, 1, _ALONG, device=device)[:, None]
    inner = left[:, _ALONG // 2, None]
    bridge = inner + (inner * flip - inner) * share + rim.new_tensor((0, 0.006, 0.004)) * (4 * share * (1 - share))
    outer = left[:, :1]
    temple = outer + (rim.new_tensor(EAR_M) + rim.new_tensor((0.002, 0.004, -0.01)) - outer) * share
    angle = (share - 0.5) * 2.9
    arch = torch.cat((0.097 * angle.sin(), 0.30 + 0.128 * angle.cos(), 0.06 + 0 * angle), -1)
    lines = torch.stack((left, left * flip, bridge, temple, temple * flip, arch.expand_as(left)), 1)  # B T A 3
    band, cup = stacked([hair.headset for hair in hairs], device)[:, :, None, None].unbind(1)
    size = torch.cat((thick.expand(-1, 5, -1), 0.12 * cup), 1)[..., None, None]  # B T 1 1 1
    on = torch.cat((worn.expand(-1, 5, -1), band), 1)[..., None, None]
    turn = torch.arange(_AROUND, device=device) * (2 * torch.pi / _AROUND) + 0.6
    around = torch.stack((0.5 * turn.cos() + 0.5 * turn.sin(), turn.cos(), turn.sin()), -1)  # oblique to every axis
    tubes = lines[:, :, :, None] + size * around
    inside = tubes.new_tensor(INSIDE_HEAD_M)
    tubes = inside + (tubes - inside) * on
    frame = stacked([hair.glasses_color for hair in hairs], device)[:, None].expand(-1, 5, -1)
    headset = stacked([hair.headset_color for hair in hairs], device)[:, None]
    colors = torch.cat((frame, headset), 1)[:, :, None].expand(-1, -1, _ALONG * _AROUND, -1)
    return tubes.flatten(2, 3), colors


def _lenses(hairs: Sequence[Hair], device: torch.device) -> tuple[Tensor, Tensor]:
    """Vertices of dark lenses (B, 2, _LENS, 3), and their colours."""
    rim = _rim(hairs, device)
    left = torch.cat((rim, rim.new_tensor((0, 0, 0.003)).expand(len(hairs), 1, 3)), 1) + rim.new_tensor(EYE_M)
    lenses = torch.stack((left, left * rim.new_tensor((-1.0, 1.0, 1.0))), 1)
    dark = stacked([hair.glasses[0] * (hair.glasses[5] > 0.5) for hair in hairs], device)[:, None, None, None]
    inside = rim.new_tensor(INSIDE_HEAD_M)
    color = 0.12 + 0.25 * stacked([hair.glasses_color for hair in hairs], device)
    return inside + (lenses - inside) * dark, color[:, None, None].expand_as(lenses)
