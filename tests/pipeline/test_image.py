"""Images in, crops out: what is accepted and how, what is refused and with which words, and the crop rule itself."""

import io
import json
import re
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
from photo import ASTRONAUT
from PIL import Image, UnidentifiedImageError

from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import CROP_RULE, as_image, extract_crop, load_image, read_image


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)


def refused(message: str):
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


# Files that are accepted.


def test_portrait():
    image = load_image(ASTRONAUT)
    assert image.shape == (512, 512, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(read_image(str(ASTRONAUT)), image)
    np.testing.assert_array_equal(read_image(Image.open(ASTRONAUT)), image)
    np.testing.assert_array_equal(read_image(image), image)


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, 1)),
        (7, lambda a: a[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, undo):
    upright = noise(20, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(undo(upright))).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(load_image(tmp_path / "turned.png"), upright)


def test_grey_and_bilevel(tmp_path):
    grey = noise(5, 7, 1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(load_image(tmp_path / "grey.png"), np.stack([grey] * 3, -1))
    Image.fromarray(grey > 127).save(tmp_path / "bilevel.png")
    np.testing.assert_array_equal(load_image(tmp_path / "bilevel.png")[..., 0], (grey > 127) * 255)


def test_sixteen_bit_grey_is_scaled_over_its_full_range(tmp_path):
    grey = np.array([[0, 128, 257, 1000, 32768, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    assert load_image(tmp_path / "deep.png")[0, :, 1].tolist() == [0, 0, 1, 4, 128, 255]


def test_transparency_lies_over_white(tmp_path):
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "cutout.png")
    expected = [[10, 20, 30], [255, 255, 255], [127, 127, 127]]
    assert load_image(tmp_path / "cutout.png")[0].tolist() == expected
    assert as_image(rgba)[0].tolist() == expected
    grey_alpha = Image.fromarray(rgba).convert("LA")
    grey_alpha.save(tmp_path / "grey_alpha.png")
    assert load_image(tmp_path / "grey_alpha.png")[0, 1].tolist() == [255, 255, 255]


def test_palette_with_transparent_entry(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "palette.gif", transparency=2)
    assert load_image(tmp_path / "palette.gif")[0].tolist() == [[255, 0, 0], [0, 255, 0], [255, 255, 255]]


def test_cmyk_jpeg_keeps_its_picture(tmp_path):
    Image.open(ASTRONAUT).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert Image.open(tmp_path / "print.jpg").mode == "CMYK"
    error = load_image(tmp_path / "print.jpg").astype(float) - load_image(ASTRONAUT)
    assert np.abs(error).mean() < 3


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / "moving.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (6, 5, 4)])
def test_arrays(shape):
    image = as_image(np.full(shape, 255, np.uint8)[::-1])
    assert image.shape == (6, 5, 3)
    assert image.flags.c_contiguous
    assert (image == 255).all()


# Refused, with what was given, what is valid and what to do.


def test_missing_file(tmp_path):
    path = tmp_path / "none.jpg"
    with refused(f"No image at {path}; give the path of a JPEG, PNG, WebP, TIFF, BMP or GIF file."):
        load_image(path)


def test_folder(tmp_path):
    with refused(f"{tmp_path} is a folder, not an image; give one of its files."):
        load_image(tmp_path)


def test_text_file(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture at all")
    with refused(
        f"{path} is not an image: its content is of no known format; give a JPEG, PNG, WebP, TIFF, BMP or GIF file."
    ):
        load_image(path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with refused(f"{path} is not an image: it is empty (0 bytes); copy it again."):
        load_image(path)


HEIC_HEAD = b"\0\0\0\x24ftypheic" + bytes(100)


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "IMG_0001.HEIC"
    picture = np.full((64, 48, 3), (200, 40, 40), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(picture)).save(path, quality=90)
    assert np.abs(load_image(path).astype(int) - picture).max() <= 4
    path.write_bytes(HEIC_HEAD)
    with pytest.raises(InputError, match="damaged"):
        load_image(path)


def test_heic_without_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.xyz"  # a suffix for which no test before has registered the format
    path.write_bytes(HEIC_HEAD)
    monkeypatch.setattr(Image, "open", lambda _: (_ for _ in ()).throw(UnidentifiedImageError))
    with refused(
        f"{path} is not an image: HEIC needs pillow-heif; run `pip install 'coevoer-edge[heic]'`, or save it as JPEG "
        "or PNG."
    ):
        load_image(path)


def test_a_pillow_image_of_a_file_that_is_cut_off(tmp_path):
    path = tmp_path / "half.jpg"
    Image.fromarray(noise(60, 50)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with Image.open(path) as image, pytest.raises(InputError, match=r"^The image is damaged \(.+\); open or save it"):
        read_image(image)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_damaged_avif(tmp_path, part):
    path = tmp_path / "half.avif"
    Image.fromarray(noise(60, 50)).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=r" is (damaged|not an image)"):
        load_image(path)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_file(tmp_path, kind, part):
    path = tmp_path / f"half.{kind}"
    Image.fromarray(noise(60, 50)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))} (is damaged \(.+\); copy or save it again|is not)"):
        load_image(path)


def test_truncated_portrait_says_how(tmp_path):
    path = tmp_path / "half.jpg"
    path.write_bytes(ASTRONAUT.read_bytes()[:40000])
    with pytest.raises(InputError) as caught:
        load_image(path)
    message = rf"{re.escape(str(path))} is damaged \(image file is truncated \(\d+ bytes not processed\)\); "
    assert re.fullmatch(message + r"copy or save it again\.", str(caught.value))


def test_float_file(tmp_path):
    path = tmp_path / "depth.tiff"
    Image.fromarray(np.ones((3, 3), np.float32)).save(path)
    with refused(f"{path} has 32-bit grey values of unknown range; save it with 8 or 16 bits."):
        load_image(path)


def test_absurdly_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    path = tmp_path / "bomb.png"
    Image.new("1", (2000, 2000)).save(path)
    with refused(f"{path} has more than 2 million pixels; shrink it first."):
        load_image(path)


VALID = "give a uint8 array (H, W, 3) in RGB"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            None,
            "The image is a NoneType (cv2.imread gives None when it cannot read a file); "
            f"{VALID}, a path or a PIL image.",
        ),
        ([[0, 1]], f"The image is a list; {VALID}, a path or a PIL image."),
        (
            np.zeros((4, 4, 3), np.float32),
            f"The image has dtype float32; {VALID}; from [0, 1]: (image * 255).round().astype('uint8').",
        ),
        (np.zeros((4, 4), np.uint16), f"The image has dtype uint16; {VALID}; from 16 bits: image // 257."),
        (np.zeros((4, 4), bool), f"The image has dtype bool; {VALID}."),
        (
            np.zeros((3, 40, 50), np.uint8),
            f"The image has shape (3, 40, 50); {VALID}; from (3, H, W): image.transpose(1, 2, 0).",
        ),
        (
            np.zeros((1, 40, 50, 3), np.uint8),
            f"The image has shape (1, 40, 50, 3); {VALID}; one image at a time: images[0].",
        ),
        (np.zeros((40, 50, 2), np.uint8), f"The image has shape (40, 50, 2); {VALID}."),
        (np.zeros((0, 50, 3), np.uint8), "The image is 50 x 0 px; both sides must be above 0."),
        (np.zeros(7, np.uint8), f"The image has shape (7,); {VALID}."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_arrays_refused(array, message):
    with refused(message):
        as_image(array)


# The crop.


def naive_crop(image: np.ndarray, crop: Crop) -> np.ndarray:
    """`CropRule`'s words, pixel by pixel of each axis, without rounding."""

    def weights(n: int, start: float, size: int) -> np.ndarray:
        W = np.zeros((size, n))
        radius = max(1.0, crop.scale)
        for i in range(size):
            x = start + (i + 0.5) * crop.scale
            near = np.arange(np.floor(x - radius) - 1, np.ceil(x + radius) + 1)
            t = np.maximum(0, 1 - np.abs(near + 0.5 - x) / radius)
            inside = (near >= 0) & (near < n)
            W[i, near[inside].astype(int)] = (t / t.sum())[inside]
        return W

    rows = weights(image.shape[0], crop.y0, CROP_RULE.height_px)
    columns = weights(image.shape[1], crop.x0, CROP_RULE.width_px)
    return np.einsum("ij,jkc,lk->ilc", rows, image.astype(float), columns, optimize=True)


@pytest.mark.parametrize("size", [(300, 200), (37, 500), (600, 40), (3, 3), (1, 1)], ids=str)
@pytest.mark.parametrize(
    "box",
    [(-20, -33.3, 41.7, 60), (20, 33.3, 41.7, 60), (3.3, -400, 753.3, 600), (10, 20, 29, 45), (1000, 999, 1075, 1100)],
    ids=str,
)
def test_fast_against_naive(size, box):
    image = noise(*size)
    for crop in (Crop.around(box), Crop.whole_frame(size[1], size[0])):
        out = extract_crop(image, crop)
        assert out.shape == (256, 192, 3)
        assert out.dtype == np.uint8
        assert np.abs(out - naive_crop(image, crop)).max() <= 1 + 1e-9


def test_random_crops_against_naive():
    rng = np.random.default_rng(3)
    image = noise(40, 60)
    for _ in range(50):
        width = 10.0 ** rng.uniform(0, 4)
        crop = Crop(*(rng.uniform(-2, 1, 2) * width + rng.uniform(0, 50, 2)), width, width / 0.75)
        assert np.abs(extract_crop(image, crop) - naive_crop(image, crop)).max() <= 1 + 1e-9


@pytest.mark.parametrize(("x0", "y0"), [(0, 0), (13, 7), (108, 44), (-50, 200), (250, -100), (-500, 0)])
def test_whole_pixels_come_out_unchanged(x0, y0):
    image = noise(300, 300)
    padded = np.zeros((1500, 1500, 3), np.uint8)
    padded[600:900, 600:900] = image
    out = extract_crop(image, Crop(x0, y0, 192, 256))
    np.testing.assert_array_equal(out, padded[600 + y0 : 856 + y0, 600 + x0 : 792 + x0])


def test_same_filter_as_torch():
    torch = pytest.importorskip("torch")
    image = load_image(ASTRONAUT)
    square = torch.from_numpy(image[:, :384]).permute(2, 0, 1)[None].float()  # 384 x 512 to 192 x 256
    there = torch.nn.functional.interpolate(square, (256, 192), mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    ours = extract_crop(image, Crop(0, 0, 384, 512))
    inner = (slice(2, -2), slice(2, -2))  # torch leaves out what lies outside
    assert np.abs(ours[inner] - there.numpy()[inner]).max() <= 1


def test_cost_is_bounded():
    started = time.perf_counter()
    for height, width in ((100, 20000), (20000, 100), (1, 100000), (100000, 1), (1, 1)):
        out = extract_crop(np.full((height, width, 3), 200, np.uint8), Crop.whole_frame(width, height))
        assert out.any() or 100000 in (height, width)  # a line of 1 in 520 px fades to nothing
    extract_crop(noise(10, 10), Crop.around((-40000, -40000, 60000, 60000)))
    assert time.perf_counter() - started < 3  # 0.03 s on 2 cores


def test_crop_too_wide():
    with refused("The crop is 300000 px wide; at most 131072."):
        extract_crop(noise(10, 10), Crop(0, 0, 300000, 400000))


def test_rule_is_plain_data():
    rule = json.load(io.StringIO(json.dumps(asdict(CROP_RULE))))
    assert rule["width_px"] == 192
    assert rule["next_crop_joints"][0] == "pelvis"
    assert len(rule["next_crop_joints"]) == 55 - 8
