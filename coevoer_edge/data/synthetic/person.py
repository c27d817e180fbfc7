"""One synthetic person: shape, pose, hands and face of ordinary people who stand or sit in front of a camera.

In: a random generator. Out: `SmplxParameters`, float64. Poses in which hands or arms would intersect the body are
sampled again.
"""

import numpy as np
from numpy.random import Generator

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES, NUM_JOINTS
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.data.synthetic import skeleton
from coevoer_edge.data.synthetic.body_pose import (
    ARMS_DEG,
    Arm,
    draw_any_arm,
    draw_arm,
    draw_head,
    draw_legs,
    draw_spine,
    euler,
    hand_frames,
    solve_arm,
    turned,
)
from coevoer_edge.data.synthetic.hand_pose import draw_hand, mirrored
from coevoer_edge.data.synthetic.reaches import FACE_REACHES, REACHES, Reach

MAX_TRIES = 12
MAX_MISS_M, MAX_STRAIN = 0.03, 1.0
BETA_LIMIT = 3.0
JAW_LIMIT_DEG = 25.0

_SIDES = ("left", "right")
_ORIENTATIONS = 4  # of a hand, tried for each reach
_MEAN_ARM_M = 0.499
_PALM_M = np.array((0.085, -0.022, 0.0))  # the centre of a left palm's skin, in the wrist's frame
_FLIP = np.array((-1.0, 1.0, 1.0))

# Share of each way to place an arm that does not interact with the other.
_ONE_HAND = {"angles": 0.24, "reach": 0.42, "face": 0.20, "any": 0.14}
_TWO_HANDS_SHARE = 0.2
_SYMMETRIC_SHARE = 0.3

_TWO_HANDS = {
    "object": 0.4,
    "palms": 0.12,
    "clasped": 0.16,
    "finger on palm": 0.16,
    "steeple": 0.08,
    "fist in hand": 0.08,
}
_OBJECT_HANDS = ("cup", "ball", "flat", "open", "claw", "relaxed", "tablet")
_AT = {name: i for i, name in enumerate(JOINT_NAMES)}

# Bounds of the open body's expressions, where 2 is the full action; jaw in degrees. Those not listed stay near 0.
_FACES: dict[str, tuple[float, dict[str, tuple[float, float]]]] = {
    "neutral": (0.25, {}),
    "talking": (
        0.30,
        {"jaw": (0, 14), "lips_parted": (0, 1.5), "pucker": (-0.1, 0.9), "smile": (0, 0.7), "brows_up": (0, 0.8)},
    ),
    "smiling": (0.17, {"smile": (0.6, 2.2), "lips_parted": (0, 1.4), "jaw": (0, 7), "brows_up": (0, 0.6)}),
    "frowning": (0.08, {"mouth_frown": (0.3, 1.8), "brows_down": (0.3, 2.0), "lips_pressed": (0, 0.8)}),
    "surprised": (0.06, {"brows_up": (0.8, 2.2), "jaw": (4, 25), "lips_parted": (0, 1.0)}),
    "eyes closed": (0.05, {"eyes_closed": (1.0, 2.0), "smile": (0, 0.8), "jaw": (0, 4)}),
    "kiss": (0.03, {"pucker": (0.8, 2.0), "cheeks_puffed": (0, 0.8)}),
    "disgust": (0.03, {"sneer": (0.6, 2.0), "brows_down": (0, 1.2), "mouth_frown": (0, 0.8)}),
    "pressed": (0.03, {"lips_pressed": (0.6, 2.0), "cheeks_puffed": (0, 1.6)}),
}
_EXPRESSIONS = (
    "smile", "mouth_frown", "brows_up", "brows_down", "eyes_closed", "pucker", "lips_parted", "cheeks_puffed", "sneer",
    "lips_pressed",
)  # fmt: skip


