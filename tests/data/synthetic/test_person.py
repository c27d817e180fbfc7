"""Synthetic people: rotations, limits, targets reached, hands outside the body; the same person from the same seed."""

from dataclasses import fields

import numpy as np
import pytest

from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import geodesic_deg
from coevoer_edge.data.synthetic import body_pose, hand_pose, reaches, skeleton
from coevoer_edge.data.synthetic.person import BETA_LIMIT, JAW_LIMIT_DEG, draw_person

ROTATIONS = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose")
LEGS = [
    BODY_JOINT_NAMES.index(f"{s}_{j}") - 1 for s in ("left", "right") for j in ("hip", "knee", "ankle", "foot")
]  # in body_pose


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return [draw_person(rng, legs_seen=bool(i % 2)) for i in range(300)]


def body_joint(person, name):
    return person.body_pose[BODY_JOINT_NAMES.index(name) - 1]


def test_rotations_are_rotations(people):
    for name in ROTATIONS:
        R = np.stack([getattr(person, name) for person in people])
        assert R.dtype == np.float64
        assert np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max() < 1e-9
        assert (np.linalg.det(R) > 0).all()


def test_shapes_are_those_of_the_contract(people):
    rest = SmplxParameters.rest()
    for field in fields(SmplxParameters):
        assert {getattr(person, field.name).shape for person in people} == {getattr(rest, field.name).shape}


@pytest.mark.parametrize("legs_seen", [False, True])
def test_a_seed_gives_one_person(legs_seen):
    one, same, other = (draw_person(np.random.default_rng(seed), legs_seen=legs_seen) for seed in (7, 7, 8))
    for field in fields(SmplxParameters):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(same, field.name))
    assert np.abs(one.body_pose - other.body_pose).max() > 0.01


def test_shape_and_face_stay_in_their_bounds(people):
    betas, expression = (np.stack([getattr(p, name) for p in people]) for name in ("betas", "expression"))
    assert np.abs(betas).max() <= BETA_LIMIT
    assert 0.9 < betas.std() < 1.3
    assert expression.min() >= -0.3
    assert 1.5 < expression.max() <= 2.3
    jaw = geodesic_deg(np.stack([p.jaw_pose[0] for p in people]), np.eye(3))
    assert 10 < jaw.max() < JAW_LIMIT_DEG + 3


def test_people_face_the_camera(people):
    forward = np.stack([person.global_orient[0][:, 2] for person in people])
    down = np.stack([person.global_orient[0][:, 1] for person in people])
    yaw = np.degrees(np.arctan2(forward[:, 0], -forward[:, 2]))
    assert np.mean(np.abs(yaw) < 45) > 0.85
    assert np.abs(yaw).max() < 100
    assert down[:, 1].max() < -np.cos(np.radians(40))


def test_unseen_legs_rest(people):
    unseen = np.stack([person.body_pose[LEGS] for person in people[::2]])
    assert geodesic_deg(unseen, np.eye(3)).max() < 4


def test_knees_and_elbows_bend_the_right_way(people):
    for side, out in (("left", 1), ("right", -1)):
        shin = np.stack([-body_joint(person, f"{side}_knee")[:, 1] for person in people[1::2]])
        assert shin[:, 2].max() < 1e-9, "a shin bends backwards, not forwards"
        fore = np.stack([out * body_joint(person, f"{side}_elbow")[:, 0] for person in people])
        flex = np.degrees(np.arctan2(fore[:, 2], out * fore[:, 0]))
        assert np.abs(fore[:, 1]).max() < 1e-6, "an elbow is a hinge"
        assert flex.min() > -0.1
        assert flex.max() < body_pose.ELBOW_LIMITS_DEG[1] + 0.1
        assert np.ptp(flex) > 100


def test_trunk_and_head_stay_in_their_limits(people):
    for names, limits in (
        (("spine1", "spine2", "spine3"), body_pose.SPINE_LIMITS_DEG),
        (("neck",), body_pose.NECK_LIMITS_DEG),
        (("head",), body_pose.HEAD_LIMITS_DEG),
    ):
        angles = geodesic_deg(np.stack([body_joint(p, name) for p in people for name in names]), np.eye(3))
        assert angles.max() < np.linalg.norm(limits)


def test_wrists_stay_in_their_limits(people):
    for side in ("left", "right"):
        wrist = np.stack([body_joint(person, f"{side}_wrist") for person in people])
        assert geodesic_deg(wrist, np.eye(3)).max() < 42.5 + max(np.abs(body_pose.WRIST_FLEXION_LIMITS_DEG))


def test_hands_are_outside_the_body(people):
    assert all(skeleton.is_free(skeleton.rest(p.betas), all_rotations(p), touch_m=0.01) for p in people)


def test_hands_in_the_trunk_are_found():
    rest, rotations = skeleton.rest(np.zeros(10)), np.broadcast_to(np.eye(3), (55, 3, 3)).copy()
    assert skeleton.is_free(rest, rotations)
    rotations[JOINT_NAMES.index("left_shoulder")] = body_pose.turned(2, -95)
    rotations[JOINT_NAMES.index("left_elbow")] = body_pose.turned(2, -80)
    assert not skeleton.is_free(rest, rotations)


