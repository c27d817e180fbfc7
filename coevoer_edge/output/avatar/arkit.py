"""Expression and jaw as ARKit's 52 blendshape weights, which the face rigs of many avatars use.

In: expression coefficients of the open body's face and the jaw's rotation. Out: 52 weights in [0, 1] under ARKit's
names. The mapping is in `arkit.json`, which `python -m derive.arkit` fits; docs/guides/avatars.md describes it.
Coefficients of SMPL-X's own face space (FLAME's) have other meanings and are not converted.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.rotations import matrix_to_axis_angle
from coevoer_edge.contract import NUM_EXPRESSION
from coevoer_edge.errors import InputError

ARKIT_PATH = Path(__file__).with_name("arkit.json")


def _both(*names: str) -> tuple[str, ...]:
    return tuple(name + side for name in names for side in ("Left", "Right"))


_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
ARKIT_NAMES = (
    *(name + side for side in ("Left", "Right") for name in _EYE),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *_both("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *_both("mouthPress", "mouthLowerDown", "mouthUpperUp", "browDown"),
    "browInnerUp",
    *_both("browOuterUp"),
    "cheekPuff",
    *_both("cheekSquint", "noseSneer"),
    "tongueOut",
)
"""Apple's order (ARFaceAnchor.BlendShapeLocation). Left and right are the person's own."""


@dataclass(frozen=True, eq=False)
class ArkitMap:
    """The content of `arkit.json`."""

    expression: Float64Array  # 52 10: weight at one unit of each expression coefficient
    jaw: Float64Array  # 52 3: weight at one radian of the jaw about x (opens), y (to the left), z
    never: dict[str, str]  # shapes that stay 0, and why


@cache
def arkit_map() -> ArkitMap:
    """Read the derived map."""
    table = json.loads(ARKIT_PATH.read_text(encoding="utf-8"))
    expression, jaw = np.zeros((len(ARKIT_NAMES), NUM_EXPRESSION)), np.zeros((len(ARKIT_NAMES), 3))
    for i, name in enumerate(ARKIT_NAMES):
        for direction, weight in table["expression"].get(name, {}).items():
            column = table["expression_names"].index(direction)
            expression[i, column] = weight / table["full_action"]
        if name in table["jaw"]:
            full = table["jaw"][name]
            axis: Literal[0, 1] = 0 if full["axis"] == "x" else 1
            jaw[i, axis] = 1 / np.radians(full["full_deg"])
    return ArkitMap(expression, jaw, table["never"])


def arkit_weights(expression: ArrayLike, jaw_pose: ArrayLike) -> Float64Array:
    """(52,) weights in [0, 1], in the order of ARKIT_NAMES.

    `expression` (10,) are the open body's coefficients, 2 being a whole action; negative ones are not anatomical and
    count as 0. `jaw_pose` is the jaw's rotation relative to the head, (3, 3) or (1, 3, 3). Both sides of the face get
    the same
    weight: the face space is symmetric. Shapes in `arkit_map().never` are always 0. Raises `InputError` for other
    shapes.
    """
    coefficients, rotation = np.asarray(expression, np.float64), np.asarray(jaw_pose, np.float64)
    if coefficients.shape != (NUM_EXPRESSION,) or rotation.shape not in ((3, 3), (1, 3, 3)):
        raise InputError(
            f"`expression` is {coefficients.shape} and jaw_pose {rotation.shape}; "
            f"give ({NUM_EXPRESSION},) and a rotation matrix (3, 3)."
        )
    known = arkit_map()
    turn = matrix_to_axis_angle(rotation.reshape(3, 3))
    weights: Float64Array = (known.expression @ coefficients.clip(min=0) + known.jaw @ turn).clip(0, 1)
    return weights
