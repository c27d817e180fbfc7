"""Cameras and crops: where a point of the body lies in the network's crop and in the full image.

In: rectangles and points, numpy. Out: `Crop` and `PinholeCamera`. Pixels are x right, y down; the centre of the top
left pixel is (0.5, 0.5), so an image W px wide covers 0 to W. The camera frame is x right, y down, z into the scene, m.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.errors import InputError

NEAR_M = 0.01
"""Points nearer to the camera than this, or behind it, cannot be shown in an image."""

ASPECT = contract.IMAGE_WIDTH_PX / contract.IMAGE_HEIGHT_PX  # 0.75
CROP_SCALE = 1.25
"""Margin around a body's box. OSX common/utils/preprocessing.py process_bbox."""


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion and with square pixels."""

    focal_px: float
    principal_point_px: tuple[float, float]

    def project(self, points_cam: ArrayLike) -> Float64Array:
        """(..., 3) points in the camera frame, m, to (..., 2) pixels. Meaningless for points with z <= 0."""
        points = np.asarray(points_cam, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels: Float64Array = self.focal_px * points[..., :2] / points[..., 2:] + np.array(self.principal_point_px)
        return pixels


VIRTUAL_CAMERA = PinholeCamera(contract.VIRTUAL_FOCAL_PX, (contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2))
"""The network's own camera, in pixels of the 256 x 192 crop. Its `camera` output is a translation in this frame."""


@dataclass(frozen=True)
class Crop:
    """The upright rectangle of the full image, px, that becomes the network's input. It may reach outside the image.

    Raises `InputError` for a rectangle that is empty, not finite, or not 192 : 256.
    """

    x0: float
    y0: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if fault := self._fault():
            given = f"Crop(x0={self.x0:g}, y0={self.y0:g}, width={self.width:g}, height={self.height:g})"
            raise InputError(f"{given} is {fault}.")

    def _fault(self) -> str | None:
        if not all(map(math.isfinite, (self.x0, self.y0, self.width, self.height))):
            return "not finite; give numbers in pixels"
        if self.width <= 0 or self.height <= 0:
            return "empty; width and height must be above 0"
        if abs(self.width / self.height / ASPECT - 1) > 1e-6:
            return (
                f"not {contract.IMAGE_WIDTH_PX} : {contract.IMAGE_HEIGHT_PX}; "
                "Crop.around(box) extends any box to that shape"
            )
        return None

    def __str__(self) -> str:
        return f"{self.width:.0f} x {self.height:.0f} px at ({self.x0:.0f}, {self.y0:.0f})"

    @classmethod
    def whole_frame(cls, image_width_px: float, image_height_px: float) -> Self:
        """The smallest crop that holds the whole image, centred on it: the first crop, when nothing is known."""
        if not (image_width_px > 0 and image_height_px > 0):
            raise InputError(f"The image is {image_width_px} x {image_height_px} px; both sides must be above 0.")
        return cls.around((0.0, 0.0, image_width_px, image_height_px), scale=1.0)

    @classmethod
    def around(cls, points_px: ArrayLike, scale: float = CROP_SCALE) -> Self:
        """The crop around points (N, 2) or a box (4,) x1 y1 x2 y2, px: extended to 192 : 256, then times `scale`.

        The centre stays. This is OSX's `process_bbox` without clipping to the image, which is left to the caller.
        """
        x1, y1, x2, y2 = _bounds(points_px)
        width = max(x2 - x1, (y2 - y1) * ASPECT) * scale
        height = width / ASPECT
        return cls((x1 + x2 - width) / 2, (y1 + y2 - height) / 2, width, height)

    @property
    def scale(self) -> float:
        """Pixels of the full image per pixel of the crop."""
        return self.width / contract.IMAGE_WIDTH_PX

    def crop_to_image(self, points_px: ArrayLike) -> Float64Array:
        """(..., 2) pixels of the 256 x 192 crop to pixels of the full image."""
        pixels: Float64Array = np.asarray(points_px, np.float64) * self.scale + np.array((self.x0, self.y0))
        return pixels

    def image_to_crop(self, points_px: ArrayLike) -> Float64Array:
        """(..., 2) pixels of the full image to pixels of the 256 x 192 crop."""
        pixels: Float64Array = (np.asarray(points_px, np.float64) - np.array((self.x0, self.y0))) / self.scale
        return pixels

    def camera(self) -> PinholeCamera:
        """The virtual camera expressed in pixels of the full image.

        Exact, with the translation unchanged: scaling and shifting pixels is scaling the focal length and moving the
        principal point. So `crop_to_image(VIRTUAL_CAMERA.project(p))` equals `camera().project(p)` for every point.
        """
        x, y = self.crop_to_image(VIRTUAL_CAMERA.principal_point_px)
        return PinholeCamera(VIRTUAL_CAMERA.focal_px * self.scale, (float(x), float(y)))


