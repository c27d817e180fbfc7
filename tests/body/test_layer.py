"""The torch body layer compared with the numpy one, and its keypoints."""

import numpy as np
import pytest
import torch

from coevoer_edge.body.joints import JOINT_NAMES, PARENTS
from coevoer_edge.body.keypoints import KEYPOINT_NAMES, MIRRORED_KEYPOINTS, NUM_KEYPOINTS, Keypoints
from coevoer_edge.body.layer import BodyLayer, KeypointLayer, SmplxBatch, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import ModelFile
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.errors import InputError

MODEL = BodyModel.open()


def people(count: int) -> list[SmplxParameters]:
    rng = np.random.default_rng(3)

    def turns(joints: int) -> np.ndarray:
        return axis_angle_to_matrix(rng.normal(0, 0.4, (joints, 3)))

    return [
        SmplxParameters(turns(1), turns(21), turns(15), turns(15), turns(1), rng.normal(size=10), rng.normal(size=10))
        for _ in range(count)
    ]


def tensors(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    batch = SmplxBatch.of(people(count))
    return all_rotations(batch), all_coefficients(batch)


def test_it_poses_as_the_numpy_layer_does():
    vertices, joints = BodyLayer(MODEL)(*tensors(3))
    for i, person in enumerate(people(3)):
        body = MODEL.pose(person)
        np.testing.assert_allclose(vertices[i].numpy(), body.vertices, atol=2e-6)
        np.testing.assert_allclose(joints[i].numpy(), body.joints, atol=2e-6)


def test_some_vertices_are_the_same_as_among_all():
    chosen = np.array([5, 900, 13000])
    some, joints = BodyLayer(MODEL, chosen)(*tensors(2))
    all_vertices, _ = BodyLayer(MODEL)(*tensors(2))
    torch.testing.assert_close(some, all_vertices[:, chosen], rtol=0, atol=1e-6)
    torch.testing.assert_close(joints, BodyLayer(MODEL, chosen).joints(*tensors(2)))


def test_pose_correctives_are_added():
    file = MODEL.file
    rng = np.random.default_rng(0)
    posedirs = rng.normal(0, 1e-3, (MODEL.num_vertices, 3, 486)).astype(np.float32)
    with_correctives = BodyModel(ModelFile(**(vars(file) | {"posedirs": posedirs})))
    vertices, _ = BodyLayer(with_correctives, np.arange(50))(*tensors(1))
    np.testing.assert_allclose(vertices[0].numpy(), with_correctives.pose(people(1)[0]).vertices[:50], atol=5e-6)


def test_gradients_reach_every_rotation_and_coefficient():
    rotations, coefficients = (tensor.requires_grad_() for tensor in tensors(1))
    BodyLayer(MODEL)(rotations, coefficients)[0].square().sum().backward()
    assert (rotations.grad.abs().amax((0, 2, 3)) > 0).all()
    assert (coefficients.grad.abs() > 0).all()


def test_keypoints_lie_where_their_names_say():
    keypoints = KeypointLayer(MODEL)(
        *(all_rotations(rest := SmplxBatch.of([SmplxParameters.rest()])), all_coefficients(rest))
    )
    place = dict(zip(KEYPOINT_NAMES, keypoints[0].numpy(), strict=True))
    assert keypoints.shape == (1, NUM_KEYPOINTS, 3)
    for name in ("index", "middle", "ring", "pinky"):
        assert place[f"left_{name}_tip"][0] > place[f"left_{name}3"][0] + 0.01
        assert np.linalg.norm(place[f"left_{name}_tip"] - place[f"left_{name}3"]) < 0.05
    assert place["face_30"][2] > place["face_39"][2], "the nose's tip is before the eye"
    assert place["face_36"][0] < 0 < place["face_45"][0], "iBUG counts from the person's right"
    assert place["face_57"][1] < place["face_33"][1], "lips are below the nose"


def test_mirrored_keypoints_are_mirror_images():
    rest = SmplxBatch.of([SmplxParameters.rest()])
    keypoints = KeypointLayer(MODEL)(all_rotations(rest), all_coefficients(rest))[0].numpy()
    np.testing.assert_allclose(keypoints[list(MIRRORED_KEYPOINTS)] * (-1, 1, 1), keypoints, atol=1e-6)
    assert [MIRRORED_KEYPOINTS[i] for i in MIRRORED_KEYPOINTS] == list(range(NUM_KEYPOINTS))
    assert MIRRORED_KEYPOINTS[JOINT_NAMES.index("left_thumb2")] == JOINT_NAMES.index("right_thumb2")


def test_a_body_without_landmarks_is_refused():
    file = vars(MODEL.file) | {"extras": {}}
    with pytest.raises(InputError, match="no lmk_faces_idx and lmk_bary_coords; training needs"):
        Keypoints.of(BodyModel(ModelFile(**file)))


def test_orientations_are_products_from_the_root_on():
    rotations, coefficients = tensors(3)
    turned = BodyLayer(BodyModel.open(), np.zeros(0, np.int64)).orientations(rotations, coefficients)
    for joint, parent in enumerate(PARENTS[:25]):
        above = turned[:, parent] if joint else torch.eye(3).expand(3, 3, 3)
        torch.testing.assert_close(turned[:, joint], above @ rotations[:, joint], rtol=0, atol=1e-6)
