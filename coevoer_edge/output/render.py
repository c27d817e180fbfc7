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
_EMPTY = 0x7F800000_FFFFFFFF  # of a key: depth infinity and triangle -1
_CREASE = 0.03  # of the range of visible depths: a larger step between neighbours is an edge
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
        """The same faces on an image of twice the size."""
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

    x_px: NDArray[np.integer]  # N: the sample's pixel
    y_px: NDArray[np.integer]  # N
    triangle: NDArray[np.int32]  # N
    depth: NDArray[np.float32]  # N, m


@dataclass(frozen=True)
class _Squares:
    """K squares of 2 x 2 pixels that are sampled, row by row; their samples are ordered square by square."""

    rows: Int64Array  # K
    columns: Int64Array  # K
    before: Int64Array  # (height / 2) (width / 2) + 1: how many squares come before this one, wanted or not
    width: int  # squares in a row

    @classmethod
    def of(cls, blocks: NDArray[np.bool_]) -> "_Squares":
        before = np.zeros(blocks.size + 1, np.int64)
        np.cumsum(blocks, out=before[1:])
        rows, columns = np.divmod(np.flatnonzero(blocks), blocks.shape[1])
        return cls(rows, columns, before, blocks.shape[1])

    def count(self, row_px: Int64Array, left_px: Int64Array, right_px: Int64Array) -> Int64Array:
        """How many squares each of R spans of pixels touches, ends included."""
        row = row_px // _FINER * self.width
        return np.asarray(self.before[row + right_px // _FINER + 1] - self.before[row + left_px // _FINER])

    def touched(self, first_px: Int64Array, last_px: Int64Array) -> NDArray[np.bool_]:
        """(M,): whether each box of pixels, from `first_px` (2, M) to `last_px`, touches a square, by a summed-area
        table."""
        whole = self.before[1:].reshape(-1, self.width)
        height, width = whole.shape
        padded = np.zeros((height + 1, width + 1), np.int64)
        np.cumsum(whole - self.before[:-1:width, None], 0, out=padded[1:, 1:])
        table = padded.ravel()
        limit = np.array([[width], [height]])
        (x0, y0), (x1, y1) = np.minimum(first_px // _FINER, limit), np.clip(last_px // _FINER + 1, 0, limit)
        above, below = y0 * (width + 1), y1 * (width + 1)
        count = table.take(below + x1) - table.take(above + x1) - table.take(below + x0) + table.take(above + x0)
        return np.asarray(count > 0)

    def of_spans(
        self, row_px: Int64Array, left_px: Int64Array, right_px: Int64Array
    ) -> tuple[Int64Array, Int64Array, Int64Array]:
        """For R spans of pixels, ends included: each wanted pixel's sample, its span, and its distance from
        `left_px`."""
        first = self.before[row_px // _FINER * self.width + left_px // _FINER]
        count = self.count(row_px, left_px, right_px)
        span = np.arange(len(count)).repeat(count)
        square = np.arange(len(span)) + (first - (count.cumsum() - count)).repeat(count)
        along = (self.columns[square] * _FINER - left_px[span])[:, None] + np.arange(_FINER)
        sample = (square * _FINER**2 + row_px[span] % _FINER * _FINER)[:, None] + np.arange(_FINER)
        kept = (along >= 0) & (along <= (right_px - left_px)[span, None])
        return sample[kept], span.repeat(kept.sum(1)), along[kept]


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
    x, y = (np.rint(np.where(usable, values * _ONE, 0)).take(corner) for values in (x_px, y_px))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    facing = area < 0 if cull_backfaces else area != 0
    face = np.flatnonzero(facing if usable.all() else facing & usable[corner].all(0))
    x, y, area, corner = x.take(face, 1), y.take(face, 1), area.take(face), corner.take(face, 1)
    with np.errstate(all="ignore"):
        inverse = 1 / depth

    def plane(values: NDArray[np.floating]) -> Float64Array:
        """(V,) values at vertices to their value at corner 0 and their change by x and by y."""
        first, second, third = np.asarray(values, np.float64).take(corner)
        by_x = ((y[2] - y[0]) * (second - first) - (y[1] - y[0]) * (third - first)) / area
        by_y = ((x[1] - x[0]) * (third - first) - (x[2] - x[0]) * (second - first)) / area
        return np.stack([first, by_x, by_y])

    return Triangles(face, x, y, np.sign(area), plane(inverse), plane(light))


def look(triangles: Triangles, height: int, width: int, *, blocks: NDArray[np.bool_] | None = None) -> ScreenView:
    """Find the nearest triangle at every pixel centre, row by row; at equal depth the lower index wins.

    `blocks` (height / 2, width / 2) names the squares of 2 x 2 pixels that are sampled; the samples are then ordered
    square by square. A pixel exactly on an edge belongs to the face right of or below it (top-left rule).
    """
    squares = None
    if blocks is None:
        y_px, x_px = (part.ravel() for part in np.indices((height, width), np.int32))
    else:
        squares = _Squares.of(blocks)
        y_px = (squares.rows[:, None] * _FINER + (0, 0, 1, 1)).ravel()
        x_px = (squares.columns[:, None] * _FINER + (0, 1, 0, 1)).ravel()
    buffer = np.full(len(x_px), _EMPTY, np.int64)
    corners = [(values[0], values[1], values[2]) for values in (triangles.x, triangles.y)]
    low = np.stack([np.minimum(np.minimum(a, b), c) for a, b, c in corners])
    high = np.stack([np.maximum(np.maximum(a, b), c) for a, b, c in corners])
    first = np.maximum(np.ceil((low - _HALF) / _ONE), 0).astype(np.int64)  # its centre is the first at or after `low`
    last = np.minimum(np.floor((high - _HALF) / _ONE), [[width - 1], [height - 1]]).astype(np.int64)
    inside = (first[0] <= last[0]) & (first[1] <= last[1])
    if squares is not None:
        inside &= squares.touched(first, last)
    chosen = np.flatnonzero(inside)
    if len(chosen):
        _cover(buffer, triangles, chosen, first.take(chosen, 1), last.take(chosen, 1), width, squares)
    triangle = np.ascontiguousarray(buffer.view("<i4")[0::2])
    depth = np.ascontiguousarray(buffer.view("<f4")[1::2])
    return ScreenView(x_px, y_px, triangle, depth)


def vertex_normals(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float32]:
    """Unit normals (V, 3) of (V, 3) vertices: the faces' normals weighted by area; zero where no face is.

    They point out of a mesh whose faces run counterclockwise seen from outside.
    """
    axes = np.ascontiguousarray(np.asarray(vertices, np.float32).T)  # 3 V
    first, second, third = np.ascontiguousarray(faces.T)
    a = axes.take(first, 1)
    u, v = axes.take(second, 1) - a, axes.take(third, 1) - a  # 3 F
    cross = np.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]])
    corners = np.concatenate([first, second, third]).astype(np.intp)
    total = np.stack([np.bincount(corners, np.tile(row, 3), axes.shape[1]) for row in cross.astype(np.float64)])
    length = np.sqrt((total**2).sum(0))
    return np.asarray((total / np.maximum(length, np.finfo(np.float64).tiny)).T, np.float32)


def _cover(
    buffer: Int64Array,
    triangles: Triangles,
    chosen: Int64Array,
    first: Int64Array,
    last: Int64Array,
    width: int,
    squares: _Squares | None,
) -> None:
    """Find the pixels whose centre lies in each chosen triangle; keep the nearest (depth, triangle) in `buffer`.

    An edge function is A dx + B dy + C, where dx, dy count whole pixels from the box's `first`: with A and B in
    1/256 px and C divided by 256 and rounded down, its sign is exact. So is the span of each row on which all three are
    at least 0, since quotients of such integers in float64 are rounded by less than their distance from the next one.
    """
    x, y, turn = triangles.x.take(chosen, 1), triangles.y.take(chosen, 1), triangles.turn.take(chosen)
    a = (y - y[[1, 2, 0]]) * turn  # 3 n
    b = (x[[1, 2, 0]] - x) * turn
    c = a * (first[0] * _ONE + _HALF - x) + b * (first[1] * _ONE + _HALF - y)
    c -= ~((a > 0) | ((a == 0) & (b > 0)))  # top-left rule: a centre on any other edge is outside
    c = np.floor(c / _ONE)
    # Order the edges: the first bounds rows on the left, the second on the right, the third on either side or neither.
    most, least = _place_of_the_largest(a), _place_of_the_largest(-a)
    order = np.stack([most, least, 3 - most - least]) * len(chosen) + np.arange(len(chosen))
    a, b, c = a.take(order), b.take(order), c.take(order)
    on_the_left, not_on_the_right = -1.0 * (a[2] > 0), np.array((0, np.inf)).take(a[2] > 0)
    rows = last[1] - first[1] + 1
    which = np.arange(len(chosen)).repeat(rows)  # R: rows of all triangles
    dy = np.arange(len(which)) - (rows.cumsum() - rows).take(which)
    if squares is not None:
        some = np.flatnonzero(squares.count(first[1].take(which) + dy, first[0].take(which), last[0].take(which)))
        which, dy = which.take(some), dy.take(some)
    dy = dy.astype(np.float64)

    def bound(i: int) -> Float64Array:
        """The last whole dx at which edge i is not behind the row's point, counted against its slope."""
        return np.asarray(np.floor((b[i].take(which) * dy + c[i].take(which)) / np.abs(a[i]).take(which)))

    with np.errstate(all="ignore"):  # a level third edge: not a number or infinity for all of the row, or -infinity
        left, right, third = -bound(0), bound(1), bound(2)
        left = np.fmax(np.maximum(left, 0), third * on_the_left.take(which))
        right = np.minimum(right, (last[0] - first[0]).astype(np.float64).take(which))
        right = np.fmin(right, third + not_on_the_right.take(which))
    some = np.flatnonzero(right >= left)
    which, dy = which.take(some), dy.take(some).astype(np.int64)
    left, right = left.take(some).astype(np.int64), right.take(some).astype(np.int64)
    inverse, by_x, by_y = triangles.inverse_depth.take(chosen, 1)
    start = inverse + by_x * (first[0] * _ONE + _HALF - x[0]) + by_y * (first[1] * _ONE + _HALF - y[0])
    by_x, by_y = (by_x * _ONE).take(which), (by_y * _ONE).take(which)
    at_left = start.take(which) + by_x * left + by_y * dy
    px, py = first[0].take(which) + left, first[1].take(which) + dy
    if squares is None:
        length = right - left + 1
        row = np.arange(len(length)).repeat(length)
        along = np.arange(len(row))  # counted on through all rows
        begin = length.cumsum() - length
        at_left -= by_x * begin
        slot = (py * width + px - begin).take(row) + along
    else:
        slot, row, along = squares.of_spans(py, px, px + right - left)
    depth = (1 / (at_left.take(row) + by_x.take(row) * along)).astype(np.float32)
    keys = np.empty((len(depth), 2), np.int32)  # the depth is positive, so that its bits sort as an integer's
    keys[:, 1], keys[:, 0] = depth.view(np.int32), chosen.take(which).astype(np.int32).take(row)
    np.minimum.at(buffer, slot, keys.view("<i8")[:, 0])


def _place_of_the_largest(rows: Float64Array) -> Int64Array:
    """`argmax(0)` of (3, n), which takes six times as long; which one of equals does not matter."""
    second = (rows[1] > rows[0]).astype(np.int64)
    return np.asarray(second + (2 - second) * (rows[2] > np.maximum(rows[0], rows[1])))


def _lit(view: ScreenView, triangles: Triangles) -> NDArray[np.float32]:
    """Light (N,) at every sample, 0 where empty; the light of the corners is carried to it linearly on the screen."""
    at_corner, by_x, by_y = triangles.light
    constant = at_corner + by_x * (_HALF - triangles.x[0]) + by_y * (_HALF - triangles.y[0])
    place = np.flatnonzero(view.triangle >= 0)
    which = view.triangle.take(place)
    value = constant.take(which) + (by_x * _ONE).take(which) * view.x_px.take(place)
    value += (by_y * _ONE).take(which) * view.y_px.take(place)
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
