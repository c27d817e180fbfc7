"""The rasteriser, compared with a slow one in numpy and with ray casting, and the properties in its docstring."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from coevoer_edge.data import rasterizer
from coevoer_edge.data.rasterizer import Fragments, Lights, interpolate, rasterize, shade, vertex_normals
from coevoer_edge.errors import InputError

NO_FACES = torch.zeros(0, 3, dtype=torch.int64)


def soup(seed: int) -> tuple[torch.Tensor, torch.Tensor, int, int]:
    """Random triangles, from specks to larger than the image, some behind the near plane, some corners on centres."""
    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(1, 70, 2))
    xy = rng.uniform(-10, 80, (40, 1, 2)) + rng.normal(0, rng.choice([1, 8, 40, 3000]), (40, 3, 2))
    if seed % 3 == 0:
        xy = np.round(xy * 2) / 2
    vertices = np.concatenate([xy, rng.uniform(-0.1, 3, (40, 3, 1))], -1).reshape(-1, 3)
    return torch.from_numpy(vertices.astype(np.float32)), torch.arange(120).reshape(40, 3), height, width


def rasterize_slowly(
    vertices: NDArray[np.float32], faces: NDArray[np.int64], height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Test every pixel against one face after another on the same 1/256 px grid: (H, W) face ids and depth."""
    ids = np.full((height, width), -1)
    nearest = np.full((height, width), np.inf, np.float32)
    px, py = np.meshgrid(np.arange(width) * 256 + 128, np.arange(height) * 256 + 128)
    for number, face in enumerate(faces):
        depth = vertices[face, 2].astype(np.float64)
        corner = np.rint(vertices[face, :2] * 256).astype(np.int64)
        (ux, uy), (vx, vy) = corner[1] - corner[0], corner[2] - corner[0]
        area = ux * vy - uy * vx
        if area == 0 or (depth <= rasterizer.NEAR_M).any():
            continue
        inside = np.ones((height, width), bool)
        inverse_depth = np.zeros((height, width))
        for i in range(3):
            (x, y), (next_x, next_y) = corner[i - 2], corner[i - 1]
            dx, dy = (next_x - x) * np.sign(area), (next_y - y) * np.sign(area)
            edge = dx * (py - y) - dy * (px - x)
            owns = dy < 0 or (dy == 0 and dx > 0)
            inside &= (edge >= 0) if owns else (edge > 0)
            inverse_depth += edge / abs(area) / depth[i]
        seen = inside & ((1 / np.where(inside, inverse_depth, 1)).astype(np.float32) < nearest)
        ids[seen] = number
        nearest[seen] = (1 / inverse_depth[seen]).astype(np.float32)
    return ids, nearest


def equal(a: Fragments, b: Fragments) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("face_id", "depth", "barycentric"))


