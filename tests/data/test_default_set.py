"""The default image set and a user's own folder: contents, variety, and refused requests."""

import hashlib
import os
import re

import numpy as np
import pytest
from PIL import Image

from coevoer_edge.data.folder import DEFAULT_COUNTS, DEFAULT_SET, default_images, folder_images
from coevoer_edge.errors import InputError
from coevoer_edge.media.images import IMAGE_SUFFIXES, image_files
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import extract_crop


def refused(message: str):
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def sets():
    return {kind: default_images(kind) for kind in DEFAULT_COUNTS}


@pytest.fixture
def photos(tmp_path):
    """Six photos of several sizes and formats, and files that are not photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, suffix in enumerate(("jpg", "png", "JPG", "webp", "bmp", "jpeg")):
        pixels = rng.integers(0, 256, (20 + 30 * i, 90 - 10 * i, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.{suffix}")
    (folder / "notes.txt").write_text("no photo")
    (folder / "._0.jpg").write_bytes(b"macOS leaves these")
    (folder / "inner").mkdir()
    return folder


# The package's own set.


@pytest.mark.parametrize(("kind", "count"), [("calibration", 128), ("golden", 128)])
def test_counts_and_sizes(sets, kind, count):
    images = sets[kind].images
    assert len(images) == count == len(list((DEFAULT_SET / kind).glob("*.jpg")))
    assert {image.shape for image in images} == {(256, 192, 3)}
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}


def test_it_is_part_of_the_package_and_small():
    assert (DEFAULT_SET / "README.md").is_file()
    assert sum(path.stat().st_size for path in DEFAULT_SET.rglob("*.jpg")) < 4_000_000


@pytest.mark.parametrize("kind", DEFAULT_COUNTS)
def test_it_is_varied(sets, kind):
    images = np.stack(sets[kind].images).astype(np.float64)
    means, contrasts = images.mean((1, 2, 3)), images.std((1, 2, 3))
    assert means.min() > 3  # none is black
    assert means.max() < 245  # none is white
    assert np.percentile(means, 5) < 65
    assert np.percentile(means, 95) > 150
    assert contrasts.min() > 2
    assert np.percentile(contrasts, 95) > 2 * np.percentile(contrasts, 5)
    small = images.reshape(len(images), 8, 32, 6, 32, 3).mean((2, 4)).reshape(len(images), -1)
    apart = np.abs(small[:, None] - small[None]).mean(-1) + 255 * np.eye(len(images))
    assert apart.min() > 2  # grey levels: no two are nearly the same
    grey = np.ptp(images, axis=-1).mean((1, 2)) < 12
    assert 0 < grey.mean() < 0.4


def test_the_kinds_share_no_image(sets):
    digests = [hashlib.sha256(image.tobytes()).digest() for kind in sets for image in sets[kind].images]
    assert len(set(digests)) == 256


def test_digest_is_of_the_pixels_and_stable(sets):
    again = default_images("golden")
    assert again.sha256 == sets["golden"].sha256
    assert again.sha256 == hashlib.sha256(b"".join(image.tobytes() for image in again.images)).hexdigest()
    assert again.sha256 != sets["calibration"].sha256


def test_a_count_takes_the_first(sets):
    some = default_images("calibration", 5)
    np.testing.assert_array_equal(np.stack(some.images), np.stack(sets["calibration"].images[:5]))
    assert some.source == "default calibration set, 5 of 128 images"
    assert some.sha256 != sets["calibration"].sha256


@pytest.mark.parametrize(
    ("kind", "count", "advice"),
    [
        ("calibration", 129, "give a folder of your own photos for more"),
        ("golden", 129, "ask for fewer"),
        ("golden", 0, "ask for at least 1"),
    ],
)
def test_counts_that_are_not_there(kind, count, advice):
    with refused(f"The default {kind} set has {DEFAULT_COUNTS[kind]} images, but {count} were requested; {advice}."):
        default_images(kind, count)


# A user's own folder.


def test_folder(photos):
    every = folder_images(photos, 6, seed=3)
    assert every.source == "folder photos, 6 of 6 images, seed 3"
    assert [image.shape for image in every.images] == [(256, 192, 3)] * 6
    names = ("0.jpg", "1.png", "2.JPG", "3.webp", "4.bmp", "5.jpeg")
    for image, name in zip(every.images, names, strict=True):
        photo = np.asarray(Image.open(photos / name).convert("RGB"))
        whole = Crop.whole_frame(photo.shape[1], photo.shape[0])
        np.testing.assert_array_equal(image, extract_crop(photo, whole))
    assert folder_images(photos, 6, seed=4).sha256 == every.sha256  # the same photos in the same order


def test_folder_choice_follows_the_seed(photos):
    digests = {seed: folder_images(photos, 3, seed).sha256 for seed in range(8)}
    assert len(set(digests.values())) > 3
    assert folder_images(str(photos), 3, seed=0).sha256 == digests[0]
    chosen = folder_images(photos, 3, seed=0).images
    assert len({image.tobytes() for image in chosen}) == 3


def test_too_few_photos(photos):
    with refused(f"{photos} contains 6 images; 64 are needed. Add photos or give --num-calibration-samples 6."):
        folder_images(photos, 64, seed=0)
    for path in sorted(photos.glob("[1-5].*")):
        path.unlink()
    with refused(f"{photos} contains 1 image; 2 are needed. Add photos or give --num-calibration-samples 1."):
        folder_images(photos, 2, seed=0)


def test_no_photos_asked_for(photos):
    with refused("0 images were requested; give --num-calibration-samples 1 or more."):
        folder_images(photos, 0, seed=0)


def test_missing_folder(tmp_path):
    folder = tmp_path / "none"
    with refused(f"There is no folder {folder}; give a folder that holds photos."):
        folder_images(folder, 8, seed=0)


def test_file_instead_of_a_folder(photos):
    with refused(f"{photos / '0.jpg'} is a file; give the folder that holds the photos."):
        folder_images(photos / "0.jpg", 8, seed=0)


def test_overlays_and_hidden_files_are_no_photographs(tmp_path):
    for name in ("b.avif", "a.JPG", "a.overlay.png", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in image_files(tmp_path)] == ["a.JPG", "b.avif"]


def test_empty_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    with refused(f"{tmp_path} holds no images; it should hold files ending in {', '.join(IMAGE_SUFFIXES)}."):
        folder_images(tmp_path, 8, seed=0)


def test_unreadable_photo_is_named(photos):
    (photos / "3.webp").write_text("not a picture at all")
    with refused(
        f"{photos / '3.webp'} is not an image: its content is of no known format; "
        "give a JPEG, PNG, WebP, TIFF, BMP or GIF file."
    ):
        folder_images(photos, 6, seed=0)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_folder_that_may_not_be_read(photos):
    photos.chmod(0)
    try:
        with refused(f"{photos} may not be read; change its permissions or give a copy."):
            folder_images(photos, 2, seed=0)
    finally:
        photos.chmod(0o700)
