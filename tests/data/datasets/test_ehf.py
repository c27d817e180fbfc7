"""EHF as published: vertices in the camera's frame, keypoints, boxes, messages."""

import json
from pathlib import Path

import numpy as np
import published_folders as folders
import pytest

from coevoer_edge.data.datasets.ehf import EHF, EHF_CAMERA, ROTATION, TRANSLATION_M
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import Crop

BODY = folders.body_with_means()
# In the meshes' own frame, which ROTATION nearly turns upside down, so that people stand upright in the image.
UPRIGHT = folders.Pose.draw(5)
VERTICES = (BODY.pose(UPRIGHT.parameters()).vertices @ ROTATION).astype(np.float32)
SIZE = (1600, 1200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2):
        folders.noise_image(tmp_path / f"{number:02d}_img.jpg", *SIZE)
        folders.write_ply(tmp_path / f"{number:02d}_align.ply", VERTICES + number / 100, BODY.faces)
    return tmp_path


def test_vertices_are_in_the_camera_frame_and_in_order(folder: Path):
    source = EHF(folder, "test", BODY)
    assert len(source) == 2
    expected = (VERTICES[None] + np.array((0.02, 0.01))[:, None, None]) @ ROTATION.T + TRANSLATION_M
    np.testing.assert_allclose(source.vertices([1, 0]), expected, atol=1e-5)


def test_the_record_holds_keypoints_and_no_parameters(folder: Path):
    source = EHF(folder, "test", BODY)
    record, vertices = source.batch([0]), source.vertices([0])[0].numpy()
    pixels = EHF_CAMERA.project(vertices)
    low, high = np.clip(pixels.min(0), 0, SIZE), np.clip(pixels.max(0), 0, SIZE)
    crop = Crop.around(np.concatenate((low, high)))
    joints = BODY.file.J_regressor @ vertices
    np.testing.assert_allclose(record.keypoints_2d[0, :55], crop.image_to_crop(EHF_CAMERA.project(joints)), atol=0.1)
    np.testing.assert_allclose(record.keypoints_3d[0, :55], joints - joints[0], atol=1e-5)
    assert not record.known.any()
    assert record.keypoints_3d_weight.all()
    assert record.visibility_weight[0].tolist() == [1, 0, 0, 0]


def test_boxes_of_osx_are_used_where_they_are(folder: Path):
    boxes = {"body_bbox": [500, 300, 300, 600], "face_bbox": [600, 300, 90, 80]}
    boxes |= {"lefthand_bbox": [500, 500, 50, 40], "righthand_bbox": [700, 500, 60, 30]}
    images = [{"id": 7, "file_name": "02_img.jpg", "width": SIZE[0], "height": SIZE[1]}]
    content = {"images": images, "annotations": [{"id": 0, "image_id": 7, **boxes}]}
    (folder / "EHF.json").write_text(json.dumps(content))
    record = EHF(folder, "test", BODY).batch([1])
    crop = Crop.around((500, 300, 800, 900))
    for row, (x, y, w, h) in enumerate((boxes["face_bbox"], boxes["lefthand_bbox"], boxes["righthand_bbox"])):
        corners = crop.image_to_crop(((x, y), (x + w, y + h))) / (192, 256)
        np.testing.assert_allclose(record.part_boxes[0, row], corners.ravel(), atol=1e-5)


def test_png_comes_before_jpg(folder: Path):
    folders.noise_image(folder / "01_img.png", *SIZE, seed=9)
    assert not np.array_equal(*EHF(folder, "test", BODY).batch([0, 1]).image)


def test_messages(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="Split 'train' is unknown; EHF is made for evaluation and has only test"):
        EHF(folder, "train", BODY)  # type: ignore[arg-type]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"empty has no \*_align.ply; EHF is expected as.*smpl-x.is.tue.mpg.de"):
        EHF(empty, "test", BODY)
    folders.write_ply(folder / "01_align.ply", VERTICES[:10], np.array([[2, 1, 0]]))
    with pytest.raises(
        InputError, match=r"01_align.ply has 10 vertices, but the body \(open body\) has 13854; give SMPLX"
    ):
        EHF(folder, "test", BODY).batch([0])
    (folder / "02_img.jpg").unlink()
    with pytest.raises(InputError, match=r"has no 02_img.png"):
        EHF(folder, "test", BODY)
