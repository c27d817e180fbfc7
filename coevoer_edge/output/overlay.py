"""Pictures to look at: the body rendered over the photo, skeletons, boxes, banners and contact sheets.

In: uint8 RGB images (H, W, 3), vertices and joints in the camera frame (x right, y down, z into the scene, m).
Out: new uint8 RGB images; the one given is never changed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from coevoer_edge.body.joints import JOINT_NAMES, LEFT_HAND_JOINT_NAMES, PARENTS, RIGHT_HAND_JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.output.render import render_light, vertex_normals
from coevoer_edge.pipeline.camera import NEAR_M
from coevoer_edge.pipeline.image import Pixels

Color = tuple[int, int, int]

MESH_COLOR: Color = (150, 194, 246)
LEFT_COLOR: Color = (255, 159, 28)  # the person's own left
RIGHT_COLOR: Color = (46, 196, 182)
MIDDLE_COLOR: Color = (250, 250, 250)
BOX_COLOR: Color = (255, 214, 10)

DETAIL_PX = 1024
"""The mesh is rendered at no more than this many samples along its longer side; a larger one is upscaled."""

_RIM_COLOR: Color = (20, 20, 20)  # around joints and bones
_INKS = (_RIM_COLOR, LEFT_COLOR, RIGHT_COLOR, MIDDLE_COLOR)
_LAMP, _AMBIENT, _DIRECT = (-0.45, -0.55, -1.0), 0.3, 0.75
_SUPERSAMPLE_UP_TO_PX = 2048  # longer side of the painted area; above it one sample a pixel is fine enough

_UPPER_BODY = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "jaw")
_ARM = ("collar", "shoulder", "elbow", "wrist")
UPPER_BODY_JOINTS = tuple(
    JOINT_NAMES.index(name)
    for name in (*_UPPER_BODY, *(f"{side}_{joint}" for side in ("left", "right") for joint in _ARM))
)
FINGER_JOINTS = tuple(JOINT_NAMES.index(name) for name in (*LEFT_HAND_JOINT_NAMES, *RIGHT_HAND_JOINT_NAMES))


class Camera(Protocol):
    """The part of a camera that an overlay needs; `coevoer_edge.pipeline.camera.PinholeCamera` has it."""

    def project(self, points_cam: NDArray[np.float64], /) -> NDArray[np.float64]:
        """(N, 3) m in the camera frame to (N, 2) px; the centre of the top left pixel is (0.5, 0.5)."""
        ...


def draw_overlay(
    image: Pixels,
    vertices_cam: ArrayLike,
    faces: ArrayLike,
    camera: Camera,
    *,
    color: Color = MESH_COLOR,
    opacity: float = 0.75,
    detail_px: int = DETAIL_PX,
) -> Pixels:
    """Blend the shaded mesh over the photo.

    `vertices_cam` (V, 3), m; `faces` (F, 3), outward faces counterclockwise; faces that are turned away are left out.
    Edges are smoothed. Only the rows and columns that the mesh covers are computed, with at most `detail_px` pixels
    along the longer side; a mesh that is larger on the screen is upscaled.
    """
    _check_image(image)
    vertices = np.asarray(vertices_cam, np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise InputError(f"vertices_cam is {vertices.shape}; give (V, 3) in metres.")
    triangles = np.asarray(faces)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise InputError(f"`faces` is {triangles.shape} {triangles.dtype}; give (F, 3) integers.")
    out = image.copy()
    projected = _project(vertices, camera)  # V 2, NaN behind the camera
    area = _area(projected, image)
    if area is None:
        return out
    x0, y0, x1, y1 = area
    share = min(1.0, detail_px / max(x1 - x0, y1 - y0))
    width, height = (max(1, math.ceil(side * share)) for side in (x1 - x0, y1 - y0))
    scale = (width / (x1 - x0), height / (y1 - y0))
    points = np.concatenate([(projected - (x0, y0)) * scale, vertices[:, 2:]], 1)  # V 3
    light = _headlight(vertex_normals(vertices, triangles))
    shown, cover = render_light(points, triangles, light, height, width, cull_backfaces=True)
    if share < 1:
        size = (x1 - x0, y1 - y0)
        shown, cover = (
            np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR)) for part in (shown, cover)
        )
    _blend(out[y0:y1, x0:x1], shown, cover, color, opacity)
    return out


def _headlight(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lambert light (V,) of one white lamp at the camera, tilted to the upper left so that relief shows."""
    towards = np.array(_LAMP, np.float32) / np.linalg.norm(_LAMP)
    return np.asarray(_AMBIENT + _DIRECT * (normals @ towards).clip(0), np.float32)


