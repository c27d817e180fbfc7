"""Cameras: their names, and FFmpeg's test picture in the place of a device."""

import sys

import numpy as np
import pytest

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.media import camera_device
from coevoer_edge.media.camera_device import CameraDevice, camera_address, camera_number


@pytest.mark.parametrize(
    ("source", "number"),
    [("camera", 0), ("camera:0", 0), ("camera:12", 12), ("camera:", None), ("camera.mp4", None), ("Camera", None)],
)
def test_names(source, number):
    assert camera_number(source) == number


def test_addresses(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert camera_address(2) == ("/dev/video2", "v4l2", {})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert camera_address(1) == ("1:none", "avfoundation", {"framerate": "30"})
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(PlatformError, match="Linux, macOS and Windows, not on emscripten"):
        camera_address(0)


@pytest.mark.skipif(sys.platform != "linux", reason="another system opens its cameras by another name")
def test_a_camera_that_is_not_there():
    with pytest.raises(InputError, match=r"Camera 97 \(/dev/video97\) cannot be opened .*Others are camera:0"):
        CameraDevice(97)


@pytest.fixture
def test_picture(monkeypatch):
    """One second of FFmpeg's test source at 50 frames a second, as fast as it is read or in real time."""

    def use(real_time: bool) -> None:
        address = "testsrc=size=64x48:rate=50:duration=1" + (",realtime" if real_time else "")
        monkeypatch.setattr(camera_device, "camera_address", lambda number: (address, "lavfi", {}))

    return use


def test_frames_are_upright_and_in_order(test_picture):
    test_picture(True)
    with CameraDevice() as camera:
        assert camera.size_px == (64, 48)
        frames = list(camera)
    assert camera.problem is None
    assert len(frames) + camera.count.unordered == 50
    assert all(frame.pixels.shape == (48, 64, 3) for frame in frames)
    steps = np.diff([frame.timestamp_ms for frame in frames]) / 20
    assert (steps > 0.99).all()  # the camera's own times: whole frames apart, however late they were taken
    np.testing.assert_allclose(steps, steps.round(), atol=1e-6)


def test_a_slow_reader_gets_the_newest_frame_and_the_others_are_counted(test_picture):
    test_picture(False)
    with CameraDevice() as camera:
        camera._reader.join()  # all fifty have come while nobody looked
        frames = list(camera)
    assert [round(frame.timestamp_ms) for frame in frames] == [0]
    assert camera.count.unordered == 49


def test_closing_stops_the_reader(test_picture):
    test_picture(True)
    camera = CameraDevice()
    next(iter(camera))
    camera.close()
    assert not camera._reader.is_alive()
