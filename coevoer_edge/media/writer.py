"""Frames to an H.264 video in an MP4 file that browsers and phones play.

In: upright RGB frames with timestamps. Out: a .mp4, without sound.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import cannot_write
from coevoer_edge.media.pyav import load_av
from coevoer_edge.pipeline.image import Pixels

_TIME_BASE = Fraction(1, 90_000)
_QUALITY = {"crf": "20", "preset": "veryfast"}  # for x264: visually close to the original, and faster than the network
_BT709 = 1  # H.273: matrix, primaries and transfer


class VideoWriter:
    """Writes frames of one size, each shown from its own timestamp.

    4:2:0 video has even sides, so an odd side is extended by repeating its last row or column. The file is complete
    only after `close`, which `with` calls.

    Args:
        path: the file to write.
        size_px: width and height of the frames.
        frames_per_second: nominal; the timestamps decide.
    """

    def __init__(self, path: str | Path, size_px: tuple[int, int], frames_per_second: float) -> None:
        self._av = load_av()
        self.path = Path(path)
        self.size_px = size_px
        self._last = -1
        codec = "libx264" if "libx264" in self._av.codecs_available else "h264"
        self._container = self._av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        rate = Fraction(frames_per_second).limit_denominator(1001)
        stream = self._container.add_stream(codec, rate=rate)
        stream.width, stream.height = (side + side % 2 for side in size_px)
        stream.pix_fmt = "yuv420p"
        stream.options = _QUALITY if codec == "libx264" else {}
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._stream: Any = stream

    def write(self, pixels: Pixels, timestamp_ms: float) -> None:
        """Append a frame (H, W, 3). Raises `InputError` for another size or a timestamp that does not increase."""
        W, H = self.size_px
        if pixels.shape != (H, W, 3) or pixels.dtype != np.uint8:
            raise InputError(f"The frame is {pixels.shape} {pixels.dtype}; this video takes uint8 ({H}, {W}, 3).")
        time = round(timestamp_ms / 1000 / _TIME_BASE)
        if time <= self._last:
            raise InputError(
                f"The frame's timestamp is {timestamp_ms} ms, not after the previous frame's; leave the frame out."
            )
        self._last = time
        if W % 2 or H % 2:
            pixels = np.pad(pixels, ((0, H % 2), (0, W % 2), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = time, _TIME_BASE
        self._mux(self._stream, frame)

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self._mux(stream, None)
            with self._refusing():
                self._container.close()

    def _mux(self, stream: Any, frame: Any) -> None:
        with self._refusing():
            self._container.mux(stream.encode(frame))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn an error of the muxer into ours, and never use the muxer again: it would end the process."""
        try:
            yield
        except self._av.FFmpegError as error:
            self._stream = None
            raise cannot_write(self.path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
