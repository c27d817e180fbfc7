"""A motion as animated glTF 2.0 (.glb): the skinned body, its 55 joints, the face as morph targets.

In: a `Clip` and its body. Out: one .glb that Blender, Unity, Unreal, Godot and three.js open. World: glTF's axes, m,
the clip's camera at the origin, and a camera node with its field of view.

Skinning has eight influences a vertex, in two sets, the largest four in the first. The open body has at most seven; on
160 synthetic people, eight influences differ from the body layer by less than 0.001 mm, and four, renormalised, by up
to 19 mm (0.04 mm mean). Programs that read the first set only, such as three.js, show the latter. glTF cannot express
the pose correctives of a user's own SMPL-X file, so they are left out.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.contract import NUM_EXPRESSION
from coevoer_edge.output.animation.clip import Clip, rest_joints
from coevoer_edge.output.animation.gltf import ElementType, GltfFile, Index
from coevoer_edge.output.animation.motion import Motion, motion_of
from coevoer_edge.output.animation.quaternions import continuous, matrix_to_quaternion
from coevoer_edge.output.meshes import CAMERA_TO_GLTF, DEFAULT_COLOR, ROUGHNESS, linear_colors, smooth_normals

INFLUENCES = 8
_MOVES_M = 1e-6  # a joint whose position in its parent changes by less than this gets no translation track


def write_animated_glb(
    path: Path | str,
    clip: Clip,
    body: BodyModel,
    *,
    focal_px: float | None = None,
    extras: dict[str, str] | None = None,
) -> Path:
    """Write a clip; the same arguments give the same bytes.

    The clip's shape (`Clip.shape`) is in the mesh. Keyframes are at the frames' own times; frames without a person have
    none, so viewers interpolate across them. `focal_px` is the real lens in pixels of the frame (`motion.real_camera`
    without it); `extras` goes into `asset.extras`. Raises `InputError` for a clip without any person.
    """
    motion = motion_of(clip, body, focal_px)
    file = GltfFile(extras)
    joints = _add_joints(file, motion)
    mesh = _add_mesh(file, body, motion.betas)
    matrices = np.tile(np.eye(4), (NUM_JOINTS, 1, 1))
    matrices[:, :3, 3] = -motion.joints_m
    inverse = file.accessor(matrices.swapaxes(1, 2).reshape(-1, 16), "MAT4")  # glTF stores columns
    skin = file.add("skins", {"joints": joints, "inverseBindMatrices": inverse, "skeleton": joints[0]})
    person = file.add("nodes", {"name": "person", "mesh": mesh, "skin": skin})
    W, H = motion.frame_size_px
    lens = {"yfov": 2 * math.atan(H / 2 / motion.camera.focal_px), "aspectRatio": W / H, "znear": 0.05}
    camera = file.add("cameras", {"type": "perspective", "perspective": lens})
    view = file.add("nodes", {"name": "camera", "camera": camera})
    file.add("scenes", {"nodes": [joints[0], person, view]})
    _add_animation(file, body, motion, joints, person)
    return file.write(path)


def skin_influences(weights: NDArray[np.floating], count: int = INFLUENCES) -> tuple[NDArray[np.int64], Float64Array]:
    """(V, 55) to the `count` largest, joints and weights (V, count) each; the weights sum to 1."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, order, axis=1).astype(np.float64)
    kept /= kept.sum(1, keepdims=True)
    return np.where(kept > 0, order, 0), kept


def _add_joints(file: GltfFile, motion: Motion) -> list[Index]:
    """The skeleton at rest, in SMPL-X's order, and each joint's node."""
    joints = [Index(file.count("nodes") + i) for i in range(NUM_JOINTS)]
    for i, name in enumerate(JOINT_NAMES):
        place = motion.joints_m[i] - (motion.joints_m[PARENTS[i]] if PARENTS[i] >= 0 else 0)
        children = [joints[j] for j in range(NUM_JOINTS) if PARENTS[j] == i]
        below = {"children": children} if children else {}
        file.add("nodes", {"name": name, "translation": place.tolist(), **below})
    return joints