def convert_translation(translation_m: ArrayLike, from_camera: PinholeCamera, to_camera: PinholeCamera) -> Float64Array:
    """The translation (3,), m, under another camera, such that the body keeps its position and size in the image.

    For a phone's real intrinsics, or one camera for several people. Depth scales with the focal length, and a sideways
    shift compensates for the principal point: the weak-perspective equivalence of CLIFF (Li et al. 2022,
    arXiv:2208.00571). Exact for points at the depth of the body's origin; the perspective
    of nearer and farther parts changes.
    """
    x, y, z = np.asarray(translation_m, np.float64)
    shift = np.subtract(from_camera.principal_point_px, to_camera.principal_point_px) * z / from_camera.focal_px
    return np.array((x + shift[0], y + shift[1], z * to_camera.focal_px / from_camera.focal_px))


_GAUSS_NEWTON_STEPS = 5
_TINY_VARIANCE = (1e-3 / VIRTUAL_CAMERA.focal_px) ** 2  # a thousandth of a pixel: the points coincide


def fit_translation(keypoints_3d_m: ArrayLike, keypoints_2d_px: ArrayLike, weights: ArrayLike) -> Float64Array:
    """The translation under which the virtual camera (focal 5000 px over 192 x 256) projects keypoints closest to 2D.

    Least squares over pixels: sum of weight * |project(keypoints_3d_m + t) - keypoints_2d_px|^2. It starts from the
    closed form (the same sum times depth squared is linear in t) and takes a few Gauss-Newton steps.

    Args:
        keypoints_3d_m: (..., K, 3), m, axes of the camera frame (x right, y down, z into the scene). The result
            translates their origin: give the body layer's points unchanged to get SMPL-X's `transl`.
        keypoints_2d_px: (..., K, 2), px of the 192 x 256 crop. Those of weight 0 may be anything, NaN too.
        weights: (..., K), at least 0.

    Returns:
        (..., 3), m. NaN where fewer than two points are distinct, or where only a body behind the camera would fit.
    """
    weight = np.asarray(weights, np.float64)
    used = weight > 0
    points = np.where(used[..., None], np.asarray(keypoints_3d_m, np.float64), 0.0)  # ... K 3
    pixels = np.where(used[..., None], np.asarray(keypoints_2d_px, np.float64), 0.0)
    focal = VIRTUAL_CAMERA.focal_px
    slopes = (pixels - VIRTUAL_CAMERA.principal_point_px) / focal  # ... K 2: x / z and y / z of the ray
    # x + tx = slope (z + tz), and so for y: rows (1, 0, -slope) t = slope z - x.
    offsets = slopes * points[..., 2:] - points[..., :2]
    t = _solve(slopes, offsets, weight)
    for _ in range(_GAUSS_NEWTON_STEPS):
        depths = points[..., 2] + t[..., None, 2]  # ... K
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = (points[..., :2] + t[..., None, :2]) / depths[..., None]
            # The residual's derivative is (1, 0, -shown) / depth: the rows of `_solve`, with weight / depth^2.
            step = _solve(shown, (slopes - shown) * depths[..., None], weight / depths**2)
        t = t + step
    behind = np.any(used & (points[..., 2] + t[..., None, 2] <= 0), axis=-1, keepdims=True)
    result: Float64Array = np.where(behind | ~np.isfinite(t).all(-1, keepdims=True), np.nan, t)
    return result


def _solve(slopes: Float64Array, offsets: Float64Array, weight: Float64Array) -> Float64Array:
    """Weighted least squares of rows (1, 0, -slope_x) and (0, 1, -slope_y) on offsets (..., K, 2), to (..., 3).

    The mean is subtracted first, which leaves the depth alone; it is more certain the wider the slopes spread.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (weight / weight.sum(-1, keepdims=True))[..., None]  # ... K 1
        share = np.where(weight[..., None] > 0, share, 0.0)
        mean_slope, mean_offset = (share * slopes).sum(-2), (share * offsets).sum(-2)  # ... 2
        spread, change = slopes - mean_slope[..., None, :], offsets - mean_offset[..., None, :]
        variance = (share * spread**2).sum((-2, -1))
        depth = np.where(variance > _TINY_VARIANCE, -(share * spread * change).sum((-2, -1)) / variance, np.nan)
    return np.concatenate((mean_offset + mean_slope * depth[..., None], depth[..., None]), axis=-1)


def _bounds(points_px: ArrayLike) -> tuple[float, float, float, float]:
    """x1 y1 x2 y2 of points (N, 2) or of a box (4,)."""
    points = np.asarray(points_px, np.float64)
    if points.shape == (4,):
        x1, y1, x2, y2 = box = points.tolist()
        if x1 > x2 or y1 > y2:
            raise InputError(f"Box {box} has x1 > x2 or y1 > y2; give x1 y1 x2 y2.")
        return x1, y1, x2, y2
    if points.ndim != 2 or points.shape[-1] != 2 or not len(points):
        raise InputError(f"points_px is {points.shape}; give points (N, 2) or a box (4,) as x1 y1 x2 y2.")
    (x1, y1), (x2, y2) = points.min(0), points.max(0)
    return float(x1), float(y1), float(x2), float(y2)
