"""AGORA as published and as OSX converts it: the numbers of a record, weights, safe pickles, messages."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import published_folders as folders
import pytest
from published_folders import AgoraTruth, Pose

from coevoer_edge.body.layer import KeypointLayer
from coevoer_edge.body.rotations import axis_angle_to_matrix, geodesic_deg
from coevoer_edge.data.datasets.agora import _ORDER, AGORA
from coevoer_edge.data.datasets.agora_frames import read_parameters
from coevoer_edge.data.datasets.smplx_record import bounds, cut_box, posed_keypoints, scaled_box
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, Crop

BODY = folders.body_with_means()
POSES = [Pose.draw(seed) for seed in (11, 12, 13)]
IMAGE = "ag_validationset_renderpeople_bfh_flowers_5_15_00001.png"


def truths() -> list[AgoraTruth]:
    layer = KeypointLayer(BODY)
    return [folders.agora_truth(BODY, pose, posed_keypoints(layer, pose.parameters()), _ORDER) for pose in POSES]


TRUTHS = truths()
BOX = cut_box(scaled_box(bounds(TRUTHS[0].joints_px), 1.2), 3840, 2160)


def parameter_name(person: int) -> str:
    return f"smplx_gt/validationset_renderpeople_adults_bfh/person_{person}.pkl"


def data_frame() -> Any:
    """Two images: one with a valid and an invalid person, one with a child. Columns hold objects, as in pandas 1."""
    pandas = pytest.importorskip("pandas", reason="AGORA's data frames are pandas'")
    people = [[0, 1], [2]]
    paths = [[parameter_name(p).replace(".pkl", ".obj") for p in row] for row in people]
    rows = {
        "imgPath": [IMAGE, IMAGE.replace("00001", "00002")],
        "isValid": [np.array([True, False]), np.array([True])],
        "kid": [[False, False], [True]],
        "gt_path_smplx": paths,
        "gt_joints_2d": [[TRUTHS[p].joints_px for p in row] for row in people],
        "gt_joints_3d": [[TRUTHS[p].joints_m for p in row] for row in people],
        "gt_verts": [[TRUTHS[p].vertices.astype(np.float32) for p in row] for row in people],
        "occlusion": [[10.0, 95.0], [0.0]],
    }
    columns = {name: np.empty(2, object) for name in rows}
    for name, values in rows.items():
        for row, value in enumerate(values):
            columns[name][row] = value
    index = pandas.Index(list(rows), dtype=object)
    return pandas.DataFrame(columns, columns=index, dtype=object)


def write_parameters(folder: Path) -> None:
    for person, pose in enumerate(POSES):
        folders.write_agora_parameters(folder / parameter_name(person), pose)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    frames = tmp_path / "validation_SMPLX" / "SMPLX"
    frames.mkdir(parents=True)
    with (frames / "validation_0_withjv.pkl").open("wb") as file:
        pickle.dump(data_frame(), file, protocol=4)
    write_parameters(tmp_path)
    for name in (IMAGE, IMAGE.replace("00001", "00002")):
        small = name.replace(".png", "_1280x720.png")
        folders.noise_image(tmp_path / "1280x720" / "validation" / small, 1280, 720)
    return tmp_path


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    """OSX's folder, in which the first person has a crop of 384 x 512 px and the second has none."""
    write_parameters(tmp_path)
    annotations = []
    for person, truth in enumerate(TRUTHS[:2]):
        paths = {}
        for kind, values in (("joints_2d", truth.joints_px), ("joints_3d", truth.joints_m), ("verts", truth.vertices)):
            path = Path(f"gt_{kind}") / "smplx" / f"{person}.json"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(json.dumps(values.tolist()))
            paths[f"smplx_{kind}_path"] = f"./{path}"
        x1, y1, x2, y2 = scaled_box(bounds(truth.joints_px), 1.2).tolist()
        box = [x1, y1, x2 - x1, y2 - y1]
        person_keys = {"id": person, "image_id": 3, "is_valid": True, "kid": False, "bbox": box}
        annotations.append(person_keys | {"smplx_param_path": parameter_name(person)} | paths)
    small = IMAGE.replace(".png", "_1280x720.png")
    image = {
        "file_name_3840x2160": f"3840x2160/validation/{IMAGE}",
        "file_name_1280x720": f"1280x720/validation/{small}",
    }
    content = {"images": [{"id": 3, **image}], "annotations": annotations}
    (tmp_path / "AGORA_validation.json").write_text(json.dumps(content))
    crop = Crop.around(BOX)
    scale = 384 / crop.width
    trans = [[scale, 0, -scale * crop.x0], [0, scale, -scale * crop.y0]]
    path = tmp_path / "3840x2160" / "validation_crop" / f"{IMAGE[:-4]}_ann_id_0.png"
    folders.noise_image(path, 384, 512)
    info = {"img2bb_trans": trans, "resized_height": 512, "resized_width": 384}
    path.with_suffix(".json").write_text(json.dumps(info))
    return tmp_path


