"""Poses of arms that reach for targets, and of trunk, head and legs, within the limits of the joints.

In: a random generator, the lengths of the person's arm, targets for the hand in the chest's frame. Out: rotations of
the joints, each relative to its parent. The chest's frame has the axes of spine3 and its origin between the shoulders
at rest: x to the person's left, y up, z forward, m. Every arm is computed as a left arm; a right arm is its mirror
image at x = 0.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.synthetic.hand_pose import about

Range = tuple[float, float]

# Degrees; about the axes x (bend forward), y (turn left), z (lean to the right).
SPINE_LIMITS_DEG = np.array((18.0, 14.0, 10.0))  # each of spine1, spine2, spine3; backwards half as far
NECK_LIMITS_DEG = np.array((28.0, 35.0, 18.0))
HEAD_LIMITS_DEG = np.array((25.0, 38.0, 16.0))
ELBOW_LIMITS_DEG = (0.0, 148.0)
FOREARM_LIMITS_DEG = (-85.0, 80.0)  # roll: palm towards the upper arm, palm away from it; at 0 the thumb points at it
WRIST_FLEXION_LIMITS_DEG = (-65.0, 72.0)  # towards the back of the hand, towards the palm
WRIST_DEVIATION_LIMITS_DEG = (-35.0, 22.0)  # towards the little finger, towards the thumb
UPPER_ARM_TWIST_LIMITS_DEG = (-95.0, 80.0)  # hand up or out, down or in; relative to the shortest swing from the T-pose
COLLAR_LIMITS_DEG = (-10.0, 28.0)  # down, up

_SWIVELS_RAD = np.radians(np.arange(-110.0, 111.0, 20.0))
_ELBOW_HANGS = np.array((0.45, -1.0, -0.15))  # preferred direction of the elbow
_MAX_STRETCH = 0.995


class ArmLengths(NamedTuple):
    """A left arm in the chest's frame, m."""

    collar: Float64Array  # 3: position of the collar joint
    shoulder: Float64Array  # 3: from collar to shoulder, at rest
    upper: float
    fore: float


class Arm(NamedTuple):
    """A left arm: rotations of collar, shoulder, elbow and wrist, its distance to the target, and its strain."""

    rotations: Float64Array  # 4 3 3, each relative to the parent
    miss_m: float
    strain: float  # 0: within the joint limits; 1: about 20 degrees beyond a limit


# (low, high) in degrees for raise, forward swing of the lowered arm, swing of the level arm, twist, elbow, roll.
ARMS_DEG: dict[str, tuple[Range, ...]] = {
    "down": ((-82, -66), (-10, 20), (0, 0), (-10, 30), (4, 35), (-25, 30)),
    "on the hip": ((-52, -36), (-25, -8), (0, 0), (62, 80), (75, 100), (-30, 50)),
    "out": ((-30, 15), (0, 0), (-10, 50), (-30, 40), (0, 45), (-80, 70)),
    "hands up": ((-35, 10), (-5, 10), (0, 30), (-95, -60), (60, 120), (-40, 60)),
    "strong": ((-15, 20), (0, 0), (-5, 20), (-95, -70), (85, 130), (-80, 20)),
}


def turned(axis: int, deg: float) -> Float64Array:
    """Rotation (3, 3) about x, y or z (0, 1, 2)."""
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    if axis == 0:
        return np.array(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))
    if axis == 1:
        return np.array(((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)))
    return np.array(((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)))


def euler(x_deg: float, y_deg: float, z_deg: float) -> Float64Array:
    """Rotation (3, 3) about z first, then x, then y, all axes fixed."""
    return turned(1, y_deg) @ turned(0, x_deg) @ turned(2, z_deg)


def draw_spine(rng: Generator) -> Float64Array:
    """Sample rotations (3, 3, 3) of spine1, spine2 and spine3: upright, leaning, or anything within the limits."""
    spread = np.array(((5.0, 4.0, 3.0), (7.0, 8.0, 6.0), (10.0, 9.0, 7.0))[rng.choice(3, p=(0.55, 0.3, 0.15))])
    together, alone = rng.normal((2.0, 0.0, 0.0), spread * 0.8), rng.normal(0, spread * 0.5, (3, 3))
    low = SPINE_LIMITS_DEG * (-0.5, -1, -1)
    return np.stack([euler(*angles) for angles in np.clip(together + alone, low, SPINE_LIMITS_DEG)])


