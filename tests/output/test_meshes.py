"""The .glb read back by trimesh: same mesh, glTF's axes, one material, same bytes every time."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from coevoer_edge.errors import InputError
from coevoer_edge.output.meshes import CAMERA_TO_GLTF, write_glb


def torus() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    mesh = trimesh.creation.torus(0.3, 0.1)
    return np.asarray(mesh.vertices) + np.array([0.1, -0.4, 3.0]), np.asarray(mesh.faces)


def read(path: Path) -> tuple[trimesh.Trimesh, dict[str, Any]]:
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    tree: dict[str, Any] = json.loads(content[20 : 20 + length])
    return trimesh.load(path, process=False).to_mesh(), tree


def attribute(path: Path, name: str) -> NDArray[Any]:
    """The (V, C) vertex attribute as it lies in the file."""
    tree = read(path)[1]
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"][name]]
    content = path.read_bytes()
    binary = 20 + struct.unpack_from("<I", content, 12)[0] + 8
    start = binary + tree["bufferViews"][accessor["bufferView"]]["byteOffset"]
    dtype = {5121: np.uint8, 5126: np.float32}[accessor["componentType"]]
    size = {"VEC3": 3, "VEC4": 4}[accessor["type"]]
    return np.frombuffer(content, dtype, accessor["count"] * size, start).reshape(-1, size)


def test_vertices_and_faces_there_and_back(tmp_path: Path) -> None:
    vertices, faces = torus()
    mesh, _ = read(write_glb(tmp_path / "a.glb", vertices, faces))
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_allclose(mesh.vertices @ CAMERA_TO_GLTF, vertices, atol=1e-6)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(trimesh.Trimesh(vertices, faces).volume, rel=1e-5)
    assert mesh.volume > 0


def test_up_is_y_and_the_scene_lies_along_minus_z(tmp_path: Path) -> None:
    vertices, faces = torus()  # above and right of the camera's axis, in front of it
    mesh, _ = read(write_glb(tmp_path / "a.glb", vertices, faces))
    np.testing.assert_allclose(mesh.bounds.mean(0), [0.1, 0.4, -3.0], atol=1e-5)
    assert np.linalg.det(CAMERA_TO_GLTF) == 1


def test_normals_are_smooth_unit_and_outward(tmp_path: Path) -> None:
    vertices, faces = torus()
    path = write_glb(tmp_path / "a.glb", np.concatenate([vertices, [[0.0, 0.0, 1.0]]]), faces)  # one lone vertex
    normals = attribute(path, "NORMAL")
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    expected = trimesh.Trimesh(vertices, faces).vertex_normals @ CAMERA_TO_GLTF
    assert (normals[:-1] * expected).sum(1).min() > 0.99


def test_one_opaque_single_sided_material_and_the_extras(tmp_path: Path) -> None:
    extras = {"person": "0", "licence": "CC0-1.0"}
    _, tree = read(write_glb(tmp_path / "a.glb", *torus(), name="person 0", extras=extras))
    (material,) = tree["materials"]
    assert material["doubleSided"] is False
    assert material["alphaMode"] == "OPAQUE"
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert "baseColorFactor" in material["pbrMetallicRoughness"]
    assert tree["asset"]["extras"] == extras
    assert [mesh["name"] for mesh in tree["meshes"]] == ["person 0"]


def test_vertex_colours_become_linear(tmp_path: Path) -> None:
    vertices, faces = torus()
    colors = np.full((len(vertices), 3), [255, 128, 0], np.uint8)
    path = write_glb(tmp_path / "a.glb", vertices, faces, colors)
    assert (attribute(path, "COLOR_0") == [255, 55, 0, 255]).all()
    assert read(path)[1]["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] == [1, 1, 1, 1]
    write_glb(tmp_path / "b.glb", vertices, faces, colors / 255)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_the_same_mesh_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_glb(tmp_path / name, *torus(), extras={"licence": "CC0-1.0"}) for name in ("a.glb", "b.glb"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("vertices", "faces", "colors", "message"),
    [
        (np.zeros((3, 2)), [[0, 1, 2]], None, r"give \(V, 3\) finite"),
        (np.full((3, 3), np.nan), [[0, 1, 2]], None, r"give \(V, 3\) finite"),
        (np.zeros((3, 3)), [[0, 1, 3]], None, "there are 3, counted from 0."),
        (np.zeros((3, 3)), [[0.0, 1.0, 2.0]], None, r"give \(F, 3\) integers"),
        (np.zeros((3, 3)), [[0, 1, 2]], np.zeros((2, 3)), r"give \(3, 3\)"),
        (np.zeros((3, 3)), [[0, 1, 2]], np.full((3, 3), 7.0), "between 0 and 1"),
    ],
)
def test_refuses_what_is_no_mesh(tmp_path: Path, vertices: Any, faces: Any, colors: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_glb(tmp_path / "a.glb", vertices, faces, colors)
    assert not (tmp_path / "a.glb").exists()