@pytest.fixture(params=["published", "converted"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def test_keypoints_are_the_published_ones(folder: Path):
    record = AGORA(folder, "test", BODY).batch([0])
    expected = Crop.around(BOX).image_to_crop(TRUTHS[0].joints_px[_ORDER])
    np.testing.assert_allclose(record.keypoints_2d[0], expected, atol=0.1)
    joints = TRUTHS[0].joints_m[_ORDER]
    np.testing.assert_allclose(record.keypoints_3d[0], joints - joints[0], atol=1e-5)
    assert record.keypoints_3d_weight.all()


def test_parameters_are_those_of_the_camera_frame(folder: Path):
    record = AGORA(folder, "test", BODY).batch([0])
    assert geodesic_deg(record.global_orient[0, 0], TRUTHS[0].global_orient) < 0.01
    left = axis_angle_to_matrix((POSES[0].left + folders.MEAN_LEFT).reshape(-1, 3))
    np.testing.assert_allclose(record.left_hand_pose[0], left, atol=1e-6)
    np.testing.assert_allclose(record.betas[0], POSES[0].betas, atol=1e-6)
    assert record.known[0].tolist() == [1, 1, 1, 1]


def test_the_camera_shows_the_published_pixels(folder: Path):
    record = AGORA(folder, "test", BODY).batch([0])
    parameters = POSES[0].parameters()
    posed = BODY.pose(type(parameters)(**{**vars(parameters), "global_orient": record.global_orient[0].numpy()}))
    shown = VIRTUAL_CAMERA.project(posed.joints + record.camera[0].numpy())
    assert np.linalg.norm(shown - record.keypoints_2d[0, :55].numpy(), axis=-1).mean() < 3


def test_boxes_are_those_of_osx(folder: Path):
    record = AGORA(folder, "test", BODY).batch([0])
    joints = TRUTHS[0].joints_px
    left = joints[[*range(25, 40), *range(66, 71)]]
    for row, part in ((0, joints[76:127]), (1, left)):
        corners = Crop.around(BOX).image_to_crop(scaled_box(bounds(part), 1.2).reshape(2, 2)) / (192, 256)
        np.testing.assert_allclose(record.part_boxes[0, row], corners.ravel(), atol=1e-4)
    assert record.visibility_weight[0].tolist() == [1, 0, 0, 0]


def test_vertices_are_the_published_ones(folder: Path):
    np.testing.assert_allclose(AGORA(folder, "test", BODY).vertices([0])[0], TRUTHS[0].vertices, atol=1e-5)


def test_only_the_valid_are_read_and_of_children_no_body_parameters(published: Path):
    source = AGORA(published, "test", BODY)
    assert len(source) == 2
    assert source.batch([1]).known[0].tolist() == [0, 1, 1, 1]


def test_without_its_crop_a_person_is_left_out_as_in_osx(converted: Path):
    assert len(AGORA(converted, "test", BODY)) == 1


def test_fits_of_the_neutral_body_are_preferred(published: Path):
    neutral = published / "smplx_gt_neutral_gender" / Path(parameter_name(0)).relative_to("smplx_gt")
    folders.write_agora_parameters(neutral, POSES[0], np.arange(10) / 10)
    np.testing.assert_allclose(AGORA(published, "test", BODY).batch([0]).betas[0], np.arange(10) / 10, atol=1e-6)


class Intruder:
    def __reduce__(self):
        return os.mkdir, ("intruded",)


@pytest.mark.parametrize("content", [Intruder(), {"betas": Intruder()}])
def test_pickles_run_nothing(published: Path, content: object, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(published)
    path = published / parameter_name(0)
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(
        InputError, match=r"person_0.pkl contains objects that are not loaded. (posix|nt).mkdir is not allowed"
    ):
        read_parameters(path)
    frame = next((published / "validation_SMPLX" / "SMPLX").iterdir())
    frame.write_bytes(pickle.dumps(content))
    with pytest.raises(
        InputError, match=r"withjv.pkl contains objects that are not loaded. (posix|nt).mkdir is not allowed"
    ):
        AGORA(published, "test", BODY)
    assert not (published / "intruded").exists()


@pytest.mark.parametrize("name", ["read_pickle", "io.common.os.system", "eval"])
def test_of_pandas_no_more_than_frames_is_loaded(published: Path, name: str):
    frame = next((published / "validation_SMPLX" / "SMPLX").iterdir())
    for module in ("pandas", "pandas.core.frame", "pandas.core.internals.managers"):
        frame.write_bytes(
            b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93."
        )
        with pytest.raises(InputError, match=r"withjv.pkl"):
            AGORA(published, "test", BODY)


def test_messages(tmp_path: Path, published: Path):
    with pytest.raises(InputError, match=r"nowhere does not exist; give the folder of AGORA.*agora.is.tue.mpg.de"):
        AGORA(tmp_path / "nowhere", "test", BODY)
    with pytest.raises(InputError, match=r"has no train_SMPLX/SMPLX/train\*.pkl and no AGORA_train.json"):
        AGORA(published, "train", BODY)
    (published / parameter_name(0)).unlink()
    with pytest.raises(InputError, match=r"has no smplx_gt/.*person_0.pkl and no smplx_gt_neutral_gender/"):
        AGORA(published, "test", BODY)
    write_parameters(published)
    frame = next((published / "validation_SMPLX" / "SMPLX").iterdir())
    without = data_frame().drop(columns=["gt_joints_2d", "gt_joints_3d"])
    frame.write_bytes(pickle.dumps(without))
    with pytest.raises(InputError, match="has no gt_joints_2d, gt_joints_3d; use the data frames with SMPL-X joints"):
        AGORA(published, "test", BODY)
    frame.write_bytes(pickle.dumps(data_frame()))
    next((published / "1280x720" / "validation").glob("*00001*")).unlink()
    with pytest.raises(InputError, match=r"has no 3840x2160/validation/.*and no 1280x720/validation/"):
        AGORA(published, "test", BODY)
