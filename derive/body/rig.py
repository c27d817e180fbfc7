"""SMPL-X's 55 joints on MakeHuman's rig: their positions, skinning weights and regression from the shape.

In: bone heads and skinning weights of 163 bones. Out: joints, weights and joint regressor of SMPL-X's 55 joints. Only
`derive` imports this module.
"""

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from derive.body.source import EYE_VERTICES, Source

MAX_INFLUENCES = 8  # joints per vertex; 8 is all there are, and with 4 some of the chest would move by up to 29 mm
WEIGHT_STEPS = 2048  # weights are multiples of 1 / 2048, exact in float16, and rows sum to exactly one
REGRESSOR_CANDIDATES = 600  # maximum number of vertices considered for one joint

_FINGERS = {"thumb": "finger1", "index": "finger2", "middle": "finger3", "ring": "finger4", "pinky": "finger5"}

# SMPL-X joint: the bones whose heads' mean is the joint. {} is the side. Heights were compared with SMPL-X's as a
# fraction of stature: its spine joints are between MakeHuman's.
_JOINT_BONES: dict[str, tuple[str, ...]] = {
    "pelvis": ("spine05", "spine04"),
    "spine1": ("spine03",),
    "spine2": ("spine02", "spine01"),
    "spine3": ("spine01",),
    "neck": ("neck01", "neck02"),
    "head": ("head",),
    "jaw": ("jaw",),
    "{}_hip": ("upperleg01",),
    "{}_knee": ("lowerleg01",),
    "{}_ankle": ("foot",),
    "{}_foot": ("toe1-1", "toe2-1", "toe3-1", "toe4-1", "toe5-1"),
    "{}_collar": ("clavicle", "shoulder01"),
    "{}_shoulder": ("upperarm01",),
    "{}_elbow": ("lowerarm01",),
    "{}_wrist": ("wrist",),
    "{}_eye_smplhf": ("eye",),
} | {f"{{}}_{finger}{i}": (f"{bone}-{i}",) for finger, bone in _FINGERS.items() for i in (1, 2, 3)}

# Bone: the SMPL-X joints that share its weight. A bone that is not listed is treated like its parent.
_BONE_JOINTS: dict[str, dict[str, float]] = {
    "root": {"pelvis": 1.0},
    "spine04": {"pelvis": 0.5, "spine1": 0.5},
    "spine03": {"spine1": 1.0},
    "spine02": {"spine1": 0.4, "spine2": 0.6},
    "spine01": {"spine3": 1.0},
    "breast": {"spine2": 0.4, "spine3": 0.6},
    "neck01": {"spine3": 0.5, "neck": 0.5},
    "neck02": {"neck": 1.0},
    "neck03": {"neck": 0.6, "head": 0.4},
    "head": {"head": 1.0},
    "jaw": {"jaw": 1.0},
    "eye": {"{}_eye_smplhf": 1.0},
    "upperleg01": {"{}_hip": 1.0},
    "lowerleg01": {"{}_knee": 1.0},
    "foot": {"{}_ankle": 1.0},
    "clavicle": {"{}_collar": 1.0},
    "upperarm01": {"{}_shoulder": 1.0},
    "lowerarm01": {"{}_elbow": 1.0},
    "lowerarm02": {"{}_elbow": 0.9, "{}_wrist": 0.1},
    "wrist": {"{}_wrist": 1.0},
}
_BONE_JOINTS |= {f"toe{i}-1": {"{}_foot": 1.0} for i in range(1, 6)}
_BONE_JOINTS |= {f"{b}-{i}": {f"{{}}_{finger}{i}": 1.0} for finger, b in _FINGERS.items() for i in (1, 2, 3)}

