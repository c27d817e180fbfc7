"""The random parameters of one training image's look: skin, hair, clothes, light, background, occluder, camera.

In: a random generator and a domain. Out: `Look`. Everything is sampled on the CPU, so sample i of seed s looks the same
in every batch and on every device. `kinds.KINDS` splits each family; kinds in "held_out" never occur in training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.kinds import (
    HAIR_COLORS,
    IRIS,
    NUM_LIGHTS,
    NUM_WAVES,
    SKIN_TONES,
    SLEEVE_ENDS_M,
    SLEEVE_SHARES,
    DomainName,
    chance,
    draw_kind,
    muted,
)
from coevoer_edge.data.synthetic.scene import (
    Background,
    CameraLook,
    Occluder,
    draw_background,
    draw_camera,
    draw_occluder,
)


@dataclass(frozen=True)
class Skin:
    """Colours of the naked body."""

    tone: Float64Array  # 3
    lips: Float64Array  # 3
    iris: Float64Array  # 3
    nails: Float64Array  # 3
    brow: Float64Array  # 3
    brow_m: Float64Array  # 2: height, half thickness
    beard: Float64Array  # 4: opacity, colour
    blush: Float64Array  # 4: opacity of red on cheeks and nose, of eye shadow, of freckles, of blotches
    eye_shadow: Float64Array  # 3
    gloss: Float64Array  # 2: strength, exponent


@dataclass(frozen=True)
class Hair:
    """Hair and what is worn on the head."""

    kind: str
    headwear: str
    color: Float64Array  # 3
    wear_color: Float64Array  # 3
    lift_m: Float64Array  # 3: height over the scalp at rest, extra height at the crown, amplitude of the noise
    size: Float64Array  # 4: shares in [0, 1] that determine the balls' lengths and widths
    glasses: Float64Array  # 6: worn or not, radius m, tube m, roundness, height, darkness of the lenses
    glasses_color: Float64Array  # 3
    headset: Float64Array  # 2: worn or not, cup radius m
    headset_color: Float64Array  # 3


@dataclass(frozen=True)
class Cloth:
    """Clothes worn on the body. Distances are measured on the mean body at rest, m."""

    top: Float64Array  # 6: sleeve end, neckline height, its slope, its half width, hem, collar width
    jacket: Float64Array  # 5: worn or not, sleeve end, neckline height, half opening at the waist, lapel slope
    bottom: Float64Array  # 2: waist, end of the leg
    wrap: Float64Array  # 3: scarf, face mask, gloves: worn or not
    loose_m: Float64Array  # 4: trunk, arms, legs, amplitude of folds
    colors: Float64Array  # 5 2 3: two colours each for top, jacket, bottom, wrap, shoes
    patterned: Float64Array  # 5: strength of the pattern in each
    fabric: str
    period_m: Float64Array  # 2
    phase: Float64Array  # 3
    logo: Float64Array  # 6: worn or not, centre x, y, half width, half height, line period; m
    logo_color: Float64Array  # 3


@dataclass(frozen=True)
class Light:
    """Distant lights, ambient light from above and below, and the darkness of shadows."""

    kind: str
    towards: Float64Array  # L 3: camera frame
    colors: Float64Array  # L 3
    sky: Float64Array  # 3
    ground: Float64Array  # 3
    shadow: float


@dataclass(frozen=True)
class Look:
    """All random parameters of one sample's look."""

    domain: DomainName
    seed: int  # of the pixel noise
    waves: Float64Array  # 6 NUM_WAVES, unit norm: noise weights for folds (2), blotches, blobs, hair, edges
    skin: Skin
    hair: Hair
    cloth: Cloth
    light: Light
    background: Background
    occluder: Occluder
    camera: CameraLook


def draw_look(rng: Generator, domain: DomainName) -> Look:
    """Sample everything about one image except pose, shape and view."""
    waves = rng.normal(size=(6, NUM_WAVES))
    return Look(
        domain=domain,
        seed=int(rng.integers(1 << 31)),
        waves=waves / np.linalg.norm(waves, axis=1, keepdims=True),
        skin=_draw_skin(rng),
        hair=_draw_hair(rng, domain),
        cloth=_draw_cloth(rng, domain),
        light=_draw_light(rng, domain),
        background=draw_background(rng, domain),
        occluder=draw_occluder(rng, domain),
        camera=draw_camera(rng, domain),
    )


