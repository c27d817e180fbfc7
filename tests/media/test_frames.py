"""Video files: times, orientation, colours, and files that are not whole."""

import sys
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from clips import SIZE_PX, TURNS, corners, turn_clip, with_cover, write_clip, write_sound

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.media.frames import VideoFile, upright

EVEN_S = [i / 25 for i in range(20)]


def decoded(path: Path) -> tuple[list, VideoFile]:
    with VideoFile(path) as video:
        return list(video), video


def corner_colors(pixels: np.ndarray) -> list[list[int]]:
    H, W = pixels.shape[:2]
    return [pixels[y, x].tolist() for y, x in ((8, 8), (8, W - 9), (H - 9, 8), (H - 9, W - 9))]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_every_frame_comes_with_its_time(tmp_path, suffix):
    frames, video = decoded(write_clip(tmp_path / f"a{suffix}", EVEN_S))
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.timestamp_ms for frame in frames], np.array(EVEN_S) * 1000, atol=1)
    assert video.size_px == SIZE_PX
    assert video.frames_per_second == pytest.approx(25, abs=0.5)
    assert video.problem is None
    assert (video.count.unordered, video.count.damaged) == (0, 0)
    assert all(frame.pixels.shape == (64, 96, 3) and frame.pixels.dtype == np.uint8 for frame in frames)


def test_varying_rates_keep_their_times(tmp_path):
    times = [0, 0.04, 0.05, 0.3, 0.333, 1.0]
    frames, video = decoded(write_clip(tmp_path / "a.mp4", times))
    np.testing.assert_allclose([frame.timestamp_ms for frame in frames], np.array(times) * 1000, atol=0.1)
    assert video.problem is None


def test_colours(tmp_path):
    frames, _ = decoded(write_clip(tmp_path / "a.mp4", EVEN_S))
    difference = np.abs(np.array(corner_colors(frames[5].pixels)) - corner_colors(corners()))[:3]
    assert difference.max() <= 6


UPRIGHT = {
    **{"0": lambda p: p, "90": lambda p: np.rot90(p, -1), "180": lambda p: np.rot90(p, 2), "270": np.rot90},
    **{"hflip": np.fliplr, "vflip": np.flipud, "transpose": lambda p: p.transpose(1, 0, 2)},
    "transverse": lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}
"""What ffmpeg and players make of a picture with each display matrix."""


@pytest.mark.parametrize("turn", UPRIGHT)
def test_phone_videos_are_upright(tmp_path, turn):
    path = turn_clip(write_clip(tmp_path / "a.mp4", EVEN_S), turn)
    frames, video = decoded(path)
    expected = UPRIGHT[turn](corners())
    assert video.size_px == (expected.shape[1], expected.shape[0])
    for i in (0, 19):
        assert frames[i].pixels.shape == expected.shape
        colors = np.array(corner_colors(frames[i].pixels)), np.array(corner_colors(expected))
        assert np.sort(np.abs(colors[0] - colors[1]).max(1))[:3].max() <= 6  # the fourth corner is noise's neighbour


def test_pixels_become_square(tmp_path):
    _, video = decoded(write_clip(tmp_path / "a.mp4", EVEN_S[:3], aspect="2/1"))
    assert video.size_px == (192, 64)


def test_a_cut_off_file_gives_what_it_has_and_says_so(tmp_path):
    path = write_clip(tmp_path / "a.mp4", EVEN_S)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    frames, video = decoded(path)
    assert 3 < len(frames) < 18
    assert video.problem is not None
    assert "of 0.8 s: it is truncated or damaged." in video.problem


def test_a_cut_off_mkv_does_too(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [i / 25 for i in range(75)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, video = decoded(path)
    assert 10 < len(frames) < 65
    assert video.problem is not None
    assert "truncated or damaged" in video.problem


def test_damage_in_the_middle_is_counted(tmp_path):
    path = write_clip(tmp_path / "a.mp4", EVEN_S)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    for place in range(start + (len(data) - start) // 2, start + (len(data) - start) * 3 // 4, 40):
        data[place] ^= 0xFF
    path.write_bytes(data)
    frames, video = decoded(path)
    assert len(frames) >= 8
    assert video.count.damaged > 0
    assert video.problem is not None
    assert "damaged" in video.problem


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", "is empty (0 bytes); copy it again."),
        ("a.mp4", b"no video at all " * 50, "cannot be opened as a video"),
        ("a.mkv", b"\x1aE\xdf\xa3" + b"\0" * 20, "cannot be opened as a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        VideoFile(path)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_an_unfinished_recording_is_refused(tmp_path):
    path = write_clip(tmp_path / "a.mp4", EVEN_S)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4] + data[data.index(b"mdat") - 4 :])
    with pytest.raises(InputError, match="truncated, damaged or not a video"):
        VideoFile(path)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.mp4"])
def test_sound_alone_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="has no video stream, only audio; give a file with moving pictures"):
        VideoFile(write_sound(tmp_path / name))


def test_a_file_without_any_whole_frame_is_refused(tmp_path):
    path = write_clip(tmp_path / "a.mp4", EVEN_S)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 40])
    with pytest.raises(InputError, match="has no frame that can be decoded"):
        VideoFile(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"No video at .*nothing.mp4; give a video file"):
        VideoFile(tmp_path / "nothing.mp4")


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", EVEN_S[:2])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PlatformError, match=r"pip install 'coevoer-edge\[video\]'"):
        VideoFile(path)


@pytest.mark.parametrize("turn", ["0", "90"])
def test_a_frame_of_another_size_is_resized(turn):
    frame = av.VideoFrame.from_ndarray(corners((48, 32)), format="rgb24")
    a, b, c, d = TURNS[turn]
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32).tobytes()
    turned = SimpleNamespace(width=48, height=32, side_data={"DISPLAYMATRIX": matrix}, reformat=frame.reformat)
    assert upright(turned, (96, 64)).shape == (64, 96, 3)
    assert upright(turned, None).shape == ((32, 48, 3) if turn == "0" else (48, 32, 3))


def test_a_cover_picture_is_not_the_video(tmp_path):
    """It comes first, and the video is the default."""
    with VideoFile(with_cover(write_clip(tmp_path / "a.mp4", EVEN_S), tmp_path / "b.mp4")) as video:
        assert len(list(video)) == len(EVEN_S)
        assert video.size_px == SIZE_PX


def test_sound_with_a_cover_picture_is_no_video(tmp_path):
    path = with_cover(write_sound(tmp_path / "a.m4a"), tmp_path / "b.mp4")
    with pytest.raises(InputError, match=r"has no video stream, only a cover picture and audio; give a file with mov"):
        VideoFile(path)


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_titles_in_any_encoding(tmp_path, suffix):
    path = write_clip(tmp_path / f"a{suffix}", EVEN_S[:3], title="Gru?e")
    path.write_bytes(path.read_bytes().replace(b"Gru?e", b"Gr\xfc\xdfe"))
    assert len(decoded(path)[0]) == 3


def test_frames_out_of_order_are_left_out_and_counted(tmp_path):
    with VideoFile(write_clip(tmp_path / "a.mp4", EVEN_S[:6])) as video:
        rest = [video._first, *video._pending]
        for frame, time in zip(rest, (0, 1, 1, 0, 2, 3), strict=True):
            frame.pts = time * 9000
        video._first, video._pending = rest[0], iter(rest[1:])
        times = [frame.timestamp_ms for frame in video]
    np.testing.assert_allclose(times, np.arange(4) * (times[1] - times[0]))
    assert video.count.unordered == 2
    assert video.count.decoded == 6
