"""Records plotted for visual inspection: part labels as a tint, part boxes, keypoints.

In: a `Record`. Out: pictures on which one can check that the labels fit the image.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from coevoer_edge import contract
from coevoer_edge.body.keypoints import KEYPOINT_NAMES
from coevoer_edge.data.record import BODY_PARTS, UNKNOWN, Record
from coevoer_edge.output.overlay import LEFT_COLOR, MIDDLE_COLOR, RIGHT_COLOR, draw_boxes
from coevoer_edge.pipeline.image import Pixels

_TINTS = np.array(
    [
        (0, 0, 0),
        (120, 120, 120),
        (250, 220, 90),
        (255, 120, 40),
        (40, 190, 180),
        (255, 180, 130),
        (140, 220, 215),
        (150, 130, 230),
        (110, 150, 90),
    ],
    np.float64,
)
_OPACITY = 0.45

assert len(_TINTS) == len(BODY_PARTS)


def annotate(record: Record) -> list[Pixels]:
    """Draw the labels of a batch over its images, each (256, 192, 3)."""
    size = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX) * 2)
    pictures = []
    for i, image in enumerate(record.image):
        labels = record.labels[i].numpy()
        tinted = (labels > 0) & (labels != UNKNOWN)
        picture = image.numpy().transpose(1, 2, 0).astype(np.float64)
        picture[tinted] += (_TINTS[labels[tinted]] - picture[tinted]) * _OPACITY
        shown = record.part_boxes_weight[i].numpy() > 0
        drawn = draw_boxes(picture.round().astype(np.uint8), record.part_boxes[i].numpy()[shown] * size)
        known = record.keypoints_2d_weight[i].numpy() > 0
        sides = [_side(name) for name, is_known in zip(KEYPOINT_NAMES, known, strict=True) if is_known]
        pictures.append(_draw_points(drawn, record.keypoints_2d[i].numpy()[known], sides))
    return pictures


def _side(name: str) -> tuple[int, int, int]:
    return LEFT_COLOR if name.startswith("left") else RIGHT_COLOR if name.startswith("right") else MIDDLE_COLOR


def _draw_points(image: Pixels, points_px: NDArray[np.float32], colors: list[tuple[int, int, int]]) -> Pixels:
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for (x, y), color in zip(points_px.tolist(), colors, strict=True):
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=color, outline=(20, 20, 20))
    return np.array(picture)
