"""The looks that exist, how often each is sampled, and which are reserved for the held-out domain.

In: nothing. Out: `KINDS`, tables of colours and sizes, and `draw_kind`.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.random import Generator

from coevoer_edge.body.arrays import Float64Array

DomainName = Literal["train", "held_out"]
Family = Literal["background", "photograph", "fabric", "hair", "headwear", "light", "occluder", "tone", "noise"]

KINDS: Mapping[Family, Mapping[DomainName, Mapping[str, float]]] = {
    "background": {
        "train": {"photograph": 0.34, "room": 0.28, "gradient": 0.11, "noise": 0.12, "stripes": 0.05, "checks": 0.1},
        "held_out": {"held_out_photograph": 0.4, "discs": 0.2, "shelves": 0.25, "waves": 0.15},
    },
    "photograph": {
        "train": {"china": 3, "coffee": 3, "chelsea": 2, "flower": 2, "brick": 1, "grass": 1},
        "held_out": {"rocket": 2, "gravel": 1, "hubble": 1},
    },
    "fabric": {
        "train": {"plain": 6, "rings": 2, "stripes": 2, "checks": 2, "dots": 1, "blobs": 2, "floral": 1, "melange": 2},
        "held_out": {"zigzag": 1, "diagonal": 1, "lattice": 1, "circles": 1},
    },
    "hair": {
        "train": {"bald": 1, "short": 4, "cap": 4, "long": 4, "bob": 2, "bun": 1, "ponytail": 1},
        "held_out": {"afro": 1, "mohawk": 1, "pigtails": 1},
    },
    "headwear": {
        "train": {"none": 14, "beanie": 1, "brimmed": 1, "cover": 1.5},
        "held_out": {"none": 5, "hood": 1, "wide_hat": 1},
    },
    "light": {
        "train": {"soft": 1, "key_fill": 2, "three": 1},
        "held_out": {"two_colour_rim": 1, "hard": 1},
    },
    "occluder": {
        "train": {"none": 12, "desk": 1.2, "screen": 1, "mug": 0.6, "microphone": 0.7, "sheet": 1, "polygon": 0.8},
        "held_out": {"none": 6, "bars": 1, "discs_in_front": 1},
    },
    "tone": {"train": {"power": 1}, "held_out": {"s_curve": 1}},
    "noise": {"train": {"shot_read": 1}, "held_out": {"row_and_coarse": 1}},
}
"""The kinds of each family and their relative frequencies in each domain."""

ALL_KINDS: Mapping[Family, tuple[str, ...]] = {
    family: tuple(kind for kinds in domains.values() for kind in kinds) for family, domains in KINDS.items()
}

# Albedos from light to dark, as displayed; the last is the deepest.
SKIN_TONES = np.array(
    [
        (0.95, 0.80, 0.72),
        (0.90, 0.70, 0.58),
        (0.80, 0.58, 0.44),
        (0.63, 0.42, 0.29),
        (0.42, 0.27, 0.19),
        (0.27, 0.17, 0.13),
    ]
)
HAIR_COLORS: Mapping[DomainName, Float64Array] = {
    "train": np.array(
        [
            (0.06, 0.05, 0.05),
            (0.13, 0.09, 0.06),
            (0.27, 0.17, 0.10),
            (0.42, 0.26, 0.14),
            (0.70, 0.54, 0.32),
            (0.62, 0.61, 0.6),
        ]
    ),
    "held_out": np.array([(0.20, 0.35, 0.70), (0.80, 0.35, 0.55), (0.30, 0.55, 0.35), (0.93, 0.88, 0.75)]),
}
IRIS = np.array([(0.20, 0.12, 0.07), (0.30, 0.20, 0.10), (0.35, 0.45, 0.55), (0.30, 0.38, 0.24)])
SLEEVE_ENDS_M = ((0.15, 0.19), (0.25, 0.37), (0.44, 0.60), (0.64, 0.672))  # none, short, three quarters, long: |x|
SLEEVE_SHARES = (0.13, 0.33, 0.14, 0.40)

NUM_WAVES = 32  # per band of surface noise
NUM_LIGHTS = 3
NUM_BOXES = 14
NUM_OCCLUDERS = 5
NUM_LIMBS = 3
KERNEL_PX = 7


def draw_kind(rng: Generator, family: Family, domain: DomainName) -> str:
    """Sample one kind of a family with the frequencies in the table."""
    kinds = KINDS[family][domain]
    shares = np.array(list(kinds.values()), float)
    return str(rng.choice(list(kinds), p=shares / shares.sum()))


def muted(rng: Generator, colors: Float64Array) -> Float64Array:
    """Reduce the saturation by a random share, because most things are not vivid."""
    result: Float64Array = colors + (colors.mean(-1, keepdims=True) - colors) * rng.uniform(0.1, 1.0)
    return result


def chance(rng: Generator, share: float) -> float:
    """1 with probability `share`, else 0."""
    return float(rng.random() < share)