def _add_mesh(file: GltfFile, body: BodyModel, betas: Float64Array) -> Index:
    shapedirs = body.file.shapedirs.astype(np.float64)
    vertices = body.file.v_template + shapedirs[..., : len(betas)] @ betas  # V 3
    joints, weights = skin_influences(body.file.weights)
    attributes = {
        "POSITION": file.accessor(vertices, "VEC3", target="vertices", bounds=True),
        "NORMAL": file.accessor(smooth_normals(vertices, body.faces), "VEC3", target="vertices"),
    }
    for i in range(INFLUENCES // 4):
        part = slice(4 * i, 4 * i + 4)
        attributes[f"JOINTS_{i}"] = file.accessor(joints[:, part].astype(np.uint8), "VEC4", target="vertices")
        attributes[f"WEIGHTS_{i}"] = file.accessor(weights[:, part], "VEC4", target="vertices")
    primitive = {
        "attributes": attributes,
        "indices": file.accessor(body.faces.astype(np.uint32).reshape(-1), "SCALAR", target="faces"),
        "material": file.add("materials", _material()),
        "targets": [{"POSITION": file.sparse(shapedirs[..., len(betas) + i])} for i in range(NUM_EXPRESSION)],
    }
    names = [str(name) for name in body.extras.get("expression_names", [f"exp_{i}" for i in range(NUM_EXPRESSION)])]
    extras = {"targetNames": names[:NUM_EXPRESSION]}
    rest = [0.0] * NUM_EXPRESSION
    return file.add("meshes", {"name": "body", "primitives": [primitive], "weights": rest, "extras": extras})


def _material() -> dict[str, Any]:
    color = (linear_colors([DEFAULT_COLOR], 1)[0] / 255).tolist()
    surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    return {"name": "body", "pbrMetallicRoughness": surface}


def _add_animation(file: GltfFile, body: BodyModel, motion: Motion, joints: list[Index], person: Index) -> None:
    times = file.accessor(motion.times_s, "SCALAR", bounds=True)
    quaternions = continuous(matrix_to_quaternion(motion.rotations))  # N 55 4
    places = _places(body, motion)  # N 55 3
    moves = np.abs(places - places[0]).max((0, 2)) > _MOVES_M
    tracks: list[tuple[Index, str, Float64Array, ElementType]] = [
        (joints[i], "rotation", quaternions[:, i], "VEC4") for i in range(NUM_JOINTS)
    ]
    tracks += [(joints[i], "translation", places[:, i], "VEC3") for i in range(NUM_JOINTS) if i == 0 or moves[i]]
    tracks += [(person, "weights", motion.expression.reshape(-1), "SCALAR")]
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for node, property_name, values, kind in tracks:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": property_name}})
        samplers.append({"input": times, "output": file.accessor(values, kind), "interpolation": "LINEAR"})
    file.add("animations", {"name": "motion", "samplers": samplers, "channels": channels})


def _places(body: BodyModel, motion: Motion) -> Float64Array:
    """(N, 55, 3) of each joint in its parent, m, such that skinning with the rest skeleton is the body layer's.

    In the layer, the expression moves the joints at rest too (the jaw by up to a millimetre). It takes a vertex v to
    G (v - j) + p, a glTF skin to G (v - j0) + t: so t = p + G (j0 - j), which is returned in the parent's frame.
    """
    moved = np.stack([rest_joints(body, motion.betas, e) for e in motion.expression])  # N 55 3
    lag = motion.joints_m - moved  # j0 - j
    places = np.empty_like(moved)
    places[:, 0] = motion.pelvis_m - lag[:, 0] @ CAMERA_TO_GLTF.T + _turn(motion.rotations[:, 0], lag[:, 0])
    for i in range(1, NUM_JOINTS):
        parent = PARENTS[i]
        offset = moved[:, i] - moved[:, parent]
        places[:, i] = offset + _turn(motion.rotations[:, i], lag[:, i]) - lag[:, parent]
    return places


def _turn(rotations: Float64Array, points: Float64Array) -> Float64Array:
    """(N, 3, 3) times (N, 3)."""
    result: Float64Array = np.einsum("nij,nj->ni", rotations, points)
    return result
