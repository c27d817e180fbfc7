"""Animated images as streams: frames, times, and files that are none."""

from pathlib import Path

import numpy as np
import pytest
from clips import corners, write_clip
from PIL import Image

from coevoer_edge.errors import InputError
from coevoer_edge.media.animated_image import AnimatedImage, is_animated
from coevoer_edge.run.stream import is_stream, open_source


def write_animation(path: Path, durations_ms: list[int]) -> Path:
    pictures = [Image.fromarray(np.roll(corners(), 8 * i, axis=1)) for i in range(len(durations_ms))]
    options = {"lossless": True} if path.suffix == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations_ms, loop=0, **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".png", ".apng", ".webp"])
def test_frames_come_with_their_times(tmp_path, suffix):
    path = write_animation(tmp_path / f"a{suffix}", [40, 40, 120, 40])
    assert is_stream(path)
    with open_source(path) as animation:
        assert isinstance(animation, AnimatedImage)
        assert (animation.name, animation.size_px, animation.frames) == ("a", (96, 64), 4)
        assert animation.frames_per_second == 25
        frames = list(animation)
    assert [frame.timestamp_ms for frame in frames] == [0, 40, 80, 200]
    assert animation.problem is None
    for i, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - np.roll(corners(), 8 * i, axis=1)).max() <= 2


def test_frames_without_a_duration_are_shown_as_browsers_show_them(tmp_path):
    path = write_animation(tmp_path / "a.gif", [0, 0, 0])
    with AnimatedImage(path) as animation:
        assert [frame.timestamp_ms for frame in animation] == [0, 100, 200]


def test_an_animation_that_is_cut_off_is_refused_or_says_so(tmp_path):
    path = write_animation(tmp_path / "a.gif", [40] * 8)
    path.write_bytes(path.read_bytes()[:-400])
    try:
        with AnimatedImage(path) as animation:
            frames = list(animation)
    except InputError as error:
        assert "cannot be read as an animation" in str(error)  # noqa: PT017
    else:
        assert animation.problem is not None or len(frames) < 8


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".jpg"])
def test_a_still_image_is_no_stream(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(corners()).save(path)
    assert not is_animated(path)
    assert not is_stream(path)


def test_files_without_a_known_suffix_go_by_their_content(tmp_path):
    video = write_clip(tmp_path / "a.mp4", [i / 25 for i in range(5)])
    for name in ("clip", "clip.3g2", "clip.vob"):
        video.rename(tmp_path / name)
        video = tmp_path / name
        assert is_stream(video), name
    with open_source(video) as opened:
        assert len(list(opened)) == 5
    Image.fromarray(corners()).save(tmp_path / "photo", "JPEG")
    assert not is_stream(tmp_path / "photo")
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "missing.jpg")