def _draw_skin(rng: Generator) -> Skin:
    position = rng.beta(1.0, 1.3) * (len(SKIN_TONES) - 1)
    tone = np.array([np.interp(position, np.arange(len(SKIN_TONES)), SKIN_TONES[:, c]) for c in range(3)])
    tone = tone * rng.normal(1, 0.04, 3)
    made_up = chance(rng, 0.2)
    lips = tone * rng.uniform((0.80, 0.55, 0.55), (1.0, 0.78, 0.82))
    lips = rng.uniform((0.45, 0.05, 0.1), (0.8, 0.3, 0.4)) if made_up and rng.random() < 0.6 else lips
    dark = HAIR_COLORS["train"][rng.integers(len(HAIR_COLORS["train"]))] * rng.uniform(0.7, 1.0)
    beard = (rng.choice((0.0, rng.uniform(0.15, 0.5), rng.uniform(0.6, 0.95)), p=(0.7, 0.16, 0.14)), *dark)
    nails = rng.uniform(0, 1, 3) if rng.random() < 0.15 else tone * 0.82 + 0.16
    return Skin(
        tone=tone.clip(0, 1),
        lips=lips,
        iris=IRIS[rng.integers(len(IRIS))] * rng.uniform(0.7, 1.2),
        nails=nails,
        brow=0.3 * tone + 0.7 * dark,
        brow_m=np.array((rng.normal(0.3215, 0.0015), rng.uniform(0.0015, 0.0045))),
        beard=np.array(beard),
        blush=rng.uniform(0, (0.35, 0.9 if made_up else 0.25, 0.3 * chance(rng, 0.3), 0.12)),
        eye_shadow=muted(rng, rng.uniform(0, 0.6, 3)) if made_up else tone * (0.75, 0.62, 0.6),
        gloss=np.array((rng.gamma(1.5, 0.07), np.exp(rng.uniform(2, 3.7)))),
    )


def _draw_hair(rng: Generator, domain: DomainName) -> Hair:
    colors = HAIR_COLORS[domain]
    kind = draw_kind(rng, "hair", domain)
    lift = {"bald": 0.0, "short": rng.uniform(0.001, 0.006), "afro": rng.uniform(0.02, 0.035)}
    height = lift.get(kind, rng.uniform(0.006, 0.018))
    return Hair(
        kind=kind,
        headwear=draw_kind(rng, "headwear", domain),
        color=colors[rng.integers(len(colors))] * rng.uniform(0.7, 1.25),
        wear_color=muted(rng, rng.uniform(0.03, 0.95, 3)),
        lift_m=np.array((height, height * rng.uniform(0, 1.2), height * rng.uniform(0, 0.5))),
        size=rng.uniform(0, 1, 4),
        glasses=np.array(
            (
                chance(rng, 0.24),
                rng.uniform(0.018, 0.026),
                rng.uniform(0.0008, 0.0028),
                rng.uniform(0.3, 1.0),
                rng.uniform(0.75, 1.1),
                rng.choice((0.0, 0.12, 0.85), p=(0.72, 0.13, 0.15)),
            )
        ),
        glasses_color=muted(rng, rng.uniform(0, 0.6, 3)) * rng.choice((0.25, 1.0)),
        headset=np.array((chance(rng, 0.12), rng.uniform(0.024, 0.045))),
        headset_color=muted(rng, rng.uniform(0, 1, 3)) * rng.choice((0.2, 1.0)),
    )


def _sleeve_end(rng: Generator, shares: tuple[float, ...] = SLEEVE_SHARES) -> float:
    return float(rng.uniform(*SLEEVE_ENDS_M[rng.choice(len(SLEEVE_ENDS_M), p=shares)]))


