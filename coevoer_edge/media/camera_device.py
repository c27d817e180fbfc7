"""A camera of this machine as frames with timestamps.

In: `camera` or `camera:N`. Out: `CameraDevice`, an endless iterable of `Frame`s. It always yields the newest one, so
that frames do not lag behind when the network is slower than the camera.
"""

import re
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.media.frames import Count, Frame, upright
from coevoer_edge.media.pyav import load_av

_PATTERN = re.compile(r"camera(?::(\d+))?")
_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_WAIT_S = 10.0  # for a frame; a camera that sends none for this long is gone


def camera_number(source: str) -> int | None:
    """N for `camera:N`, 0 for `camera`, None for anything else."""
    match = _PATTERN.fullmatch(source)
    return int(match[1] or 0) if match else None


def camera_address(number: int) -> tuple[str, str, dict[str, str]]:
    """FFmpeg's name of camera N on this system, its format and options. Raises `PlatformError` on others."""
    kind = _FORMATS.get(sys.platform)
    if kind is None:
        raise PlatformError(f"Cameras are read on Linux, macOS and Windows, not on {sys.platform}; give a video file.")
    if kind == "v4l2":
        return f"/dev/video{number}", kind, {}
    if kind == "avfoundation":
        return f"{number}:none", kind, {"framerate": "30"}
    devices = [d for d in load_av().enumerate_input_devices(kind) if "video" in (d.media_types or ("video",))]
    if number >= len(devices):
        raise InputError(f"There is no camera {number}; found {[d.description for d in devices] or 'none'}.")
    return f"video={devices[number].name}", kind, {}


class CameraDevice:
    """An open camera; a thread reads from it and keeps the newest frame.

    Raises `InputError` where the camera cannot be opened.
    """

    live: bool = True
    frames: int | None = None

    def __init__(self, number: int = 0) -> None:
        self.name = f"camera{number}"
        self.count = Count()
        self.problem: str | None = None
        self._av = load_av()
        address, kind, options = camera_address(number)
        try:
            self._container = self._av.open(address, format=kind, options=options)
            self._frames = self._container.decode(video=0)
            first = next(self._frames)
        except (self._av.FFmpegError, StopIteration) as error:
            raise InputError(
                f"Camera {number} ({address}) cannot be opened ({error}); is it plugged in, free and allowed? "
                "Others are camera:0, camera:1 and so on."
            ) from None
        pixels = upright(first, None)
        self.size_px = (pixels.shape[1], pixels.shape[0])
        stream = self._container.streams.video[0]
        self.frames_per_second = float(stream.average_rate or stream.guessed_rate or 30)
        self._newest: Any = first
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        problem = None
        try:
            for raw in self._frames:
                with self._changed:
                    if self._ended:
                        return
                    self.count.unordered += self._newest is not None  # skipped, because nobody had taken it
                    self._newest = raw
                    self._changed.notify()
        except self._av.FFmpegError as error:
            problem = f"The camera stopped ({error})."
        with self._changed:
            self.problem = self.problem or problem
            self._ended = True
            self._changed.notify()

    def __iter__(self) -> Iterator[Frame]:
        start_s, last_ms = None, -1.0
        while (raw := self._take()) is not None:
            time_s = float(raw.time or 0.0)
            start_s = time_s if start_s is None else start_s
            time_ms = (time_s - start_s) * 1000
            index = self.count.decoded
            self.count.decoded += 1
            if time_ms > last_ms:
                yield Frame(index, time_ms, upright(raw, self.size_px))
                last_ms = time_ms
            else:
                self.count.unordered += 1

    def _take(self) -> Any:
        """The newest frame that has not been taken yet, or None when the camera has ended."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._newest is not None or self._ended, _WAIT_S):
                self.problem = f"The camera sent no frame for {_WAIT_S:.0f} s."
                return None
            newest, self._newest = self._newest, None
            return newest

    def close(self) -> None:
        """Stop reading and free the camera."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._reader.join(_WAIT_S)
        if not self._reader.is_alive():
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
