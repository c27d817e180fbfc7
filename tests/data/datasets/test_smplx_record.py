"""Invariants and contracts of the part that the dataset readers share."""

import numpy as np
import published_folders as folders
import pytest

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.datasets.smplx_record import (
    PART_KEYPOINTS,
    cut_box,
    hand_means,
    keypoints_known,
    pelvis_at_rest,
    smplx_parameters,
)
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, fit_translation


def test_a_close_camera_is_replaced_by_a_long_one_within_a_few_pixels():
    """A person 2.5 m from a phone: the virtual camera cannot reproduce the perspective, only approximate it."""
    body = folders.body_with_means()
    joints = body.pose(folders.Pose.draw(3).parameters()).joints.astype(np.float64)
    pixels = 400 * (joints[:, :2] / (joints[:, 2:] + 2.5)) + (96, 128)
    found = VIRTUAL_CAMERA.project(joints + fit_translation(joints, pixels, np.ones(55)))
    assert np.linalg.norm(found - pixels, axis=-1).mean() < 10


def test_the_pelvis_stays_where_the_layer_leaves_it():
    body = folders.body_with_means()
    parameters = folders.Pose.draw(1).parameters()
    np.testing.assert_allclose(pelvis_at_rest(body, parameters), body.pose(parameters).joints[0], atol=1e-5)


def test_known_parts_know_their_keypoints_only_with_the_body():
    known = keypoints_known((1, 0, 1, 0))
    assert not known[PART_KEYPOINTS["face"]].any()
    assert known[PART_KEYPOINTS["left_hand"]].all()
    assert not known[PART_KEYPOINTS["right_hand"]].any()
    assert known.sum() == 22 + 20
    assert not keypoints_known((0, 1, 1, 1)).any()


def test_a_box_is_cut_at_the_image():
    np.testing.assert_array_equal(cut_box((-5, 10, 30, 90), 20, 50), (0, 10, 20, 50))
    assert cut_box((30, 10, 40, 20), 20, 50) is None


def test_a_body_without_mean_hands_is_refused():
    body = BodyModel.open()
    del body.extras["hands_meanl"]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"open body has no hands_meanl and hands_meanr.*SMPLX_NEUTRAL.npz"):
        hand_means(body)


def test_wrong_sizes_are_refused_by_name():
    zeros = {"global_orient": 3, "body_pose": 63, "left_hand_pose": 45, "right_hand_pose": 12, "jaw_pose": 3}
    poses = {key: np.zeros(count) for key, count in zeros.items()}
    means = (np.zeros((15, 3)), np.zeros((15, 3)))
    with pytest.raises(InputError, match="right_hand_pose has 12 numbers; SMPL-X has 45"):
        smplx_parameters(**poses, betas=np.zeros(10), expression=np.zeros(10), hand_means=means)
    poses["right_hand_pose"] = np.zeros(45)
    with pytest.raises(InputError, match="betas has 8 coefficients; at least 10"):
        smplx_parameters(**poses, betas=np.zeros(8), expression=np.zeros(10), hand_means=means)
