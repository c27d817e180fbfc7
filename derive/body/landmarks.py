"""The 51 facial landmarks of SMPL-X (iBUG 68 without the contour), found on a picture of the mean face.

In: the mean person in the T-pose. Out: faces and barycentric weights. Only `derive` imports this module.
"""

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array, Int64Array
from coevoer_edge.body.joints import JOINT_NAMES
from derive.body.face import FaceView, painted
from derive.body.source import EYE_VERTICES, Source

Pixels = list[tuple[int, int]]  # row, column
Mask = NDArray[np.bool_]

# iBUG's order runs from the person's right to the left. These are points of the right half, mirrored to the left.
_BROW_X, _BROW_Y = (1.62, 1.38, 1.08, 0.76, 0.44), (0.45, 0.68, 0.78, 0.72, 0.56)  # in eye distances from the midline
_NOSTRIL_X = (0.40, 0.21)


def landmarks(
    source: Source, vertices: Float64Array, joints: Float64Array, weights: Float64Array
) -> tuple[Int64Array, Float64Array]:
    """Face index (51,) and corner weights (51, 3)."""
    eye = joints[JOINT_NAMES.index("left_eye_smplhf")]
    view = FaceView(vertices, source.faces, np.array((0.0, eye[1] - 0.03, eye[2])))
    eyeball = _seen(view, source, np.isin(source.base_index, [*EYE_VERTICES["left"], *EYE_VERTICES["right"]]))
    lips = _seen(view, source, painted(source, "lips"))
    lower = _seen(view, source, weights[:, JOINT_NAMES.index("jaw")] > 0.5) & lips
    right_half = [_brow(view, eye), _nose(view, eye, lips), _eye(eyeball, view), _mouth(lips, lower, view)]
    pixels = _mirrored(right_half, view)
    found = [view.landmark(row, column) for row, column in pixels]
    return np.array([face for face, _ in found]), np.array([corner for _, corner in found])


def _seen(view: FaceView, source: Source, members: Mask) -> Mask:
    """Pixels (H, W) whose face has at least two corners among the given vertices."""
    inside = members[source.faces].sum(axis=1) >= 2
    return np.asarray(np.append(inside, False)[view.face])


def _brow(view: FaceView, eye: Float64Array) -> Pixels:
    return [(view.row(eye[1] + y * eye[0]), view.column(-x * eye[0])) for x, y in zip(_BROW_X, _BROW_Y, strict=True)]


def _nose(view: FaceView, eye: Float64Array, lips: Mask) -> Pixels:
    """Four points from the bridge to the tip, then two to the right of the base's middle, and the middle itself."""
    middle = view.column(0.0)
    top, lip = view.row(eye[1]), int(np.argmax(lips[:, middle]))
    tip = top + int(np.argmax(view.z[top:lip, middle]))
    base = tip + int(np.argmin(view.z[tip:lip, middle]))
    bridge = [(round(top + i * (tip - top) / 3), middle) for i in range(4)]
    return [*bridge, *((base - 8, view.column(-x * eye[0])) for x in _NOSTRIL_X), (base, middle)]


def _eye(eyeball: Mask, view: FaceView) -> Pixels:
    """The right eye's opening: outer corner, two upper, inner corner, two lower points, all on the lids' rims."""
    seen = eyeball.copy()
    seen[:, view.column(0.0) :] = False
    columns = np.flatnonzero(seen.any(axis=0))
    outer, inner = int(columns[0]), int(columns[-1])
    thirds = [round(outer + share * (inner - outer)) for share in (0.32, 0.68)]
    upper = [(int(np.argmax(seen[:, c])) - 2, c) for c in thirds]
    under = [(len(seen) - int(np.argmax(seen[::-1, c])) + 1, c) for c in reversed(thirds)]
    corners = [(int(np.mean(np.flatnonzero(seen[:, c]))), c + step) for c, step in ((outer, -2), (inner, 2))]
    return [corners[0], *upper, corners[1], *under]


def _mouth(lips: Mask, lower: Mask, view: FaceView) -> Pixels:
    """The lips' right half: corner, 3 top and 3 bottom outline points, inner corner, 2 inner top, 2 inner bottom."""
    columns = np.flatnonzero(lips.any(axis=0))
    corner, middle = int(columns[0]), view.column(0.0)
    half = middle - corner

    def outline(c: int) -> tuple[int, int, int]:
        rows = np.flatnonzero(lips[:, c])
        seam = int(np.flatnonzero(lower[:, c])[0]) if lower[:, c].any() else int(rows.mean())
        return int(rows[0]), seam, int(rows[-1])

    at = [corner + round(share * half) for share in (0.40, 0.80, 1.0)]
    rows = [outline(c) for c in at]
    corner_row = outline(corner + round(0.06 * half))[1]
    inner_at = [corner + round(share * half) for share in (0.12, 0.62, 1.0)]
    inner = [outline(c)[1] for c in inner_at]
    top = [(row[0], c) for row, c in zip(rows, at, strict=True)]
    bottom = [(row[2], c) for row, c in zip(rows, at, strict=True)]
    inner_top = [(r - 3, c) for r, c in zip(inner[1:], inner_at[1:], strict=True)]
    inner_bottom = [(r + 3, c) for r, c in zip(inner[1:], inner_at[1:], strict=True)]
    return [(corner_row, corner + 2), *top, *bottom, (inner[0], inner_at[0]), *inner_top, *inner_bottom]


def _mirrored(right_half: list[Pixels], view: FaceView) -> Pixels:
    """All 51 landmarks in iBUG's order."""
    middle = view.column(0.0)

    def left(pixels: Pixels) -> Pixels:
        return [(row, 2 * middle - column) for row, column in pixels]

    brow, nose, eye, mouth = right_half
    corner, top, bottom, inner_corner, inner_top, inner_bottom = (
        mouth[:1],
        mouth[1:4],
        mouth[4:7],
        mouth[7:8],
        mouth[8:10],
        mouth[10:12],
    )
    left_eye = [left(eye)[i] for i in (3, 2, 1, 0, 5, 4)]
    outer = [*corner, *top, *left(top[:2])[::-1], *left(corner), *left(bottom[:2]), *bottom[::-1]]
    inner = [*inner_corner, *inner_top, *left(inner_top[:1]), *left(inner_corner), *left(inner_bottom[:1])]
    inner += inner_bottom[::-1]
    return [*brow, *left(brow)[::-1], *nose, *left(nose[4:6])[::-1], *eye, *left_eye, *outer, *inner]
