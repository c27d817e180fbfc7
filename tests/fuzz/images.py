"""Damaged photographs in every format that Pillow reads here."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from damage import damaged_bytes
from PIL import Image

from coevoer_edge.pipeline.image import load_image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


@cache
def _sound(kind: str) -> bytes:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    content = io.BytesIO()
    small.resize((120, 90)).save(content, kind)
    return content.getvalue()


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((4, case))
    kind = FORMATS[case % len(FORMATS)]
    path = folder / f"damaged.{kind.lower()}"
    path.write_bytes(damaged_bytes(_sound(kind), rng))
    pixels = load_image(path)
    assert pixels.ndim == 3
    assert pixels.dtype == np.uint8
