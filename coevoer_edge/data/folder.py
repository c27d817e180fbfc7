"""Images for calibration and checks: the package's default set, or a folder of the user's own photos.

In: a kind or a folder. Out: `ImageSet`, the crops that the network receives, with a digest that identifies the set.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from coevoer_edge.errors import InputError
from coevoer_edge.media.images import image_files
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import Pixels, extract_crop, load_image

SetKind = Literal["calibration", "golden"]

DEFAULT_SET = Path(__file__).with_name("default_set")
DEFAULT_COUNTS: dict[SetKind, int] = {"calibration": 128, "golden": 128}


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Crops of one size and their source."""

    images: tuple[Pixels, ...]  # each 256 192 3, uint8 RGB
    source: str  # in words
    sha256: str  # of the decoded pixels, image after image
    kind: Literal["default", "folder"]
    available: int  # number of images in the source


def default_images(kind: SetKind, count: int | None = None) -> ImageSet:
    """The first `count` images of the package's own set, or all of them if `count` is None.

    11 of the 128 calibration images and 2 of the 128 golden images show no person.
    """
    available = DEFAULT_COUNTS[kind]
    count = available if count is None else count
    if not 1 <= count <= available:
        more = "give a folder of your own photos for more" if kind == "calibration" else "ask for fewer"
        advice = more if count > 0 else "ask for at least 1"
        raise InputError(f"The default {kind} set has {available} images, but {count} were requested; {advice}.")
    images = tuple(load_image(DEFAULT_SET / kind / f"{i:03d}.jpg") for i in range(count))
    return _image_set(images, f"default {kind} set, {count} of {available} images", "default", available)


def folder_images(folder: Path, count: int, seed: int) -> ImageSet:
    """Choose `count` photos from a folder at random, by `seed`; each whole photo becomes one crop, whatever its size.

    Files are recognised by suffix. Subfolders are not searched. The order is that of the file names.
    """
    folder = Path(folder)
    if count < 1:
        raise InputError(f"{count} images were requested; give --num-calibration-samples 1 or more.")
    files = image_files(folder)
    if len(files) < count:
        one = len(files) == 1
        raise InputError(
            f"{folder} contains {len(files)} {'image' if one else 'images'}; {count} are needed. "
            f"Add photos or give --num-calibration-samples {len(files)}."
        )
    chosen = sorted(np.random.default_rng(seed).choice(len(files), count, replace=False).tolist())
    images = tuple(_whole_frame(load_image(files[i])) for i in chosen)
    name = folder.resolve().name
    return _image_set(images, f"folder {name}, {count} of {len(files)} images, seed {seed}", "folder", len(files))


def _whole_frame(image: Pixels) -> Pixels:
    return extract_crop(image, Crop.whole_frame(image.shape[1], image.shape[0]))


def _image_set(images: Sequence[Pixels], source: str, kind: Literal["default", "folder"], available: int) -> ImageSet:
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.tobytes())
    return ImageSet(tuple(images), source, digest.hexdigest(), kind, available)
