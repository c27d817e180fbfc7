"""The portable body: the formulas of docs/pipeline.md on its tensors give the body layer's joints and vertices."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import load_file

from coevoer_edge.body.model import BodyModel
from coevoer_edge.bundle import body_file
from coevoer_edge.contract import PARTS
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.errors import InputError


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


def pose_by_the_page(t, p):
    """A literal implementation of docs/pipeline.md, section 5, in float64."""
    c = np.concatenate((p.betas, p.expression))
    v = t["v_template"] + np.tensordot(c, t["shapedirs"].astype(np.float64), 1)
    j = t["joint_template"] + np.tensordot(c, t["joint_directions"].astype(np.float64), 1)
    eyes = np.tile(np.eye(3), (2, 1, 1))
    R = np.concatenate((p.global_orient, p.body_pose, p.jaw_pose, eyes, p.left_hand_pose, p.right_hand_pose))
    if "posedirs" in t:
        v = v + np.tensordot((R[1:] - np.eye(3)).reshape(-1), t["posedirs"].astype(np.float64), 1)
    G, q = [R[0]], [j[0]]
    for k in range(1, 55):
        parent = t["parents"][k]
        G.append(G[parent] @ R[k])
        q.append(q[parent] + G[parent] @ (j[k] - j[parent]))
    G, q = np.array(G), np.array(q)
    out = np.zeros_like(v)
    for slot in range(t["skin_joints"].shape[1]):
        k, w = t["skin_joints"][:, slot], t["skin_weights"][:, slot].astype(np.float64)
        out += w[:, None] * ((G[k] @ (v - j[k])[..., None])[..., 0] + q[k])
    return q, out


@pytest.mark.parametrize("with_posedirs", [False, True])
def test_the_pages_formulas_give_the_body(body, tmp_path, with_posedirs):
    if with_posedirs:
        directions = np.random.default_rng(1).normal(0, 0.003, (body.num_vertices, 3, 486)).astype(np.float32)
        body = BodyModel(replace(body.file, posedirs=directions))
    path = tmp_path / "body.safetensors"
    body_file.write_body(body, path)
    tensors = load_file(path)
    assert ("posedirs" in tensors) == with_posedirs
    person = draw_person(np.random.default_rng(2), legs_seen=True)
    joints, vertices = pose_by_the_page(tensors, person)
    posed = body.pose(person)
    np.testing.assert_allclose(joints, posed.joints, atol=2e-6)
    np.testing.assert_allclose(vertices, posed.vertices, atol=5e-6)


def test_shapes_types_and_words(body, tmp_path):
    path = tmp_path / "body.safetensors"
    body_file.write_body(body, path)
    V, F = body.num_vertices, len(body.faces)
    expected = {
        "v_template": ((V, 3), np.float32),
        "shapedirs": ((20, V, 3), np.float32),
        "joint_template": ((55, 3), np.float32),
        "joint_directions": ((20, 55, 3), np.float32),
        "parents": ((55,), np.int32),
        "faces": ((F, 3), np.int32),
        "skin_joints": ((V, 8), np.uint8),
        "skin_weights": ((V, 8), np.float32),
        **{f"part_{part}": (body.part_vertices[part].shape, np.int32) for part in PARTS},
    }
    tensors = load_file(path)
    assert {name: (value.shape, value.dtype.type) for name, value in tensors.items()} == expected
    weights = tensors["skin_weights"]
    assert (np.diff(weights, axis=1) <= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert (tensors["skin_joints"][weights == 0] == 0).all()
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert (metadata["name"], metadata["licence"]) == (body.name, body.licence)
    assert json.loads(metadata["shapes"]).keys() == expected.keys()


def test_the_same_bytes_again(body, tmp_path):
    for name in ("a", "b"):
        body_file.write_body(body, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def spread(body: BodyModel, share: float) -> BodyModel:
    """One vertex follows twelve joints, of which the four with the smallest weights have `share` in total."""
    weights = body.file.weights.copy()
    weights[7] = 0
    weights[7, :8], weights[7, 8:12] = (1 - share) / 8, share / 4
    return BodyModel(replace(body.file, weights=weights))


def test_many_joints_a_vertex(body):
    tensors = body_file.body_tensors(spread(body, 0.01))
    assert sorted(tensors["skin_joints"][7]) == list(range(8))
    assert tensors["skin_weights"][7].sum() == pytest.approx(1)
    others = np.delete(np.arange(body.num_vertices), 7)
    np.testing.assert_array_equal(tensors["skin_weights"][others], body_file.body_tensors(body)["skin_weights"][others])
    with pytest.raises(InputError, match=r"^1 vertices follow more than 8 joints and would lose up to 0\.100"):
        body_file.body_tensors(spread(body, 0.1))


def test_command(tmp_path: Path):
    path = tmp_path / "body.safetensors"
    run = CliRunner().invoke(body_file.main, ["-o", str(path)])
    assert run.exit_code == 0, run.output
    assert run.output.startswith(f"{path}: open body (CC0-1.0), 13,854 vertices")
    again = CliRunner().invoke(body_file.main, ["-o", str(path)])
    assert again.exit_code == 2
    assert f"{path} exists; add --overwrite" in again.output
    assert CliRunner().invoke(body_file.main, ["-o", str(path), "--overwrite"]).exit_code == 0
    nowhere = CliRunner().invoke(body_file.main, ["--body", str(tmp_path / "none.npz"), "-o", str(tmp_path / "x")])
    assert nowhere.exit_code == 2
    assert "There is no body model file at" in nowhere.output
    for bad in (tmp_path, tmp_path / "no" / "x"):
        assert CliRunner().invoke(body_file.main, ["-o", str(bad)]).exit_code == 2
