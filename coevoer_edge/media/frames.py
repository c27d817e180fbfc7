"""A video file as upright frames with timestamps.

In: a path. Out: `VideoFile`, an iterable of `Frame`s that counts what it leaves out and says how the file ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from coevoer_edge.errors import InputError
from coevoer_edge.media.pyav import load_av
from coevoer_edge.pipeline.image import Pixels

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".wmv"),
    *(".flv", ".ogv", ".mjpeg"),
    *(".mp3", ".m4a", ".wav", ".aac", ".flac", ".ogg"),  # sound only; listed so that the error can say so
)
_SHORT_S = 0.25  # a stream that ends more than this, and more than two frames, before its declared end is truncated
_FILE_SHORT_S = 1.0  # the same where only the file declares an end, because sound may outlast the frames
_DEFAULT_RATE = 30.0


@dataclass(frozen=True)
class Frame:
    """One upright frame."""

    index: int  # among the frames decoded, from 0
    timestamp_ms: float  # since the first frame
    pixels: Pixels  # H W 3, RGB


@dataclass
class Count:
    """How many frames a source decoded and left out."""

    decoded: int = 0
    unordered: int = 0  # with a timestamp at or before the last one
    damaged: int = 0  # packets that the decoder refused and frames that it concealed


class FrameSource(Protocol):
    """A video file or a camera: frames of one size, in order."""

    name: str  # for file names and messages
    size_px: tuple[int, int]  # width, height, upright
    frames_per_second: float  # nominal
    frames: int | None  # the expected number, if it is known
    live: bool
    count: Count
    problem: str | None  # set after the last frame: what went wrong, in a sentence, or None

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Free the file or the device."""


class VideoFile:
    """The first video stream of a file, turned upright by its display matrix, with square pixels, in 8-bit RGB.

    Timestamps are the file's own, relative to the first frame, even where the rate varies. Frames of another size than
    the first are resized to match it. Raises `InputError` for a file that has no picture to decode.
    """

    live: bool = False

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.name = path.stem
        self.path = path
        self.count = Count()
        self.problem: str | None = None
        if not path.is_file():
            raise InputError(f"No video at {path}; give a video file, an image, a folder of images or camera[:N].")
        if not path.stat().st_size:
            raise InputError(f"{path} is empty (0 bytes); copy it again.")
        self._av = load_av()
        try:
            self._container = self._av.open(str(path), metadata_errors="replace")  # titles may be in any encoding
        except self._av.FFmpegError as error:
            what = "a video" if path.suffix.lower() in VIDEO_SUFFIXES else "an image or a video"
            raise InputError(
                f"{path} cannot be opened as {what} ({error.strerror}): it is truncated, damaged or not {what}. "
                "Copy it again, or convert it to JPEG or MP4."
            ) from None
        try:
            self._open_stream()
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self) -> None:
        self._stream = self._chosen()
        self._stream.thread_type = "AUTO"
        self.frames_per_second = float(self._stream.average_rate or self._stream.guessed_rate or _DEFAULT_RATE)
        self.frames: int | None = self._stream.frames or None
        self._pending = self._decode()
        self._first = next(self._pending, None)
        if self._first is None:
            reason = self.problem or "it holds no frames"
            raise InputError(f"{self.path} has no frame that can be decoded: {reason.rstrip('.')}. Copy it again.")
        self._pixel_aspect = float(self._stream.sample_aspect_ratio or 1)
        turned = upright(self._first, None, self._pixel_aspect)
        self.size_px = (turned.shape[1], turned.shape[0])
        if self.frames is None and self._container.duration:
            self.frames = round(self._container.duration / self._av.time_base * self.frames_per_second)

    def _chosen(self) -> Any:
        """The video stream to decode, as players choose it: no cover picture or thumbnail, the default one first."""
        still = self._av.stream.Disposition.attached_pic | self._av.stream.Disposition.timed_thumbnails
        moving = [stream for stream in self._container.streams.video if not stream.disposition & still]
        if not moving:
            kinds = {stream.type for stream in self._container.streams} - {"video"}
            kinds |= {"a cover picture"} if self._container.streams.video else set()
            only = " and ".join(sorted(kinds)) or "nothing"
            raise InputError(f"{self.path} has no video stream, only {only}; give a file with moving pictures.")
        default = self._av.stream.Disposition.default
        return next((stream for stream in moving if stream.disposition & default), moving[0])

    def __iter__(self) -> Iterator[Frame]:
        start_s, last_ms = None, -1.0
        raw = self._first
        while raw is not None:
            step_ms = 1000 / self.frames_per_second
            if raw.time is None:
                time_ms = last_ms + step_ms if last_ms >= 0 else 0.0
            else:
                start_s = raw.time if start_s is None else start_s
                time_ms = (raw.time - start_s) * 1000
            index = self.count.decoded
            self.count.decoded += 1
            if time_ms > last_ms:
                yield Frame(index, time_ms, upright(raw, self.size_px, self._pixel_aspect))
                last_ms = time_ms
            else:
                self.count.unordered += 1
            raw = next(self._pending, None)
        self._judge(last_ms / 1000 + 1 / self.frames_per_second)

    def _decode(self) -> Iterator[Any]:
        """Frames as FFmpeg decodes them; packets that it refuses are counted."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._av.FFmpegError as error:
                self.problem = f"Reading stopped early ({error.strerror})."
                return
            try:
                frames = packet.decode()
            except self._av.FFmpegError as error:
                self.count.damaged += 1
                self.problem = self.problem or f"A part of it cannot be decoded ({error.strerror})."
                continue
            for frame in frames:
                self.count.damaged += bool(frame.is_corrupt)
                yield frame

    def _judge(self, seconds: float) -> None:
        """After the last frame, decide whether the file was complete, and set `problem` if it was not."""
        stream, decoded = self._stream, self.count.decoded
        promised_s, least_s = None, max(_SHORT_S, 2 / self.frames_per_second)
        if stream.duration:
            promised_s = float(stream.duration * stream.time_base)
        elif self._container.duration:
            promised_s, least_s = self._container.duration / self._av.time_base, _FILE_SHORT_S
        missing = (stream.frames - decoded) if stream.frames else 0
        if promised_s is not None and promised_s - seconds > least_s and (missing > 2 or not stream.frames):
            self.problem = f"It ends after {seconds:.1f} of {promised_s:.1f} s: it is truncated or damaged."
        elif self.count.damaged:
            self.problem = f"{self.count.damaged} of its {decoded + self.count.damaged} frames are damaged."

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def upright(frame: Any, size_px: tuple[int, int] | None, pixel_aspect: float = 1.0) -> Pixels:
    """A PyAV frame as (H, W, 3) RGB, turned by its display matrix, with square pixels.

    `pixel_aspect` is the width of a stored pixel over its height. A frame of another size than `size_px` is resized.
    """
    a, b, c, d = _display_matrix(frame)
    swapped = abs(b) > abs(a)
    width, height = max(1, round(frame.width * pixel_aspect)), frame.height
    if size_px is not None:
        width, height = size_px[::-1] if swapped else size_px
    pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    if swapped:
        pixels = pixels.transpose(1, 0, 2)  # W H 3
    right, down = (c, b) if swapped else (a, d)
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """a, b, c, d of a frame's display matrix: a stored place (p, q) is shown at (a p + c q, b p + d q).

    Phones store it instead of turning the picture, and front cameras mirror it. Turns by other than right angles are
    shown as the nearest one.
    """
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(stored, np.int32)[:5].tolist()  # rows a b u, c d v, x y w
    return a, b, c, d
