"""Fabric patterns computed per pixel (stripes, checks, dots, blobs), and prints on the chest.

In: positions on the mean body at rest, noise, each sample's parameters. Out: the share of the second colour.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.background import stacked
from coevoer_edge.data.synthetic.look import Cloth


class Weave(NamedTuple):
    """Share = 0.5 + sharpness * (p * first + q * second + pq * product + noise + level); p, q are waves along u, v."""

    first: float = 0.0
    second: float = 0.0
    product: float = 0.0
    noise: float = 0.0
    level: float = 0.0
    sharpness: float = 3.0
    turn_deg: float = 0.0
    bend: float = 0.0  # amplitude of v's oscillation along u
    circles: float = 0.0  # u is the distance from a point


WEAVES: Mapping[str, Weave] = {
    "plain": Weave(level=-1.0),
    "rings": Weave(second=1.0, level=-0.2),
    "stripes": Weave(first=1.0, level=-0.2),
    "checks": Weave(first=0.5, second=0.5, sharpness=0.5),
    "dots": Weave(first=1.0, second=1.0, level=-1.25, sharpness=4.0),
    "blobs": Weave(noise=1.0, sharpness=5.0),
    "floral": Weave(product=0.8, noise=0.8, level=-0.4, sharpness=4.0),
    "melange": Weave(noise=0.25, sharpness=1.0),
    "zigzag": Weave(second=1.0, bend=1.5),
    "diagonal": Weave(first=1.0, turn_deg=45.0),
    "lattice": Weave(first=1.0, second=1.0, level=1.1, turn_deg=45.0, sharpness=4.0),
    "circles": Weave(first=1.0, circles=1.0),
}


def carry(table: Tensor, image: Tensor) -> Tensor:
    """Expand per-sample values (B, C) to (C, N) for N pixels of the images `image`; (C, 1) if there is one sample."""
    return table.T.contiguous() if len(table) == 1 else table.T.contiguous().index_select(1, image)


class Threads:
    """The fabrics of B samples, which can be evaluated at pixels."""

    def __init__(self, cloths: Sequence[Cloth], device: torch.device) -> None:
        weaves = stacked([_numbers(WEAVES[cloth.fabric]) for cloth in cloths], device)
        numbers = [
            weaves,
            stacked([cloth.period_m for cloth in cloths], device),
            stacked([cloth.phase for cloth in cloths], device),
            stacked([cloth.logo for cloth in cloths], device),
        ]
        self._table = torch.cat(numbers, 1)  # B 20

    def at(self, image: Tensor, place: Tensor, blobs: Tensor) -> tuple[Tensor, Tensor]:
        """Share of the pattern's second colour (N,) and of the print's ink (N,) at N pixels of the images `image`."""
        numbers = carry(self._table, image).unbind()  # each N
        first, second, product, noise, level, sharpness, cosine, sine, bend, circles = numbers[:10]
        period_u, period_v, phase_u, phase_v, _, worn, cx, cy, wide, high, line = numbers[10:]
        x, y, z = place.unbind()
        u, v = cosine * x - sine * y, sine * x + cosine * y
        u = torch.where(circles > 0, torch.hypot(x, y + 0.05), u)
        a = (2 * math.pi) * u / period_u + phase_u
        p = torch.sin(a)
        q = torch.sin((2 * math.pi) * v / period_v + phase_v + bend * torch.asin(p.clamp(-0.999, 0.999)))
        share = 0.5 + sharpness * (first * p + second * q + product * p * q + noise * blobs + level)
        inside = torch.minimum(wide - (x - cx).abs(), high - (y - cy).abs()) * worn * (z > 0.02)
        ink = (inside * 300).clamp(0, 1) * ((torch.sin(6.2832 * y / line) + blobs) * 4).clamp(0, 1)
        return share.clamp(0, 1), ink


def _numbers(weave: Weave) -> Float64Array:
    turn = math.radians(weave.turn_deg)
    head = (weave.first, weave.second, weave.product, weave.noise, weave.level, weave.sharpness)
    return np.array((*head, math.cos(turn), math.sin(turn), weave.bend, weave.circles))
