"""Per-vertex lighting: distant lights, of which the first casts shadows, ambient light and highlights.

In: posed vertices and normals in the camera frame, and the lights of each sample. Out: light and highlight per vertex.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge.data.synthetic.background import stacked
from coevoer_edge.data.synthetic.look import Look

_MAP_CELLS = 64
_MAP_REACH_M = 0.75  # half the side of the shadow map
_BIAS_M = 0.035


def light_vertices(surface: Tensor, normals: Tensor, gloss: Tensor, looks: Sequence[Look]) -> tuple[Tensor, Tensor]:
    """Light (B, V, 3) received by each vertex, and highlights (B, V, 3). `gloss` is (B, body vertices)."""
    device = surface.device
    towards = stacked([look.light.towards for look in looks], device)  # B L 3
    colors = stacked([look.light.colors for look in looks], device)  # B L 3
    sky = stacked([look.light.sky for look in looks], device)[:, None]
    ground = stacked([look.light.ground for look in looks], device)[:, None]
    exponent = stacked([look.skin.gloss[1] for look in looks], device)[:, None]
    dark = stacked([look.light.shadow for look in looks], device)[:, None]
    up = (0.5 - 0.5 * normals[..., 1:2]).clamp(0, 1)
    light = ground + (sky - ground) * up
    gloss = F.pad(gloss, (0, surface.shape[1] - gloss.shape[1]), value=0.08)
    view = F.normalize(surface, dim=-1)
    glint = torch.zeros_like(light)
    for i in range(towards.shape[1]):
        falls = (normals * towards[:, None, i]).sum(-1)  # B V
        received = falls.clamp(min=0)
        if i == 0:
            received = received * (1 - dark * _shadow(surface, towards[:, 0]))
        light = light + received[..., None] * colors[:, None, i]
        half = F.normalize(towards[:, None, i] - view, dim=-1)
        shine = (normals * half).sum(-1).clamp(min=1e-4) ** exponent * gloss * (received > 0)
        glint = glint + shine[..., None] * colors[:, None, i]
    return light, glint


def _shadow(surface: Tensor, towards: Tensor) -> Tensor:
    """(B, V) share of a vertex's light that is blocked, from a shadow map of the vertices nearest to the light."""
    B = len(surface)
    other = torch.where(towards[:, 1:2].abs() < 0.9, surface.new_tensor((0, 1, 0)), surface.new_tensor((1, 0, 0)))
    across = F.normalize(torch.linalg.cross(towards, other), dim=-1)
    along = torch.linalg.cross(towards, across)
    seen = surface - surface[:, :1]
    near, u, v = ((seen * axis[:, None]).sum(-1) for axis in (towards, across, along))  # each B V
    u, v = ((axis / _MAP_REACH_M * 0.5 + 0.5) * _MAP_CELLS for axis in (u, v))
    last = _MAP_CELLS - 1
    cell = v.long().clamp(0, last) * _MAP_CELLS + u.long().clamp(0, last)
    depth = torch.full((B, _MAP_CELLS**2), -1e3, device=surface.device).scatter_reduce_(1, cell, near, "amax")
    total = torch.zeros_like(near)
    for du in (-0.7, 0.7):
        for dv in (-0.7, 0.7):
            cell = (v + dv).long().clamp(0, last) * _MAP_CELLS + (u + du).long().clamp(0, last)
            total += ((depth.gather(1, cell) - near - _BIAS_M) / 0.02).clamp(0, 1)
    return total / 4
