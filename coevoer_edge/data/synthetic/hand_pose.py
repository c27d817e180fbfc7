"""Hand poses by their everyday names, within the limits of the fingers.

In: a random generator. Out: fifteen rotations (15, 3, 3) of a left hand in SMPL-X's order (index, middle, pinky, ring,
thumb; knuckle first), absolute, where the flat hand is the identity. A right hand is the mirror image at x = 0. Left
fingers point along +x with the palm down (-y) and the thumb forward (+z).
"""

import numpy as np
from numpy.random import Generator

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import FINGER_NAMES

_MIRROR = np.array(((1.0, -1.0, -1.0), (-1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)))

FINGER_LIMITS_DEG = np.array(((-20.0, 92.0), (0.0, 105.0), (0.0, 75.0), (-16.0, 16.0)))
"""(low, high) of a finger's four angles: flexion of the knuckle, middle and end joint; spread towards the thumb."""
THUMB_LIMITS_DEG = np.array(((-15.0, 62.0), (-25.0, 40.0), (-10.0, 55.0), (-10.0, 80.0)))
"""(low, high) of the thumb's four angles: lowering in front of the palm, closing towards the index, two flexions."""

_LOW = np.stack((*[FINGER_LIMITS_DEG[:, 0]] * 4, THUMB_LIMITS_DEG[:, 0]))  # 5 4
_HIGH = np.stack((*[FINGER_LIMITS_DEG[:, 1]] * 4, THUMB_LIMITS_DEG[:, 1]))  # 5 4

# Flexion axes of index, middle, pinky, ring are level and perpendicular to the finger at rest, which fans out (deg).
_FAN_DEG = np.array((5.0, -5.0, -18.0, -13.0))
_THUMB_FLEXION = np.array((0.2, 0.95, 0.1)) / np.linalg.norm((0.2, 0.95, 0.1))

_STRAIGHT, _BENT = (2.0, 4.0, 2.0, 0.0), (76.0, 90.0, 46.0, 0.0)
_AROUND, _TUCKED = (56.0, 4.0, 8.0, 52.0), (30.0, 28.0, 35.0, 35.0)  # thumb over the bent fingers; thumb inside them
_THUMB_OUT, _THUMB_REST = (-2.0, -12.0, 0.0, 0.0), (8.0, 8.0, 8.0, 8.0)


def _hand(*, index: object, middle: object, ring: object, pinky: object, thumb: object) -> Float64Array:
    return np.array((index, middle, pinky, ring, thumb), np.float64)


def _alike(finger: tuple[float, ...], thumb: tuple[float, ...], spread: float = 0.0) -> Float64Array:
    hand = _hand(index=finger, middle=finger, ring=finger, pinky=finger, thumb=thumb)
    hand[:4, 3] += spread * np.array((1.0, 0.25, -1.0, -0.45))
    return hand


def _up(count: str, thumb: tuple[float, ...] = _AROUND, spread: float = 0.0) -> Float64Array:
    """The named fingers are straight, the others bent."""
    fingers = {name: _STRAIGHT if name in count.split() else _BENT for name in ("index", "middle", "ring", "pinky")}
    hand = _hand(**fingers, thumb=thumb)
    hand[:4, 3] += spread * np.array((1.0, -0.6, -1.0, -0.5)) * (hand[:4, 0] < 40)
    return hand


HANDS: dict[str, Float64Array] = {
    "flat": _alike(_STRAIGHT, (0.0, 18.0, 2.0, 2.0), -3.0),
    "open": _alike((6.0, 10.0, 6.0, 0.0), _THUMB_OUT, 6.0),
    "spread": _alike((0.0, 3.0, 2.0, 0.0), (-8.0, -22.0, 0.0, 0.0), 14.0),
    "relaxed": _hand(
        index=(18, 24, 12, 2), middle=(24, 30, 15, 0), ring=(28, 34, 17, -1), pinky=(30, 34, 17, -3), thumb=_THUMB_REST
    ),
    "half closed": _alike((42.0, 55.0, 30.0, 0.0), (20.0, 14.0, 18.0, 15.0)),
    "fist": _alike(_BENT, _AROUND),
    "thumb inside": _alike((66.0, 84.0, 45.0, 0.0), _TUCKED),
    "pointing": _up("index"),
    "thumbs up": _alike(_BENT, (-12.0, -22.0, -8.0, -8.0)),
    "V": _up("index middle", spread=12.0),
    "three": _up("index middle ring", spread=9.0),
    "four": _up("index middle ring pinky", (30.0, 25.0, 35.0, 40.0), 10.0),
    "thumb and index": _up("index", _THUMB_OUT),
    "horns": _up("index pinky"),
    "telephone": _up("pinky", _THUMB_OUT, 10.0),
    "claw": _alike((-5.0, 60.0, 45.0, 0.0), (5.0, -8.0, 15.0, 30.0), 8.0),
    "cup": _alike((32.0, 38.0, 22.0, 0.0), (32.0, -4.0, 8.0, 14.0)),
    "ball": _alike((22.0, 32.0, 24.0, 0.0), (28.0, -16.0, 8.0, 18.0), 10.0),
    "handle": _alike((58.0, 70.0, 34.0, 0.0), (34.0, 12.0, 22.0, 22.0)),
    "tablet": _alike((48.0, 12.0, 6.0, 0.0), (34.0, 6.0, 6.0, 6.0)),
    "pen": _hand(
        index=(48, 44, 16, 0),
        middle=(56, 52, 22, 0),
        ring=(66, 66, 35, 0),
        pinky=(70, 66, 35, 0),
        thumb=(34, 8, 16, 28),
    ),
    "typing": _alike((8.0, 38.0, 20.0, 0.0), (8.0, 4.0, 10.0, 12.0), 5.0),
}
"""Angles in degrees (5, 4): index, middle, pinky, ring, thumb; see the limits for the columns."""

