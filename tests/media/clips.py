"""Small video files, written with PyAV alone so that our own writer takes no part."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE_PX = (96, 64)
TURNS = {  # clockwise, and mirrored as front cameras do; a b c d of tkhd
    **{"0": (1, 0, 0, 1), "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0)},
    **{"hflip": (-1, 0, 0, 1), "vflip": (1, 0, 0, -1), "transpose": (0, 1, 1, 0), "transverse": (0, -1, -1, 0)},
}


def corners(size_px: tuple[int, int] = SIZE_PX) -> np.ndarray:
    """Red at the top left, green at the top right, blue at the bottom left, grey elsewhere."""
    W, H = size_px
    picture = np.full((H, W, 3), 128, np.uint8)
    picture[: H // 2, : W // 3] = (220, 40, 40)
    picture[: H // 2, -(W // 3) :] = (40, 200, 40)
    picture[H // 2 :, : W // 3] = (40, 40, 220)
    return picture


def write_clip(
    path: Path, times_s: Sequence[float], size_px: tuple[int, int] = SIZE_PX, aspect: str = "", title: str = ""
) -> Path:
    """H.264 with noise in the middle; the file's own times begin at 0.48 s."""
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        if title:
            container.metadata["title"] = title
        avi = path.suffix == ".avi"  # which has no place for the times of frames that are stored out of order
        stream = container.add_stream("mpeg4" if avi else "libx264", rate=25)
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.options = {} if avi else {"crf": "10", "g": "4"}
        stream.codec_context.time_base = Fraction(1, 25 if avi else 90000)
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        rng = np.random.default_rng(0)
        for time_s in times_s:
            picture = corners(size_px)
            middle = slice(size_px[0] // 3 + 1, -(size_px[0] // 3) - 1)
            picture[:, middle] = rng.integers(0, 256, picture[:, middle].shape)  # noise: packets of some size
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (
                round((time_s + (0 if avi else 0.48)) / stream.codec_context.time_base),
                stream.codec_context.time_base,
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_cover(path: Path, target: Path) -> Path:
    """The same file with a cover picture as its first stream."""
    cover = av.VideoFrame.from_ndarray(np.zeros((40, 40, 3), np.uint8), format="rgb24")
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        picture = container.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 40
        picture.pix_fmt = "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        copies = {stream.index: container.add_stream_from_template(stream) for stream in source.streams}
        for packet in picture.encode(cover) + picture.encode(None):
            container.mux(packet)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                container.mux(packet)
    return target


def write_sound(path: Path) -> Path:
    """A second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le" if path.suffix == ".wav" else "aac", rate=16000, layout="mono")
        fmt = "s16" if path.suffix == ".wav" else "fltp"
        for i in range(16):
            dtype = np.int16 if fmt == "s16" else np.float32
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), dtype), format=fmt, layout="mono")
            frame.sample_rate, frame.pts = 16000, 1000 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_clip(path: Path, turn: str) -> Path:
    """Write a display matrix into an MP4's track header, as phones do: players turn the picture by that."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + 4 + (32 if data[header] else 20) + 16
    a, b, c, d = TURNS[turn]
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
