"""Meshes to pixels for overlays, in numpy alone: an installation that only runs bundles has no torch.

In: vertices in pixels with depth, faces, the light at each vertex. Out: light and cover of each pixel.
`data.rasterizer` renders training pictures by the same rules on batches and on a GPU; a test holds the two together.
Vertices are snapped to 1/256 px and edges are tested in integers, so that neighbours share no pixel and leave no crack.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array, Int64Array
from coevoer_edge.pipeline.camera import NEAR_M

LIMIT_PX = 1 << 16  # a face with a vertex farther out than this is dropped

_ONE = 256
_HALF = 128
_EMPTY = np.iinfo(np.int64).max
_CREASE = 0.03  # of the range of depths in sight: a step between neighbours that is an edge
_FINER = 2  # samples along each side of a pixel that holds an edge


@dataclass(frozen=True)
class Triangles:
    """M faces on the screen, with their corners in 1/256 px from the image's top left corner."""

    face: Int64Array  # M
    x: Float64Array  # 3 M, whole numbers: float64 holds their products exactly and multiplies faster than int64
    y: Float64Array  # 3 M
    turn: Float64Array  # M: 1 where the corners run clockwise on the screen, -1 where not
    inverse_depth: Float64Array  # 3 M, 1/m: at corner 0, its change per 1/256 px of x, and of y
    light: Float64Array  # 3 M: the same of the light

    def finer(self) -> "Triangles":
        """On an image of twice the size."""
        halves = np.array([[1], [1 / _FINER], [1 / _FINER]])
        return replace(
            self,
            x=self.x * _FINER,
            y=self.y * _FINER,
            inverse_depth=self.inverse_depth * halves,
            light=self.light * halves,
        )


@dataclass(frozen=True)
class ScreenView:
    """What each of N samples sees. Empty samples hold triangle -1 and depth infinity."""

    x_px: Int64Array  # N: the sample's pixel
    y_px: Int64Array  # N
    triangle: Int64Array  # N
    depth: NDArray[np.float32]  # N, m