# Finger and thumb with their tips 15 mm apart, so that the skin touches and no bones intersect (by random search).
_PINCHED: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "index": ((47.0, 49.0, 24.0, -1.0), (48.0, -1.0, 3.0, 22.0)),
    "middle": ((35.0, 100.0, 52.0, -4.0), (62.0, -9.0, 32.0, 57.0)),
    "ring": ((78.0, 105.0, 54.0, -4.0), (28.0, 32.0, 55.0, 55.0)),
    "pinky": ((87.0, 104.0, 52.0, -4.0), (18.0, 40.0, 55.0, 50.0)),
}


def _pinch(finger: str) -> Float64Array:
    """The finger's tip touches the thumb's and the other fingers are straight: the OK sign with the index."""
    hand = HANDS["open"].copy()
    hand[FINGER_NAMES.index(finger)], hand[4] = _PINCHED[finger]
    return hand


HANDS |= {f"{finger} on thumb": _pinch(finger) for finger in _PINCHED}

_NAMES = tuple(HANDS)
_ALL = np.stack([HANDS[name] for name in _NAMES])  # n 5 4
_WEIGHT = np.array(
    [{"open": 2.0, "flat": 2.0, "relaxed": 4.0, "half closed": 2.0, "fist": 2.0}.get(n, 1) for n in _NAMES]
)
_COMMON = np.cumsum(_WEIGHT / _WEIGHT.sum())
_NOISE_DEG = np.array(((6.0, 7.0, 4.0, 2.5),) * 4 + ((5.0, 5.0, 5.0, 6.0),))  # standard deviation around a named pose


def draw_hand(rng: Generator, *, name: str | None = None) -> Float64Array:
    """Sample rotations (15, 3, 3) of a left hand.

    The hand is near the pose `name` if one is given, and otherwise near any pose, between two, or anywhere within the
    limits.
    """
    return hand_rotations(draw_hand_angles(rng, name=name))


def draw_hand_angles(rng: Generator, *, name: str | None = None) -> Float64Array:
    """Sample angles (5, 4) in degrees, within the limits."""
    if name is not None:
        angles = HANDS[name]
    else:
        kind = rng.random()
        if kind < 0.18:
            return _random(rng)
        angles = _common(rng)
        if kind > 0.6:
            share = rng.uniform(0, 1, (5, 1)) if kind > 0.85 else rng.uniform(0, 1)  # each finger separately, or all
            angles = angles + share * (_common(rng) - angles)
    noise = rng.standard_normal((5, 4)) * _NOISE_DEG * rng.uniform(0.2, 1.2)
    noise[:4, 2] += 0.5 * noise[:4, 1]  # one tendon bends the two outer joints
    clipped: Float64Array = np.clip(angles + noise, _LOW, _HIGH)
    return clipped


def _common(rng: Generator) -> Float64Array:
    result: Float64Array = _ALL[min(int(np.searchsorted(_COMMON, rng.random())), len(_ALL) - 1)]
    return result


def _random(rng: Generator) -> Float64Array:
    """Sample angles uniformly within the limits, with the end joints following the middle ones."""
    angles = rng.uniform(_LOW, _HIGH)
    angles[:4, 1] = rng.uniform(0, 100, 4)
    angles[:4, 2] = 0.6 * angles[:4, 1] + rng.normal(0, 8, 4)
    angles[:4, 3] *= np.clip(1 - angles[:4, 0] / 80, 0.1, 1)  # a bent knuckle holds the finger in line
    return np.clip(angles, _LOW, _HIGH)


def hand_rotations(angles_deg: Float64Array) -> Float64Array:
    """Angles (5, 4) to the rotations (15, 3, 3) of a left hand."""
    angles = np.radians(angles_deg)
    fan = np.radians(_FAN_DEG)[:, None]
    axis = np.zeros((5, 3, 3))  # finger, joint, axis of flexion
    axis[:4, :, 0] = np.sin(fan)
    axis[:4, :, 2] = -np.cos(fan)
    axis[4] = _THUMB_FLEXION
    flexion = angles[:, :3].copy()
    flexion[4] = (angles[4, 1], angles[4, 2], angles[4, 3])
    result = about(axis, flexion)
    result[:4, 0] = about(np.array((0.0, -1.0, 0.0)), angles[:4, 3]) @ result[:4, 0]
    result[4, 0] = about(np.array((1.0, 0.0, 0.0)), angles[4, 0]) @ result[4, 0]
    return result.reshape(15, 3, 3)


def about(axis: Float64Array, angle_rad: Float64Array) -> Float64Array:
    """Rotations (..., 3, 3) about unit axes (..., 3) by angles (...), by Rodrigues' formula."""
    axis = np.broadcast_to(axis, (*angle_rad.shape, 3))
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    v = 1 - c
    result = np.empty((*angle_rad.shape, 3, 3))
    result[..., 0, 0], result[..., 1, 1], result[..., 2, 2] = c + v * x * x, c + v * y * y, c + v * z * z
    result[..., 0, 1], result[..., 1, 0] = v * x * y - s * z, v * x * y + s * z
    result[..., 0, 2], result[..., 2, 0] = v * x * z + s * y, v * x * z - s * y
    result[..., 1, 2], result[..., 2, 1] = v * y * z - s * x, v * y * z + s * x
    return result


def mirrored(rotation: Float64Array) -> Float64Array:
    """The rotations (..., 3, 3) of the other side, mirrored at x = 0."""
    result: Float64Array = rotation * _MIRROR
    return result
