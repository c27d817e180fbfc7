"""One person of the default image set, before it is rendered: pose, shape, hands, face, skin, hair and clothes.

In: a random generator; the open body. Out: `SmplxParameters` and whether the hands are free, an ellipsoid for long
hair, the colour of each pixel on the body.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES
from coevoer_edge.body.model import BodyModel, PosedBody
from coevoer_edge.data.derive_background import Array, Picture, muted
from coevoer_edge.parameters import SmplxParameters
from coevoer_edge.rotations import axis_angle_to_matrix

# (low, high) in degrees for raise, forward swing of the lowered arm, swing of the level arm, twist inwards, elbow.
ARMS: dict[str, tuple[tuple[float, float], ...]] = {
    "down": ((-80, -62), (-12, 25), (0, 0), (-10, 40), (5, 45)),
    "folded": ((-68, -55), (20, 40), (0, 0), (60, 80), (85, 108)),
    "by the face": ((-60, -35), (35, 70), (0, 10), (5, 45), (115, 142)),
    "overhead": ((25, 70), (0, 0), (0, 25), (-90, -30), (0, 70)),
    "hands up": ((-35, 10), (-5, 10), (0, 30), (-105, -65), (60, 120)),
    "reaching": ((-50, 5), (0, 0), (40, 85), (-40, 40), (0, 50)),
    "on the hip": ((-50, -36), (-25, -8), (0, 0), (65, 85), (75, 100)),
    "speaking": ((-75, -50), (0, 30), (0, 10), (-15, 35), (60, 110)),
    "any": ((-75, 45), (-10, 40), (-10, 60), (-80, 70), (0, 130)),
}
SKIN = np.array([(0.94, 0.78, 0.68), (0.87, 0.66, 0.53), (0.76, 0.55, 0.40), (0.58, 0.38, 0.26), (0.36, 0.22, 0.15)])
HAIR = np.array([(0.07, 0.05, 0.04), (0.22, 0.13, 0.08), (0.45, 0.28, 0.14), (0.80, 0.63, 0.36), (0.70, 0.69, 0.67)])

BODY = BodyModel.open()
REGIONS = BODY.extras["region_names"].tolist()

# Pose.


def turn(x: float = 0, y: float = 0, z: float = 0) -> Array:
    """Degrees about one axis (or an axis-angle vector) to (3, 3)."""
    return axis_angle_to_matrix(np.radians((x, y, z)))


def mirrored(rotation: Array) -> Array:
    """The rotation of the other side: the mirror is x = 0."""
    flip = np.array((-1.0, 1.0, 1.0))
    result: Array = rotation * flip * flip[:, None]
    return result


def draw_fingers(rng: Generator) -> Array:
    """(15, 3, 3) of the left hand. Fingers lie along x with the palm down: they curl about -z, the thumb about y."""
    curl = {"open": 5, "relaxed": 28, "fist": 82, "pointing": 80, "any": 0}
    kind = rng.choice(list(curl))
    angles = np.full(5, float(curl[kind])) + rng.normal(0, 5, 5)
    if kind == "any":
        angles = rng.uniform(-5, 85, 5)
    if kind == "pointing":
        angles[0] = 3
    spread = rng.uniform(0, 1) * np.array((10, 2, -14, -6, 0)) * np.clip(1 - angles / 60, 0, 1)
    result = [turn(0, -spread[i] * (s == 0), -angles[i] * (1, 1.1, 0.7)[s]) for i in range(4) for s in range(3)]
    thumb = min(angles[4], 45.0)
    result += [turn(0.3 * thumb, 0.7 * thumb, -0.3 * thumb), turn(0, 0.6 * thumb, 0), turn(0, 0.6 * thumb, 0)]
    return np.stack(result)


def draw_pose(rng: Generator) -> SmplxParameters:
    """One person facing roughly the camera."""
    pose = dict.fromkeys(BODY_JOINT_NAMES[1:], np.eye(3))
    for joint in ("spine1", "spine2", "spine3"):
        pose[joint] = turn(*rng.normal((1, 0, 0), (5, 5, 3)))
    for joint, spread in (("neck", (7, 12, 5)), ("head", (9, 16, 6))):
        pose[joint] = turn(*rng.normal(0, spread))
    kinds = rng.choice(list(ARMS), 2)
    if rng.random() < 0.3:
        kinds[1] = kinds[0]
    hands = []
    for side, kind in zip(("left", "right"), kinds, strict=True):
        lift, forward, level, twist, flex = (rng.uniform(*bounds) for bounds in ARMS[str(kind)])
        roll = rng.uniform(-40, 60)
        wrist = turn(roll / 2) @ turn(0, *rng.normal(0, (12, 18)))
        arm = {
            "collar": turn(0, 0, max(0.0, lift) * 0.25 + rng.normal(0, 3)),
            "shoulder": turn(0, -level) @ turn(-forward) @ turn(0, 0, lift) @ turn(twist),
            "elbow": turn(0, -flex) @ turn(roll / 2),
            "wrist": wrist,
        }
        fingers = draw_fingers(rng)
        hands.append(fingers if side == "left" else np.stack([mirrored(r) for r in fingers]))
        pose |= {f"{side}_{joint}": r if side == "left" else mirrored(r) for joint, r in arm.items()}
    bent = rng.uniform(50, 90) if rng.random() < 0.25 else rng.uniform(-5, 15)  # sitting or standing
    for side, out in (("left", 1), ("right", -1)):
        pose[f"{side}_hip"] = turn(-bent + rng.normal(0, 5)) @ turn(0, 0, out * rng.uniform(0, 8))
        pose[f"{side}_knee"] = turn(bent)
    yaw, pitch, roll = rng.uniform(-60, 60) * rng.random(), rng.normal(0, 8), rng.normal(0, 8)
    expression = rng.gamma(0.5, 0.6, contract.NUM_EXPRESSION)
    expression[4] *= rng.random() < 0.15  # eyes closed
    return SmplxParameters(
        global_orient=(turn(0, 0, roll) @ turn(180 + pitch) @ turn(0, yaw))[None],
        body_pose=np.stack([pose[name] for name in BODY_JOINT_NAMES[1:]]),
        left_hand_pose=hands[0],
        right_hand_pose=hands[1],
        jaw_pose=turn(rng.gamma(0.6, 6.0))[None],
        betas=rng.normal(0, 1.1, contract.NUM_BETAS).clip(-2.5, 2.5),
        expression=expression.clip(0, 2),
    )


def is_free(parameters: SmplxParameters, body: PosedBody) -> bool:
    """Whether both hands are outside trunk and head, which are taken as an elliptic cylinder and a ball."""
    upright = (body.joints - body.joints[0]) @ parameters.global_orient[0] + (0.0, -0.35, 0.01)
    ends = ("wrist", "middle1", "middle3", "thumb3", "pinky3")
    points = upright[[JOINT_NAMES.index(f"{side}_{end}") for side in ("left", "right") for end in ends]]
    head = upright[JOINT_NAMES.index("head")] + (0, 0.06, 0.0)
    trunk = ((points[:, [0, 2]] - (0, 0.03)) / (0.19, 0.155)) ** 2
    in_trunk = (trunk.sum(1) < 1) & (points[:, 1] < 0.15) & (points[:, 1] > -0.5)
    between = np.linalg.norm(points[:5, None] - points[None, 5:], axis=-1).min()
    return bool(not in_trunk.any() and np.linalg.norm(points - head, axis=1).min() > 0.125 and between > 0.05)


# Hair, colours, clothes.


def sphere() -> tuple[Array, NDArray[np.int64]]:
    """Unit sphere of 16 x 24 quads: vertices (408, 3) and outward faces."""
    polar, round_ = np.meshgrid(np.linspace(0, np.pi, 17), np.linspace(0, 2 * np.pi, 24, endpoint=False), indexing="ij")
    vertices = np.stack((np.sin(polar) * np.sin(round_), np.cos(polar), np.sin(polar) * np.cos(round_)), -1)
    i, j = np.meshgrid(np.arange(16), np.arange(24), indexing="ij")
    a, b = i * 24 + j, i * 24 + (j + 1) % 24
    faces = np.stack((a, a + 24, b, b, a + 24, b + 24), -1).reshape(-1, 3)
    return vertices.reshape(-1, 3), faces


def draw_colors(rng: Generator, place: Array, shares: Array) -> Picture:
    """Albedo of each pixel from its place (H, W, 3) on the mean body at rest, m, and its shares of the 12 regions."""
    tone = rng.uniform(0, len(SKIN) - 1)
    skin = np.array([np.interp(tone, np.arange(len(SKIN)), SKIN[:, c]) for c in range(3)]) * rng.normal(1, 0.03, 3)
    hair = HAIR[rng.integers(len(HAIR))] * rng.uniform(0.7, 1.2) if rng.random() < 0.9 else rng.uniform(0, 1, 3)
    iris = rng.choice(((0.25, 0.15, 0.08), (0.3, 0.42, 0.5), (0.3, 0.38, 0.22)))
    lips = skin * rng.uniform((0.75, 0.45, 0.5), (1.0, 0.7, 0.75))
    fixed = ((0.92, 0.9, 0.88), iris, (0.02,) * 3, (0.9, 0.87, 0.8), (0.65, 0.3, 0.3), (0.25, 0.06, 0.06))
    nails = skin * 0.8 + 0.17
    color: Array = shares @ np.array((skin, lips, *fixed, skin, skin, nails, nails))
    x, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    brow = (np.abs(y - 0.3235 + 4 * (x - 0.036) ** 2) < 0.0035) & (x > 0.014) & (x < 0.052) & (z > 0.12)
    beard = rng.random() < 0.2
    stubble = (shares[..., 0] > 0.5) & (y < 0.243 - 0.3 * x) & (y > 0.195) & (z > 0.085)
    clothes = muted(rng, rng.uniform(0, 1, (3, 3)) ** 1.3 * 0.9 + 0.05)
    top = fabric(rng, place, clothes[0], clothes[1])
    neck = rng.uniform(0.13, 0.185) - (z > 0.02) * rng.uniform(0, 1.2) * np.clip(0.09 - x, 0, 1)
    dressed = ((y < neck) | ((x > 0.1) & (y < 0.21))) & (x < rng.choice((0.24, 0.33, 0.42, 0.63, 0.665)))
    color = np.where((brow | (beard & stubble))[..., None], 0.25 * skin + 0.6 * hair, color)
    color = np.where((shares[..., REGIONS.index("scalp")] > 0.4)[..., None], hair, color)
    color = np.where(dressed[..., None], top, color)
    return np.where((y < rng.uniform(-0.36, -0.26))[..., None], clothes[2], color)


def fabric(rng: Generator, place: Array, first: Array, second: Array) -> Picture:
    """Plain, striped, checked, with a jacket's opening, or two colours."""
    x, y = place[..., 0], place[..., 1]
    period = rng.uniform(0.03, 0.14)
    pattern = (
        np.zeros_like(x),
        np.zeros_like(x),
        np.sin(2 * np.pi * y / period) > 0,
        np.sin(2 * np.pi * x / period) > 0,
        (np.sin(2 * np.pi * x / period) + np.sin(2 * np.pi * y / period)) / 4 + 0.5,
        (np.abs(x) < rng.uniform(0.02, 0.06)) & (place[..., 2] > 0),
        y > rng.uniform(-0.1, 0.05),
    )[rng.integers(7)]
    return first + (second - first) * np.asarray(pattern, np.float64)[..., None]