def draw_person(rng: Generator, *, legs_seen: bool) -> SmplxParameters:
    """Sample a person in front of a level camera; legs stay at rest if they are outside the picture."""
    betas = draw_betas(rng)
    person = skeleton.rest(betas)
    yaw = draw_yaw_deg(rng)
    jaw, expression = draw_face(rng)
    rotations = np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3)).copy()
    for name, rotation in draw_legs(rng, seen=legs_seen).items():
        rotations[_AT[name]] = rotation
    rotations[_AT["jaw"]] = jaw
    for _ in range(MAX_TRIES):
        rotations[_SPINE], rotations[_HEAD] = draw_spine(rng), draw_head(rng, yaw)
        arms, hands, touch_m = draw_arms(rng, person, rotations[_HEAD])
        _put(rotations, arms, hands)
        if all(_is_natural(arm) for arm in arms) and skeleton.is_free(person, rotations, touch_m=touch_m):
            break
    else:
        _put(rotations, _resting_arms(), (draw_hand(rng, name="relaxed"), draw_hand(rng, name="relaxed")))
    pitch, roll = rng.normal(0, 6), rng.normal(0, 4)
    return SmplxParameters(
        global_orient=(turned(2, roll) @ turned(0, 180 + pitch) @ turned(1, yaw))[None],
        body_pose=rotations[1 : len(BODY_JOINT_NAMES)].copy(),
        left_hand_pose=rotations[_HANDS["left"]].copy(),
        right_hand_pose=rotations[_HANDS["right"]].copy(),
        jaw_pose=jaw[None],
        betas=betas,
        expression=expression,
    )


_SPINE = [_AT[name] for name in ("spine1", "spine2", "spine3")]
_HEAD = [_AT[name] for name in ("neck", "head")]
_ARM = {side: [_AT[f"{side}_{j}"] for j in ("collar", "shoulder", "elbow", "wrist")] for side in _SIDES}
_HANDS = {side: slice(_AT[f"{side}_index1"], _AT[f"{side}_thumb3"] + 1) for side in _SIDES}


def draw_betas(rng: Generator) -> Float64Array:
    """Sample betas (10,) with standard deviation 1, or 1.6 for a fifth of the people, and magnitude at most 3."""
    spread = 1.6 if rng.random() < 0.2 else 1.0
    betas = rng.normal(0, spread, contract.NUM_BETAS)
    while (far := np.abs(betas) > BETA_LIMIT).any():
        betas[far] = rng.normal(0, spread, int(far.sum()))
    return betas


def draw_yaw_deg(rng: Generator) -> float:
    """Sample the person's turn to their own left: mostly within 45 degrees, at most 90."""
    kind = rng.random()
    if kind < 0.6:
        return float(np.clip(rng.normal(0, 15), -45, 45))
    return float(rng.uniform(-45, 45) if kind < 0.9 else rng.uniform(-90, 90))


def draw_face(rng: Generator) -> tuple[Float64Array, Float64Array]:
    """Sample jaw (3, 3) and expression (10,) of the open body."""
    names = list(_FACES)
    chosen = [names[rng.choice(len(names), p=[_FACES[n][0] for n in names])]]
    if rng.random() < 0.25:
        chosen.append(names[rng.integers(len(names))])
    expression = np.abs(rng.normal(0, 0.12, contract.NUM_EXPRESSION))
    jaw_deg = max(0.0, rng.normal(0, 1.0))
    for name in chosen:
        for what, (low, high) in _FACES[name][1].items():
            value = rng.uniform(low, high)
            if what == "jaw":
                jaw_deg = max(jaw_deg, value)
            else:
                i = _EXPRESSIONS.index(what)
                expression[i] = max(expression[i], value) if value > 0 else value
    if rng.random() < 0.1:  # any expressions, but not all at once
        expression += rng.uniform(0, 2, contract.NUM_EXPRESSION) * (rng.random(contract.NUM_EXPRESSION) < 0.25)
    if rng.random() < 0.05:  # a blink
        expression[_EXPRESSIONS.index("eyes_closed")] = rng.uniform(0.5, 2.0)
    aside = rng.normal(0, 1.2, 2).clip(-4, 4)
    return euler(min(jaw_deg, JAW_LIMIT_DEG), aside[0], 0.4 * aside[1]), expression.clip(-0.3, 2.3)


