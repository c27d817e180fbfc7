"""The overlay's renderer sees what the rasteriser of training pictures sees, and smooths what lies on an edge."""

import numpy as np
import pytest
import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.rasterizer import rasterize
from coevoer_edge.data.rasterizer import vertex_normals as normals_of_training
from coevoer_edge.output.render import look, render_light, set_up, vertex_normals

SIZE = (120, 90)


def body_on_screen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (V, 3) px and m, faces, and vertices in m, of the open body's upper half before a camera."""
    body = BodyModel.open()
    vertices = np.array(body.file.v_template, np.float64) * (1, -1, -1) + (0, 0.2, 2.5)
    return np.column_stack([vertices[:, :2] / vertices[:, 2:] * 300 + (45, 60), vertices[:, 2]]), body.faces, vertices


@pytest.mark.parametrize("cull", [False, True])
def test_it_sees_the_faces_that_the_rasteriser_of_training_pictures_sees(cull):
    points, faces, _ = body_on_screen()
    triangles = set_up(points, faces, np.ones(len(points)), cull_backfaces=cull)
    view = look(triangles, *SIZE)
    seen = np.where(view.triangle < 0, -1, triangles.face[view.triangle]).reshape(SIZE)
    other = rasterize(
        torch.from_numpy(points)[None], torch.from_numpy(faces.astype(np.int64)), *SIZE, cull_backfaces=cull
    )
    np.testing.assert_array_equal(view.triangle.reshape(SIZE) >= 0, other.mask[0].numpy())
    assert (seen != other.face_id[0].numpy()).mean() < 1e-3  # two faces at one depth but for rounding
    depth = view.depth.reshape(SIZE)
    np.testing.assert_allclose(depth[seen >= 0], other.depth[0].numpy()[seen >= 0], rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_random_triangles_of_every_size(seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform((-20, -20), (110, 140), (300, 1, 2))
    corners = centres + rng.normal(0, 1, (300, 3, 2)) * 10 ** rng.uniform(-1, 2, (300, 1, 1))
    points = np.concatenate([corners, rng.uniform(0.5, 5, (300, 3, 1))], 2).reshape(-1, 3)
    points[:4, 2] = (-1.0, np.nan, np.inf, 0.005)  # of the first two triangles, which are not seen
    faces = np.arange(900).reshape(300, 3)
    triangles = set_up(points, faces, np.ones(900))
    view = look(triangles, *SIZE)
    seen = np.where(view.triangle < 0, -1, triangles.face[view.triangle]).reshape(SIZE)
    other = rasterize(torch.from_numpy(points)[None], torch.from_numpy(faces), *SIZE)
    np.testing.assert_array_equal(seen, other.face_id[0].numpy())


def test_blocks_see_what_the_whole_image_sees_there():
    points, faces, _ = body_on_screen()
    triangles = set_up(points, faces, np.ones(len(points)))
    blocks = np.random.default_rng(0).random((SIZE[0] // 2, SIZE[1] // 2)) < 0.1
    whole, part = look(triangles, *SIZE), look(triangles, *SIZE, blocks=blocks)
    assert len(part.triangle) == 4 * blocks.sum()
    np.testing.assert_array_equal(part.triangle, whole.triangle.reshape(SIZE)[part.y_px, part.x_px])


def test_normals_are_those_of_training_pictures():
    _, faces, vertices = body_on_screen()
    other = normals_of_training(torch.from_numpy(vertices)[None], torch.from_numpy(faces.astype(np.int64)))[0].numpy()
    assert np.abs(vertex_normals(vertices, faces) - other).max() < 1e-3


def test_light_is_carried_linearly_and_cover_counts_samples():
    """A square whose light grows from left to right, with its right side in the middle of a pixel."""
    points = np.array([[10, 10, 2], [30.5, 10, 2], [30.5, 30, 2], [10, 30, 2]], np.float64)
    light, cover = render_light(points, np.array([[0, 1, 2], [0, 2, 3]]), np.array([0, 1, 1, 0.0]), 40, 50)
    assert cover[20, 15:31].tolist() == [1] * 15 + [0.5]
    assert cover.sum() == pytest.approx(20 * 20.5)
    at = np.arange(12, 28)
    np.testing.assert_allclose(light[20, at], (at + 0.5 - 10) / 20.5, atol=1e-6)


def test_a_crease_inside_the_outline_is_smoothed():
    """Two squares, one before the other: samples of both lie in the pixels between them."""
    near = np.array([[10, 10, 1], [20.5, 10, 1], [20.5, 30, 1], [10, 30, 1]], np.float64)
    far = np.array([[5, 5, 2], [40, 5, 2], [40, 35, 2], [5, 35, 2]], np.float64)
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    light, cover = render_light(np.concatenate([near, far]), faces, np.repeat([1.0, 0.0], 4), 40, 50)
    assert light[20, 18:23].tolist() == [1, 1, 0.5, 0, 0]
    assert (cover[6:34, 6:39] == 1).all()


def test_nothing_to_see():
    empty = np.zeros((0, 3))
    for points, faces in ((empty, np.zeros((0, 3), np.int64)), (np.full((3, 3), -5.0), np.array([[0, 1, 2]]))):
        light, cover = render_light(points, faces, np.ones(len(points)), 8, 6)
        assert not light.any()
        assert not cover.any()
