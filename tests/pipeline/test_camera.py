"""Crop and camera: there and back, the exact virtual camera, and rectangles that are refused."""

import re

import numpy as np
import pytest

from coevoer_edge import contract
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, Crop, PinholeCamera, convert_translation, fit_translation

CROPS = [
    Crop(0, 0, 192, 256),
    Crop(-17.3, 41.9, 75, 100),
    Crop.whole_frame(1920, 1080),
    Crop.whole_frame(1, 1),
    Crop.around((10, 20, 400, 90)),
]
rng = np.random.default_rng(0)


@pytest.mark.parametrize("crop", CROPS, ids=str)
def test_crop_there_and_back(crop):
    points = rng.normal(size=(20, 2)) * 1000
    np.testing.assert_allclose(crop.crop_to_image(crop.image_to_crop(points)), points, atol=1e-9)
    corners = crop.image_to_crop([(crop.x0, crop.y0), (crop.x0 + crop.width, crop.y0 + crop.height)])
    np.testing.assert_allclose(corners, [(0, 0), (192, 256)], atol=1e-9)


@pytest.mark.parametrize("crop", CROPS, ids=str)
def test_full_image_camera_is_exact_for_every_depth(crop):
    body = rng.normal(size=(50, 3)) * 0.8 + (0.1, -0.3, 25)
    np.testing.assert_allclose(
        crop.camera().project(body), crop.crop_to_image(VIRTUAL_CAMERA.project(body)), rtol=0, atol=1e-9 * crop.width
    )


def test_projection_by_hand():
    camera = PinholeCamera(100.0, (50.0, 40.0))
    np.testing.assert_allclose(camera.project([[1.0, -2.0, 4.0]]), [[75.0, -10.0]])


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (192, 256, (0, 0, 192, 256)),
        (400, 400, (0, -200 / 3, 400, 1600 / 3)),
        (100, 400, (-100, 0, 300, 400)),
        (20000, 100, (0, (100 - 80000 / 3) / 2, 20000, 80000 / 3)),
    ],
)
def test_whole_frame_is_the_smallest_that_holds_the_image(width, height, expected):
    crop = Crop.whole_frame(width, height)
    assert (crop.x0, crop.y0, crop.width, crop.height) == pytest.approx(expected)


def test_around_keeps_the_centre_and_scales_like_osx():
    crop = Crop.around([(100, 50), (160, 250), (130, 100)])  # 60 x 200, extended to 150 x 200
    assert (crop.width, crop.height) == pytest.approx((150 * 1.25, 200 * 1.25))
    assert (crop.x0 + crop.width / 2, crop.y0 + crop.height / 2) == pytest.approx((130, 150))
    assert crop == Crop.around((100, 50, 160, 250))
    tight = Crop.around((0, 0, 300, 200), scale=1.0)
    assert (tight.width, tight.height) == pytest.approx((300, 400))


def test_aspect_is_the_contracts():
    crop = Crop.whole_frame(123, 77)
    assert crop.width / crop.height == pytest.approx(contract.IMAGE_WIDTH_PX / contract.IMAGE_HEIGHT_PX)


def test_convert_translation_there_and_back():
    here, there = Crop.around((100, 50, 300, 400)).camera(), PinholeCamera(1450.0, (960.0, 540.0))
    translation = np.array((0.2, -0.4, 31.0))
    moved = convert_translation(translation, here, there)
    np.testing.assert_allclose(convert_translation(moved, there, here), translation, atol=1e-12)
    np.testing.assert_allclose(convert_translation(translation, here, here), translation, atol=1e-12)


def test_convert_translation_keeps_place_and_size():
    here, there = Crop.around((100, 50, 300, 400)).camera(), PinholeCamera(1450.0, (960.0, 540.0))
    translation = np.array((0.2, -0.4, 31.0))
    moved = convert_translation(translation, here, there)
    flat = rng.normal(size=(20, 3)) * (1, 1, 0)  # at the depth of the origin: exact
    np.testing.assert_allclose(there.project(flat + moved), here.project(flat + translation), atol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Crop(0, 0, 0, 0), "Crop(x0=0, y0=0, width=0, height=0) is empty; width and height must be above 0."),
        (
            lambda: Crop(0, 0, 256, 192),
            "Crop(x0=0, y0=0, width=256, height=192) is not 192 : 256; Crop.around(box) extends any box to that shape.",
        ),
        (
            lambda: Crop(float("nan"), 0, 192, 256),
            "Crop(x0=nan, y0=0, width=192, height=256) is not finite; give numbers in pixels.",
        ),
        (lambda: Crop.whole_frame(0, 5), "The image is 0 x 5 px; both sides must be above 0."),
        (
            lambda: Crop.around(np.zeros((4, 3))),
            "points_px is (4, 3); give points (N, 2) or a box (4,) as x1 y1 x2 y2.",
        ),
        (
            lambda: Crop.around((9, 0, 3, 5)),
            "Box [9.0, 0.0, 3.0, 5.0] has x1 > x2 or y1 > y2; give x1 y1 x2 y2.",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        make()


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="is not finite"):
        Crop.around([(0, 0), (np.nan, 5)])


def points(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, 116, 3)) * 0.4, np.array((0.1, -0.2, 40)) + rng.normal(size=(4, 3)) * (0.3, 0.3, 5)


def test_fit_translation_inverts_the_projection():
    body, t = points()
    weights = np.random.default_rng(1).uniform(size=(4, 116)) + 0.1
    pixels = VIRTUAL_CAMERA.project(body + t[:, None])
    np.testing.assert_allclose(fit_translation(body, pixels, weights), t, atol=1e-7)


def test_fit_translation_is_the_least_squares_one():
    body, t = points()
    rng = np.random.default_rng(2)
    weights = rng.uniform(size=(4, 116))
    pixels = VIRTUAL_CAMERA.project(body + t[:, None]) + rng.normal(size=(4, 116, 2)) * 3

    def cost(translation: np.ndarray) -> np.ndarray:
        distance = VIRTUAL_CAMERA.project(body + translation[:, None]) - pixels
        return (weights[..., None] * distance**2).sum((1, 2))

    best = fit_translation(body, pixels, weights)
    for step in np.concatenate((np.eye(3), -np.eye(3))) * (1e-4, 1e-4, 1e-2):
        assert (cost(best + step) > cost(best)).all()


def test_fit_translation_passes_over_points_without_weight():
    body, t = points()
    weights = np.ones((4, 116))
    weights[:, ::2] = 0
    pixels = VIRTUAL_CAMERA.project(body + t[:, None])
    pixels[:, ::2] = np.nan
    np.testing.assert_allclose(fit_translation(body, pixels, weights), t, atol=1e-7)
    np.testing.assert_allclose(fit_translation(body[0], pixels[0], weights[0]), t[0], atol=1e-7)


def test_fit_translation_is_nan_where_nothing_fits():
    body, t = points()
    pixels = VIRTUAL_CAMERA.project(body + t[:, None])
    weights = np.zeros((4, 116))
    weights[1, :1] = 1  # one point tells no depth
    weights[2:] = 1
    pixels[2] = 2 * np.array(VIRTUAL_CAMERA.principal_point_px) - pixels[2]  # seen from behind
    found = fit_translation(body, pixels, weights)
    assert np.isnan(found[:3]).all()
    np.testing.assert_allclose(found[3], t[3], atol=1e-7)
