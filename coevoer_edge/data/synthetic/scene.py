"""The random parameters of the person's surroundings: background, occluders and the camera.

In: a random generator and a domain. Out: `Background`, `Occluder`, `CameraLook`, all sampled on the CPU.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.kinds import (
    KERNEL_PX,
    NUM_BOXES,
    NUM_LIMBS,
    NUM_OCCLUDERS,
    SKIN_TONES,
    DomainName,
    chance,
    draw_kind,
    muted,
)

H, W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX


@dataclass(frozen=True)
class Background:
    """The background behind the person."""

    kind: str
    photograph: str
    colors: Float64Array  # 4 3
    grid: Float64Array  # 12 9 3, in [0, 1]
    boxes: Float64Array  # NUM_BOXES 5: centre x, y, half sizes, shade; fractions of the picture
    box_colors: Float64Array  # NUM_BOXES 3
    warp: Float64Array  # 6: turn rad, zoom, shift x, y, mirror, perspective
    amount: Float64Array  # 4: numbers in [0, 1] whose meaning depends on the kind
    blur: int  # number of times the resolution is halved
    limbs: Float64Array  # NUM_LIMBS 7: people-like shapes: opacity, x, y, half length, half width, angle, radius; px
    limb_color: Float64Array  # 3


@dataclass(frozen=True)
class Occluder:
    """Up to NUM_OCCLUDERS rounded boxes in front of the person."""

    kind: str
    boxes: Float64Array  # NUM_OCCLUDERS 7: opacity, x, y, half width, half height, angle (rad), corner radius; px
    colors: Float64Array  # NUM_OCCLUDERS 2 3


@dataclass(frozen=True)
class CameraLook:
    """The camera effects."""

    kernel: Float64Array  # KERNEL_PX KERNEL_PX: blur, motion blur or sharpening; sums to 1
    low_resolution: int  # factor by which the resolution is reduced; 1: none
    exposure: Float64Array  # 3: target mean, exponent of the gain towards it, gamma
    balance: Float64Array  # 3
    contrast: float
    saturation: float
    haze: Float64Array  # 4: opacity, colour
    vignette: float
    noise: Float64Array  # 3: shot, read, coarse
    tone: str
    noise_kind: str
    jpeg_quality: int  # 100: none


def draw_background(rng: Generator, domain: DomainName) -> Background:
    """Sample colours, boxes and noise for every kind; the kind decides which of them are used."""
    kind = draw_kind(rng, "background", domain)
    vivid = rng.uniform(0, 1, (12, 9, 3))
    boxes = rng.uniform((-0.1, -0.1, 0.02, 0.02, -0.3), (1.1, 1.1, 0.28, 0.28, 0.3), (NUM_BOXES, 5))
    boxes[rng.integers(3, NUM_BOXES) :, 2] = 0.0
    boxes[0] = (rng.uniform(-0.4, 1.6), 0.5, 0.5, 2.0, 0.1)  # another wall
    boxes[1] = (0.5, rng.uniform(1.1, 1.6), 2.0, 0.5, -0.2)  # floor or desk
    box_colors = muted(rng, rng.uniform(0, 1, (NUM_BOXES, 3)))
    box_colors[rng.random(NUM_BOXES) < 0.12] = 0.97  # windows and lamps
    limbs = np.stack(
        [
            np.full(NUM_LIMBS, 1.0) * (rng.random() < 0.1),
            rng.uniform(0, W, NUM_LIMBS),
            rng.uniform(0.1 * H, H, NUM_LIMBS),
            rng.uniform(8, 60, NUM_LIMBS),
            rng.uniform(6, 30, NUM_LIMBS),
            rng.uniform(0, np.pi, NUM_LIMBS),
            rng.uniform(5, 30, NUM_LIMBS),
        ],
        1,
    )
    return Background(
        kind=kind,
        photograph=draw_kind(rng, "photograph", domain),
        colors=muted(rng, rng.uniform(0, 1, (4, 3)) ** rng.uniform(0.5, 1.6)),
        grid=muted(rng, vivid),
        boxes=boxes,
        box_colors=box_colors,
        warp=np.array(
            (
                rng.normal(0, 0.12) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi),
                rng.uniform(0.3, 1.0),
                *rng.uniform(-1, 1, 2),
                rng.choice((-1.0, 1.0)),
                rng.normal(0, 0.15),
            )
        ),
        amount=rng.uniform(0, 1, 4),
        blur=int(rng.choice(5, p=(0.3, 0.2, 0.2, 0.2, 0.1))),
        limbs=limbs,
        limb_color=SKIN_TONES[rng.integers(len(SKIN_TONES))] * rng.uniform(0.6, 1.1),
    )


def draw_occluder(rng: Generator, domain: DomainName) -> Occluder:
    """Sample rounded boxes that form an object on a desk or near the lens."""
    kind = draw_kind(rng, "occluder", domain)
    boxes = np.zeros((NUM_OCCLUDERS, 7))
    x, y = rng.uniform(0.1, 0.9) * W, rng.uniform(0.55, 1.0) * H
    tilt = rng.normal(0, 0.12)
    if kind == "desk":
        boxes[0] = (1, W / 2, rng.uniform(0.78, 0.97) * H + 100, 3 * W, 100, rng.normal(0, 0.06), 1)
    elif kind == "screen":
        wide, high = rng.uniform(30, 70), rng.uniform(20, 50)
        boxes[0] = (1, x, H - high * rng.uniform(0, 0.9), wide, high, tilt, 4)
        boxes[1] = (1, x, boxes[0, 2], wide - 3, high - 3, tilt, 2)
        boxes[2] = (1, W / 2, H + 30, 3 * W, rng.uniform(25, 50), 0, 1)
    elif kind == "mug":
        wide = rng.uniform(8, 20)
        boxes[0] = (1, x + wide, y, wide * 0.7, wide * 0.7, 0, wide * 0.7)
        boxes[1] = (1, x, y, wide, wide * rng.uniform(1.0, 1.5), tilt, 3)
    elif kind == "microphone":
        size = rng.uniform(6, 16)
        boxes[0] = (1, x, y + 70, size * 0.25, 70, tilt, 1)
        boxes[1] = (1, x, y, size, size * rng.uniform(1, 1.7), tilt, size)
    elif kind == "sheet":  # a book, a phone, paper
        wide = rng.uniform(10, 38)
        boxes[0] = (1, x, y, wide, wide * rng.uniform(0.8, 2.0), rng.uniform(-0.6, 0.6), 3)
        boxes[1] = (1, x, y, wide * 0.85, boxes[0, 4] * 0.88, boxes[0, 5], 2)
    elif kind == "polygon":
        count = rng.integers(1, 4)
        boxes[:count, 0] = 1
        boxes[:, 1:] = rng.uniform((0, 0, 8, 8, 0, 0), (W, H, 45, 35, np.pi, 8), (NUM_OCCLUDERS, 6))
    elif kind == "bars":
        boxes[:] = [(1, i * rng.uniform(30, 60), H / 2, rng.uniform(2, 5), H, tilt, 1) for i in range(NUM_OCCLUDERS)]
    elif kind == "discs_in_front":
        radius = rng.uniform(8, 28, 3)
        boxes[:3] = np.stack([np.ones(3), *rng.uniform(0, (W, H), (3, 2)).T, radius, radius, radius * 0, radius], 1)
    return Occluder(kind, boxes, muted(rng, rng.uniform(0, 1, (NUM_OCCLUDERS, 2, 3)) ** 1.3))


def draw_camera(rng: Generator, domain: DomainName) -> CameraLook:
    """Sample blur, exposure, colour, noise and compression."""
    kind = rng.random()
    mean = (
        rng.uniform(0.12, 0.25) if kind < 0.08 else rng.uniform(0.7, 0.85) if kind < 0.22 else rng.uniform(0.38, 0.65)
    )
    return CameraLook(
        kernel=_draw_kernel(rng),
        low_resolution=int(rng.choice((1, 2, 3, 4), p=(0.82, 0.11, 0.05, 0.02))),
        exposure=np.array((mean, rng.uniform(0.5, 1.0), rng.uniform(0.75, 1.2))),
        balance=1 + rng.normal(0, 0.07) * np.array((1, 0.1, -1)) + rng.normal(0, 0.02, 3),
        contrast=float(rng.uniform(0.75, 1.25)),
        saturation=0.0 if rng.random() < 0.06 else float(rng.uniform(0.55, 1.25)),
        haze=np.array((rng.uniform(0.1, 0.45) * chance(rng, 0.12), *muted(rng, rng.uniform(0.5, 1, 3)))),
        vignette=float(rng.gamma(1.0, 0.12)),
        noise=np.array((rng.gamma(1.2, 0.012), rng.gamma(1.2, 0.007), rng.gamma(1.0, 0.006))),
        tone=draw_kind(rng, "tone", domain),
        noise_kind=draw_kind(rng, "noise", domain),
        jpeg_quality=100 if rng.random() < 0.3 else int(rng.integers(25, 96)),
    )


def _draw_kernel(rng: Generator) -> Float64Array:
    """Sample a kernel (KERNEL_PX, KERNEL_PX): identity, Gaussian blur, linear motion blur or sharpening."""
    reach = KERNEL_PX // 2
    offset = np.arange(-reach, reach + 1)
    kernel = np.zeros((KERNEL_PX, KERNEL_PX))
    kernel[reach, reach] = 1
    kind = rng.choice(("none", "gaussian", "motion", "sharpen"), p=(0.42, 0.28, 0.12, 0.18))
    if kind == "none":
        return kernel
    spread = rng.uniform(0.4, 1.7)
    square = offset[:, None] ** 2 + offset[None] ** 2
    soft = np.exp(-square / (2 * spread**2))
    soft /= soft.sum()
    if kind == "gaussian":
        return soft
    if kind == "sharpen":
        return kernel + rng.uniform(0.2, 0.9) * (kernel - soft)
    angle, length = rng.uniform(0, np.pi), rng.uniform(1.0, reach)
    along = offset[None] * np.cos(angle) + offset[:, None] * np.sin(angle)
    across = offset[:, None] * np.cos(angle) - offset[None] * np.sin(angle)
    line = (1 - np.abs(across)).clip(0) * (np.abs(along) <= length)
    result: Float64Array = line / line.sum()
    return result
