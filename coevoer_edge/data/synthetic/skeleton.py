"""The joints of one person without the mesh: fast enough to try poses and reject bad ones.

In: betas, rotations of the 55 joints. Out: positions of joints and fingertips, and whether hands and arms are free of
the trunk, the head, the thighs and each other. The joints are those of the open body, in m, in the root's frame (x to
the person's left, y up, z forward).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model_file import read_model_file
from coevoer_edge.data.synthetic.body_pose import ArmLengths

Indices = NDArray[np.int64]

TIPS_M = np.array(
    ((0.026, 0.0, 0.003), (0.025, 0.001, -0.002), (0.019, 0.0, -0.006), (0.025, 0.001, -0.006), (0.023, -0.009, 0.013))
)
"""Offsets from the last joint of each finger of a left hand to just inside the tip, at rest."""

HEAD_M = ((0.0, 0.052, 0.014), (0.076, 0.115, 0.098))
"""Centre and half axes of the head, in the head's frame."""

_NECK_RADIUS_M, _FOREARM_RADIUS_M, _THIGH_RADIUS_M = 0.052, 0.036, 0.075
_FINGER_GAP_M = 0.013  # distance between the finger centres of two hands below which they intersect
_TRUNK = (("spine1", 0.06), ("spine2", 0.06), ("spine3", 0.08), ("pelvis", 0.10))  # slices, half height in m


class Rest(NamedTuple):
    """One person at rest, in m."""

    joints: Float64Array  # 55 3
    trunk: Float64Array  # 4 2 2: centre and half axes (x and z) of each slice, relative to the slice's joint

    @property
    def arm(self) -> ArmLengths:
        """The left arm in the chest's frame."""
        collar, shoulder, elbow, wrist = (
            self.joints[_at(f"left_{j}")] for j in ("collar", "shoulder", "elbow", "wrist")
        )
        upper, fore = (float(np.linalg.norm(bone)) for bone in (elbow - shoulder, wrist - elbow))
        return ArmLengths(collar - self.chest, shoulder - collar, upper, fore)

    @property
    def chest(self) -> Float64Array:
        """Origin of the chest's frame: between the shoulders."""
        result: Float64Array = self.joints[[_at("left_shoulder"), _at("right_shoulder")]].mean(0)
        return result


def _at(name: str) -> int:
    return JOINT_NAMES.index(name)


@cache
def _shapes() -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
    """Joints (55, 3) and the trunk's outermost vertices (4, 3, 3): left, back, front; each with shape directions."""
    file = read_model_file(None)
    template, directions = (
        file.v_template.astype(np.float64),
        file.shapedirs[..., : contract.NUM_BETAS].astype(np.float64),
    )
    regressor = file.J_regressor.astype(np.float64)
    joints = regressor @ template
    outer = []
    for name, _ in _TRUNK:
        inside = np.abs(template[:, 0]) < 0.2
        slice_ = np.flatnonzero(inside & (np.abs(template[:, 1] - joints[_at(name), 1]) < 0.025))
        outer.append(
            [slice_[f(template[slice_, axis])] for f, axis in ((np.argmax, 0), (np.argmin, 2), (np.argmax, 2))]
        )
    return joints, np.tensordot(regressor, directions, axes=1), template[outer], directions[outer]


def rest(betas: Float64Array) -> Rest:
    """The person with the shape `betas`."""
    joints, joint_directions, outer, outer_directions = _shapes()
    joints = joints + joint_directions @ betas
    outer = outer + outer_directions @ betas  # 4 3 3
    own = joints[[_at(name) for name, _ in _TRUNK]]
    side, back, front = (outer[:, i] - own for i in range(3))
    centre = np.stack((np.zeros(4), (front[:, 2] + back[:, 2]) / 2), -1)
    half = np.stack((side[:, 0], (front[:, 2] - back[:, 2]) / 2), -1)
    return Rest(joints, np.stack((centre, half), 1))