def draw_head(rng: Generator, body_yaw_deg: float) -> Float64Array:
    """Sample rotations (2, 3, 3) of neck and head. Half the people look roughly at the camera, whatever their yaw."""
    kind = rng.random()
    if kind < 0.85:
        angles = rng.normal(0, (9.0, 9.0, 5.0) if kind < 0.5 else (16.0, 26.0, 9.0))
    else:
        angles = rng.uniform(-1, 1, 3) * (NECK_LIMITS_DEG + HEAD_LIMITS_DEG)
    if kind < 0.5:
        angles[1] -= 0.8 * body_yaw_deg
    share = np.clip(rng.normal(0.45, 0.1), 0.2, 0.7)
    neck = np.clip(share * angles, -NECK_LIMITS_DEG, NECK_LIMITS_DEG)
    head = np.clip(angles - neck, -HEAD_LIMITS_DEG, HEAD_LIMITS_DEG)
    return np.stack((euler(*neck), euler(*head)))


def draw_legs(rng: Generator, *, seen: bool) -> dict[str, Float64Array]:
    """Sample rotations of hips, knees, ankles and feet by joint name.

    Legs outside the picture stay at rest, because the image gives no information about their pose.
    """
    if not seen:
        tiny = rng.normal(0, 0.8, (8, 3)).clip(-2, 2)
        names = (f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot"))
        return {name: euler(*angles) for name, angles in zip(names, tiny, strict=True)}
    kind = rng.choice(("standing", "sitting", "stepping"), p=(0.55, 0.3, 0.15))
    bent = rng.uniform(70, 100) if kind == "sitting" else abs(rng.normal(0, 6))
    forward = rng.uniform(-30, 30) if kind == "stepping" else rng.normal(0, 3)
    pose: dict[str, Float64Array] = {}
    for side, out in (("left", 1), ("right", -1)):
        hip = bent + out * forward + rng.normal(0, 3)
        knee = max(0.0, rng.uniform(65, 105) if kind == "sitting" else bent + abs(rng.normal(0, 5)) + max(0.0, -hip))
        apart = rng.uniform(0, 18) if kind == "sitting" else rng.uniform(-2, 9)
        pose[f"{side}_hip"] = turned(1, out * rng.normal(6, 8)) @ turned(0, -hip) @ turned(2, out * apart)
        pose[f"{side}_knee"] = turned(0, min(knee, 130.0))
        pose[f"{side}_ankle"] = euler(float(np.clip(hip - knee, -25, 25)) * 0.5 + rng.normal(0, 3), 0, 0)
        pose[f"{side}_foot"] = np.eye(3)
    return pose


def draw_arm(rng: Generator, name: str) -> Arm:
    """Sample a left arm near the pose `name` of `ARMS_DEG`."""
    lift, forward, level, twist, flex, roll = (rng.uniform(*bounds) for bounds in ARMS_DEG[name])
    shoulder = turned(1, -level) @ turned(0, -forward) @ turned(2, lift) @ turned(0, twist)
    return _arm(draw_collar(rng, lift), shoulder, flex, roll, _draw_wrist(rng))


def draw_any_arm(rng: Generator) -> Arm:
    """Sample a left arm anywhere in the whole range of its joints."""
    out = rng.standard_normal(3)
    out /= np.linalg.norm(out)
    out[0], out[2] = abs(out[0]) - 0.3 * (out[2] > 0.3), abs(out[2]) if rng.random() < 0.75 else 0.6 * out[2]
    out /= np.linalg.norm(out)
    low, high = twist_limits_deg(out[1])
    shoulder: Float64Array = _swing_to(out) @ turned(0, float(rng.uniform(low, high)))
    lift = float(np.degrees(np.arcsin(out[1])))
    flex = rng.uniform(*ELBOW_LIMITS_DEG) * rng.uniform(0.6, 1)
    wrist = rng.uniform(*np.transpose((WRIST_FLEXION_LIMITS_DEG, WRIST_DEVIATION_LIMITS_DEG))) * rng.uniform(0.2, 1)
    return _arm(draw_collar(rng, lift), shoulder, flex, rng.uniform(*FOREARM_LIMITS_DEG), wrist)


def draw_collar(rng: Generator, lift_deg: float) -> Float64Array:
    """Sample the collar's rotation (3, 3): it follows the arm upwards, with a little random turn forward or back."""
    up = np.clip(max(0.0, lift_deg) * 0.25 + rng.normal(0, 3), *COLLAR_LIMITS_DEG)
    return euler(0, rng.normal(0, 3), float(up))


def twist_limits_deg(up: Float64Array | float) -> tuple[Float64Array, Float64Array]:
    """Limits of the upper arm's twist, given the height of its direction from -1 (hanging) to 1 (overhead)."""
    low, high = UPPER_ARM_TWIST_LIMITS_DEG
    up = np.asarray(up, np.float64)
    return low - 55 * np.maximum(up, 0) + 35 * np.maximum(-up, 0), high - 50 * np.maximum(up, 0)


def solve_arm(
    rng: Generator, lengths: ArmLengths, target: Float64Array, hands: Float64Array, point: Float64Array
) -> Arm:
    """The most natural left arm that brings `point` of the hand to `target`.

    target: (3,) m, chest's frame. hands: (M, 3, 3) orientations in the chest's frame to choose from. point: (3,) m in
    the wrist's frame. Two bones leave one degree of freedom, the elbow's swivel. All swivels are tried with all
    orientations, the best combination is kept, its roll and wrist are clamped to their limits, and the arm is solved
    again for that hand.
    """
    rise = float(np.degrees(np.arctan2(target[1] - 0.05, abs(target[0]) + 0.2)))
    collar = draw_collar(rng, rise)
    start = lengths.collar + collar @ lengths.shoulder
    favour = rng.normal(0, np.radians(15))
    for _ in range(3):
        wrists = target - hands @ point  # M 3
        shoulders, flex = _two_bones((wrists - start) @ collar, lengths)  # M K 3 3, M
        c, s = np.cos(flex)[:, None, None], np.sin(flex)[:, None, None]
        x, y, z = shoulders[..., 0], shoulders[..., 1], shoulders[..., 2]
        rows = np.stack((c * x + s * z, y, c * z - s * x), -2)  # M K 3 3: the forearm's axes
        needed = rows @ (collar.T @ hands)[:, None]  # M K 3 3
        roll, flexion, deviation = _roll_and_wrist_deg(needed)  # M K
        strain = _strain(shoulders, roll, flexion, deviation)
        cost = strain**2 + 0.25 * (1 - np.cos(_SWIVELS_RAD - favour))
        m, k = np.unravel_index(int(np.argmin(cost)), cost.shape)
        roll_deg = float(np.clip(roll[m, k], *FOREARM_LIMITS_DEG))
        wrist_deg = within_wrist(np.array((flexion[m, k], deviation[m, k])))
        arm = _arm(collar, shoulders[m, k], float(np.degrees(flex[m])), roll_deg, wrist_deg)
        hands = (collar @ arm.rotations[1] @ arm.rotations[2] @ arm.rotations[3])[None]
        if strain[m, k] == 0:
            break
    elbow = start + collar @ arm.rotations[1][:, 0] * lengths.upper
    wrist = elbow + collar @ arm.rotations[1] @ arm.rotations[2][:, 0] * lengths.fore
    miss = float(np.linalg.norm(wrist + hands[0] @ point - target))
    twist = _strain(arm.rotations[1], np.zeros(()), np.zeros(()), np.zeros(()))
    return Arm(arm.rotations, miss, float(twist))


def hand_frames(fingers: Float64Array, palm: Float64Array) -> Float64Array:
    """Orientations (..., 3, 3) of left hands with fingers along `fingers` and palms roughly facing `palm`, (..., 3)."""
    x = fingers / np.linalg.norm(fingers, axis=-1, keepdims=True)
    y = -(palm - np.sum(palm * x, -1, keepdims=True) * x)
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack((x, y, cross(x, y)), -1)


def cross(a: Float64Array, b: Float64Array) -> Float64Array:
    """Cross product (..., 3); numpy's own takes three times as long on so few vectors."""
    a0, a1, a2, b0, b1, b2 = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    return np.stack((a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0), -1)


def within_wrist(angles_deg: Float64Array) -> Float64Array:
    """Flexion and deviation clamped to the wrist's limits, which form a quarter of an ellipse in each quadrant."""
    limits = np.transpose((WRIST_FLEXION_LIMITS_DEG, WRIST_DEVIATION_LIMITS_DEG))  # low, high
    reach = float(np.linalg.norm(angles_deg / np.where(angles_deg < 0, limits[0], limits[1])))
    return angles_deg / max(reach, 1.0)


def _draw_wrist(rng: Generator) -> Float64Array:
    return within_wrist(rng.normal((8.0, -3.0), (18.0, 9.0)))


def _arm(
    collar: Float64Array, shoulder: Float64Array, flex_deg: float, roll_deg: float, wrist_deg: Float64Array
) -> Arm:
    """Compose an arm; the roll is split between elbow and wrist, as the skin of the forearm twists along its length."""
    flexion, deviation = np.radians(wrist_deg)
    angle = float(np.hypot(flexion, deviation))
    axis = np.array((0.0, -deviation, -flexion)) / max(angle, 1e-9)
    half = turned(0, roll_deg / 2)
    elbow = turned(1, -flex_deg) @ half
    return Arm(np.stack((collar, shoulder, elbow, half @ about(axis, np.asarray(angle)))), 0.0, 0.0)


def _swing_to(direction: Float64Array) -> Float64Array:
    """The smallest rotation (3, 3) from +x to a unit direction other than -x."""
    x, y, z = direction
    K = np.array(((0.0, -y, -z), (y, 0.0, 0.0), (z, 0.0, 0.0)))
    result: Float64Array = np.eye(3) + K + K @ K / (1 + x)
    return result


def _two_bones(reach: Float64Array, lengths: ArmLengths) -> tuple[Float64Array, Float64Array]:
    """Shoulder rotations (M, K, 3, 3) for all swivels and elbow flexions (M,), rad, from shoulder-to-wrist vectors."""
    a, b = lengths.upper, lengths.fore
    shortest = np.sqrt(a * a + b * b + 2 * a * b * np.cos(np.radians(ELBOW_LIMITS_DEG[1])))
    distance = np.linalg.norm(reach, axis=-1)
    along = reach / np.maximum(distance, 1e-6)[:, None]
    distance = np.clip(distance, shortest, _MAX_STRETCH * (a + b))
    cosine = (a * a + distance**2 - b * b) / (2 * a * distance)
    sine = np.sqrt(np.maximum(1 - cosine**2, 1e-6))
    flex = np.arccos(np.clip((distance**2 - a * a - b * b) / (2 * a * b), -1, 1))
    hang = _ELBOW_HANGS - (along @ _ELBOW_HANGS)[:, None] * along
    hang /= np.maximum(np.linalg.norm(hang, axis=-1), 1e-6)[:, None]
    side = cross(along, hang)
    c, s = np.cos(_SWIVELS_RAD)[:, None], np.sin(_SWIVELS_RAD)[:, None]
    out = c * hang[:, None] + s * side[:, None]  # M K 3: from the shoulder-wrist line towards the elbow
    x = cosine[:, None, None] * along[:, None] + sine[:, None, None] * out
    z = sine[:, None, None] * along[:, None] - cosine[:, None, None] * out
    y = cross(z, x)
    y /= np.sqrt(np.sum(y * y, -1, keepdims=True))  # because of rounding and the sine's lower bound
    x /= np.sqrt(np.sum(x * x, -1, keepdims=True))
    return np.stack((x, y, cross(x, y)), -1), flex


def _roll_and_wrist_deg(R: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Split the rotation from forearm to hand (..., 3, 3) into forearm roll, then wrist flexion and deviation."""
    roll = np.arctan2(R[..., 2, 1] - R[..., 1, 2], R[..., 1, 1] + R[..., 2, 2])
    c, s = np.cos(roll), np.sin(roll)
    y, z = c * R[..., 1, 0] + s * R[..., 2, 0], -s * R[..., 1, 0] + c * R[..., 2, 0]
    sine = np.hypot(y, z)
    factor = np.degrees(np.arctan2(sine, R[..., 0, 0])) / np.maximum(sine, 1e-9)
    return np.degrees(roll), -y * factor, z * factor


def _strain(
    shoulders: Float64Array, roll: Float64Array, flexion: Float64Array, deviation: Float64Array
) -> Float64Array:
    """How far the joints exceed their limits, in units of 20 degrees, (...)."""
    twist = np.degrees(
        np.arctan2(shoulders[..., 2, 1] - shoulders[..., 1, 2], shoulders[..., 1, 1] + shoulders[..., 2, 2])
    )
    out = shoulders[..., :, 0]
    low, high = twist_limits_deg(out[..., 1])
    across = np.maximum(-0.35 - out[..., 0], 0) + np.maximum(-0.55 - out[..., 2], 0)  # through the chest, far behind
    result: Float64Array = (
        np.maximum(np.maximum(low - twist, twist - high), 0)
        + np.maximum(np.abs(roll) - 80, 0)
        + _beyond(flexion, WRIST_FLEXION_LIMITS_DEG)
        + _beyond(deviation, WRIST_DEVIATION_LIMITS_DEG)
        + 150 * across
    ) / 20
    return result


def _beyond(angle: Float64Array, limits: Range) -> Float64Array:
    result: Float64Array = np.maximum(np.maximum(limits[0] - angle, angle - limits[1]), 0)
    return result
