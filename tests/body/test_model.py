"""Our layer compared with smplx 0.1.28, on the open body and on a synthetic file in the published SMPL-X format."""

import dataclasses
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import smplx
import torch

from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import OPEN_BODY_PATH
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.errors import InputError

AGREEMENT_M = 1e-5
SMPLX_VERTICES = 10475


def random_parameters(seed: int) -> SmplxParameters:
    rng = np.random.default_rng(seed)
    poses = [axis_angle_to_matrix(rng.normal(0, 0.5, (n, 3))) for n in (1, 21, 15, 15, 1)]
    return SmplxParameters(*poses, betas=rng.normal(size=10), expression=rng.normal(size=10))


def smplx_arrays(num_directions: int = 400) -> dict[str, np.ndarray]:
    """Random numbers in the shapes, types and scales of SMPLX_NEUTRAL.npz."""
    rng = np.random.default_rng(7)
    V = SMPLX_VERTICES
    weights = rng.random((V, NUM_JOINTS)) ** 20
    regressor = np.where(rng.random((NUM_JOINTS, V)) < 0.003, rng.random((NUM_JOINTS, V)), 0.0)
    parents = np.array(PARENTS)
    parents[0] = 2**32 - 1
    return {
        "v_template": rng.normal(0, 0.4, (V, 3)),
        "f": rng.integers(0, V, (20908, 3)).astype(np.uint32),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.stack((parents, np.arange(NUM_JOINTS))),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "shapedirs": rng.normal(0, 0.01, (V, 3, num_directions)),
        "posedirs": rng.normal(0, 0.002, (V, 3, 486)).astype(np.float32),
        "hands_componentsl": np.eye(45),
        "hands_componentsr": np.eye(45),
        "hands_meanl": rng.normal(0, 0.2, 45),
        "hands_meanr": rng.normal(0, 0.2, 45),
        "lmk_faces_idx": np.arange(51),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
    }


@pytest.fixture(scope="module")
def published_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smplx") / "SMPLX_NEUTRAL.npz"
    # Published files contain object arrays as well, which numpy can only unpickle.
    np.savez(path, **smplx_arrays(), part2num=np.array({"head": 15}, dtype=object))
    return path


@pytest.fixture(scope="module", params=["open", "published"])
def path(request: pytest.FixtureRequest) -> Path:
    return OPEN_BODY_PATH if request.param == "open" else request.getfixturevalue("published_path")


@pytest.fixture(scope="module")
def layers(path: Path) -> tuple[BodyModel, smplx.SMPLXLayer]:
    return BodyModel.open(path), smplx.SMPLXLayer(str(path), use_pca=False, flat_hand_mean=True)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float32)[None]


def test_agrees_with_smplx_layer(layers: tuple[BodyModel, smplx.SMPLXLayer]) -> None:
    ours, theirs = layers
    for seed in range(4):
        parameters = random_parameters(seed)
        body = ours.pose(parameters)
        names = [field.name for field in dataclasses.fields(parameters)]
        expected = theirs(**{name: tensor(getattr(parameters, name)) for name in names})
        np.testing.assert_allclose(body.vertices, expected.vertices[0], atol=AGREEMENT_M)
        np.testing.assert_allclose(body.joints, expected.joints[0, :NUM_JOINTS], atol=AGREEMENT_M)
        assert body.vertices.dtype == body.joints.dtype == np.float32


def test_agrees_with_smplx_create_from_axis_angle(path: Path, tmp_path: Path) -> None:
    named = tmp_path / "SMPLX_NEUTRAL.npz"  # smplx.create takes the model's type from the file's name
    named.symlink_to(path)
    theirs = smplx.create(str(named), model_type="smplx", use_pca=False, flat_hand_mean=True)
    angles = np.random.default_rng(3).normal(0, 0.4, (54, 3))
    with torch.no_grad():
        parts = {"global_orient": angles[:1], "body_pose": angles[1:22], "jaw_pose": angles[22:23]}
        parts |= {"left_hand_pose": angles[24:39], "right_hand_pose": angles[39:54]}
        expected = theirs(**{name: tensor(part.reshape(-1)) for name, part in parts.items()})
    zeros = np.zeros(10)
    matrices = {name: axis_angle_to_matrix(part) for name, part in parts.items()}
    body = BodyModel.open(path).pose(SmplxParameters(**matrices, betas=zeros, expression=zeros))
    np.testing.assert_allclose(body.vertices, expected.vertices[0], atol=AGREEMENT_M)


def test_root_turns_about_the_pelvis() -> None:
    model = BodyModel.open()
    rest = SmplxParameters.rest()
    turned = model.pose(dataclasses.replace(rest, global_orient=axis_angle_to_matrix([[0.0, np.pi, 0.0]])))
    still = model.pose(rest)
    np.testing.assert_allclose(turned.joints[0], still.joints[0], atol=1e-6)
    np.testing.assert_allclose(turned.vertices[:, 0], 2 * still.joints[0, 0] - still.vertices[:, 0], atol=1e-5)


