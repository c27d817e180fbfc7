"""UBody as published: the numbers of a record, splits, excluded annotations, messages."""

import json
from pathlib import Path

import numpy as np
import published_folders as folders
import pytest
from published_folders import UBODY_CAMERA, Pose

from coevoer_edge.body.keypoints import KEYPOINT_NAMES
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.datasets.smplx_record import PART_KEYPOINTS
from coevoer_edge.data.datasets.ubody import UBody
from coevoer_edge.data.record import Record
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, Crop
from coevoer_edge.pipeline.image import extract_crop, load_image

BODY = folders.body_with_means()
FRAMES = {
    "talk_a/000001.png": Pose.draw(1),
    "talk_b_Trim1/000001.png": Pose.draw(2),
    "talk_b_Trim1/000002.png": Pose.draw(3),
    "talk_c/000001.png": Pose.draw(4),
}
CROP = Crop.around((280, 60, 480, 440))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folders.write_ubody(tmp_path, FRAMES)
    return tmp_path


def sample(folder: Path) -> Record:
    return UBody(folder, "test", BODY).batch([0])


def annotations(folder: Path, scene: str = "Talkshow") -> Path:
    return folder / "annotations" / scene / "keypoint_annotation.json"


def test_rotations_are_absolute_and_hands_have_the_mean_added(folder: Path):
    record, pose = sample(folder), FRAMES["talk_b_Trim1/000001.png"]
    np.testing.assert_allclose(record.global_orient[0, 0], axis_angle_to_matrix(pose.root), atol=1e-6)
    np.testing.assert_allclose(record.body_pose[0], axis_angle_to_matrix(pose.body.reshape(-1, 3)), atol=1e-6)
    left = axis_angle_to_matrix((pose.left + folders.MEAN_LEFT).reshape(-1, 3))
    right = axis_angle_to_matrix((pose.right + folders.MEAN_RIGHT).reshape(-1, 3))
    np.testing.assert_allclose(record.left_hand_pose[0], left, atol=1e-6)
    np.testing.assert_allclose(record.right_hand_pose[0], right, atol=1e-6)
    np.testing.assert_allclose(record.betas[0], pose.betas, atol=1e-6)
    np.testing.assert_allclose(record.expression[0], pose.expression, atol=1e-6)


def test_keypoints_are_the_projection_of_the_posed_body(folder: Path):
    record, pose = sample(folder), FRAMES["talk_b_Trim1/000001.png"]
    joints = BODY.pose(pose.parameters()).joints.astype(np.float64)
    expected = CROP.image_to_crop(UBODY_CAMERA.project(joints + pose.trans))
    np.testing.assert_allclose(record.keypoints_2d[0, :55], expected, atol=0.1)
    np.testing.assert_allclose(record.keypoints_3d[0, :55], joints - joints[0], atol=1e-5)


def test_the_camera_shows_the_same_pixels(folder: Path):
    record, pose = sample(folder), FRAMES["talk_b_Trim1/000001.png"]
    shown = VIRTUAL_CAMERA.project(BODY.pose(pose.parameters()).joints + record.camera[0].numpy())
    seen = record.keypoints_2d_weight[0, :55].numpy() > 0
    error = np.linalg.norm(shown - record.keypoints_2d[0, :55].numpy(), axis=-1)[seen]
    assert seen.sum() > 20
    assert error.mean() < 3  # 4 m from the annotation's camera there is perspective that the long lens lacks


def test_a_far_camera_is_met_within_a_pixel(tmp_path: Path):
    far = Pose.draw(2, trans=(0.2, 0.1, 40.0))
    folders.write_ubody(tmp_path, {"talk_b/000001.png": far})
    scene = tmp_path / "annotations" / "Talkshow" / "smplx_annotation.json"
    fits = json.loads(scene.read_text())
    fits["500"]["cam_param"]["focal"] = [11000.0, 11000.0]
    scene.write_text(json.dumps(fits))
    record = sample(tmp_path)
    shown = VIRTUAL_CAMERA.project(BODY.pose(far.parameters()).joints + record.camera[0].numpy())
    seen = record.keypoints_2d_weight[0, :55].numpy() > 0
    assert np.linalg.norm(shown - record.keypoints_2d[0, :55].numpy(), axis=-1)[seen].max() < 1


def test_what_is_not_valid_has_no_weight(folder: Path):
    record = sample(folder)
    assert record.known[0].tolist() == [1, 1, 1, 0]
    assert record.part_boxes_weight[0].tolist() == [1, 1, 0]
    right = PART_KEYPOINTS["right_hand"]
    assert not record.keypoints_3d_weight[0, right].any()
    assert not record.keypoints_2d_weight[0, right].any()
    others = np.setdiff1d(np.arange(len(KEYPOINT_NAMES)), right)
    assert record.keypoints_3d_weight[0, others].all()
    assert record.visibility[0, :3].tolist() == [1, 1, 1]
    assert record.visibility_weight[0].tolist() == [1, 1, 1, 0]
    assert (record.labels == 255).all()