def draw_arms(
    rng: Generator, person: skeleton.Rest, neck_head: Float64Array
) -> tuple[list[Arm], list[Float64Array], float]:
    """Sample both arms and hands, expressed as left ones, and how far the hands may overlap, m."""
    if rng.random() < _TWO_HANDS_SHARE:
        return _two_hands(rng, person)
    if rng.random() < _SYMMETRIC_SHARE:
        seed = rng.integers(2**32)
        drawn = [_one_arm(np.random.default_rng(seed), person, neck_head, side) for side in _SIDES]
    else:
        drawn = [_one_arm(rng, person, neck_head, side) for side in _SIDES]
    return [arm for arm, _ in drawn], [hand for _, hand in drawn], 0.0


def _one_arm(rng: Generator, person: skeleton.Rest, neck_head: Float64Array, side: str) -> tuple[Arm, Float64Array]:
    way = _pick(rng, _ONE_HAND)
    if way == "any":
        return draw_any_arm(rng), draw_hand(rng)
    if way == "angles":
        return draw_arm(rng, str(rng.choice(list(ARMS_DEG), p=(0.5, 0.15, 0.1, 0.15, 0.1)))), draw_hand(rng)
    table = REACHES if way == "reach" else FACE_REACHES
    reach = table[_pick(rng, {name: r.weight for name, r in table.items()})]
    return _reach(rng, person, reach, neck_head if way == "face" else None, side)


def _reach(
    rng: Generator, person: skeleton.Rest, reach: Reach, neck_head: Float64Array | None, side: str
) -> tuple[Arm, Float64Array]:
    """The arm that reaches a target, which is in the head's frame if rotations of neck and head are given."""
    hand = draw_hand(rng, name=str(rng.choice(reach.hands)) if reach.hands and rng.random() < 0.9 else None)
    place = np.array(reach.place) + rng.standard_normal(3) * reach.spread_m
    fingers = np.array(reach.fingers) + rng.standard_normal((_ORIENTATIONS, 3)) * np.radians(reach.spread_deg)
    palm = np.array(reach.palm) + rng.standard_normal((_ORIENTATIONS, 3)) * np.radians(reach.spread_deg)
    frames = hand_frames(fingers, palm)
    lengths = person.arm
    if neck_head is None:
        place *= (lengths.upper + lengths.fore) / _MEAN_ARM_M
        return solve_arm(rng, lengths, place, frames, _PALM_M)._replace(miss_m=0.0), hand  # being near is enough
    neck, head = neck_head if side == "left" else mirrored(neck_head)
    at_neck, at_head = (person.joints[_AT[name]] - person.chest for name in ("neck", "head"))
    place = at_neck + neck @ (at_head - at_neck + head @ place)
    tip = skeleton.finger_points(person.joints, hand)[rng.integers(2), 3]
    return solve_arm(rng, lengths, place, neck @ head @ frames, _PALM_M if reach.by_palm else tip), hand