def _blend(under: Pixels, light: NDArray[np.float32], cover: NDArray[np.float32], color: Color, opacity: float) -> None:
    """Blend a mesh of one colour with its light (H, W) over the part of a picture (H, W, 3) that it covers, in
    place."""
    kept, shown = 1 - cover * opacity, light * np.float32(opacity)
    for channel, value in enumerate(color):  # rows of three numbers would take three times as long
        mixed = under[..., channel] * kept + shown * np.float32(value)
        under[..., channel] = np.rint(mixed)  # at most 255: light is multiplied by cover


def draw_joints(image: Pixels, joints_cam: ArrayLike, camera: Camera) -> Pixels:
    """Draw the upper body's skeleton and the fingers: 55 SMPL-X joints (55, 3) in the camera frame.

    The person's left side is orange, the right side teal, the middle white. Joints behind the camera are left out.
    """
    _check_image(image)
    joints = np.asarray(joints_cam, np.float64)
    if joints.shape != (len(JOINT_NAMES), 3):
        raise InputError(f"joints_cam is {joints.shape}; give the {len(JOINT_NAMES)} SMPL-X joints, (55, 3) in metres.")
    points = _project(joints, camera)
    shown = {j for j in (*UPPER_BODY_JOINTS, *FINGER_JOINTS) if np.isfinite(points[j]).all()}
    unit = _unit_px(image)

    def paint(draw: ImageDraw.ImageDraw, scale: int, origin: NDArray[np.float64]) -> None:
        at = (points - origin) * scale
        for pass_px, dark in ((0.7 * unit, True), (0.0, False)):  # a dark rim keeps it readable on any photo
            for j in sorted(shown):
                fine = j in FINGER_JOINTS
                fill = _INKS.index(_RIM_COLOR if dark else _side_color(j)) + 1
                if PARENTS[j] in shown:
                    width = ((0.8 if fine else 1.6) * unit + pass_px) * scale
                    draw.line([*at[PARENTS[j]], *at[j]], fill=fill, width=max(1, round(width)))
                radius = ((1.0 if fine else 1.9) * unit + pass_px / 2) * scale
                draw.ellipse([*(at[j] - radius), *(at[j] + radius)], fill=fill)

    return _paint(image, points[sorted(shown)], 4 * unit, paint)


def draw_boxes(
    image: Pixels, boxes_px: ArrayLike, labels: Sequence[str] | None = None, color: Color = BOX_COLOR
) -> Pixels:
    """Draw (N, 4) boxes x1 y1 x2 y2 in pixels, each with its label above the top left corner if given."""
    _check_image(image)
    boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
    if labels is not None and len(labels) != len(boxes):
        raise InputError(f"There are {len(labels)} labels for {len(boxes)} boxes; give one label per box.")
    unit = _unit_px(image)
    width = max(1, round(1.2 * unit))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(10.0, 8 * unit))
    for i, box in enumerate(boxes):
        if not np.isfinite(box).all():
            continue
        low = [math.floor(min(box[axis], box[axis + 2])) for axis in (0, 1)]
        high = [math.ceil(max(box[axis], box[axis + 2])) - 1 for axis in (0, 1)]  # the last pixel inside
        edges = [*low, *np.maximum(low, high).tolist()]
        draw.rectangle(edges, outline=color, width=width)
        if labels is not None:
            left, top, right, bottom = draw.textbbox((0, 0), labels[i], font=font)
            x, y = edges[0], max(0, edges[1] - round(bottom - top) - 2 * width)
            draw.rectangle([x, y, x + right - left + 2 * width, y + bottom - top + 2 * width], fill=color)
            draw.text((x + width - left, y + width - top), labels[i], fill=(0, 0, 0), font=font)
    return np.array(picture)


def stamp(image: Pixels, text: str) -> Pixels:
    """Write a banner, such as "untrained", across the bottom edge: white on red, as tall as 1/12 of the image."""
    _check_image(image)
    H, W = image.shape[:2]
    band = min(H, max(14, round(min(H, 1.5 * W) / 12)))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, H - band, W, H], fill=(200, 30, 30))
    size = 0.72 * band
    font = ImageFont.load_default(size)
    width = draw.textlength(text, font=font)
    if width > 0.94 * W:
        font = ImageFont.load_default(max(6.0, size * 0.94 * W / width))
    draw.text((W / 2, H - band / 2), text, fill=(255, 255, 255), font=font, anchor="mm")
    return np.array(picture)