def test_flags_of_the_fit_come_before_those_of_the_keypoints(folder: Path):
    path = folder / "annotations" / "Talkshow" / "smplx_annotation.json"
    fits = json.loads(path.read_text())
    fits["501"]["smplx_param"] |= {"lhand_valid": False, "rhand_valid": True, "face_valid": True}
    del fits["501"]["smplx_param"]["jaw_pose"]
    path.write_text(json.dumps(fits))
    assert sample(folder).known[0].tolist() == [1, 0, 0, 1]


def test_boxes_and_image_are_cut_from_the_persons_box(folder: Path):
    record = sample(folder)
    # Hands at 0.65 of the published size, the face 1.2 times its landmarks (OSX data/UBody/UBody.py).
    left, face = (417.5, 214, 482.5, 266), (296, 95, 344, 155)
    for row, box in ((0, face), (1, left)):
        corners = CROP.image_to_crop(np.reshape(box, (2, 2))) / (192, 256)
        np.testing.assert_allclose(record.part_boxes[0, row], corners.ravel(), atol=1e-5)
    image = load_image(folder / "images" / "Talkshow" / "talk_b_Trim1" / "000001.png")
    np.testing.assert_array_equal(record.image[0].permute(1, 2, 0), extract_crop(image, CROP))


@pytest.mark.parametrize(
    ("split", "protocol", "frames"),
    [("train", "intra_scene", [1, 4]), ("test", "intra_scene", [2, 3]), ("test", "inter_scene", [1, 4])],
)
def test_splits_are_by_video(folder: Path, split, protocol, frames):
    source = UBody(folder, split, BODY, protocol=protocol)
    poses = [Pose.draw(seed) for seed in frames]
    betas = source.batch(range(len(source))).betas
    np.testing.assert_allclose(betas, np.stack([pose.betas for pose in poses]), atol=1e-6)


def test_interval_counts_as_osx_does(folder: Path):
    assert len(UBody(folder, "test", BODY, interval=2)) == 1
    np.testing.assert_allclose(
        UBody(folder, "test", BODY, interval=2).batch([0]).betas[0], Pose.draw(2).betas, atol=1e-6
    )


@pytest.mark.parametrize("change", [{"iscrowd": 1}, {"num_keypoints": 0}, {"valid_label": 0}, {"bbox": [700, 0, 5, 5]}])
def test_annotations_that_osx_leaves_out_are_left_out(tmp_path: Path, change):
    folders.write_ubody(tmp_path, FRAMES, **change)
    with pytest.raises(InputError, match=r"has no annotation of the test split \(intra_scene\)"):
        UBody(tmp_path, "test", BODY)


def test_frames_that_are_not_there_are_counted(folder: Path):
    (folder / "images" / "Talkshow" / "talk_b_Trim1" / "000002.png").unlink()
    source = UBody(folder, "test", BODY)
    assert (len(source), source.num_missing_images) == (1, 1)
    (folder / "images" / "Talkshow" / "talk_b_Trim1" / "000001.png").unlink()
    with pytest.raises(InputError, match=r"has no images/ of the 2 annotated test frames.*video2image.py"):
        UBody(folder, "test", BODY)


def test_the_cameras_turn_is_applied(folder: Path):
    path = folder / "annotations" / "Talkshow" / "smplx_annotation.json"
    fits, pose = json.loads(path.read_text()), FRAMES["talk_b_Trim1/000001.png"]
    turn, shift = axis_angle_to_matrix((0.0, 0.2, 0.0)), np.array((-0.6, 0.0, 0.3))
    fits["501"]["cam_param"] |= {"R": turn.tolist(), "t": shift.tolist()}
    path.write_text(json.dumps(fits))
    record = sample(folder)
    joints = (BODY.pose(pose.parameters()).joints + pose.trans) @ turn.T + shift
    np.testing.assert_allclose(record.global_orient[0, 0], turn @ axis_angle_to_matrix(pose.root), atol=1e-6)
    np.testing.assert_allclose(record.keypoints_2d[0, :55], CROP.image_to_crop(UBODY_CAMERA.project(joints)), atol=0.1)


def test_messages(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere does not exist; give the folder of UBody.*osx-ubody.github.io"):
        UBody(tmp_path / "nowhere", "test", BODY)
    with pytest.raises(InputError, match=r"has no splits/intra_scene_test_list.npy; UBody is expected as images/SCENE"):
        UBody(tmp_path, "test", BODY)
    folders.write_ubody(tmp_path, FRAMES)
    with pytest.raises(InputError, match=r"Split 'val' is unknown; UBody has train and test."):
        UBody(tmp_path, "val", BODY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no scene Movie; it has Talkshow"):
        UBody(tmp_path, "test", BODY, scenes=["Movie"])
    path = annotations(tmp_path)
    content = json.loads(path.read_text())
    del content["annotations"][1]["lefthand_box"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"keypoint_annotation.json lacks 'lefthand_box'"):
        UBody(tmp_path, "test", BODY)
    path.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        UBody(tmp_path, "test", BODY)
    path.unlink()
    with pytest.raises(InputError, match=r"has no annotations/Talkshow/keypoint_annotation.json"):
        UBody(tmp_path, "test", BODY)
