"""The rasteriser of synthetic training pictures, batched, on the CPU or a GPU.

In: vertices in pixels with depth, and faces. Out: `Fragments` (the face that each pixel shows, its depth, and the
position on the face). It is plain torch, without OpenGL. `output.render` renders overlays by the same rules, without
torch. Vertices are snapped to 1/256 px and edges are tested in integers, so the picture does not depend on the device
or the batch, and adjacent faces neither share a pixel nor leave a gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import NEAR_M

SUBPIXEL_BITS = 8  # with LIMIT_PX and _TILE_PX this keeps every inside test within int32
LIMIT_PX = 1 << 16  # a face with a vertex farther out than this is dropped
_ONE = 1 << SUBPIXEL_BITS
_HALF = _ONE >> 1
_TILE_PX = 16
_CANDIDATES_AT_ONCE = 1 << 22  # times about 20 bytes
_FACES_AT_ONCE = 1 << 20
_EMPTY = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Fragments:
    """The face that each pixel shows. Empty pixels have face -1, depth infinity and barycentric weights 0."""

    face_id: Tensor  # B H W, int64
    depth: Tensor  # B H W, float32, m
    barycentric: Tensor  # B H W 3, float32, perspective-correct: weights of the face's corners in order

    @property
    def mask(self) -> Tensor:
        """(B, H, W) bool: the pixel shows a face."""
        return self.face_id >= 0


@dataclass(frozen=True)
class _Triangles:
    """M faces that may cover a pixel, with their corners' positions in 1/256 px from the image's top left corner."""

    image: Tensor  # M
    face: Tensor  # M
    x: Tensor  # 3 M, int64
    y: Tensor  # 3 M, int64
    turn: Tensor  # M: 1 if the corners run clockwise on the screen, else -1
    plane: Tensor  # 3 M, float64: inverse depth at corner 0, its change per 1/256 px of x, and of y
    first_px: Tensor  # 2 M: x, y of the first pixel of the bounding box, clipped to the image
    size_px: Tensor  # 2 M: width, height of that box


@torch.no_grad()
def rasterize(
    vertices_px: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    near_m: float = NEAR_M,
    cull_backfaces: bool = False,
) -> Fragments:
    """Find the nearest face at every pixel centre.

    `vertices_px` is (B, V, 3): x px, y px, depth m; the centre of the top left pixel is (0.5, 0.5). `faces` is (F, 3)
    and shared by the batch. A pixel centre exactly on an edge belongs to the face to the right of or below the edge
    (top-left rule); at equal depth the lower face index wins. Faces are not clipped: a face with any vertex that is at
    depth <= `near_m`, not finite or beyond `LIMIT_PX` is dropped. A face whose corners run clockwise on the screen
    (x right, y down) is a back face; in an outward-facing mesh in the camera frame these face away from the camera. No
    gradient flows to vertices.
    """
    _check(vertices_px, faces, height, width)
    B, F = vertices_px.shape[0], faces.shape[0]
    vertices_px = vertices_px.to(torch.promote_types(vertices_px.dtype, torch.float32))
    faces = faces.to(vertices_px.device, torch.int64)
    buffer = torch.full((B * height * width,), _EMPTY, dtype=torch.int64, device=vertices_px.device)
    step = max(1, _FACES_AT_ONCE // max(F, 1))
    for start in range(0, B if F and buffer.numel() else 0, step):
        part = vertices_px[start : start + step]
        triangles = _set_up(part, faces, height, width, near_m, cull_backfaces)
        target = buffer[start * height * width : (start + part.shape[0]) * height * width]
        for index, origin_px, tile in _tiles(triangles):
            _cover(target, triangles, index, origin_px, tile, height, width)
    return _resolve(buffer, vertices_px, faces, height, width)


def interpolate(fragments: Fragments, faces: Tensor, attributes: Tensor) -> Tensor:
    """Interpolate (B, V, C) vertex attributes at pixels, (B, H, W, C), 0 where empty; differentiable in attributes."""
    hit, values = _interpolate_hits(fragments, faces, attributes)
    return _scatter(fragments, hit, values)


def _interpolate_hits(fragments: Fragments, faces: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor]:
    """The N pixels that show a face, as indices into B H W, and their (N, C) attributes."""
    V, C = attributes.shape[1:]
    hit = fragments.mask.flatten().nonzero().squeeze(1)
    corners = faces.to(hit.device)[fragments.face_id.flatten()[hit]]  # N 3
    corners = corners + (hit // fragments.face_id[0].numel())[:, None] * V if len(hit) else corners
    weights = fragments.barycentric.reshape(-1, 3)[hit].to(attributes.dtype)  # N 3
    flat = attributes.reshape(-1, C)
    first, second, third = (weights[:, i, None] * flat[corners[:, i]] for i in range(3))  # each N C
    return hit, first + second + third


def _scatter(fragments: Fragments, hit: Tensor, values: Tensor) -> Tensor:
    """(N, C) values of the pixels `hit` to (B, H, W, C), zero elsewhere."""
    C = values.shape[-1]
    empty = values.new_zeros(fragments.face_id.numel(), C)
    return empty.index_copy(0, hit, values).view(*fragments.face_id.shape, C)


def _check(vertices_px: Tensor, faces: Tensor, height: int, width: int) -> None:
    if vertices_px.ndim != 3 or vertices_px.shape[-1] != 3 or not vertices_px.is_floating_point():
        raise InputError(f"vertices_px is {tuple(vertices_px.shape)} {vertices_px.dtype}; give (B, V, 3) floats.")
    if faces.ndim != 2 or faces.shape[-1] != 3 or faces.is_floating_point():
        raise InputError(f"`faces` is {tuple(faces.shape)} {faces.dtype}; give (F, 3) integers.")
    if faces.numel():
        low, high = (int(bound) for bound in faces.aminmax())
        if low < 0 or high >= vertices_px.shape[1]:
            raise InputError(
                f"`faces` names vertices {low} to {high}; there are {vertices_px.shape[1]}, counted from 0."
            )
    if not (0 <= height <= LIMIT_PX and 0 <= width <= LIMIT_PX):
        raise InputError(f"The image is {height} x {width} px; each side must be between 0 and {LIMIT_PX}.")


def _set_up(
    vertices_px: Tensor, faces: Tensor, height: int, width: int, near_m: float, cull_backfaces: bool
) -> _Triangles:
    """Snap vertices, gather corners, and keep the faces whose bounding box contains a pixel centre of the image."""
    V, F = vertices_px.shape[1], faces.shape[0]
    depth = vertices_px[..., 2]
    usable = (depth > near_m) & depth.isfinite()  # B V
    # An unusable vertex is moved out of range, so that the test of `high` drops its faces.
    snapped = _snap(vertices_px[..., :2].where(usable[..., None], torch.inf))  # 2 B V
    a, b, c = (snapped.index_select(2, faces[:, i]) for i in range(3))  # each 2 B F
    low = torch.minimum(torch.minimum(a, b), c)
    high = torch.maximum(torch.maximum(a, b), c)
    first = ((low + (_HALF - 1)) >> SUBPIXEL_BITS).clamp_(min=0)  # pixel whose centre is the first at or after `low`
    last = (high - _HALF) >> SUBPIXEL_BITS  # pixel whose centre is the last at or before `high`
    last = last.minimum(last.new_tensor([width - 1, height - 1])[:, None, None])
    kept = ((first <= last) & (high <= LIMIT_PX * _ONE)).all(0).flatten().nonzero().squeeze(1)  # M of B F
    image = kept // F
    face = kept - image * F
    x, y = _corners(snapped, faces, image, face)
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    some = ((area < 0) if cull_backfaces else (area != 0)).nonzero().squeeze(1)
    kept, image, face = kept[some], image[some], face[some]
    first_px = first.flatten(1)[:, kept].to(torch.int64)  # 2 M
    size_px = last.flatten(1)[:, kept] - first_px + 1
    x, y, area = x[:, some], y[:, some], area[some]
    inverse = depth.reshape(-1)[faces[face].T + image * V].double().reciprocal()  # 3 M
    d1, d2 = inverse[1] - inverse[0], inverse[2] - inverse[0]
    by_x = ((y[2] - y[0]) * d1 - (y[1] - y[0]) * d2) / area
    by_y = ((x[1] - x[0]) * d2 - (x[2] - x[0]) * d1) / area
    plane = torch.stack([inverse[0], by_x, by_y])
    return _Triangles(image, face, x, y, area.sign(), plane, first_px, size_px)


def _snap(xy_px: Tensor) -> Tensor:
    """(B, V, 2) px to (2, B, V) in 1/256 px, int32. Values out of range are mapped beyond `LIMIT_PX`, on the right."""
    snapped = torch.where(xy_px.abs() < LIMIT_PX, xy_px * _ONE, 4.0 * LIMIT_PX * _ONE).round().to(torch.int32)
    return snapped.movedim(-1, 0).contiguous()


def _corners(snapped: Tensor, faces: Tensor, image: Tensor, face: Tensor) -> Tensor:
    """(2, B, V) snapped vertices to (2, 3, N): x, y of each corner of N faces, int64."""
    vertex = faces[face].T + image * snapped.shape[2]  # 3 N
    return snapped.flatten(1)[:, vertex].to(torch.int64)


def _tiles(triangles: _Triangles) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Yield (triangles n, first pixel (2, n), side): equal squares that together cover every bounding box.

    Boxes up to 8 px are one square of 1, 2, 4 or 8 px; larger ones are split into squares of `_TILE_PX`. The squares of
    one yield contain about `_CANDIDATES_AT_ONCE` pixels, or those of a single triangle if it alone has more.
    """
    longest = triangles.size_px.amax(0)  # M
    side = 1
    while side < _TILE_PX:
        chosen = ((longest > side // 2) & (longest <= side)).nonzero().squeeze(1)
        step = _CANDIDATES_AT_ONCE // side**2
        for start in range(0, len(chosen), step):
            index = chosen[start : start + step]
            yield index, triangles.first_px[:, index], side
        side *= 2
    large = (longest > side // 2).nonzero().squeeze(1)
    grid = (triangles.size_px[:, large] + (side - 1)) // side  # 2 n: squares across, down
    count = grid[0] * grid[1]
    bunch = count.cumsum(0) // (_CANDIDATES_AT_ONCE // side**2)
    cuts = (bunch.diff().nonzero().squeeze(1) + 1).tolist()
    for chosen, across, squares in zip(*(t.tensor_split(cuts) for t in (large, grid[0], count)), strict=True):
        index = chosen.repeat_interleave(squares)  # n
        number = torch.arange(len(index), device=index.device)
        number -= (squares.cumsum(0) - squares).repeat_interleave(squares)  # within its triangle
        across = across.repeat_interleave(squares)
        yield index, triangles.first_px[:, index] + side * torch.stack([number % across, number // across]), side


def _cover(
    buffer: Tensor, triangles: _Triangles, index: Tensor, first_px: Tensor, side: int, height: int, width: int
) -> None:
    """Find the pixels whose centre is inside the triangle and keep the nearest (depth, face) of each in `buffer`.

    An edge function is A dx + B dy + C, where dx and dy count whole pixels from the first pixel of the square. With A
    and B in 1/256 px and C divided by 256 and rounded down, its sign is exact. |A|, |B| <= 2**25, so the first two
    terms stay below 2**30 and C can be clamped to that range.
    """
    x, y = triangles.x[:, index], triangles.y[:, index]  # 3 n
    turn = triangles.turn[index]
    next_x, next_y = x.roll(-1, 0), y.roll(-1, 0)
    a = (y - next_y) * turn  # 3 n
    b = (next_x - x) * turn
    c = a * (first_px[0] * _ONE + _HALF - x) + b * (first_px[1] * _ONE + _HALF - y)
    c -= (~((a > 0) | ((a == 0) & (b > 0)))).to(c.dtype)  # top-left rule: a centre on any other edge is outside
    c >>= SUBPIXEL_BITS
    if side == _TILE_PX:  # many squares are wholly outside an edge
        near = (c + (a.clamp(min=0) + b.clamp(min=0)) * (side - 1) >= 0).all(0).nonzero().squeeze(1)
        a, b, c, index, first_px = a[:, near], b[:, near], c[:, near], index[near], first_px[:, near]
    a, b = a.to(torch.int32), b.to(torch.int32)
    c = c.clamp_(-(1 << 30), 1 << 30).to(torch.int32)
    steps = torch.arange(side, dtype=torch.int32, device=c.device)
    outside = torch.zeros(0, device=c.device)
    for i in range(3):  # negative where any of the three edge functions is
        row = c[i, :, None] + b[i, :, None] * steps  # n side
        edge = row[:, :, None] + (a[i, :, None] * steps)[:, None, :]  # n side side
        outside = edge if i == 0 else outside.bitwise_or_(edge)
    hit = (outside.flatten() >= 0).nonzero().squeeze(1)
    square = hit // side**2
    within = hit - square * side**2
    px = first_px[0, square] + within % side
    py = first_px[1, square] + within // side
    seen = ((px < width) & (py < height)).nonzero().squeeze(1)
    px, py, index = px[seen], py[seen], index[square[seen]]
    inverse, by_x, by_y = triangles.plane[:, index]
    inverse = inverse + by_x * (px * _ONE + _HALF - triangles.x[0, index])
    inverse += by_y * (py * _ONE + _HALF - triangles.y[0, index])
    depth = inverse.reciprocal().float()  # positive, so its bits sort in the same order as integers
    packed = (depth.view(torch.int32).to(torch.int64) << 32) | triangles.face[index]
    buffer.scatter_reduce_(0, (triangles.image[index] * height + py) * width + px, packed, "amin")


def _resolve(buffer: Tensor, vertices_px: Tensor, faces: Tensor, height: int, width: int) -> Fragments:
    """Unpack (depth, face) of each pixel and compute its position on the face."""
    B, V = vertices_px.shape[:2]
    hit = (buffer != _EMPTY).nonzero().squeeze(1)  # N
    packed = buffer[hit]
    face = packed & 0xFFFFFFFF
    image = hit // max(height * width, 1)
    x, y = _corners(_snap(vertices_px[..., :2]), faces, image, face)  # each 3 N
    x = x - (hit % max(width, 1) * _ONE + _HALF)  # from the pixel's centre
    y = y - (hit // max(width, 1) % max(height, 1) * _ONE + _HALF)
    weight = x.roll(-1, 0) * y.roll(-2, 0) - x.roll(-2, 0) * y.roll(-1, 0)  # 3 N: area opposite to each corner
    depth = vertices_px[..., 2].flatten()[faces[face].T + image * V].double()
    share = weight.abs() / depth  # shares divided by depth are linear on the screen
    share = (share / share.sum(0)).float().T  # N 3
    face_id = torch.full_like(buffer, -1).index_copy_(0, hit, face)
    near = torch.full_like(buffer, torch.inf, dtype=torch.float32)
    near.index_copy_(0, hit, (packed >> 32).to(torch.int32).view(torch.float32))
    barycentric = near.new_zeros(len(buffer), 3).index_copy_(0, hit, share)
    shape = (B, height, width)
    return Fragments(face_id.view(shape), near.view(shape), barycentric.view(*shape, 3))


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals (B, V, 3) of (B, V, 3) vertices: the area-weighted mean of the faces' normals, 0 without a face.

    They point outwards if the mesh's faces run counterclockwise seen from outside. The sum is computed in integers, so
    that a GPU gives the same normals every time. No gradient flows.
    """
    corners = vertices.detach().double().transpose(0, 1)  # V B 3
    a, b, c = (corners[faces[:, i]] for i in range(3))  # each F B 3
    normal = torch.linalg.cross(b - a, c - a).nan_to_num(0, 0, 0)
    largest = normal.new_full((len(vertices),), torch.finfo(torch.float64).tiny)
    largest = normal.abs().amax(2).amax(0).maximum(largest) if len(faces) else largest
    whole = (normal / largest[:, None] * 2.0**40).round().to(torch.int64)
    total = torch.zeros(corners.shape, dtype=torch.int64, device=corners.device)
    for i in range(3):
        total.index_add_(0, faces[:, i], whole)
    return torch.nn.functional.normalize(total.double(), dim=-1).transpose(0, 1).to(vertices.dtype)


@dataclass(frozen=True)
class Lights:
    """L distant lights and an ambient light; (B, L, 3) and (B, 3) give each image its own."""

    directions: Tensor  # L 3: from the surface towards the light, camera frame (x right, y down, z into the scene)
    colors: Tensor  # L 3: 1 is full intensity
    ambient: Tensor  # 3


def shade(fragments: Fragments, faces: Tensor, normals: Tensor, colors: Tensor, lights: Lights) -> Tensor:
    """Lambert shading at every pixel: (B, H, W, 3) in [0, 1], 0 where empty.

    `normals` (B, V, 3) are in the camera frame and `colors` (B, V, 3) in [0, 1]; both are interpolated at each pixel.
    """
    hit, values = _interpolate_hits(fragments, faces, torch.cat([normals, colors], -1))  # N, N 6
    B, H, W = fragments.face_id.shape
    image = hit // max(H * W, 1)
    normal = torch.nn.functional.normalize(values[:, :3], dim=-1)
    towards = torch.nn.functional.normalize(lights.directions.to(values), dim=-1).expand(B, -1, 3)
    light_colors = lights.colors.to(values).expand(B, -1, 3)
    light = lights.ambient.to(values).expand(B, 3)[image]  # N 3
    for i in range(towards.shape[1]):
        received = (normal * towards[image, i]).sum(-1, keepdim=True).clamp(min=0)  # N 1
        light = light + received * light_colors[image, i]
    return _scatter(fragments, hit, (values[:, 3:] * light).clamp(0, 1))
