"""Cameras and crops: where a point of the body lies in the network's crop and in the full image.

In: rectangles and points, numpy. Out: `Crop` and `PinholeCamera`. Pixels are x right, y down; the centre of the top
left pixel is (0.5, 0.5), so an image W px wide covers 0 to W. The camera frame is x right, y down, z into the scene, m.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coevoer_edge import contract
from coevoer_edge.errors import InputError

Array = NDArray[np.float64]

ASPECT = contract.IMAGE_WIDTH_PX / contract.IMAGE_HEIGHT_PX  # 0.75
CROP_SCALE = 1.25
"""Margin around a body's box. OSX common/utils/preprocessing.py process_bbox."""


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion and with square pixels."""

    focal_px: float
    principal_point_px: tuple[float, float]

    def project(self, points_cam: ArrayLike) -> Array:
        """(..., 3) points in the camera frame, m, to (..., 2) pixels. Meaningless for points with z <= 0."""
        points = np.asarray(points_cam, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels: Array = self.focal_px * points[..., :2] / points[..., 2:] + np.array(self.principal_point_px)
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
        given = f"Crop(x0={self.x0:g}, y0={self.y0:g}, width={self.width:g}, height={self.height:g})"
        if not np.isfinite((self.x0, self.y0, self.width, self.height)).all():
            raise InputError(f"{given} is not finite; give numbers in pixels.")
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"{given} is empty; width and height must be above 0.")
        if abs(self.width / self.height / ASPECT - 1) > 1e-6:
            raise InputError(
                f"{given} is not {contract.IMAGE_WIDTH_PX} : {contract.IMAGE_HEIGHT_PX}; "
                "Crop.around(box) extends any box to that shape."
            )

    @classmethod
    def whole_frame(cls, image_width_px: float, image_height_px: float) -> Self:
        """The smallest crop that holds the whole image, centred on it: the first crop, when nothing is known."""
        if not (image_width_px > 0 and image_height_px > 0):
            raise InputError(f"The image is {image_width_px} x {image_height_px} px; both sides must be above 0.")
        return cls.around((0.0, 0.0, image_width_px, image_height_px), scale=1.0)

    @classmethod
    def around(cls, points_px: ArrayLike, scale: float = CROP_SCALE) -> Self:
        """The crop around points (N, 2) or a box (4,) x1 y1 x2 y2, px: extended to 192 : 256, then times `scale`.

        The centre stays. This is OSX's `process_bbox` without its clipping to the image, which is the caller's.
        """
        x1, y1, x2, y2 = _bounds(points_px)
        width = max(x2 - x1, (y2 - y1) * ASPECT) * scale
        height = width / ASPECT
        return cls((x1 + x2 - width) / 2, (y1 + y2 - height) / 2, width, height)

    @property
    def scale(self) -> float:
        """Pixels of the full image per pixel of the crop."""
        return self.width / contract.IMAGE_WIDTH_PX

    def crop_to_image(self, points_px: ArrayLike) -> Array:
        """(..., 2) pixels of the 256 x 192 crop to pixels of the full image."""
        pixels: Array = np.asarray(points_px, np.float64) * self.scale + np.array((self.x0, self.y0))
        return pixels

    def image_to_crop(self, points_px: ArrayLike) -> Array:
        """(..., 2) pixels of the full image to pixels of the 256 x 192 crop."""
        pixels: Array = (np.asarray(points_px, np.float64) - np.array((self.x0, self.y0))) / self.scale
        return pixels

    def camera(self) -> PinholeCamera:
        """The virtual camera written in pixels of the full image.

        Exact, with the translation unchanged: scaling and shifting pixels is scaling the focal length and moving the
        principal point. So `crop_to_image(VIRTUAL_CAMERA.project(p))` equals `camera().project(p)` for every point.
        """
        x, y = self.crop_to_image(VIRTUAL_CAMERA.principal_point_px)
        return PinholeCamera(VIRTUAL_CAMERA.focal_px * self.scale, (float(x), float(y)))


def convert_translation(translation_m: ArrayLike, from_camera: PinholeCamera, to_camera: PinholeCamera) -> Array:
    """The translation (3,), m, under another camera, such that the body keeps its place and size in the image.

    For a phone's real intrinsics, or one camera for several people. Depth goes with the focal length and the sideways
    shift makes up for the principal point: the weak-perspective equivalence of CLIFF (Li et al. 2022,
    arXiv:2208.00571). Exact for points at the depth of the body's origin; parts before or behind it change by
    perspective.
    """
    x, y, z = np.asarray(translation_m, np.float64)
    shift = np.subtract(from_camera.principal_point_px, to_camera.principal_point_px) * z / from_camera.focal_px
    return np.array((x + shift[0], y + shift[1], z * to_camera.focal_px / from_camera.focal_px))


def _bounds(points_px: ArrayLike) -> tuple[float, float, float, float]:
    """x1 y1 x2 y2 of points (N, 2) or of a box (4,)."""
    points = np.asarray(points_px, np.float64)
    if points.shape == (4,):
        points = points.reshape(2, 2)
        if (points[0] > points[1]).any():
            raise InputError(f"box {points.ravel().tolist()} has x1 > x2 or y1 > y2; give x1 y1 x2 y2.")
    if points.ndim != 2 or points.shape[-1] != 2 or not len(points):
        raise InputError(f"points_px is {points.shape}; give points (N, 2) or a box (4,) as x1 y1 x2 y2.")
    (x1, y1), (x2, y2) = points.min(0), points.max(0)
    return float(x1), float(y1), float(x2), float(y2)
