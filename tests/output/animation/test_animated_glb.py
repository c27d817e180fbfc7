"""The animated .glb read back by pygltflib and played by glTF's own rules: the body layer's vertices."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from motions import CAMERA, SIZE_PX, moving_clip, place_at

from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.output.animation.glb import skin_influences, write_animated_glb
from coevoer_edge.output.animation.motion import real_camera
from coevoer_edge.output.meshes import CAMERA_TO_GLTF
from coevoer_edge.pipeline.camera import convert_translation

pygltflib = pytest.importorskip("pygltflib", reason="pygltflib reads the file back; it comes with the extra test")

DTYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Player:
    """Poses a glTF file by the rules of its specification; knows nothing of SMPL-X."""

    def __init__(self, path: Path) -> None:
        self.gltf: Any = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()
        self.animation = self.gltf.animations[0]

    def view(self, index: int, dtype: Any, offset: int = 0) -> np.ndarray:
        view = self.gltf.bufferViews[index]
        start = view.byteOffset + (offset or 0)
        return np.frombuffer(self.blob[start : view.byteOffset + view.byteLength], dtype)

    def accessor(self, index: int) -> np.ndarray:
        a = self.gltf.accessors[index]
        width, dtype = WIDTHS[a.type], DTYPES[a.componentType]
        if a.bufferView is None:
            values = np.zeros((a.count, width), dtype)
        else:
            values = self.view(a.bufferView, dtype, a.byteOffset)[: a.count * width].reshape(a.count, width).copy()
        if a.sparse is not None:
            rows = self.view(a.sparse.indices.bufferView, DTYPES[a.sparse.indices.componentType])[: a.sparse.count]
            values[rows] = self.view(a.sparse.values.bufferView, dtype)[: a.sparse.count * width].reshape(-1, width)
        return values

    @property
    def times(self) -> np.ndarray:
        return self.accessor(self.animation.samplers[0].input)[:, 0]

    def vertices(self, frame: int) -> np.ndarray:
        """Vertices (V, 3) in the world at a keyframe."""
        places = {i: np.array(n.translation or (0, 0, 0), float) for i, n in enumerate(self.gltf.nodes)}
        turns = {i: np.array(n.rotation or (0, 0, 0, 1), float) for i, n in enumerate(self.gltf.nodes)}
        mesh_node = next(n for n in self.gltf.nodes if n.mesh is not None)
        mesh, skin = self.gltf.meshes[mesh_node.mesh], self.gltf.skins[mesh_node.skin]
        morph = np.array(mesh.weights)
        for channel in self.animation.channels:
            values = self.accessor(self.animation.samplers[channel.sampler].output)
            if channel.target.path == "weights":
                morph = values.reshape(len(self.times), -1)[frame]
            else:
                {"rotation": turns, "translation": places}[channel.target.path][channel.target.node] = values[frame]
        world = {}
        pending = [(root, np.eye(4)) for root in self.gltf.scenes[self.gltf.scene].nodes]
        while pending:
            index, above = pending.pop()
            world[index] = above @ matrix_of(turns[index], places[index])
            pending += [(child, world[index]) for child in self.gltf.nodes[index].children or ()]
        inverse = self.accessor(skin.inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2)
        joints = np.stack([world[j] for j in skin.joints]) @ inverse  # 55 4 4
        primitive = mesh.primitives[0]
        vertices = self.accessor(primitive.attributes.POSITION).astype(float)
        for weight, target in zip(morph, primitive.targets, strict=True):
            index = target["POSITION"] if isinstance(target, dict) else target.POSITION
            vertices += weight * self.accessor(index)
        blended = sum(
            self.accessor(getattr(primitive.attributes, f"WEIGHTS_{s}"))[:, i, None, None]
            * joints[self.accessor(getattr(primitive.attributes, f"JOINTS_{s}"))[:, i]]
            for s in (0, 1)
            for i in range(4)
        )
        return np.einsum("vij,vj->vi", blended[:, :3, :3], vertices) + blended[:, :3, 3]


def matrix_of(quaternion: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y, z, w = quaternion
    matrix = np.eye(4)
    matrix[:3, 3] = place
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return matrix


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


def test_played_back_it_is_the_body_layer(body, tmp_path):
    clip = moving_clip(gaps=(6,))
    clip = replace(clip, expression=clip.expression + 1)  # the face moves, and with it the jaw's joint
    player = Player(write_animated_glb(tmp_path / "a.glb", clip, body))
    with_person = np.flatnonzero(clip.found)
    np.testing.assert_allclose(player.times, clip.timestamps_ms[with_person] / 1000, atol=1e-6)
    for keyframe in (0, 5, 9, 14):
        i = int(with_person[keyframe])
        shift = convert_translation(place_at(i), CAMERA, real_camera(SIZE_PX))
        truth = (body.pose(clip.parameters(i)).vertices + shift) @ CAMERA_TO_GLTF.T
        distance_mm = np.linalg.norm(player.vertices(keyframe) - truth, axis=1) * 1000
        assert distance_mm.max() < 0.1


def test_a_known_lens_is_used(body, tmp_path):
    path = write_animated_glb(tmp_path / "a.glb", moving_clip(), body, focal_px=500.0)
    player = Player(path)
    camera = player.gltf.cameras[0].perspective
    assert np.degrees(camera.yfov) == pytest.approx(np.degrees(2 * np.arctan(240 / 500)))
    shift = convert_translation(place_at(0), CAMERA, real_camera(SIZE_PX, 500.0))
    truth = (body.pose(moving_clip().parameters(0)).vertices + shift) @ CAMERA_TO_GLTF.T
    np.testing.assert_allclose(player.vertices(0), truth, atol=1e-4)


def test_skeleton_and_names(body, tmp_path):
    gltf = Player(write_animated_glb(tmp_path / "a.glb", moving_clip(), body, extras={"licence": "CC0-1.0"})).gltf
    assert [gltf.nodes[j].name for j in gltf.skins[0].joints] == list(JOINT_NAMES)
    assert gltf.meshes[0].extras["targetNames"][0] == "smile"
    assert gltf.asset.extras == {"licence": "CC0-1.0"}
    targets = {(c.target.node, c.target.path) for c in gltf.animations[0].channels}
    assert len(targets) == len(gltf.animations[0].channels)


def test_quaternions_take_the_short_way(body, tmp_path):
    player = Player(write_animated_glb(tmp_path / "a.glb", moving_clip(), body))
    for channel in player.animation.channels:
        if channel.target.path == "rotation":
            q = player.accessor(player.animation.samplers[channel.sampler].output)
            np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1, atol=1e-6)
            assert (np.sum(q[1:] * q[:-1], axis=1) > 0).all()


def test_trimesh_opens_it(body, tmp_path):
    path = write_animated_glb(tmp_path / "a.glb", moving_clip(), body)
    (mesh,) = trimesh.load(path, process=False).geometry.values()
    assert len(mesh.vertices) == body.num_vertices
    np.testing.assert_array_equal(mesh.faces, body.faces)


def test_influences_are_the_largest_and_sum_to_one(body):
    weights = body.file.weights
    joints, kept = skin_influences(weights)
    np.testing.assert_allclose(kept.sum(1), 1, atol=1e-6)
    assert (np.diff(kept, axis=1) <= 0).all()
    assert (np.take_along_axis(weights, joints, 1)[:, 0] == weights.max(1)).all()
    assert (joints[kept == 0] == 0).all()


def test_one_frame_and_the_same_bytes(body, tmp_path):
    clip = moving_clip(gaps=range(1, 16))
    first, second = (write_animated_glb(tmp_path / name, clip, body) for name in ("a.glb", "b.glb"))
    assert first.read_bytes() == second.read_bytes()
    assert Player(first).times.tolist() == [0]


VALIDATE = (
    "const fs = require('fs');"
    "require('gltf-validator').validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))"
    ".then(r => console.log(JSON.stringify(r.issues)));"
)


def test_khronos_validator_finds_nothing(body, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed; the Khronos validator runs on it")
    found = subprocess.run(["node", "-e", "require.resolve('gltf-validator')"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip("npm's gltf-validator is not installed: npm install -g gltf-validator, NODE_PATH=$(npm root -g)")
    clip = moving_clip(gaps=(3,))
    path = write_animated_glb(tmp_path / "a.glb", clip, body, extras={"licence": body.licence})
    result = subprocess.run(["node", "-e", VALIDATE, str(path)], capture_output=True, text=True, check=True)
    issues = json.loads(result.stdout)
    assert issues["messages"] == []
    assert issues["numErrors"] == issues["numWarnings"] == 0
