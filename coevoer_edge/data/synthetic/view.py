"""The camera's position and the part of the person that the crop shows.

In: a random generator, a posed person in front of a level camera. Out: `View`. The crop is a window in a frame whose
field of view is 30 to 90 degrees. The window need not be centred, so the principal point may be outside the crop.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.rotations import axis_angle_to_matrix

FRAMINGS: Mapping[str, tuple[float, tuple[str, ...], float]] = {
    "head and shoulders": (0.13, ("left_shoulder", "right_shoulder"), 0.10),
    "chest": (0.15, ("spine3",), 0.02),
    "waist": (0.20, ("spine1",), 0.0),
    "hips": (0.18, ("left_hip", "right_hip"), 0.12),
    "hands too": (0.28, ("left_wrist", "right_wrist", "spine3"), 0.1),
    "knees": (0.06, ("left_knee", "right_knee"), 0.08),
}
"""Frequency, the joints that the lower edge is placed at, and the edge's distance below the lowest of them, m."""

SHOWS_LEGS = frozenset(("hips", "knees"))

_FIELD_OF_VIEW_DEG = (30.0, 90.0)  # vertical, of the whole frame
_TILT_DEG = (0.0, 9.0)  # mean and standard deviation; positive points the camera down
_MAX_TILT_DEG = 30.0
_ROLL_DEG = 4.0
_NEAREST_M = 0.22  # smallest depth of any joint; closer than that a person would touch the lens
_FARTHEST_M = 9.0
_ABOVE_HEAD_M = 0.2  # from the head joint to the top of the hair
_SCALES = (0.85, 1.9)  # ratio of the crop's height to the shown height of the person, log-uniform

_H, _W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX


def _indices(*names: str) -> list[int]:
    return [JOINT_NAMES.index(name) for name in names]


_HEAD = JOINT_NAMES.index("head")
_UPPER = _indices("head", "neck", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow")
_WRISTS = _indices("left_wrist", "right_wrist")


@dataclass(frozen=True)
class View:
    """A pinhole camera for the crop, and the transform from the level camera's frame to it."""

    rotation: Float64Array  # 3 3: from the level camera's frame (x right, y down, z forward) to this camera's
    translation_m: Float64Array  # 3: camera point = rotation @ point relative to the pelvis + translation
    focal_px: float  # px of the crop
    principal_px: Float64Array  # 2, px of the crop
    towards_crop: Float64Array  # 3 3: turns the camera so that its axis passes through the centre of the crop


def draw_framing(rng: Generator) -> str:
    """Sample one of `FRAMINGS`."""
    shares = np.array([share for share, _, _ in FRAMINGS.values()])
    return str(rng.choice(list(FRAMINGS), p=shares / shares.sum()))


def draw_view(rng: Generator, framing: str, joints: Float64Array) -> View:
    """Sample a view. `joints` (55, 3), m, are the posed person's, along the level camera's axes, from any origin."""
    tilt = float(np.clip(rng.normal(*_TILT_DEG), -_MAX_TILT_DEG, _MAX_TILT_DEG))
    roll = rng.normal(0, _ROLL_DEG)
    rotation = axis_angle_to_matrix(np.radians((0, 0, roll))) @ axis_angle_to_matrix(np.radians((tilt, 0, 0)))
    turned = joints @ rotation.T

    _, lower_edge, margin = FRAMINGS[framing]
    shown = _UPPER + (_WRISTS if framing == "hands too" else [])
    top = turned[_HEAD, 1] - _ABOVE_HEAD_M
    if framing == "hands too":
        top = min(top, turned[_WRISTS, 1].min() - 0.12)
    bottom = turned[_indices(*lower_edge), 1].max() + margin
    left, right = turned[shown, 0].min() - 0.06, turned[shown, 0].max() + 0.06
    if framing != "hands too":  # arms may leave a narrow picture
        middle, half = turned[_HEAD, 0], 0.27
        left, right = max(left, middle - half), min(right, middle + half)
    height = max(bottom - top, (right - left) * _H / _W)
    height *= float(np.exp(rng.uniform(*np.log(_SCALES)))) if rng.random() < 0.8 else rng.uniform(0.7, 0.9)
    spare = max(0.0, height - (bottom - top)) / 2
    centre = np.array(((left + right) / 2, (top + bottom) / 2, turned[_UPPER, 2].mean()))
    centre[:2] += rng.normal(0, 0.05 * height, 2) + rng.uniform(-0.7, 0.7, 2) * spare

    # The window: its share of the frame, and its position in the frame.
    tangent = np.tan(np.radians(rng.uniform(*_FIELD_OF_VIEW_DEG)) / 2)
    share = rng.uniform(0.35, 1.0)
    tangent_window = tangent * share
    distance = np.clip(height / 2 / tangent_window, 0.0, _FARTHEST_M)
    nearest = (turned[:, 2] - centre[2]).min()
    distance = max(distance, _NEAREST_M - nearest)
    tangent_window = height / 2 / distance
    offset = rng.uniform(-1, 1, 2) * (tangent - tangent_window if tangent > tangent_window else 0.0)
    offset[0] *= 1.6  # frames are wider than they are high
    focal = _H / 2 / tangent_window
    principal = np.array((_W / 2, _H / 2)) - offset * focal
    translation = np.array((*(offset * distance), distance)) - centre
    return View(rotation, translation, float(focal), principal, _turn_towards(offset))


def _turn_towards(offset: Float64Array) -> Float64Array:
    """The smallest rotation that takes the ray (x, y, 1) to the optical axis."""
    ray = np.array((*offset, 1.0))
    ray /= np.linalg.norm(ray)
    axis = np.cross(ray, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    turn: Float64Array = axis_angle_to_matrix(axis / sine * np.arctan2(sine, ray[2]))
    return turn
