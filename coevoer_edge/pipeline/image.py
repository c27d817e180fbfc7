"""Images in, crops out: every image becomes (H, W, 3) uint8 RGB, and a rectangle of it the 256 x 192 input.

In: a file, an array or a PIL image, and a `Crop`. Out: uint8 RGB arrays. Pillow is imported only to read a file.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import CROP_SCALE, Crop

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]  # H W 3, RGB
ImageSource = Union[str, Path, "Image.Image", NDArray[np.generic]]  # in quotes: Pillow is not imported yet

MAX_CROP_PX = 1 << 17
"""The widest crop that `extract_crop` accepts: it bounds the work and memory, and is far above any camera."""

_SIZES = (contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX)
_BLOCK = 8  # pixels of the crop that one product computes; divides both sizes
_LARGEST_PRODUCT = 1 << 18  # multiplications: above this, OpenBLAS starts threads that cost more than they save
_THIN = 4
_BELOW_PELVIS = tuple(n for n in BODY_JOINT_NAMES if n.endswith(("_hip", "_knee", "_ankle", "_foot")))


@dataclass(frozen=True)
class CropRule:
    """How a full image becomes the network's input; the manifest carries it, and iOS, Android and web code follow it.

    Cutting. Let `scale` = crop width / 192, px of the image per px of the input. Input pixel (i, j) (column, row) has
    its centre at x = x0 + (i + 0.5) scale, y = y0 + (j + 0.5) scale in the image, whose pixel (m, n) has its centre at
    (m + 0.5, n + 0.5). Its value is the mean of image pixels weighted by t(m + 0.5 - x) t(n + 0.5 - y), with the
    triangle t(d) = max(0, 1 - |d| / r) and r = max(1, scale): bilinear when enlarging, antialiased when shrinking.
    Pixels outside the image count as `outside`, with their weight. The weights sum to 1. Rounding to 8 bits, once or
    after each axis; two implementations may differ by 1 (`torch.nn.functional.interpolate(mode="bilinear",
    antialias=True)` and Pillow's BILINEAR are this filter on a padded image).

    Choosing. The first crop is `first_crop`: the smallest 192 : 256 rectangle around the whole image. The next one is
    the bounding box of the projected `next_crop_joints`, clipped to the image, extended to 192 : 256 about its centre
    and enlarged by `next_crop_scale`.
    """

    width_px: int = contract.IMAGE_WIDTH_PX
    height_px: int = contract.IMAGE_HEIGHT_PX
    colour: Literal["RGB"] = "RGB"
    filter: Literal["triangle"] = "triangle"
    radius: Literal["max(1, scale)"] = "max(1, scale)"
    pixel_centre: float = 0.5
    outside: int = 0
    transparent_over: int = 255
    first_crop: Literal["whole_frame"] = "whole_frame"
    next_crop_joints: tuple[str, ...] = tuple(name for name in JOINT_NAMES if name not in _BELOW_PELVIS)
    next_crop_scale: float = CROP_SCALE


CROP_RULE = CropRule()
HEIC_SUFFIXES = (".heic", ".heif")


def read_image(source: ImageSource) -> Pixels:
    """A path, a PIL image or an array, to (H, W, 3) uint8 RGB. Raises `InputError`."""
    if isinstance(source, str | Path):
        return load_image(source)
    if isinstance(source, np.ndarray):
        return as_image(source)
    from PIL import Image

    if isinstance(source, Image.Image):
        try:
            return _to_rgb(source, "The image")
        except InputError:
            raise
        except Exception as error:  # Pillow reads files late, and its decoders raise errors of many kinds
            raise InputError(f"The image is damaged ({error}); open or save it again.") from None
    return as_image(source)


def load_image(path: str | Path) -> Pixels:
    """Read an image file to (H, W, 3) uint8 RGB, upright (EXIF orientation applied), first frame of an animation.

    Transparent images are composited over white, as in viewers; on black, dark hair and clothes would lose their edge.
    16-bit grey is scaled over its full range. CMYK is converted by Pillow's formula without its printing profile, which
    shifts hues but keeps shapes. Raises `InputError` for a file that is not a readable image.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not an image; give one of its files.")
    if not path.exists():
        raise InputError(f"No image at {path}; give the path of a JPEG, PNG, WebP, TIFF, BMP or GIF file.")
    if path.suffix.lower() in HEIC_SUFFIXES:
        knows_heic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large is slow; only the error is a limit
            with Image.open(path) as image:
                return _to_rgb(image, str(path))
    except InputError:
        raise
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise InputError(f"{path} has more than {limit} million pixels; shrink it first.") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image: {_what_is_it(path)}") from None
    except PermissionError:
        raise InputError(f"{path} may not be read; change its permissions or give a copy.") from None
    except Exception as error:  # Pillow's decoders raise errors of many kinds
        raise InputError(f"{path} is damaged ({error}); copy or save it again.") from None


def knows_heic() -> bool:
    """Let Pillow read HEIC, which it does where the extra [heic] is installed; returns whether it does."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def as_image(array: object) -> Pixels:
    """Check an image in memory: uint8 (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, to (H, W, 3) RGB.

    Arrays from OpenCV are BGR, which cannot be detected from the values: convert them with `image[..., ::-1]`.
    """
    valid = "give a uint8 array (H, W, 3) in RGB"
    if not isinstance(array, np.ndarray):
        hint = " (cv2.imread gives None when it cannot read a file)" if array is None else ""
        raise InputError(f"The image is a {type(array).__name__}{hint}; {valid}, a path or a PIL image.")
    if array.dtype != np.uint8:
        advice = {"f": "; from [0, 1]: (image * 255).round().astype('uint8')", "u": "; from 16 bits: image // 257"}
        raise InputError(f"The image has dtype {array.dtype}; {valid}{advice.get(array.dtype.kind, '')}.")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
        hint = ""
        if array.ndim == 4:
            hint = "; one image at a time: images[0]"
        elif array.shape[0] in (1, 3, 4):
            hint = "; from (3, H, W): image.transpose(1, 2, 0)"
        raise InputError(f"The image has shape {array.shape}; {valid}{hint}.")
    _check_size(array.shape[1], array.shape[0], "The image")
    if array.shape[-1] == 4:
        from PIL import Image

        return _to_rgb(Image.fromarray(np.ascontiguousarray(array), "RGBA"), "The image")
    if array.shape[-1] == 1:
        array = array.repeat(3, axis=-1)
    return np.ascontiguousarray(array)


def extract_crop(image: Pixels, crop: Crop) -> Pixels:
    """Cut the crop out of (H, W, 3) and resample it to (256, 192, 3), by `CROP_RULE`.

    A crop of 192 x 256 px at whole pixels comes out unchanged. Time and memory grow with the part of the image inside
    the crop. Raises `InputError` for a crop wider than `MAX_CROP_PX`.
    """
    if crop.width > MAX_CROP_PX:
        raise InputError(f"The crop is {crop.width:.0f} px wide; at most {MAX_CROP_PX}.")
    image = as_image(image)
    x0, image = _needed(image, 1, crop.x0, crop.width)
    y0, image = _needed(image, 0, crop.y0, crop.height)
    starts, sizes = (y0, x0), _SIZES
    lying = image.shape[1] > _THIN * image.shape[0]  # a strip: most of what the first pass computes would be black
    if lying:
        image, starts, sizes = image.swapaxes(0, 1), starts[::-1], sizes[::-1]
    n, m, _ = image.shape
    means = _means(image.reshape(n, m * 3), starts[0], crop.scale, sizes[0])  # m*3 rows
    means = _means(means.reshape(m, 3 * sizes[0]), starts[1], crop.scale, sizes[1])  # 3*rows columns
    pixels: Pixels = (means + 0.5).astype(np.uint8).reshape(3, *sizes)
    return pixels.transpose((2, 1, 0) if lying else (1, 2, 0))


def _needed(image: Pixels, axis: int, start: float, length: float) -> tuple[float, Pixels]:
    """The pixels along one axis that an interval depends on, and its start relative to the first of them."""
    margin = math.ceil(max(1.0, length / _SIZES[axis])) + 1
    first = min(max(math.floor(start) - margin, 0), image.shape[axis])
    last = max(math.ceil(start + length) + margin, first)
    return start - first, image[first:last] if axis == 0 else image[:, first:last]


def _means(lines: NDArray[np.generic], start: float, scale: float, size: int) -> NDArray[np.float32]:
    """Resample the first of two axes to `size` pixels, and put it last: (n, m) to (m, size).

    Each is the triangle-weighted mean around its centre, start + (i + 0.5) scale, lines outside being zero. Neighbours
    depend on nearly the same lines, so a block of them is one small matrix product.
    """
    n, m = lines.shape
    radius = max(1.0, scale)
    centres = (start + (np.arange(size) + 0.5) * scale).reshape(-1, _BLOCK)  # C b
    first = np.floor(centres[:, 0] - radius).astype(np.int64)  # C
    reach = math.ceil((_BLOCK - 1) * scale + 2 * radius) + 1  # lines that a block depends on
    seen = first[:, None] + np.arange(reach)  # C K
    weights = np.maximum(0, 1 - np.abs(seen[:, None] + 0.5 - centres[..., None]) / radius)  # C b K
    weights = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
    means = np.zeros((m, size), np.float32)
    step = max(1, _LARGEST_PRODUCT // (_BLOCK * min(reach, n or 1)))
    for left in range(0, m, step):
        part = lines[:, left : left + step].astype(np.float32, copy=False)
        into = means[left : left + step]
        for block, begin in enumerate(first.tolist()):
            low, high = max(begin, 0), min(begin + reach, n)
            if low < high:
                out = into[:, block * _BLOCK : (block + 1) * _BLOCK]
                np.matmul(part[low:high].T, weights[block, :, low - begin : high - begin].T, out=out)
    return means


def _to_rgb(image: "Image.Image", name: str) -> Pixels:
    from PIL import Image, ImageOps

    _check_size(*image.size, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint32)
        return np.repeat(((grey * 255 + 32767) // 65535).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode in ("I", "F"):
        raise InputError(f"{name} has 32-bit grey values of unknown range; save it with 8 or 16 bits.")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, (CROP_RULE.transparent_over,) * 3 + (255,))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _check_size(width_px: int, height_px: int, name: str) -> None:
    if not (width_px and height_px):
        raise InputError(f"{name} is {width_px} x {height_px} px; both sides must be above 0.")


def _what_is_it(path: Path) -> str:
    """The second half of a message on a file that Pillow does not know."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return "it is empty (0 bytes); copy it again."
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        if knows_heic():
            return "it is a HEIC file that is damaged; copy it again, or save it as JPEG or PNG."
        return "HEIC needs pillow-heif; run `pip install 'coevoer-edge[heic]'`, or save it as JPEG or PNG."
    return "its content is of no known format; give a JPEG, PNG, WebP, TIFF, BMP or GIF file."