def square_mesh(count: int, size_px: float, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A square from 0 to `size_px` as a grid with jittered inner points and random diagonals."""
    x, y = np.meshgrid(np.linspace(0, size_px, count + 1), np.linspace(0, size_px, count + 1))
    inner = (x > 0) & (x < size_px) & (y > 0) & (y < size_px)
    x, y = (c + inner * rng.uniform(-0.3, 0.3, x.shape) * size_px / count for c in (x, y))
    at = np.arange((count + 1) ** 2).reshape(count + 1, count + 1)
    a, b, c, d = (corner.flatten() for corner in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
    flip = rng.random(len(a)) < 0.5
    first = np.where(flip[:, None], np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(flip[:, None], np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    vertices = np.stack([x.flatten(), y.flatten(), np.ones(x.size)], 1).astype(np.float32)
    return torch.from_numpy(vertices), torch.from_numpy(np.concatenate([first, second]))


@pytest.mark.parametrize("seed", range(24))
def test_equals_the_slow_rasteriser(seed: int) -> None:
    vertices, faces, height, width = soup(seed)
    fragments = rasterize(vertices[None], faces, height, width)
    ids, depth = rasterize_slowly(vertices.numpy(), faces.numpy(), height, width)
    np.testing.assert_array_equal(fragments.face_id[0].numpy(), ids)
    np.testing.assert_allclose(fragments.depth[0].numpy(), depth, rtol=2e-7)  # one float32 step: order of the sum


@pytest.mark.parametrize(("count", "size_px"), [(1, 40.0), (7, 40.0), (30, 40.0), (30, 11.0), (4, 33.7)])
def test_each_pixel_of_a_square_is_hit_exactly_once(count: int, size_px: float) -> None:
    vertices, faces = square_mesh(count, size_px, np.random.default_rng(count))
    # One image per face, so that a pixel hit twice is counted twice.
    hits = rasterize(vertices[faces], torch.tensor([[0, 1, 2]]), 48, 48).mask.sum(0)
    expected = torch.zeros(48, 48, dtype=torch.int64)
    inside = int(np.floor(size_px + 0.5))
    expected[:inside, :inside] = 1
    assert torch.equal(hits, expected)
    assert torch.equal(rasterize(vertices[None], faces, 48, 48).mask[0], expected.bool())


def test_centres_on_shared_edges_have_one_owner() -> None:
    corners = torch.tensor([[0.5, 0.5], [8.5, 0.5], [8.5, 8.5], [0.5, 8.5], [4.5, 4.5]])
    vertices = torch.cat([corners, torch.ones(5, 1)], 1)
    fan = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    hits = rasterize(vertices[fan], torch.tensor([[0, 1, 2]]), 10, 10).mask.sum(0)
    expected = torch.zeros(10, 10, dtype=torch.int64)
    expected[:8, :8] = 1  # the left and top borders belong to it, the right and bottom ones do not
    assert torch.equal(hits, expected)


def test_interpolation_agrees_with_ray_casting() -> None:
    focal, size = 60.0, 64
    points = torch.tensor([[-1.0, -0.8, 1.5], [1.3, -0.2, 4.0], [-0.2, 1.4, 2.0]], dtype=torch.float64)
    px = torch.cat([focal * points[:, :2] / points[:, 2:] + size / 2, points[:, 2:]], 1)
    faces = torch.tensor([[0, 1, 2]])
    fragments = rasterize(px[None], faces, size, size)
    seen = interpolate(fragments, faces, points[None])[0]  # H W 3: where each pixel's ray meets the face
    centre = torch.arange(size, dtype=torch.float64) + 0.5 - size / 2
    rays = torch.stack([*torch.meshgrid(centre, centre, indexing="xy"), torch.full((size, size), focal)], -1) / focal
    normal = torch.linalg.cross(points[1] - points[0], points[2] - points[0])
    hit = rays * ((normal @ points[0]) / (rays @ normal))[..., None]
    mask = fragments.mask[0]
    assert int(mask.sum()) > 800
    assert (seen - hit)[mask].abs().max() < 2e-3  # m; snapping by 1/512 px causes 1e-3 at 4 m
    torch.testing.assert_close(fragments.depth[0][mask], seen[mask][:, 2].float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(fragments.barycentric.sum(-1), fragments.mask.float())
    assert not seen[~mask].any()


def test_batch_equals_singles_and_repeats() -> None:
    vertices = torch.stack([soup(seed)[0] for seed in range(5)])
    faces = soup(0)[1]
    batch = rasterize(vertices, faces, 50, 40)
    assert equal(batch, rasterize(vertices, faces, 50, 40))
    for i in range(5):
        single = rasterize(vertices[i : i + 1], faces, 50, 40)
        assert equal(single, Fragments(batch.face_id[i, None], batch.depth[i, None], batch.barycentric[i, None]))


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    vertices = torch.stack([soup(seed)[0] for seed in (2, 3, 4, 7)])
    faces = soup(0)[1]
    whole = rasterize(vertices, faces, 64, 64)
    monkeypatch.setattr(rasterizer, "_CANDIDATES_AT_ONCE", 512)
    monkeypatch.setattr(rasterizer, "_FACES_AT_ONCE", 40)
    assert equal(whole, rasterize(vertices, faces, 64, 64))


def test_nearer_face_wins_whatever_the_order_and_equal_depth_goes_to_the_lower_index() -> None:
    triangle = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    vertices = torch.cat([torch.cat([triangle, torch.full((3, 1), z)], 1) for z in (3.0, 1.0, 2.0, 1.0)])
    faces = torch.arange(12).reshape(4, 3)
    assert set(rasterize(vertices[None], faces, 20, 20).face_id.flatten().tolist()) == {-1, 1}
    assert set(rasterize(vertices[None], faces.flip(0), 20, 20).face_id.flatten().tolist()) == {-1, 0}


def test_a_triangle_much_larger_than_the_image_fills_it() -> None:
    vertices = torch.tensor([[-60000.0, -60000, 1], [60000, -60000, 2], [100, 60000, 3]])
    fragments = rasterize(vertices[None], torch.tensor([[0, 1, 2]]), 37, 53)
    assert fragments.mask.all()
    assert fragments.depth.isfinite().all()


@pytest.mark.parametrize(
    "vertices",
    [
        [[5, 5, 1], [5, 5, 1], [5, 5, 1]],
        [[0, 0, 1], [5, 5, 1], [10, 10, 1]],
        [[0, 0, 1], [20, 0, 1], [0, 20, 0.01]],
        [[0, 0, 1], [20, 0, 1], [0, 20, -1]],
        [[0, 0, 1], [20, 0, 1], [0, float("nan"), 1]],
        [[0, 0, 1], [20, 0, 1], [0, 20, float("inf")]],
        [[0, 0, 1], [20, 0, 1], [0, float("-inf"), 1]],
        [[0, 0, 1], [20, 0, 1], [0, 70000, 1]],
        [[-9, 0, 1], [0.4, 0, 1], [0.4, 20, 1]],
        [[30, 30, 1], [40, 30, 1], [30, 40, 1]],
    ],
    ids=["point", "line", "near", "behind", "nan", "inf-depth", "inf", "far-out", "left-of-centres", "outside"],
)
def test_faces_that_cannot_be_drawn_are_dropped(vertices: list[list[float]]) -> None:
    fragments = rasterize(torch.tensor(vertices, dtype=torch.float32)[None], torch.tensor([[0, 1, 2]]), 16, 16)
    assert not fragments.mask.any()
    assert fragments.depth.isinf().all()
    assert not fragments.barycentric.any()


@pytest.mark.parametrize(("batch", "height", "width"), [(0, 4, 4), (2, 0, 4), (2, 4, 0), (2, 4, 4)])
def test_empty_images_and_meshes(batch: int, height: int, width: int) -> None:
    faces = NO_FACES if height and width else torch.tensor([[0, 1, 2]])
    fragments = rasterize(torch.ones(batch, 3, 3), faces, height, width)
    assert fragments.face_id.shape == (batch, height, width)
    assert interpolate(fragments, faces, torch.ones(batch, 3, 5)).shape == (batch, height, width, 5)
    assert vertex_normals(torch.ones(batch, 3, 3), faces).shape == (batch, 3, 3)
    assert not fragments.mask.any()


def test_back_faces_are_those_turned_away() -> None:
    facing = torch.tensor([[2.0, 2, 1], [2, 12, 1], [12, 2, 1]])  # counterclockwise on the screen
    away = facing[[0, 2, 1]]
    faces = torch.tensor([[0, 1, 2]])
    assert vertex_normals(facing[None], faces)[0, 0, 2] < 0  # towards the camera
    assert rasterize(facing[None], faces, 16, 16, cull_backfaces=True).mask.any()
    assert not rasterize(away[None], faces, 16, 16, cull_backfaces=True).mask.any()
    assert torch.equal(rasterize(away[None], faces, 16, 16).mask, rasterize(facing[None], faces, 16, 16).mask)


def test_gradients_reach_the_attributes() -> None:
    vertices = torch.tensor([[0.0, 0, 1], [20, 0, 1], [0, 20, 1]])[None].requires_grad_()
    faces = torch.tensor([[0, 1, 2]])
    attributes = torch.rand(1, 3, 2, requires_grad=True)
    fragments = rasterize(vertices, faces, 16, 16)
    (gradient,) = torch.autograd.grad(interpolate(fragments, faces, attributes).sum(), attributes)
    torch.testing.assert_close(gradient.sum(1), fragments.mask.sum().float().expand(1, 2))


def test_normals_weigh_by_area_and_leave_lone_vertices_zero() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 1], [9, 9, 9]])[None]
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]))[0]  # areas 2 along z and 1 along x
    torch.testing.assert_close(normals[0], torch.tensor([1.0, 0, 2]) / 5**0.5)
    torch.testing.assert_close(normals[1], torch.tensor([0.0, 0, 1]))
    assert not normals[4].any()


def test_shading_is_brightest_towards_the_light_and_each_image_has_its_own() -> None:
    vertices = torch.tensor([[0.0, 0, 1], [0, 20, 1], [20, 0, 1]]).expand(2, 3, 3)
    faces = torch.tensor([[0, 1, 2]])
    fragments = rasterize(vertices, faces, 12, 12)
    colors = torch.tensor([1.0, 0.5, 0.25]).expand(2, 3, 3)
    lights = Lights(torch.tensor([[[0, 0, -2.0]], [[0, 0, 1.0]]]), torch.full((1, 3), 0.7), torch.full((3,), 0.3))
    picture = shade(fragments, faces, vertex_normals(vertices, faces), colors, lights)
    torch.testing.assert_close(picture[0, 2, 2], colors[0, 0])
    torch.testing.assert_close(picture[1, 2, 2], 0.3 * colors[0, 0])
    assert not picture[~fragments.mask].any()


@pytest.mark.parametrize(
    ("vertices", "faces", "size", "message"),
    [
        (torch.ones(3, 3), torch.tensor([[0, 1, 2]]), 8, r"give \(B, V, 3\) floats"),
        (torch.ones(1, 3, 3), torch.ones(1, 3), 8, r"give \(F, 3\) integers"),
        (torch.ones(1, 3, 3), torch.tensor([[0, 1, 3]]), 8, "0 to 3; there are 3"),
        (torch.ones(1, 3, 3), torch.tensor([[-1, 1, 2]]), 8, "-1 to 2; there are 3"),
        (torch.ones(1, 3, 3), torch.tensor([[0, 1, 2]]), 1 << 20, "between 0 and 65536"),
    ],
)
def test_refuses_what_it_cannot_draw(vertices: torch.Tensor, faces: torch.Tensor, size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rasterize(vertices, faces, size, size)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_gpu_equals_cpu() -> None:
    vertices = torch.stack([soup(seed)[0] for seed in range(6)])
    faces = soup(0)[1]
    cpu, gpu = rasterize(vertices, faces, 64, 64), rasterize(vertices.cuda(), faces.cuda(), 64, 64)
    assert torch.equal(cpu.face_id, gpu.face_id.cpu())
    torch.testing.assert_close(cpu.barycentric, gpu.barycentric.cpu(), rtol=0, atol=1e-6)
