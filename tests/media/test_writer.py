"""The overlay video read back: size, times, colours, and the kind of file that browsers play."""

import subprocess
import sys

import av
import numpy as np
import pytest
from clips import corners

from coevoer_edge.errors import InputError
from coevoer_edge.media.frames import VideoFile
from coevoer_edge.media.writer import VideoWriter


def test_times_and_pictures_there_and_back(tmp_path):
    times_ms = [0.0, 40.0, 80.0, 333.0, 1000.0]
    picture = corners()
    with VideoWriter(tmp_path / "a.mp4", (96, 64), 25) as writer:
        for time_ms in times_ms:
            writer.write(picture, time_ms)
    with VideoFile(tmp_path / "a.mp4") as video:
        frames = list(video)
    np.testing.assert_allclose([frame.timestamp_ms for frame in frames], times_ms, atol=0.1)
    for y, x in ((10, 10), (10, 86), (54, 10), (54, 86)):
        assert np.abs(frames[3].pixels[y, x].astype(int) - picture[y, x]).max() <= 8
    assert video.problem is None


def test_it_is_what_browsers_play(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (96, 64), 29.97) as writer:
        for i in range(3):
            writer.write(corners(), i * 33.4)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it plays while it loads
    with av.open(str(tmp_path / "a.mp4")) as container:
        (stream,) = container.streams
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == 1  # BT.709


def test_odd_sides_gain_a_row_or_column(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", (95, 63), 25) as writer:
        writer.write(corners((95, 63)), 0.0)
    with VideoFile(tmp_path / "a.mp4") as video:
        assert video.size_px == (96, 64)


def test_nothing_written_can_be_closed(tmp_path):
    VideoWriter(tmp_path / "a.mp4", (96, 64), 25).close()


def test_it_is_complete_when_closed_twice_and_after_an_error(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", (96, 64), 25)
    writer.write(corners(), 0.0)
    with pytest.raises(InputError, match="not after the previous frame's"):
        writer.write(corners(), 0.0)
    with pytest.raises(InputError, match=r"this video takes uint8 \(64, 96, 3\)"):
        writer.write(corners((48, 32)), 40.0)
    writer.close()
    writer.close()
    with VideoFile(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 1


FULL_DISK = """
import resource, signal, sys
import numpy as np
from coevoer_edge.errors import CoEvoerError
from coevoer_edge.media.writer import VideoWriter

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
noise = np.random.default_rng(0).integers(0, 255, (60, 120, 160, 3), dtype=np.uint8)
try:
    with VideoWriter(sys.argv[1], (160, 120), 30) as writer:
        for i, frame in enumerate(noise):
            writer.write(frame, i * 33.0)
except CoEvoerError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("limit", [10, 300, 2000, 100_000])
def test_a_full_disk_is_one_clear_error(tmp_path, limit):
    """In a process of its own: a muxer that is used after it failed ends the process without a word."""
    path = tmp_path / "full.mp4"
    command = [sys.executable, "-c", FULL_DISK, str(path), str(limit)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert child.returncode == 1, child.stderr
    assert child.stderr.startswith(f"{path} cannot be written (")
    assert child.stderr.endswith("Free space on the disk, check the permissions, or give another folder.\n")