def _levels() -> list[tuple[Indices, Indices]]:
    """Joints of equal depth in the tree with their parents, from the root's children outwards."""
    depth = [0] * NUM_JOINTS
    for joint in range(1, NUM_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    levels = [[j for j in range(NUM_JOINTS) if depth[j] == d] for d in range(1, max(depth) + 1)]
    return [(np.array(level), np.array([PARENTS[j] for j in level])) for level in levels]


_LEVELS = _levels()


def pose(joints: Float64Array, rotations: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Rotations and positions in the root's frame, from joints at rest (55, 3) and local rotations (55, 3, 3)."""
    world, places = np.empty((NUM_JOINTS, 3, 3)), np.empty((NUM_JOINTS, 3))
    world[0], places[0] = rotations[0], joints[0]
    for level, parents in _LEVELS:
        above = world[parents]
        world[level] = above @ rotations[level]
        places[level] = places[parents] + (above @ (joints[level] - joints[parents])[..., None])[..., 0]
    return world, places


def finger_points(joints: Float64Array, hand: Float64Array) -> Float64Array:
    """Three joints and the tip of each finger (5, 4, 3), wrist's frame, from a left hand's rotations (15, 3, 3)."""
    first = _at("left_index1")
    own = (joints[first : first + 15] - joints[_at("left_wrist")]).reshape(5, 3, 3)
    bones = np.concatenate((own[:, 1:] - own[:, :-1], TIPS_M[:, None]), 1)  # 5 3 3: bone after each joint
    turns = hand.reshape(5, 3, 3, 3)
    points = np.empty((5, 4, 3))
    points[:, 0], world = own[:, 0], turns[:, 0]
    for segment in range(3):
        points[:, segment + 1] = points[:, segment] + (world @ bones[:, segment, :, None])[..., 0]
        if segment < 2:
            world = world @ turns[:, segment + 1]
    return points


_SIDES = ("left", "right")
_ARMS = {side: [_at(f"{side}_{j}") for j in ("shoulder", "elbow", "wrist")] for side in _SIDES}
_FINGERS = {side: np.arange(_at(f"{side}_index1"), _at(f"{side}_index1") + 15) for side in _SIDES}
_THIGHS = [(_at(f"{side}_hip"), _at(f"{side}_knee")) for side in _SIDES]
_FLIP = np.array((-1.0, 1.0, 1.0))


def hand_points(world: Float64Array, places: Float64Array, side: str) -> Float64Array:
    """Fifteen finger joints, five tips, palm and wrist in the root's frame, (22, 3)."""
    fingers = _FINGERS[side]
    offsets = TIPS_M if side == "left" else TIPS_M * _FLIP
    last = fingers[2::3]
    tips = places[last] + (world[last] @ offsets[..., None])[..., 0]
    wrist = places[_ARMS[side][2]]
    palm = (wrist + places[fingers[3]]) / 2
    return np.concatenate((places[fingers], tips, palm[None], wrist[None]))


def is_free(person: Rest, rotations: Float64Array, *, touch_m: float = 0.0) -> bool:
    """Whether hands and arms are outside the trunk, the head, the thighs, the other arm and the other hand.

    touch_m: how far two hands that hold each other may overlap.
    """
    world, places = pose(person.joints, rotations)
    hands = {side: hand_points(world, places, side) for side in _SIDES}
    both = np.concatenate((hands["left"], hands["right"]))
    between = hands["left"][:, None] - hands["right"][None]
    if np.min(np.sum(between * between, -1)) < max(_FINGER_GAP_M - touch_m, 0.0) ** 2:
        return False
    arms = []
    for side in _SIDES:
        _, elbow, wrist = places[_ARMS[side]]
        arms += [elbow, 0.5 * (elbow + wrist), 0.25 * elbow + 0.75 * wrist]
    if in_trunk(person, world, places, both, 0.004) or in_trunk(person, world, places, np.array(arms), 0.012):
        return False
    head = _at("head")
    local = (np.concatenate((both, arms)) - places[head]) @ world[head]
    if np.min(np.sum(((local - HEAD_M[0]) / HEAD_M[1]) ** 2, -1)) < 1.0:
        return False
    if _distance(both, places[_at("neck")], places[head]) < _NECK_RADIUS_M:
        return False
    left, right = (places[_ARMS[side]] for side in _SIDES)
    for points, arm in ((hands["left"], right), (hands["right"], left)):
        if _distance(points, arm[1], arm[2] + 0.15 * (arm[1] - arm[2])) < _FOREARM_RADIUS_M:
            return False
        if _distance(points, arm[0], arm[1]) < _FOREARM_RADIUS_M + 0.008:
            return False
    steps = np.linspace(0.1, 0.9, 5)[:, None]
    forearms = [arm[1] + steps * (arm[2] - arm[1]) for arm in (left, right)]
    if _distance(forearms[0], right[1], right[2]) < 2 * _FOREARM_RADIUS_M - 0.012:
        return False
    return all(_distance(both, places[hip], places[knee]) >= _THIGH_RADIUS_M for hip, knee in _THIGHS)


def in_trunk(person: Rest, world: Float64Array, places: Float64Array, points: Float64Array, margin_m: float) -> bool:
    """Whether any of the points (N, 3) is inside the trunk or closer to it than `margin_m`."""
    for (name, half_height), (centre, half) in zip(_TRUNK, person.trunk, strict=True):
        joint = _at(name)
        local = (points - places[joint]) @ world[joint]
        flat = ((local[:, ::2] - centre) / (half + margin_m)) ** 2
        if np.any((flat.sum(-1) < 1) & (np.abs(local[:, 1]) < half_height)):
            return True
    return False


def _distance(points: Float64Array, start: Float64Array, end: Float64Array) -> float:
    """The smallest distance from the points (N, 3) to the segment from start to end, m."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    away = points - start - share[:, None] * along
    return float(np.sqrt(np.min(np.sum(away * away, -1))))
