"""Meshes on disk, as binary glTF 2.0 that viewers and engines open directly.

In: vertices in the camera frame and faces. Out: a .glb file.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import write_whole

DEFAULT_COLOR = (0.62, 0.77, 0.94)  # sRGB
ROUGHNESS = 0.65

CAMERA_TO_GLTF = np.diag([1.0, -1.0, -1.0])
"""Half a turn about x: (x right, y down, z into the scene) to glTF's (x right, y up, z towards the viewer).

A rotation, so faces keep their winding and the person keeps left and right. It is its own inverse.
"""


def write_glb(
    path: Path | str,
    vertices_cam: ArrayLike,
    faces: ArrayLike,
    vertex_colors: ArrayLike | None = None,
    *,
    name: str = "person",
    extras: dict[str, str] | None = None,
) -> Path:
    """Write one mesh; the same arguments give the same bytes.

    `vertices_cam` (V, 3) is in the camera frame (x right, y down, z into the scene), m; the file holds it turned half
    about x (`CAMERA_TO_GLTF`), so that a viewer at glTF's default camera (at the origin, y up, looking along -z) sees
    what the camera saw. `faces` (F, 3) run counterclockwise seen from outside. `vertex_colors` is (V, 3), sRGB: uint8
    or floats in [0, 1]. `extras` (such as the body model's licence) goes into the file's `asset.extras`, `name` names
    its mesh. Vertices and faces keep their order; normals are smooth; one opaque, single-sided material.
    """
    import trimesh

    vertices, triangles = _check(vertices_cam, faces)
    colors = None if vertex_colors is None else linear_colors(vertex_colors, len(vertices))
    turned = vertices @ CAMERA_TO_GLTF.T
    mesh = trimesh.Trimesh(turned, triangles, vertex_normals=smooth_normals(turned, triangles), process=False)
    mesh.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(
            name="body",
            baseColorFactor=[255, 255, 255, 255] if colors is not None else linear_colors([DEFAULT_COLOR], 1)[0],
            metallicFactor=0.0,
            roughnessFactor=ROUGHNESS,
            alphaMode="OPAQUE",
            doubleSided=False,
        )
    )
    if colors is not None:
        mesh.visual.vertex_attributes["color"] = colors
    scene = trimesh.Scene(base_frame="world")
    scene.add_geometry(mesh, node_name=name, geom_name=name)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = "coevoer-edge"
        if extras:
            tree["asset"]["extras"] = dict(sorted(extras.items()))

    content: bytes = trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=finish)
    write_whole(path, content)
    return Path(path)


def _check(vertices_cam: ArrayLike, faces: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    vertices, triangles = np.asarray(vertices_cam, np.float64), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices) or not np.isfinite(vertices).all():
        raise InputError(f"vertices_cam is {vertices.shape}; give (V, 3) finite numbers in metres.")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles) or triangles.dtype.kind not in "iu":
        raise InputError(f"`faces` is {triangles.shape} {triangles.dtype}; give (F, 3) integers.")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise InputError(
            f"`faces` names vertices {triangles.min()} to {triangles.max()}; there are {len(vertices)}, counted from 0."
        )
    return vertices, triangles.astype(np.int64)


def smooth_normals(vertices: NDArray[np.float64], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """(V, 3) unit normals weighted by area; straight up where a vertex has no face, since glTF wants unit length."""
    corner = vertices[faces]  # F 3 3
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])  # F 3
    total = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(total, faces[:, i], normal)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.where(length > 0, length, 1), [0.0, 1.0, 0.0])


def linear_colors(colors: ArrayLike, count: int) -> NDArray[np.uint8]:
    """SRGB (V, 3) to linear RGBA (V, 4) uint8: glTF's factors and vertex colours are linear."""
    given = np.asarray(colors)
    if given.shape != (count, 3):
        raise InputError(f"vertex_colors is {given.shape}; give ({count}, 3).")
    srgb = given / 255.0 if given.dtype == np.uint8 else given.astype(np.float64)
    if not ((srgb >= 0) & (srgb <= 1)).all():
        raise InputError("vertex_colors must be uint8, or floats between 0 and 1.")
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    rgba: NDArray[np.float64] = np.concatenate([linear, np.ones((count, 1))], 1)
    return np.rint(rgba * 255).astype(np.uint8)