def render_light(
    points_px: NDArray[np.floating],
    faces: NDArray[np.integer],
    light: NDArray[np.floating],
    height: int,
    width: int,
    *,
    cull_backfaces: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Light and cover (H, W), in [0, 1], of a mesh with `light` (V,) at its vertices; light is multiplied by cover.

    `points_px` is (V, 3): x px, y px, depth m; the centre of the top left pixel is (0.5, 0.5). `faces` is (F, 3).
    Pixels that hold an edge (an outline, or a crease where one part hides another) are sampled 2 x 2 times.
    """
    triangles = set_up(points_px, faces, light, cull_backfaces=cull_backfaces)
    view = look(triangles, height, width)
    shown = _lit(view, triangles).reshape(height, width)
    cover = (view.triangle >= 0).astype(np.float32).reshape(height, width)
    edges = _edges(view.depth.reshape(height, width))
    if edges.any():
        triangles = triangles.finer()
        view = look(triangles, height * _FINER, width * _FINER, blocks=edges)
        shown[edges] = _lit(view, triangles).reshape(-1, _FINER**2).mean(1)
        cover[edges] = (view.triangle >= 0).reshape(-1, _FINER**2).mean(1)
    return shown, cover


def set_up(
    points_px: NDArray[np.floating],
    faces: NDArray[np.integer],
    light: NDArray[np.floating],
    *,
    cull_backfaces: bool = False,
) -> Triangles:
    """Snap vertices, gather corners, and leave out what cannot be seen.

    Faces with a vertex at depth <= `NEAR_M`, not finite or beyond `LIMIT_PX` are dropped whole. A face whose corners
    run clockwise on the screen (x right, y down) is a back face.
    """
    x_px, y_px, depth = np.ascontiguousarray(points_px.T, np.float64)  # rows of three would take three times as long
    with np.errstate(invalid="ignore"):
        usable = (depth > NEAR_M) & np.isfinite(depth) & (np.abs(x_px) < LIMIT_PX) & (np.abs(y_px) < LIMIT_PX)
    corner = np.ascontiguousarray(faces.T)  # 3 F
    x, y = (np.rint(np.where(usable, values * _ONE, 0))[corner] for values in (x_px, y_px))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    facing = area < 0 if cull_backfaces else area != 0
    face = np.flatnonzero(facing if usable.all() else facing & usable[corner].all(0))
    x, y, area, corner = x[:, face], y[:, face], area[face], corner[:, face]
    with np.errstate(all="ignore"):
        inverse = 1 / depth

    def plane(values: NDArray[np.floating]) -> Float64Array:
        """(V,) values at vertices to their value at corner 0 and their change by x and by y."""
        first, second, third = np.asarray(values, np.float64)[corner]
        by_x = ((y[2] - y[0]) * (second - first) - (y[1] - y[0]) * (third - first)) / area
        by_y = ((x[1] - x[0]) * (third - first) - (x[2] - x[0]) * (second - first)) / area
        return np.stack([first, by_x, by_y])

    return Triangles(face, x, y, np.sign(area), plane(inverse), plane(light))


def look(triangles: Triangles, height: int, width: int, *, blocks: NDArray[np.bool_] | None = None) -> ScreenView:
    """Find the nearest triangle at every pixel centre, row by row; at equal depth the lower index wins.

    `blocks` (height / 2, width / 2) names the squares of 2 x 2 pixels that are looked at; the samples are theirs then,
    square by square. A pixel exactly on an edge belongs to the face right of or below it (top-left rule).
    """
    slot_of = None
    if blocks is None:
        y_px, x_px = (part.ravel() for part in np.indices((height, width)))
    else:
        rows, columns = np.nonzero(blocks)
        y_px = (rows[:, None] * _FINER + (0, 0, 1, 1)).ravel()
        x_px = (columns[:, None] * _FINER + (0, 1, 0, 1)).ravel()
        slot_of = np.full(blocks.shape, -1, np.int64)
        slot_of[rows, columns] = np.arange(len(rows)) * _FINER**2
    buffer = np.full(len(x_px), _EMPTY, np.int64)
    corners = [(values[0], values[1], values[2]) for values in (triangles.x, triangles.y)]
    low = np.stack([np.minimum(np.minimum(a, b), c) for a, b, c in corners])
    high = np.stack([np.maximum(np.maximum(a, b), c) for a, b, c in corners])
    first = np.maximum(np.ceil((low - _HALF) / _ONE), 0).astype(np.int64)  # its centre is the first at or after `low`
    last = np.minimum(np.floor((high - _HALF) / _ONE), [[width - 1], [height - 1]]).astype(np.int64)
    inside = (first[0] <= last[0]) & (first[1] <= last[1])
    if blocks is not None:
        inside &= _touching(first, last, blocks)
    chosen = np.flatnonzero(inside)
    if len(chosen):
        _cover(buffer, triangles, chosen, first[:, chosen], last[:, chosen], width, slot_of)
    triangle = np.where(buffer == _EMPTY, -1, buffer & 0xFFFFFFFF)
    depth = (buffer >> 32).astype(np.int32).view(np.float32)
    depth[triangle < 0] = np.inf
    return ScreenView(x_px, y_px, triangle, depth)


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float32]:
    """Unit normals (V, 3) of (V, 3) vertices: the faces' normals weighted by area; zero where no face is.

    They point out of a mesh whose faces run counterclockwise seen from outside.
    """
    axes = np.ascontiguousarray(np.asarray(vertices, np.float32).T)  # 3 V
    first, second, third = np.ascontiguousarray(faces.T)
    a = axes[:, first]
    u, v = axes[:, second] - a, axes[:, third] - a  # 3 F
    cross = np.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]])
    corners = np.concatenate([first, second, third])
    total = np.stack([np.bincount(corners, np.tile(row, 3), axes.shape[1]) for row in cross])
    length = np.sqrt((total**2).sum(0))
    return np.asarray((total / np.maximum(length, np.finfo(np.float64).tiny)).T, np.float32)


def _touching(first: Int64Array, last: Int64Array, blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(M,): whose box of pixels, from `first` to `last`, meets a wanted square, by a summed-area table."""
    height, width = blocks.shape
    padded = np.zeros((height + 1, width + 1), np.int32)
    padded[1:, 1:] = blocks.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    table = padded.ravel()
    limit = np.array([[width], [height]])
    (x0, y0), (x1, y1) = np.minimum(first // _FINER, limit), np.clip(last // _FINER + 1, 0, limit)
    above, below = y0 * (width + 1), y1 * (width + 1)
    return np.asarray(table[below + x1] - table[above + x1] - table[below + x0] + table[above + x0] > 0)


def _cover(
    buffer: Int64Array,
    triangles: Triangles,
    chosen: Int64Array,
    first: Int64Array,
    last: Int64Array,
    width: int,
    slot_of: Int64Array | None,
) -> None:
    """Find the pixels whose centre lies in each chosen triangle; keep the nearest (depth, triangle) in `buffer`.

    An edge function is A dx + B dy + C, where dx, dy count whole pixels from the box's `first`: with A and B in
    1/256 px and C divided by 256 and rounded down, its sign is exact. So is the span of each row on which all three are
    at least 0, since quotients of such integers in float64 are rounded by less than their distance from the next one.
    """
    x, y = triangles.x[:, chosen], triangles.y[:, chosen]
    a = (y - y[[1, 2, 0]]) * triangles.turn[chosen]  # 3 n
    b = (x[[1, 2, 0]] - x) * triangles.turn[chosen]
    c = a * (first[0] * _ONE + _HALF - x) + b * (first[1] * _ONE + _HALF - y)
    c -= ~((a > 0) | ((a == 0) & (b > 0)))  # top-left rule: a centre on any other edge is outside
    c = np.floor(c / _ONE)
    rows = last[1] - first[1] + 1
    which = np.arange(len(chosen)).repeat(rows)  # R: rows of all triangles
    dy = (np.arange(len(which)) - (rows.cumsum() - rows).repeat(rows)).astype(np.float64)
    left, right = np.zeros(len(which)), (last[0] - first[0]).astype(np.float64).repeat(rows)
    for a_i, b_i, c_i in zip(a, b, c, strict=True):
        edge, slope = b_i.repeat(rows) * dy + c_i.repeat(rows), a_i.repeat(rows)
        with np.errstate(all="ignore"):
            crossing = -edge / slope
        np.maximum(left, np.ceil(crossing), out=left, where=slope > 0)
        np.minimum(right, np.floor(crossing), out=right, where=slope < 0)
        right[(slope == 0) & (edge < 0)] = -1
    some = np.flatnonzero(right >= left)
    which, dy, left = which[some], dy[some].astype(np.int64), left[some].astype(np.int64)
    length = right[some].astype(np.int64) - left + 1
    inverse, by_x, by_y = triangles.inverse_depth[:, chosen]
    start = inverse + by_x * (first[0] * _ONE + _HALF - x[0]) + by_y * (first[1] * _ONE + _HALF - y[0])
    at_left = start[which] + (by_x * _ONE)[which] * left + (by_y * _ONE)[which] * dy
    px, py = first[0][which] + left, first[1][which] + dy
    end = length.cumsum()
    along = np.arange(int(end[-1]) if len(end) else 0) - (end - length).repeat(length)  # from the left end of its row
    row = np.arange(len(length)).repeat(length)
    if slot_of is None:
        slot = (py * width + px).repeat(length) + along
    else:
        at = px.repeat(length) + along
        slot = slot_of[(py // _FINER).repeat(length), at // _FINER]
        kept = np.flatnonzero(slot >= 0)
        slot, along, row, at = slot[kept], along[kept], row[kept], at[kept]
        slot += py[row] % _FINER * _FINER + at % _FINER
    depth = (1 / (at_left[row] + (by_x * _ONE)[which][row] * along)).astype(np.float32)
    keys = np.empty((len(depth), 2), np.int32)  # the depth is positive, so that its bits sort as an integer's
    keys[:, 1], keys[:, 0] = depth.view(np.int32), chosen[which][row]
    np.minimum.at(buffer, slot, keys.view("<i8")[:, 0])


def _lit(view: ScreenView, triangles: Triangles) -> NDArray[np.float32]:
    """Light (N,) at every sample, 0 where empty; the light of the corners is carried to it linearly on the screen."""
    at_corner, by_x, by_y = triangles.light
    constant = at_corner + by_x * (_HALF - triangles.x[0]) + by_y * (_HALF - triangles.y[0])
    place = np.flatnonzero(view.triangle >= 0)
    which = view.triangle[place]
    value = constant[which] + (by_x * _ONE)[which] * view.x_px[place] + (by_y * _ONE)[which] * view.y_px[place]
    shown = np.zeros(len(view.triangle), np.float32)
    shown[place] = value.clip(0, 1)
    return shown


def _edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H, W): pixels beside an outline, or beside a step in depth."""
    seen = depth[np.isfinite(depth)]
    if not len(seen):
        return np.zeros(depth.shape, bool)
    far = np.float32(2 * seen.max())
    flat = np.minimum(depth, far)
    step = _CREASE * (seen.max() - seen.min())
    edges = np.zeros(depth.shape, bool)
    across, down = np.abs(np.diff(flat, axis=1)) > step, np.abs(np.diff(flat, axis=0)) > step
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges
