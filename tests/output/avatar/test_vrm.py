"""VRM poses: forward kinematics of a T-posed rig with the body's bone lengths reaches the body's joints."""

from itertools import pairwise

import numpy as np
import pytest

from coevoer_edge.body.joints import JOINT_NAMES, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.output.avatar.vrm import BONES, by_bone, vrm_rig, vrm_rotations
from coevoer_edge.output.meshes import CAMERA_TO_GLTF

# VRM 1.0's humanoid: each bone's parent, as the specification lists them.
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
VRM_PARENTS = {"spine": "hips", "chest": "spine", "upperChest": "chest", "neck": "upperChest", "head": "neck"}
VRM_PARENTS |= {"jaw": "head", "leftEye": "head", "rightEye": "head"}
for side in ("left", "right"):
    VRM_PARENTS |= {f"{side}Shoulder": "upperChest", f"{side}UpperArm": f"{side}Shoulder"}
    VRM_PARENTS |= {f"{side}LowerArm": f"{side}UpperArm", f"{side}Hand": f"{side}LowerArm"}
    VRM_PARENTS |= {f"{side}UpperLeg": "hips", f"{side}LowerLeg": f"{side}UpperLeg"}
    VRM_PARENTS |= {f"{side}Foot": f"{side}LowerLeg", f"{side}Toes": f"{side}Foot"}
    for finger in FINGERS:
        first, second = ("Metacarpal", "Proximal") if finger == "Thumb" else ("Proximal", "Intermediate")
        VRM_PARENTS |= {f"{side}{finger}{first}": f"{side}Hand", f"{side}{finger}{second}": f"{side}{finger}{first}"}
        VRM_PARENTS |= {f"{side}{finger}Distal": f"{side}{finger}{second}"}


def turn(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    xyz, w = quaternion[:3], quaternion[3]
    twice = 2 * np.cross(xyz, vector)
    return vector + w * twice + np.cross(xyz, twice)


def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    xyz = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.array((*xyz, a[3] * b[3] - a[:3] @ b[:3]))


def posed(rest: dict[str, np.ndarray], rotations: dict[str, np.ndarray], hips: np.ndarray) -> dict[str, np.ndarray]:
    """A VRM character's joints: every bone is unturned in the T-pose, as normalised bones are."""
    places, turns = {"hips": hips}, {"hips": rotations["hips"]}
    pending = list(VRM_PARENTS)
    while pending:
        bone = pending.pop(0)
        parent = VRM_PARENTS[bone]
        if parent not in places:
            pending.append(bone)
            continue
        places[bone] = places[parent] + turn(turns[parent], rest[bone] - rest[parent])
        turns[bone] = times(turns[parent], rotations[bone])
    return places


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


def test_the_bones_are_vrms():
    assert set(BONES) == VRM_PARENTS.keys() | {"hips"}
    for i, bone in enumerate(BONES):
        assert VRM_PARENTS.get(bone) == (BONES[PARENTS[i]] if PARENTS[i] >= 0 else None)


def test_a_t_posed_rig_reaches_the_bodys_joints(body):
    rng = np.random.default_rng(3)
    for _ in range(6):
        person = draw_person(rng, legs_seen=True)
        person = SmplxParameters(**(vars(person) | {"expression": np.zeros(10)}))
        translation = rng.normal(size=3)
        rig = vrm_rig(body, person.betas)
        rest = by_bone(rig.joints_m)
        hips_m = CAMERA_TO_GLTF @ (translation + rig.joints_m[0])
        places = posed(rest, by_bone(vrm_rotations(person, rig)), hips_m)
        truth = (body.pose(person).joints + translation) @ CAMERA_TO_GLTF.T
        distance_mm = np.linalg.norm(np.stack([places[bone] for bone in BONES]) - truth, axis=1) * 1000
        assert distance_mm.max() < 0.1


def test_the_rig_is_vrms_t_pose_with_the_bodys_bone_lengths(body):
    betas = np.linspace(-2, 2, 10)
    rig = vrm_rig(body, betas)
    at = by_bone(rig.joints_m)

    def direction(start: str, end: str) -> np.ndarray:
        return (at[end] - at[start]) / np.linalg.norm(at[end] - at[start])

    for side, sign in (("left", 1.0), ("right", -1.0)):
        chain = [f"{side}{bone}" for bone in ("UpperArm", "LowerArm", "Hand", "MiddleProximal", "MiddleIntermediate")]
        for start, end in pairwise(chain):
            np.testing.assert_allclose(direction(start, end), (sign, 0, 0), atol=1e-9)
        for finger in ("Index", "Ring", "Little"):
            bones = (f"{side}{finger}Proximal", f"{side}{finger}Distal")
            np.testing.assert_allclose(direction(*bones), (sign, 0, 0), atol=1e-9)
        thumb = direction(f"{side}ThumbMetacarpal", f"{side}ThumbDistal")
        np.testing.assert_allclose(thumb, (sign * np.sqrt(0.5), 0, np.sqrt(0.5)), atol=1e-9)
        np.testing.assert_allclose(direction(f"{side}UpperLeg", f"{side}Foot"), (0, -1, 0), atol=1e-9)
    rest = body.pose(SmplxParameters(**(vars(SmplxParameters.rest()) | {"betas": betas}))).joints
    parents = list(PARENTS[1:])
    np.testing.assert_allclose(
        np.linalg.norm(rig.joints_m[1:] - rig.joints_m[parents], axis=1),
        np.linalg.norm(rest[1:] - rest[parents], axis=1),
        atol=1e-6,
    )


def test_facing_the_camera_in_vrms_t_pose_is_the_identity(body):
    rig = vrm_rig(body, np.zeros(10))
    # R = C_parent C^T gives the identity in VRM's terms.
    rotations = np.stack([np.eye(3) if p < 0 else rig.turns[p] @ rig.turns[i].T for i, p in enumerate(PARENTS)])
    at = {name: i for i, name in enumerate(JOINT_NAMES)}
    parameters = SmplxParameters(
        global_orient=axis_angle_to_matrix((np.pi, 0, 0))[None] @ rotations[:1],
        body_pose=rotations[1:22],
        jaw_pose=rotations[22:23],
        left_hand_pose=rotations[at["left_index1"] : at["left_thumb3"] + 1],
        right_hand_pose=rotations[at["right_index1"] : at["right_thumb3"] + 1],
        betas=np.zeros(10),
        expression=np.zeros(10),
    )
    np.testing.assert_allclose(vrm_rotations(parameters, rig), np.tile((0, 0, 0, 1.0), (55, 1)), atol=1e-9)


def test_quaternions_are_unit_and_the_raised_arm_goes_up(body):
    person = SmplxParameters.rest()
    pose = person.body_pose.copy()
    pose[JOINT_NAMES.index("left_shoulder") - 1] = axis_angle_to_matrix((0, 0, np.pi / 2))  # x towards y
    raised = SmplxParameters(**(vars(person) | {"body_pose": pose}))
    rotations = by_bone(vrm_rotations(raised, vrm_rig(body, np.zeros(10))))
    assert all(np.linalg.norm(q) == pytest.approx(1) for q in rotations.values())
    np.testing.assert_allclose(turn(rotations["leftUpperArm"], np.array((1.0, 0, 0))), (0, 1, 0), atol=0.01)