def _draw_cloth(rng: Generator, domain: DomainName) -> Cloth:
    sleeve = _sleeve_end(rng)
    high = rng.random() < 0.15  # a turtleneck
    slope = 0.0 if high or rng.random() < 0.4 else rng.uniform(0.2, 1.6)
    loose = rng.gamma(2.0, 0.5)
    worn = chance(rng, 0.28)
    colors = np.stack([muted(rng, rng.uniform(0, 1, (2, 3)) ** rng.uniform(0.6, 1.8)) for _ in range(5)])
    colors[2] *= rng.uniform(0.3, 1)
    near = rng.random(5) < 0.4  # two shades of one colour
    colors[near, 1] = colors[near, 0] * rng.uniform(0.6, 1.25)
    return Cloth(
        top=np.array(
            (
                sleeve,
                rng.uniform(0.188, 0.205) if high else rng.uniform(0.135, 0.18),
                slope,
                rng.uniform(0.06, 0.11),
                rng.uniform(-0.46, -0.30),
                rng.choice((0.0, rng.uniform(0.005, 0.02))),
            )
        ),
        jacket=np.array(
            (
                worn,
                max(_sleeve_end(rng, (0.1, 0.1, 0.1, 0.7)), sleeve if worn else 0),
                rng.uniform(0.15, 0.19),
                rng.uniform(-0.02, 0.09),
                rng.uniform(-0.25, 0.5),
            )
        ),
        bottom=np.array((rng.uniform(-0.36, -0.24), rng.choice((-1.28, rng.uniform(-0.9, -0.55)), p=(0.8, 0.2)))),
        wrap=np.array((chance(rng, 0.07), chance(rng, 0.05), chance(rng, 0.02))),
        loose_m=np.array((0.006 + 0.016 * loose, 0.003 + 0.010 * loose, 0.004 + 0.012 * loose, rng.gamma(2, 0.0013))),
        colors=colors.clip(0.015, 0.97),
        patterned=np.where(rng.random(5) < np.array((1, 0.35, 0.2, 0.5, 0.2)), 1.0, 0.0),
        fabric=draw_kind(rng, "fabric", domain),
        period_m=np.exp(rng.uniform(np.log(0.022), np.log(0.13), 2)),
        phase=rng.uniform(0, 2 * np.pi, 3),
        logo=np.array(
            (chance(rng, 0.22), rng.normal(0, 0.03), *rng.uniform((-0.06, 0.015, 0.015, 0.008), (0.07, 0.1, 0.1, 0.04)))
        ),
        logo_color=rng.uniform(0, 1, 3),
    )


def _draw_light(rng: Generator, domain: DomainName) -> Light:
    kind = draw_kind(rng, "light", domain)
    tint = 1 + rng.normal(0, 0.13, (NUM_LIGHTS + 2, 1)) * ((1.0, 0.1, -1.0),) + rng.normal(0, 0.02, (NUM_LIGHTS + 2, 3))
    towards = rng.normal(0, 1, (NUM_LIGHTS, 3))
    towards[0] = (rng.normal(0, 0.9), -abs(rng.normal(0.5, 0.5)), -rng.uniform(0.25, 1.2))
    strength = {
        "soft": np.array(
            (rng.uniform(0.1, 0.4), 0.1 * rng.random(), 0, rng.uniform(0.45, 0.7), rng.uniform(0.25, 0.5))
        ),
        "key_fill": np.array(
            (rng.uniform(0.4, 0.9), rng.uniform(0.05, 0.3), 0, rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.35))
        ),
        "three": np.array(
            (*rng.uniform((0.3, 0.1, 0.1), (0.8, 0.35, 0.5)), rng.uniform(0.15, 0.45), rng.uniform(0.1, 0.3))
        ),
        "two_colour_rim": np.array((0.35, 0.8, 0.8, 0.22, 0.15)),
        "hard": np.array((1.15, 0, 0, 0.18, 0.12)),
    }[kind]
    if kind == "two_colour_rim":
        towards[1:] = ((1.0, -0.2, 0.25), (-1.0, -0.2, 0.25))
        tint[1:3] = rng.permutation(np.array(((1.35, 0.75, 0.75), (0.65, 0.9, 1.4))))
    colors = tint * strength[:, None] * 1.2
    return Light(
        kind=kind,
        towards=towards / np.linalg.norm(towards, axis=1, keepdims=True),
        colors=colors[:NUM_LIGHTS],
        sky=colors[-2],
        ground=colors[-1],
        shadow=float(rng.uniform(0.3, 1.0)),
    )