def contact_sheet(
    tiles: Sequence[Pixels], columns: int, labels: Sequence[str] | None = None, *, gap_px: int = 8
) -> Pixels:
    """Lay images out in rows of `columns`, centred in cells of the largest one's size, labels below them."""
    if not tiles or columns < 1:
        raise InputError(f"There are {len(tiles)} tiles in {columns} columns; give at least one of each.")
    if labels is not None and len(labels) != len(tiles):
        raise InputError(f"There are {len(labels)} labels for {len(tiles)} tiles; give one label per tile.")
    for tile in tiles:
        _check_image(tile)
    cell_h, cell_w = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    size = max(11.0, cell_h / 18)
    line = round(1.6 * size) if labels is not None else 0
    rows, columns = -(-len(tiles) // columns), min(columns, len(tiles))
    sheet_px = (columns * (cell_w + gap_px) + gap_px, rows * (cell_h + line + gap_px) + gap_px)
    sheet = Image.new("RGB", sheet_px, (28, 28, 30))
    draw = ImageDraw.Draw(sheet)
    for i, tile in enumerate(tiles):
        x = gap_px + i % columns * (cell_w + gap_px)
        y = gap_px + i // columns * (cell_h + line + gap_px)
        sheet.paste(Image.fromarray(tile), (x + (cell_w - tile.shape[1]) // 2, y + (cell_h - tile.shape[0]) // 2))
        if labels is not None:
            width = draw.textlength(labels[i], font=ImageFont.load_default(size))
            font = ImageFont.load_default(max(6.0, size * min(1.0, cell_w / max(width, 1.0))))
            draw.text((x + cell_w / 2, y + cell_h + line / 2), labels[i], fill=(235, 235, 235), font=font, anchor="mm")
    return np.array(sheet)


def _check_image(image: NDArray[Any]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"The image is {image.shape} {image.dtype}; give RGB as uint8 (H, W, 3).")


def _project(points_cam: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """(N, 3) m to (N, 2) px; NaN for points behind the camera, which are not in the picture."""
    points_px = np.full((len(points_cam), 2), np.nan)
    x, y, z = points_cam.T  # rows of three would take three times as long
    seen = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (z > NEAR_M)
    points_px[seen] = camera.project(points_cam[seen])
    return points_px


def _area(points_px: NDArray[np.float64], image: Pixels, margin_px: float = 0.0) -> tuple[int, int, int, int] | None:
    """Whole-pixel box x0 y0 x1 y1 of the points within the image; None where they do not touch it."""
    finite = np.isfinite(points_px[:, 0]) & np.isfinite(points_px[:, 1])
    if not finite.any():
        return None
    size = np.array([image.shape[1], image.shape[0]])
    seen = [axis[finite] for axis in points_px.T]
    x0, y0 = np.floor([axis.min() - margin_px for axis in seen]).clip(0, size).astype(int)
    x1, y1 = np.ceil([axis.max() + margin_px for axis in seen]).clip(0, size).astype(int)
    return (int(x0), int(y0), int(x1), int(y1)) if x0 < x1 and y0 < y1 else None


def _paint(
    image: Pixels,
    points_px: NDArray[np.float64],
    margin_px: float,
    paint: Callable[[ImageDraw.ImageDraw, int, NDArray[np.float64]], None],
) -> Pixels:
    """Let `paint(draw, scale, origin_px)` draw on the part of the image that holds the points, with smooth edges.

    It draws with numbers: 1 is the first of `_INKS`. Only pixels that hold ink are blended with the photo.
    """
    out = image.copy()
    area = _area(points_px, image, margin_px)
    if area is None:
        return out
    x0, y0, x1, y1 = area
    scale = 2 if max(x1 - x0, y1 - y0) <= _SUPERSAMPLE_UP_TO_PX else 1
    layer = Image.new("L", ((x1 - x0) * scale, (y1 - y0) * scale))
    paint(ImageDraw.Draw(layer), scale, np.array([x0, y0], np.float64))
    inks = np.asarray(layer)
    samples = [inks[row::scale, column::scale] for row in range(scale) for column in range(scale)]
    inked = np.divmod(np.flatnonzero(np.bitwise_or.reduce(samples)), x1 - x0)
    colors = np.array([(0, 0, 0), *_INKS], np.float32)
    total, cover = np.zeros((len(inked[0]), 3), np.float32), np.zeros((len(inked[0]), 1), np.float32)
    for sample in samples:
        ink = sample[inked]
        total += colors.take(ink, 0)
        cover += (ink > 0)[:, None]
    part = out[y0:y1, x0:x1]
    part[inked] = np.rint(part[inked] * (1 - cover / len(samples)) + total / len(samples))
    return out


def _unit_px(image: Pixels) -> float:
    """Width of a thin line: 1 px at the network's crop size, growing with the image."""
    return float(max(300.0, min(image.shape[0], 1.33 * image.shape[1])) / 300)


def _side_color(joint: int) -> Color:
    name = JOINT_NAMES[joint]
    return LEFT_COLOR if name.startswith("left") else RIGHT_COLOR if name.startswith("right") else MIDDLE_COLOR
