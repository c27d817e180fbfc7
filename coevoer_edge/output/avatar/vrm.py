"""SMPL-X poses as VRM 1.0 humanoid poses, in the normalised rotations of three-vrm, UniVRM and VRM animation files.

In: `SmplxParameters` and the body. Out: a quaternion for each of VRM's 55 humanoid bones, relative to its parent.
World: y up, the character faces +z, its left is +x (glTF's axes); the camera looks along -z. In VRM's T-pose every
rotation is the identity, arms and straight fingers lie along x, thumbs half way between x and z, legs along -y.
Sources: https://github.com/vrm-c/vrm-specification, VRMC_vrm-1.0, humanoid and tpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import FINGER_NAMES, JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.output.animation.bvh import joint_tips
from coevoer_edge.output.animation.clip import joint_rotations, rest_joints
from coevoer_edge.output.animation.quaternions import matrix_to_quaternion
from coevoer_edge.output.meshes import CAMERA_TO_GLTF

_MIDDLE = {
    "pelvis": "hips",
    "spine1": "spine",
    "spine2": "chest",
    "spine3": "upperChest",
    "neck": "neck",
    "head": "head",
    "jaw": "jaw",
}
_SIDED = {
    "eye_smplhf": "Eye",
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
    "foot": "Toes",
    "collar": "Shoulder",
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
}
_SEGMENTS = ("Proximal", "Intermediate", "Distal")
_THUMB_SEGMENTS = ("Metacarpal", "Proximal", "Distal")
_FINGERS = {"pinky": "little"}


def _bone_name(joint: str) -> str:
    if joint in _MIDDLE:
        return _MIDDLE[joint]
    side, _, part = joint.partition("_")
    if part in _SIDED:
        return side + _SIDED[part]
    finger, segment = part[:-1], int(part[-1]) - 1
    segments = _THUMB_SEGMENTS if finger == "thumb" else _SEGMENTS
    return side + _FINGERS.get(finger, finger).capitalize() + segments[segment]


BONES = tuple(_bone_name(joint) for joint in JOINT_NAMES)
"""VRM's name of each SMPL-X joint, in SMPL-X's order. The parents are SMPL-X's."""

_ALONG = {"hip": (0.0, -1.0, 0.0), "knee": (0.0, -1.0, 0.0)}
_ALONG |= dict.fromkeys(("shoulder", "elbow", "wrist"), (1.0, 0.0, 0.0))
_ALONG |= {f"{finger}{i}": (1.0, 0.0, 0.0) for finger in FINGER_NAMES for i in (1, 2, 3)}
_ALONG |= {f"thumb{i}": (np.sqrt(0.5), 0.0, np.sqrt(0.5)) for i in (1, 2, 3)}
_TOWARDS = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist", "wrist": "middle1"}
_TOWARDS |= {f"{finger}{i}": f"{finger}{i + 1}" for finger in FINGER_NAMES for i in (1, 2)}


@dataclass(frozen=True, eq=False)
class VrmRig:
    """One shape's T-pose as VRM has it, with the body's own bone lengths."""

    joints_m: Float64Array  # 55 3, in VRM's T-pose, the hips where SMPL-X's pelvis is
    turns: Float64Array  # 55 3 3: from VRM's T-pose to SMPL-X's rest pose, of each bone in the world


def vrm_rig(body: BodyModel, betas: Float64Array, tips: Float64Array | None = None) -> VrmRig:
    """Straighten a shape's rest pose into VRM's T-pose.

    SMPL-X's rest pose is close to a T-pose but not exactly one: fingers fan out, and elbows and knees are slightly
    bent. Bones whose direction VRM prescribes are turned the shortest way; the trunk, head, shoulders and feet stay.
    `tips` is `joint_tips(body)`, for callers who make a rig for every frame.
    """
    rest = rest_joints(body, betas)
    tips = joint_tips(body) if tips is None else tips
    turns = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    joints = rest.copy()
    for i, name in enumerate(JOINT_NAMES):
        side, _, part = name.partition("_")
        if part in _ALONG:
            child = _TOWARDS.get(part)
            bone = tips[i] if child is None else rest[JOINT_NAMES.index(f"{side}_{child}")] - rest[i]
            along = np.array(_ALONG[part]) * ((1 if side == "left" else -1), 1, 1)
            turns[i] = _turn_between(along, bone / np.linalg.norm(bone))
        if PARENTS[i] >= 0:
            joints[i] = joints[PARENTS[i]] + turns[PARENTS[i]].T @ (rest[i] - rest[PARENTS[i]])
    return VrmRig(joints, turns)


def vrm_rotations(parameters: SmplxParameters, rig: VrmRig) -> Float64Array:
    """(55, 4) quaternions x y z w of BONES, each relative to its parent, the hips relative to the world."""
    local = joint_rotations(parameters)  # 55 3 3
    local[0] = CAMERA_TO_GLTF @ local[0]
    above = np.concatenate((np.eye(3)[None], rig.turns[list(PARENTS[1:])]))
    return matrix_to_quaternion(np.swapaxes(above, -1, -2) @ local @ rig.turns)


def by_bone(rotations: Float64Array) -> Mapping[str, Float64Array]:
    """Rows of `vrm_rotations` under VRM's bone names."""
    return dict(zip(BONES, rotations, strict=True))


def _turn_between(start: Float64Array, end: Float64Array) -> Float64Array:
    """The smallest rotation that takes one unit vector to another; they are never opposite here."""
    axis = np.cross(start, end)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    turn: Float64Array = axis_angle_to_matrix(axis / sine * np.arctan2(sine, start @ end))
    return turn
