"""Which files count as photographs: one rule for every command that takes a photo or a folder of photos.

In: a path. Out: image files, in the order of their names.
"""

from pathlib import Path

from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.image import HEIC_SUFFIXES

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"),
    *HEIC_SUFFIXES,  # with the extra [heic]
)
OVERLAY_SUFFIX = ".overlay.png"
"""Suffix of the overlays that `run` writes; a folder's overlays do not count as photographs."""


def find_images(path: Path) -> list[Path]:
    """The image itself, or the images of a folder as `image_files` finds them.

    Raises:
        InputError: there is no such file, or the folder has no images.
    """
    if path.is_dir():
        return image_files(path)
    if not path.exists():
        raise InputError(f"There is no image at {path}; give an image file or a folder of images.")
    return [path]


def image_files(folder: Path) -> list[Path]:
    """The images of a folder by suffix and name, without hidden files, subfolders and overlays of earlier runs.

    Raises:
        InputError: no such folder, or no images in it.
    """
    if not folder.exists():
        raise InputError(f"There is no folder {folder}; give a folder that holds photos.")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; give the folder that holds the photos.")
    try:
        entries = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.name)
    except PermissionError:
        raise InputError(f"{folder} may not be read; change its permissions or give a copy.") from None
    files = [path for path in entries if _is_photograph(path.name)]
    if not files:
        raise InputError(f"{folder} holds no images; it should hold files ending in {', '.join(IMAGE_SUFFIXES)}.")
    return files


def is_image(path: Path) -> bool:
    """Whether Pillow knows the format of a file, by its content."""
    from PIL import Image

    try:
        with Image.open(path):
            return True
    except Exception:  # decoders raise errors of many kinds
        return False


def _is_photograph(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) and not lower.startswith(".") and not lower.endswith(OVERLAY_SUFFIX)