def _two_hands(rng: Generator, person: skeleton.Rest) -> tuple[list[Arm], list[Float64Array], float]:
    """Sample two hands that hold each other or something between them."""
    kind = _pick(rng, _TWO_HANDS)
    lengths = person.arm
    middle = np.array((0.0, -0.17, 0.33)) + rng.standard_normal(3) * (0.08, 0.12, 0.06)
    middle *= (lengths.upper + lengths.fore) / _MEAN_ARM_M
    turn = euler(rng.normal(0, 12), rng.normal(0, 14), rng.normal(0, 14))  # of both hands, about their midpoint
    up = np.radians(rng.uniform(-10, 100))
    ahead = np.array((0.0, np.sin(up), np.cos(up)))
    inward = np.array((-1.0, 0.0, 0.0))
    widths = (0.012, 0.012)
    hands = [draw_hand(rng) for _ in _SIDES]
    fingers, palms, points, touch_m = [ahead, ahead], [inward, inward], [_PALM_M, _PALM_M], 0.006
    if kind == "object":
        widths = (rng.uniform(0.03, 0.24),) * 2
        name = str(rng.choice(_OBJECT_HANDS))
        hands = [draw_hand(rng, name=name) for _ in _SIDES]
        fingers = [ahead + rng.normal(0, 0.15, 3) for _ in _SIDES]
        palms = [np.array((-1.0, rng.uniform(-0.8, 0.3), 0.0))] * 2
        touch_m = 0.0
    elif kind == "palms":
        hands = [draw_hand(rng, name="flat") for _ in _SIDES]
        fingers = [np.array((0.0, np.sin(up), np.cos(up)))] * 2
    elif kind == "clasped":
        hands = [draw_hand(rng, name="half closed") for _ in _SIDES]
        fingers = [ahead + 0.7 * inward] * 2
        palms = [np.array((-1.0, 0.0, -0.6))] * 2
        widths, touch_m = (0.022, 0.022), 0.009
    elif kind == "steeple":
        hands = [draw_hand(rng, name="spread")] * 2
        points = [skeleton.finger_points(person.joints, hand)[1, 3] for hand in hands]
        fingers = [ahead + 0.45 * inward] * 2
        widths = (0.006, 0.006)
    elif kind == "fist in hand":
        hands = [draw_hand(rng, name="fist"), draw_hand(rng, name="cup")]
        widths = (0.038, 0.02)
    else:
        hands = [draw_hand(rng, name="pointing"), draw_hand(rng, name=str(rng.choice(("flat", "open", "relaxed"))))]
        points = [skeleton.finger_points(person.joints, hands[0])[0, 3], _PALM_M + rng.normal(0, 0.02, 3) * (1, 0, 1)]
        palms = [np.array((-0.3, -0.8, -0.1)), np.array((-0.6, 0.6, -0.3))]
        fingers = [np.array((-0.8, -0.3, 0.4)), np.array((-0.4, 0.2, 0.8))]
        widths = (0.006, 0.006)
    arms = []
    for i, side in enumerate(_SIDES):
        flip = np.ones(3) if side == "left" else _FLIP
        around = turn if side == "left" else mirrored(turn)
        target = middle * flip + around @ np.array((widths[i], 0.0, 0.0))
        spread = rng.standard_normal((2, _ORIENTATIONS, 3)) * 0.08
        frames = around @ hand_frames(fingers[i] + spread[0], palms[i] + spread[1])
        arms.append(solve_arm(rng, lengths, target, frames, points[i]))
    if rng.random() < 0.5:
        turned_over = [1, 0]
        return [arms[i] for i in turned_over], [hands[i] for i in turned_over], touch_m
    return arms, hands, touch_m


def _is_natural(arm: Arm) -> bool:
    return arm.miss_m < MAX_MISS_M and arm.strain < MAX_STRAIN


def _resting_arms() -> list[Arm]:
    return [draw_arm(np.random.default_rng(side), "down") for side in range(2)]


def _put(
    rotations: Float64Array, arms: list[Arm], hands: list[Float64Array] | tuple[Float64Array, Float64Array]
) -> None:
    """Set both arms and hands, which are given as left ones."""
    for side, arm, hand in zip(_SIDES, arms, hands, strict=True):
        rotations[_ARM[side]] = arm.rotations if side == "left" else mirrored(arm.rotations)
        rotations[_HANDS[side]] = hand if side == "left" else mirrored(hand)


def _pick(rng: Generator, weights: dict[str, float]) -> str:
    names = list(weights)
    sums = np.cumsum(list(weights.values()))
    return names[int(np.searchsorted(sums, rng.random() * sums[-1]))]