def test_bodies_do_not_share_memory() -> None:
    model = BodyModel.open()
    first = model.pose(SmplxParameters.rest())
    kept = first.vertices.copy()
    model.pose(random_parameters(0))
    np.testing.assert_array_equal(first.vertices, kept)


def test_attributes(published_path: Path) -> None:
    opened = BodyModel.open()
    assert opened.name == "open body"
    assert opened.licence == "CC0-1.0"
    assert opened.joint_names == JOINT_NAMES
    assert opened.parents == PARENTS
    assert set(opened.part_vertices) == {"face", "left_hand", "right_hand"}
    published = BodyModel.open(str(published_path))
    assert published.name == "SMPL-X"
    assert "non-commercial" in published.licence
    assert published.num_vertices == SMPLX_VERTICES
    assert published.faces.dtype == np.int32
    assert not published.part_vertices


def test_takes_the_published_index_files(published_path: Path, tmp_path: Path) -> None:
    beside = tmp_path / "SMPLX_NEUTRAL.npz"
    beside.symlink_to(published_path)
    np.save(tmp_path / "SMPL-X__FLAME_vertex_ids.npy", np.arange(5023))
    hands = {"left_hand": np.arange(778), "right_hand": np.arange(778) + 1000}
    (tmp_path / "MANO_SMPLX_vertex_ids.pkl").write_bytes(pickle.dumps(hands, protocol=2))
    parts = BodyModel.open(beside).part_vertices
    assert {name: len(indices) for name, indices in parts.items()} == {
        "face": 5023,
        "left_hand": 778,
        "right_hand": 778,
    }


def test_refuses_a_pickle_with_code(published_path: Path, tmp_path: Path) -> None:
    beside = tmp_path / "SMPLX_NEUTRAL.npz"
    beside.symlink_to(published_path)
    (tmp_path / "MANO_SMPLX_vertex_ids.pkl").write_bytes(pickle.dumps({"left_hand": print}))
    with pytest.raises(InputError, match=r"builtins\.print"):
        BodyModel.open(beside)


def test_twenty_directions_are_ten_and_ten(tmp_path: Path) -> None:
    arrays = smplx_arrays(num_directions=20)
    arrays["posedirs"] = np.zeros(arrays["posedirs"].shape, np.int8)
    np.savez(tmp_path / "small.npz", **arrays)
    model = BodyModel.open(tmp_path / "small.npz")
    body = model.pose(dataclasses.replace(SmplxParameters.rest(), expression=np.eye(10)[0]))
    np.testing.assert_allclose(body.vertices, arrays["v_template"] + arrays["shapedirs"][..., 10], atol=1e-5)


def without(key: str) -> dict[str, np.ndarray]:
    return {name: np.zeros((1, 1)) if array.ndim else array for name, array in smplx_arrays(20).items() if name != key}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"v_template": np.zeros((6890, 3)), "kintree_table": np.zeros((2, 24))}, r"SMPL file \(6890 vertices, 24"),
        ({"v_template": np.zeros((6890, 3)), "kintree_table": np.zeros((2, 52))}, r"SMPL-H file \(6890 vertices, 52"),
        ({"v_template": np.zeros((10475, 3)), "kintree_table": np.zeros((2, 55))}, "lacks f, weights, J_regressor"),
        ({"image": np.zeros(3)}, "lacks v_template"),
        (without("nothing"), "v_template has shape"),
    ],
)
def test_says_what_is_wrong_with_an_archive(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    path = tmp_path / "given.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        BodyModel.open(path)
    assert str(path) in str(caught.value)
    assert "SMPLX_NEUTRAL.npz" in str(caught.value)


def test_says_what_is_wrong_with_other_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no body model file at"):
        BodyModel.open(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="is a folder"):
        BodyModel.open(tmp_path)
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    with pytest.raises(InputError, match="not an npz archive"):
        BodyModel.open(text)
    archive = tmp_path / "other.npz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "no arrays")
    with pytest.raises(InputError, match="cannot be read as an npz"):
        BodyModel.open(archive)


def test_refuses_another_joint_order(tmp_path: Path) -> None:
    arrays = smplx_arrays(20)
    arrays["kintree_table"][0, 5] = 0
    np.savez(tmp_path / "order.npz", **arrays)
    with pytest.raises(InputError, match="another order"):
        BodyModel.open(tmp_path / "order.npz")


def test_needs_no_torch() -> None:
    code = "import sys, coevoer_edge.body.model; sys.exit(bool({'torch', 'smplx'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