_SIDES = {".L": "left", ".R": "right"}
JOINT_MIRROR = np.array(
    [
        JOINT_NAMES.index(n.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right"))
        for n in JOINT_NAMES
    ]
)


def joint_positions(source: Source, heads: Float64Array) -> Float64Array:
    """(B, K, 3) bone heads to (B, 55, 3) joints."""
    places = {name: i for i, name in enumerate(source.bone_names)}
    joints = np.empty((len(heads), NUM_JOINTS, 3))
    for joint, name in enumerate(JOINT_NAMES):
        side, _, rest = name.partition("_")
        suffix = {"left": ".L", "right": ".R"}.get(side, "")
        bones = _JOINT_BONES[f"{{}}_{rest}" if suffix else name]
        joints[:, joint] = np.mean([heads[:, places[bone + suffix]] for bone in bones], axis=0)
    return joints


def joint_weights(source: Source) -> Float64Array:
    """(V, 55) weights: non-negative multiples of 1 / WEIGHT_STEPS, at most MAX_INFLUENCES a row, rows sum to one."""
    return _quantize(all_joint_weights(source))


def all_joint_weights(source: Source) -> Float64Array:
    """(V, 55) weights before they are limited and rounded."""
    share = np.zeros((len(source.bone_names), NUM_JOINTS))
    for bone, name in enumerate(source.bone_names):
        stem, side = (name[:-2], _SIDES[name[-2:]]) if name[-2:] in _SIDES else (name, "")
        if stem in _BONE_JOINTS:
            for joint, part in _BONE_JOINTS[stem].items():
                share[bone, JOINT_NAMES.index(joint.format(side))] = part
        else:
            share[bone] = share[source.bone_parents[bone]]
    weights = source.weights @ share
    eyes = [JOINT_NAMES.index(f"{side}_eye_smplhf") for side in EYE_VERTICES]
    weights[:, eyes] = 0.0  # eyeballs are rigid and move no other vertices
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    for eye, vertices in zip(eyes, EYE_VERTICES.values(), strict=True):
        weights[np.isin(source.base_index, vertices)] = np.eye(NUM_JOINTS)[eye]
    symmetric: Float64Array = 0.5 * (weights + weights[source.mirror][:, JOINT_MIRROR])
    return symmetric


def _quantize(weights: Float64Array) -> Float64Array:
    """Keep the largest weights of each row and round them down to even steps; the largest gets the remainder.

    Equal weights (left and right, on the midline) are kept or dropped together and share the remainder, so symmetry is
    exact.
    """
    next_largest = np.sort(weights, axis=1)[:, [-MAX_INFLUENCES - 1]]
    kept = np.where(weights > next_largest + 1e-9, weights, 0.0)
    scaled = kept / kept.sum(axis=1, keepdims=True) * WEIGHT_STEPS
    steps = 2 * np.floor(scaled / 2 + 1e-6)
    largest = scaled > scaled.max(axis=1, keepdims=True) - 1e-6
    rest = (WEIGHT_STEPS - steps.sum(axis=1, keepdims=True)) / largest.sum(axis=1, keepdims=True)
    quantized: Float64Array = (steps + largest * rest) / WEIGHT_STEPS
    return quantized


def joint_regressor(
    source: Source, vertices: Float64Array, joints: Float64Array, weights: Float64Array
) -> Float64Array:
    """Sparse, non-negative, symmetric (55, V) regressor with rows that sum to one, fitted to B people in the T-pose.

    Vertices (B, V, 3) m, joints (B, 55, 3) m. The candidates for a joint are the vertices near it that are moved by it,
    its parent or its children.
    """
    regressor = np.zeros((NUM_JOINTS, vertices.shape[1]))
    mean_vertices, mean_joints = vertices.mean(axis=0), joints.mean(axis=0)
    for joint in range(NUM_JOINTS):
        if JOINT_MIRROR[joint] < joint:
            regressor[joint] = regressor[JOINT_MIRROR[joint], source.mirror]
            continue
        family = [j for j in range(NUM_JOINTS) if joint in (j, PARENTS[j]) or j == PARENTS[joint]]
        moved = weights[:, family].sum(axis=1) > 0.05
        if "eye" in JOINT_NAMES[joint]:
            moved = weights[:, joint] > 0.5
        distance = np.where(moved, np.linalg.norm(mean_vertices - mean_joints[joint], axis=1), np.inf)
        near = np.flatnonzero(distance < 5.0 * distance.min() + 0.05)
        candidates = near[:: -(-len(near) // REGRESSOR_CANDIDATES)]
        around = vertices[:, candidates] - joints[:, [joint]]  # B C 3
        regressor[joint, candidates] = _convex_combination(around.transpose(0, 2, 1).reshape(-1, len(candidates)))
        if JOINT_MIRROR[joint] == joint:
            regressor[joint] = 0.5 * (regressor[joint] + regressor[joint, source.mirror])
    return regressor


def _convex_combination(A: Float64Array) -> Float64Array:
    """argmin |A x| over x >= 0 with sum x = 1: Lawson & Hanson 1974 on the normal equations, the sum as one more row.

    A small ridge term spreads the weight over more vertices, which reduces noise for meshes slightly off the model.
    """
    A = np.vstack((A / np.sqrt(len(A)), np.ones(A.shape[1])))
    gram = A.T @ A + 1e-8 * np.eye(A.shape[1])
    target = np.ones(A.shape[1])
    x = np.zeros(A.shape[1])
    active = np.zeros(len(x), dtype=bool)
    for _ in range(3 * len(x)):
        gradient = target - gram @ x
        gradient[active] = -np.inf
        entering = int(np.argmax(gradient))
        if gradient[entering] <= 1e-10:
            break
        active[entering] = True
        while True:
            trial = np.zeros_like(x)
            trial[active] = np.linalg.solve(gram[np.ix_(active, active)], target[active])
            negative = active & (trial <= 0)
            if not negative.any():
                x = trial
                break
            step = np.min(x[negative] / (x[negative] - trial[negative]))
            x = x + step * (trial - x)
            active &= x > 1e-12
            x[~active] = 0.0
    return np.asarray(x / x.sum())
