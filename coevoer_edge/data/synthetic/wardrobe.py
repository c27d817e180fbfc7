"""Skin, hair and clothes on the body's vertices: colours, distance of the cloth from the skin, extent of each layer.

In: each sample's parameters and the mean body at rest. Out: `Outfit`, in batched torch on any device.

A layer is defined by a field: metres inside (positive) or outside (negative) its edge, measured on the mean body at
rest. Fields are interpolated at the pixels and thresholded there, so edges are sharp although vertices are far apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.data.synthetic.background import stacked
from coevoer_edge.data.synthetic.kinds import NUM_WAVES
from coevoer_edge.data.synthetic.look import Look

LAYERS = ("hair", "face_hair", "bottom", "top", "jacket", "wrap")
"""Fields, from the lowest layer up; hair is below everything except skin."""

_WAVE_LENGTHS_M = ((0.10, 0.40), (0.045, 0.12), (0.02, 0.06), (0.02, 0.07), (0.012, 0.03), (0.03, 0.10))
_FAR_M = 1.0
_EDGE_M = 0.012  # cloth reaches its full distance from the skin this far inside its edge


@dataclass(frozen=True)
class Outfit:
    """Colours, offsets and layers at the vertices of B bodies."""

    color: Tensor  # B V 3: skin, lips, eyes, nails
    offset_m: Tensor  # B V: along the normal
    fields_m: Tensor  # B V len(LAYERS)
    blobs: Tensor  # B V 2: smooth noise, about -1 to 1, for patterns and for hair
    gloss: Tensor  # B V: strength of highlights


class Wardrobe:
    """Stores the properties of the mean body at rest that the layers are computed from."""

    def __init__(self, body: BodyModel, device: torch.device) -> None:
        rest = body.pose(SmplxParameters.rest()).vertices
        region = np.asarray(body.extras["region"])
        self.names = [str(name) for name in body.extras["region_names"].tolist()]
        self.rest = torch.from_numpy(rest).to(device)  # V 3
        self.regions = torch.from_numpy(np.eye(len(self.names), dtype=np.float32)[region]).to(device)  # V 12
        scalp = (region == self.names.index("scalp")).astype(np.float32)
        self.scalp = torch.from_numpy(_smooth(scalp, body.faces, 3)).to(device)  # V
        self.head = torch.from_numpy(np.isin(np.arange(len(rest)), body.part_vertices["face"])).to(device)
        self.wet = self.regions[:, [self.names.index(name) for name in ("sclera", "iris", "pupil", "lips")]].sum(1)
        inner = [self.names.index(name) for name in ("sclera", "iris", "pupil", "teeth", "tongue", "mouth_cavity")]
        self.inner = self.regions[:, inner].sum(1) > 0  # V: neither skin nor hair
        self.waves = torch.from_numpy(_waves(rest)).to(device)  # 6 V NUM_WAVES

    def dress(self, looks: Sequence[Look]) -> Outfit:
        """Compute colours, layers and offsets of B samples."""
        device = self.rest.device
        weights = stacked([look.waves for look in looks], device)  # B 6 NUM_WAVES
        # One product per sample: a batched product would round differently depending on the batch size.
        noise = torch.stack([torch.bmm(self.waves, own[..., None])[..., 0] for own in weights], 1)  # 6 B V
        fields, loose = self._fields(looks, noise[5])
        offset = self._offset(looks, fields, loose, noise)
        color = self._skin(looks, noise[2])
        gloss, _ = stacked([look.skin.gloss for look in looks], device).unbind(1)
        covered = fields[..., 2:].amax(-1) > 0
        shine = torch.where(covered, 0.15 * gloss[:, None], gloss[:, None] * (1 + 3 * self.wet))
        return Outfit(color, offset, fields, torch.stack((noise[3], noise[4]), -1), shine)

    def _skin(self, looks: Sequence[Look], noise: Tensor) -> Tensor:
        """(B, V, 3): colour by region, with blush, freckles, blotches and eye shadow."""
        device = self.rest.device
        skins = [look.skin for look in looks]
        tone, lips, iris, nails = (
            stacked(values, device)
            for values in zip(*((skin.tone, skin.lips, skin.iris, skin.nails) for skin in skins), strict=True)
        )
        fixed = {"sclera": (0.88, 0.85, 0.83), "pupil": (0.02, 0.02, 0.02), "teeth": (0.88, 0.85, 0.77)}
        fixed |= {"tongue": (0.62, 0.30, 0.30), "mouth_cavity": (0.22, 0.06, 0.06)}
        named = {"lips": lips, "iris": iris, "fingernails": nails, "toenails": nails}
        table = torch.stack(
            [
                named[n] if n in named else tone.new_tensor(fixed[n]).expand_as(tone) if n in fixed else tone
                for n in self.names
            ],
            1,
        )  # B 12 3
        color = self.regions @ table  # B V 3
        x, y, z = self.rest[:, 0].abs(), self.rest[:, 1], self.rest[:, 2]
        blush, shadow, freckles, blotches = stacked([skin.blush for skin in skins], device)[..., None].unbind(1)
        cheek = torch.exp(-(((x - 0.045) / 0.022) ** 2 + ((y - 0.262) / 0.02) ** 2)) * (z > 0.1)
        nose = torch.exp(-((x / 0.014) ** 2 + ((y - 0.262) / 0.012) ** 2)) * (z > 0.17)
        eye = torch.exp(-(((x - 0.032) / 0.018) ** 2 + ((y - 0.304) / 0.011) ** 2)) * (z > 0.1)
        skin_only = self.regions[:, self.names.index("skin")]
        red = (blush * (cheek + nose) + blotches * noise) * skin_only
        color = color * (1 + red[..., None] * color.new_tensor((0.10, -0.35, -0.30)))
        color = color * (1 - (freckles * (noise > 0.9) * skin_only)[..., None] * color.new_tensor((0.3, 0.45, 0.5)))
        around_eye = (shadow * eye * skin_only)[..., None]
        eye_shadow = stacked([skin.eye_shadow for skin in skins], device)[:, None]
        return (color + (eye_shadow - color) * around_eye).clamp(0, 1)

    def _fields(self, looks: Sequence[Look], edge: Tensor) -> tuple[Tensor, Tensor]:
        """Fields (B, V, 6), m, and the largest distance of cloth from the skin (B, V), m."""
        device = self.rest.device
        x, y, z = self.rest[:, 0].abs(), self.rest[:, 1], self.rest[:, 2]
        front = (z / 0.03).clamp(0, 1)
        wave = 0.004 * edge
        sleeve, neck, slope, width, hem, _ = stacked([look.cloth.top for look in looks], device)[..., None].unbind(1)
        top = _garment(x, y, front, sleeve, neck, slope, width)
        waist, leg = stacked([look.cloth.bottom for look in looks], device)[..., None].unbind(1)
        bottom = torch.minimum(waist - y, y - leg)
        top = torch.minimum(top, y - hem)
        worn, sleeve, neck, opening, lapel = stacked([look.cloth.jacket for look in looks], device)[..., None].unbind(1)
        open_at = (opening + lapel * (y + 0.05)).clamp(min=-0.02)
        jacket = _garment(x, y, front, sleeve, neck, 0 * neck, 0 * neck + 0.1)
        jacket = torch.minimum(torch.minimum(jacket, y - hem + 0.03), torch.where(z > 0.0, x - open_at, _FAR_M))
        jacket = torch.where(worn > 0, jacket + wave, -_FAR_M)
        scarf, mask, gloves = stacked([look.cloth.wrap for look in looks], device)[..., None].unbind(1)
        around = torch.minimum(torch.minimum(0.205 - y - 0.25 * front * 0.1, y - 0.115 + 0.15 * x), 0.115 - x)
        over_mouth = torch.minimum(torch.minimum(0.268 - y - 0.2 * x, y - 0.19), torch.minimum(z - 0.075, 0.075 - x))
        cover = stacked([float(look.hair.headwear == "cover") for look in looks], device)[:, None]
        oval = 0.06 * (torch.sqrt((x / 0.062) ** 2 + ((y - 0.278) / 0.082) ** 2) - 1)
        hood = torch.minimum(torch.where(z > 0.08, oval, 0.03), torch.minimum(y - 0.09 + 0.3 * (0.1 - x), 0.14 - x))
        off = torch.full_like(x, -_FAR_M)
        wrap = torch.where(scarf > 0, around + wave, off).maximum(torch.where(mask > 0, over_mouth, off))
        wrap = wrap.maximum(torch.where(gloves > 0, x - 0.66, off)).maximum(torch.where(cover > 0, hood, off))
        wrap = torch.where(self.inner, off, wrap)
        bald = stacked([float(look.hair.kind == "bald") for look in looks], device)[:, None]
        hair = torch.where(bald > 0, -0.05, (self.scalp - 0.5) * 0.03 + 0.004 * edge)
        brow_y, thick = stacked([look.skin.brow_m for look in looks], device)[..., None].unbind(1)
        brow = thick - (y - brow_y + 4 * (x - 0.036) ** 2).abs()
        brow = brow.minimum(x - 0.012).minimum(0.052 - x).minimum(z - 0.12)
        beard = torch.minimum(0.243 - 0.35 * x - y, y - 0.19).minimum(z - 0.08) + 0.002 * edge
        beard = torch.where(self.regions[:, self.names.index("lips")] > 0, -0.01, beard)
        shaven = stacked([look.skin.beard[0] for look in looks], device)[:, None] == 0
        face_hair = brow.maximum(torch.where(shaven, off, beard))
        face_hair = torch.where(self.inner | ~self.head, off, face_hair)
        trunk, arm, thigh, _ = stacked([look.cloth.loose_m for look in looks], device)[..., None].unbind(1)
        on_arm = ((x - 0.17) / 0.06).clamp(0, 1) * (y > -0.15)
        low = ((-0.36 - y) / 0.08).clamp(0, 1)
        loose = trunk + (arm - trunk) * on_arm + (thigh - trunk) * low
        loose = loose * (0.25 + 0.75 * ((0.12 - y) / 0.15).clamp(0, 1)).maximum(on_arm)
        fields = torch.stack((hair, face_hair, bottom + wave, top + wave, jacket, wrap), -1)
        return torch.where((self.head & (y > 0.215))[:, None] & _not_head(fields), -_FAR_M, fields), loose

    def _offset(self, looks: Sequence[Look], fields: Tensor, loose: Tensor, noise: Tensor) -> Tensor:
        """(B, V) m along the normal: hair over the scalp, folds and thickness of cloth."""
        device = self.rest.device
        lift, crown, rough = stacked([look.hair.lift_m for look in looks], device)[..., None].unbind(1)
        share = (fields[..., 0] / _EDGE_M).clamp(0, 1)
        above = ((self.rest[:, 1] - 0.33) / 0.08).clamp(0, 1)
        hair = share * (lift + crown * above + rough * noise[1]).clamp(min=0)
        hidden = stacked([float(look.hair.headwear != "none") for look in looks], device)[:, None]
        hair = hair * (1 - 0.8 * hidden)
        folds = stacked([look.cloth.loose_m[3] for look in looks], device)[:, None]
        inside = (fields[..., 2:5] / _EDGE_M).clamp(0, 1)
        cloth = inside.amax(-1) * (loose * (1 + 0.35 * noise[0]) + folds * noise[1]).clamp(min=0.0015)
        wrapped = (fields[..., 5] / _EDGE_M).clamp(0, 1) * (0.012 + 0.003 * noise[1])
        return torch.maximum(hair + cloth + 0.006 * inside[..., 2], wrapped)


def _garment(x: Tensor, y: Tensor, front: Tensor, sleeve: Tensor, neck: Tensor, slope: Tensor, width: Tensor) -> Tensor:
    """(B, V) field of a garment that hangs from the shoulders: below the neckline and within the sleeves."""
    below = neck - y - front * slope * (width - x).clamp(min=0)
    return torch.minimum(below.maximum(torch.minimum(x - 0.105, 0.25 - y)), sleeve - x)


def _not_head(fields: Tensor) -> Tensor:
    """(6,) bool: layers that never cover the face."""
    return torch.tensor([layer in ("bottom", "top", "jacket") for layer in LAYERS], device=fields.device)


def _smooth(values: NDArray[np.float32], faces: NDArray[np.int32], times: int) -> NDArray[np.float32]:
    """Average values (V,) with their neighbours `times` times."""
    count = np.bincount(faces.ravel(), minlength=len(values))
    for _ in range(times):
        mean = values[faces].mean(1)
        values = np.stack([np.bincount(faces[:, i], mean, len(values)) for i in range(3)]).sum(0) / np.maximum(count, 1)
    return values.astype(np.float32)


def _waves(rest: NDArray[np.float32]) -> NDArray[np.float32]:
    """(6, V, NUM_WAVES): fixed sine waves over the body at rest, of unit variance, which each sample weights."""
    rng = np.random.default_rng(7)
    bands = []
    for shortest, longest in _WAVE_LENGTHS_M:
        direction = rng.normal(size=(3, NUM_WAVES))
        direction /= np.linalg.norm(direction, axis=0)
        length = np.exp(rng.uniform(np.log(shortest), np.log(longest), NUM_WAVES))
        bands.append(
            np.sqrt(2) * np.sin(rest @ (direction * 2 * np.pi / length) + rng.uniform(0, 2 * np.pi, NUM_WAVES))
        )
    return np.stack(bands).astype(np.float32)
