"""Overlays land where the camera says, leave the rest of the photo alone, and refuse what is no picture."""

from dataclasses import dataclass

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.output import overlay
from coevoer_edge.output.overlay import contact_sheet, draw_boxes, draw_joints, draw_overlay, stamp


@dataclass(frozen=True)
class Camera:
    """The least that drawing needs."""

    focal_px: float
    centre_px: tuple[float, float]

    def project(self, points_cam: Float64Array) -> Float64Array:
        assert (points_cam[:, 2] > 0).all()
        points_px: Float64Array = self.focal_px * points_cam[:, :2] / points_cam[:, 2:] + np.array(self.centre_px)
        return points_px


CAMERA = Camera(400.0, (100.0, 80.0))


def photo(height: int = 160, width: int = 200) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sphere(x: float, y: float, z: float, radius: float) -> tuple[Float64Array, NDArray[np.int64]]:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return np.asarray(mesh.vertices) + np.array([x, y, z]), np.asarray(mesh.faces)


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    difference: NDArray[np.bool_] = (before != after).any(-1)
    return difference


def outline(x: float, y: float, z: float, radius: float, shape: tuple[int, ...]) -> Float64Array:
    """Angle, in px near the rim, by which each pixel centre's ray passes outside (+) or inside (-) the sphere."""
    py, px = np.mgrid[: shape[0], : shape[1]] + 0.5
    rays = np.stack([px - CAMERA.centre_px[0], py - CAMERA.centre_px[1], np.full(shape[:2], CAMERA.focal_px)], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    centre = np.array([x, y, z])
    distance = np.linalg.norm(centre)
    angle = np.arccos((rays @ centre / distance).clip(-1, 1)) - np.arcsin(radius / distance)
    return np.asarray(angle * CAMERA.focal_px)


@pytest.mark.parametrize("place", [(0.0, 0.0, 4.0, 0.5), (0.5, -0.3, 4.0, 0.3), (-0.9, 0.75, 4.0, 0.4)])
def test_a_sphere_covers_the_pixels_its_cone_of_rays_does(place: tuple[float, float, float, float]) -> None:
    before = photo()
    after = draw_overlay(before, *sphere(*place), CAMERA, opacity=1.0)
    outside_px = outline(*place, before.shape)
    assert changed(before, after)[outside_px < -1].all()
    assert not changed(before, after)[outside_px > 1].any()
    spread = after[outside_px < -1].astype(int)
    assert (spread[:, 2] > spread[:, 0]).all()  # the mesh's blue, none of the photo's noise


def test_opacity_blends_with_the_photo() -> None:
    place = (0.0, 0.0, 4.0, 0.5)
    solid = [draw_overlay(np.full((160, 200, 3), v, np.uint8), *sphere(*place), CAMERA) for v in (0, 200)]
    inside = outline(*place, solid[0].shape) < -1
    assert (abs(solid[1][inside].astype(int) - solid[0][inside] - 50) <= 1).all()  # a quarter of 200 shines through


def test_the_photo_is_left_as_it_was_and_edges_are_smooth() -> None:
    before = photo()
    copy = before.copy()
    black = np.zeros_like(before)
    draw_overlay(before, *sphere(0, 0, 4, 0.5), CAMERA)
    np.testing.assert_array_equal(before, copy)
    values = draw_overlay(black, *sphere(0, 0, 4, 0.5), CAMERA)[80, :, 2]
    rim = values[values > 0]
    assert rim[0] < rim[2]


@pytest.mark.parametrize("place", [(0.0, 0.0, -4.0, 0.5), (9.0, 0.0, 4.0, 0.5)], ids=["behind", "beside"])
def test_what_the_camera_does_not_see_changes_nothing(place: tuple[float, float, float, float]) -> None:
    before = photo()
    np.testing.assert_array_equal(draw_overlay(before, *sphere(*place), CAMERA), before)


def test_a_mesh_partly_behind_the_camera_is_drawn_in_part() -> None:
    before = photo()
    front, faces = sphere(0, 0, 4, 0.5)
    back, _ = sphere(0, 0, -4, 0.5)
    both = draw_overlay(before, np.concatenate([front, back]), np.concatenate([faces, faces + len(front)]), CAMERA)
    np.testing.assert_array_equal(both, draw_overlay(before, front, faces, CAMERA))


@pytest.mark.parametrize("detail_px", [1000, 60])
def test_less_detail_draws_nearly_the_same(detail_px: int) -> None:
    """More detail than the mesh has changes nothing; a coarser mesh is the same but for its edges."""
    full = draw_overlay(photo(), *sphere(0, 0, 4, 0.5), CAMERA).astype(int)
    less = draw_overlay(photo(), *sphere(0, 0, 4, 0.5), CAMERA, detail_px=detail_px)
    difference = np.abs(full - less).max(-1)
    if detail_px == 1000:
        assert not difference.any()
    assert (difference > 12).mean() < 0.02
    assert (less != photo()).any(-1).sum() == pytest.approx((full != photo()).any(-1).sum(), rel=0.05)


def test_joints_are_coloured_by_side_and_legs_left_out() -> None:
    joints = np.tile([0.0, 0.0, 4.0], (len(JOINT_NAMES), 1))
    for name, x in (("left_wrist", 0.5), ("right_wrist", -0.5), ("left_knee", 0.0)):
        joints[JOINT_NAMES.index(name)] = (x, 0.5 if name == "left_knee" else 0.0, 4.0)
    picture = draw_joints(np.zeros((160, 200, 3), np.uint8), joints, CAMERA)
    assert tuple(picture[80, 150]) == overlay.LEFT_COLOR  # 0.5 m at 4 m is 50 px
    assert tuple(picture[80, 50]) == overlay.RIGHT_COLOR
    assert not picture[100:].any()
    joints[:, 2] = -1
    np.testing.assert_array_equal(draw_joints(photo(), joints, CAMERA), photo())


def test_boxes_lie_on_their_own_pixels() -> None:
    black = np.zeros((160, 200, 3), np.uint8)
    rows, columns = np.nonzero(draw_boxes(black, np.array([[20, 30, 60, 90], [np.nan] * 4])).any(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 89, 20, 59)
    assert draw_boxes(black, [[20, 30, 60, 90]], ["face"])[:30].any()
    assert not draw_boxes(black, np.zeros((0, 4))).any()
    assert draw_boxes(black, [[20.2, 30.2, 20.3, 30.3]])[30, 20].any()


@pytest.mark.parametrize("shape", [(256, 192), (1080, 1920), (40, 60)])
def test_the_stamp_is_on_the_bottom_edge_and_fits(shape: tuple[int, int]) -> None:
    stamped = stamp(np.zeros((*shape, 3), np.uint8), "untrained")
    rows = np.nonzero(stamped.any(-1))[0]
    assert rows.max() == shape[0] - 1
    assert shape[0] / 20 < shape[0] - rows.min() <= max(14, shape[0] / 10)
    white = np.nonzero((stamped > 200).all(-1))[1]
    assert white.min() > 0
    assert white.max() < shape[1] - 1
    long = stamp(np.zeros((*shape, 3), np.uint8), "untrained weights, not a result")
    assert not (long[:, 0] > 200).all(-1).any()


def test_a_contact_sheet_holds_every_tile() -> None:
    tiles = [np.full((20 + 10 * i, 30, 3), 50 * (i + 1), np.uint8) for i in range(3)]
    sheet = contact_sheet(tiles, 2, gap_px=4)
    assert sheet.shape == (2 * (40 + 4) + 4, 2 * (30 + 4) + 4, 3)
    for tile in tiles:
        assert (sheet == tile[0, 0]).all(-1).sum() == tile.shape[0] * tile.shape[1]
    assert contact_sheet(tiles, 2, ["a", "b", "c"]).shape[0] > sheet.shape[0]


def test_refuses_what_is_no_picture() -> None:
    with pytest.raises(InputError, match="uint8"):
        stamp(photo().astype(np.float32), "x")
    with pytest.raises(InputError, match=r"\(V, 3\)"):
        draw_overlay(photo(), np.zeros((3, 2)), np.array([[0, 1, 2]]), CAMERA)
    with pytest.raises(InputError, match=r"\(F, 3\) integers"):
        draw_overlay(photo(), np.zeros((3, 3)), np.array([[0.0, 1.0, 2.0]]), CAMERA)
    with pytest.raises(InputError, match="55 SMPL-X joints"):
        draw_joints(photo(), np.zeros((22, 3)), CAMERA)
    with pytest.raises(InputError, match="1 labels for 2 boxes"):
        draw_boxes(photo(), np.zeros((2, 4)), ["face"])
    with pytest.raises(InputError, match="0 tiles"):
        contact_sheet([], 2)