def all_rotations(person):
    parts = (person.global_orient * 0 + np.eye(3), person.body_pose, person.jaw_pose, np.tile(np.eye(3), (2, 1, 1)))
    return np.concatenate((*parts, person.left_hand_pose, person.right_hand_pose))


def test_the_skeleton_is_the_body_models(people):
    body = BodyModel.open()
    for person in people[:5]:
        _, places = skeleton.pose(skeleton.rest(person.betas).joints, all_rotations(person))
        pelvis = places[0]
        turned = (places - pelvis) @ person.global_orient[0].T + pelvis
        np.testing.assert_allclose(turned, body.pose(person).joints, atol=2e-3)  # expressions move the head's by 1 mm


def test_fingers_alone_are_the_skeletons(people):
    for person in people[:5]:
        rest = skeleton.rest(person.betas)
        world, places = skeleton.pose(rest.joints, all_rotations(person))
        wrist, first = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("left_index1")
        expected = (places[first : first + 15] - places[wrist]) @ world[wrist]
        points = skeleton.finger_points(rest.joints, person.left_hand_pose)
        np.testing.assert_allclose(points[:, :3].reshape(15, 3), expected, atol=1e-9)


@pytest.mark.parametrize("name", reaches.FACE_REACHES)
def test_hands_reach_the_face(name):
    """At least half of the samples are free; the others are sampled again."""
    reach, rng = reaches.FACE_REACHES[name], np.random.default_rng(0)
    rest = skeleton.rest(np.zeros(10))
    place = rest.joints[JOINT_NAMES.index("head")] - rest.chest + reach.place
    hand = hand_pose.hand_rotations(hand_pose.HANDS[reach.hands[0]])
    point = np.array((0.085, -0.022, 0.0)) if reach.by_palm else skeleton.finger_points(rest.joints, hand)[0, 3]
    good = 0
    for _ in range(20):
        fingers, palm = rng.normal(reach.fingers, 0.2, (4, 3)), rng.normal(reach.palm, 0.2, (4, 3))
        arm = body_pose.solve_arm(rng, rest.arm, place, body_pose.hand_frames(fingers, palm), point)
        rotations = np.broadcast_to(np.eye(3), (55, 3, 3)).copy()
        rotations[[JOINT_NAMES.index(f"left_{j}") for j in ("collar", "shoulder", "elbow", "wrist")]] = arm.rotations
        world, places = skeleton.pose(rest.joints, rotations)
        wrist = JOINT_NAMES.index("left_wrist")
        there = places[wrist] + world[wrist] @ point - rest.chest
        assert np.linalg.norm(there - place) == pytest.approx(arm.miss_m, abs=0.01), "the miss is told"
        good += arm.miss_m < 0.03 and arm.strain < 1
    assert good >= 10


@pytest.mark.parametrize("name", hand_pose.HANDS)
def test_named_hands_are_within_the_limits(name):
    low, high = (np.stack((*[hand_pose.FINGER_LIMITS_DEG[:, i]] * 4, hand_pose.THUMB_LIMITS_DEG[:, i])) for i in (0, 1))
    rng = np.random.default_rng(1)
    for angles in (hand_pose.HANDS[name], hand_pose.draw_hand_angles(rng, name=name), hand_pose.draw_hand_angles(rng)):
        assert (angles >= low).all()
        assert (angles <= high).all()


def test_hands_curl_to_the_palm_and_mirror():
    joints = skeleton.rest(np.zeros(10)).joints
    flat, fist = (
        skeleton.finger_points(joints, hand_pose.hand_rotations(hand_pose.HANDS[n])) for n in ("flat", "fist")
    )
    assert (fist[:4, 2, 1] < flat[:4, 2, 1] - 0.015).all()
    hand = hand_pose.draw_hand(np.random.default_rng(2))
    np.testing.assert_array_equal(hand_pose.mirrored(hand_pose.mirrored(hand)), hand)
    rotations = np.broadcast_to(np.eye(3), (55, 3, 3)).copy()
    rotations[25:40], rotations[40:] = hand, hand_pose.mirrored(hand)
    world, places = skeleton.pose(joints, rotations)
    left, right = (skeleton.hand_points(world, places, side) for side in ("left", "right"))
    np.testing.assert_allclose(left * (-1, 1, 1), right, atol=2e-3)


@pytest.mark.parametrize("finger", [0, 1, 2, 3])
def test_pinched_fingers_meet_the_thumb(finger):
    name = ("index", "middle", "pinky", "ring")[finger]
    hand = hand_pose.hand_rotations(hand_pose.HANDS[f"{name} on thumb"])
    tips = skeleton.finger_points(skeleton.rest(np.zeros(10)).joints, hand)[:, 3]
    assert np.linalg.norm(tips[finger] - tips[4]) < 0.02
