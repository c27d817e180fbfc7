"""The .bvh read back as text and posed by its own offsets and channels: joints where the body layer has them."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from motions import CAMERA, SIZE_PX, moving_clip, place_at

from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.output.animation.bvh import matrix_to_zxy, write_bvh
from coevoer_edge.output.animation.motion import real_camera
from coevoer_edge.output.meshes import CAMERA_TO_GLTF
from coevoer_edge.pipeline.camera import convert_translation


@dataclass
class Node:
    name: str
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[str] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)


def read_bvh(path: Path) -> tuple[Node, np.ndarray, float]:
    """Root, frames (N, channels) and frame time, as the format's own words say and knowing nothing of the body."""
    lines = [line.split() for line in path.read_text().splitlines()]
    assert lines[0] == ["HIERARCHY"]
    stack: list[Node] = []
    root = None
    motion = lines.index(["MOTION"])
    for words in lines[1:motion]:
        if words[0] in ("ROOT", "JOINT", "End"):
            node = Node(words[1])
            if stack:
                stack[-1].children.append(node)
            else:
                root = node
            stack.append(node)
        elif words[0] == "OFFSET":
            stack[-1].offset = np.array(words[1:], float)
        elif words[0] == "CHANNELS":
            assert int(words[1]) == len(words[2:])
            stack[-1].channels = words[2:]
        elif words[0] == "}":
            stack.pop()
    assert root is not None
    assert lines[motion + 1][0] == "Frames:"
    assert lines[motion + 2][:2] == ["Frame", "Time:"]
    frames = np.array(lines[motion + 3 :], float)
    assert len(frames) == int(lines[motion + 1][1])
    return root, frames, float(lines[motion + 2][2])


def pose(node: Node, values: list[float], turn: np.ndarray, place: np.ndarray, out: dict[str, np.ndarray]) -> None:
    """Forward kinematics over the channels in the order in which the file lists them."""
    place = place + turn @ node.offset
    for channel in node.channels:
        axis = np.eye(3)["XYZ".index(channel[0])]
        if channel.endswith("position"):
            place = place + axis * values.pop(0)
        else:
            turn = turn @ axis_angle_to_matrix(axis * np.radians(values.pop(0)))
    out.setdefault(node.name, place)
    for child in node.children:
        pose(child, values, turn, place, out)


def test_joints_are_where_the_body_layer_has_them(tmp_path):
    body, clip = BodyModel.open(), moving_clip()
    root, frames, frame_time = read_bvh(write_bvh(tmp_path / "a.bvh", clip, body))
    assert frame_time == pytest.approx(0.04)
    assert len(frames) == 16
    for i in range(16):
        joints: dict[str, np.ndarray] = {}
        values = frames[i].tolist()
        pose(root, values, np.eye(3), np.zeros(3), joints)
        assert values == []
        shift = convert_translation(place_at(i), CAMERA, real_camera(SIZE_PX))
        truth = body.pose(replace(clip.parameters(i), expression=np.zeros(10))).joints + shift
        found_mm = np.array([joints[name] for name in JOINT_NAMES]) * 10
        np.testing.assert_allclose(found_mm, truth @ CAMERA_TO_GLTF.T * 1000, atol=0.1)


def test_at_rest_it_is_a_t_pose_in_cm_that_faces_plus_z(tmp_path):
    root, frames, _ = read_bvh(write_bvh(tmp_path / "a.bvh", moving_clip(), BodyModel.open()))
    joints: dict[str, np.ndarray] = {}
    pose(root, [0.0] * frames.shape[1], np.eye(3), np.zeros(3), joints)
    left, right = joints["left_wrist"], joints["right_wrist"]
    assert 50 < left[0] < 90
    np.testing.assert_allclose(left, right * (-1, 1, 1), atol=0.05)
    assert joints["head"][1] > joints["neck"][1] > joints["spine3"][1] > 0
    assert joints["left_foot"][2] > joints["left_ankle"][2] + 5


def test_ends_are_fingertips(tmp_path):
    root, _, _ = read_bvh(write_bvh(tmp_path / "a.bvh", moving_clip(), BodyModel.open()))
    stack, ends = [root], {}
    while stack:
        node = stack.pop()
        stack += node.children
        for child in node.children:
            if child.name == "Site":
                ends[node.name] = child.offset
    assert len(ends) == 10 + 2 + 2 + 1  # fingers, toes, eyes, jaw
    for name, offset in ends.items():
        if name.startswith("left_") and name.endswith("3"):
            assert 1.0 < np.linalg.norm(offset) < 4.5, name
            assert offset[0] > 0, name


def test_zxy_there_and_back_also_where_the_middle_angle_is_right():
    rng = np.random.default_rng(0)
    matrices = axis_angle_to_matrix(rng.normal(size=(500, 3)) * 2)
    steep = axis_angle_to_matrix([(np.pi / 2, 0, 0), (-np.pi / 2, 0, 0)]) @ axis_angle_to_matrix([(0, 0.3, 0)] * 2)
    both = np.concatenate((matrices, steep))
    z, x, y = (
        axis_angle_to_matrix(angle[:, None] * axis)
        for angle, axis in zip(matrix_to_zxy(both).T, np.eye(3)[[2, 0, 1]], strict=True)
    )
    np.testing.assert_allclose(z @ x @ y, both, atol=1e-9)


def test_angles_do_not_jump(tmp_path):
    clip = moving_clip()
    turning = clip.poses.copy()
    turning[:, 0] = np.outer(np.linspace(0, 4 * np.pi, 16), (0.3, 0.9, 0.1))  # two turns
    turning[:, 0] = (
        np.remainder(np.linalg.norm(turning[:, 0], axis=1), 2 * np.pi)[:, None]
        * turning[1, 0]
        / np.linalg.norm(turning[1, 0])
    )
    path = write_bvh(tmp_path / "a.bvh", replace(clip, poses=turning.astype(np.float32)), BodyModel.open())
    _, frames, _ = read_bvh(path)
    assert np.abs(np.diff(frames[:, 3:], axis=0)).max() < 90


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    first, second = (write_bvh(tmp_path / name, moving_clip(), BodyModel.open()) for name in ("a.bvh", "b.bvh"))
    assert first.read_bytes() == second.read_bytes()
