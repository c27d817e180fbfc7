#!/usr/bin/env bash
# Believed: PyAV's VideoFrame.rotation says by how much a decoded frame has to be turned to be upright, so that turning by it
# shows any phone's video as a player shows it.
#
# What happens instead: the property is the angle of the display matrix alone. A front camera stores a mirrored matrix, and
# the angle of a mirrored matrix is wrong by a reflection: a video that is only mirrored from left to right (hflip) reports a
# rotation of 180 degrees, so that turning by it shows the person upside down; one that is mirrored from top to bottom
# (vflip) reports 0; a transposed one reports the same 90 degrees as one that is only turned. Nothing warns. The matrix itself
# is in frame.side_data["DISPLAYMATRIX"], and ffmpeg's own command line reads it there.
#
# Versions: av 18.1.0 (FFmpeg 8.0 libraries), numpy 2.4.6, Python 3.11.
# Source: libavutil/display.h, av_display_rotation_get, which takes no account of flips; PyAV's docstring of
# VideoFrame.rotation does not mention them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'av==18.1.0' 'numpy==2.4.6'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct
import sys

import av
import numpy as np

print(f"av {av.__version__}, libavutil {'.'.join(map(str, av.library_versions['libavutil']))}, numpy {np.__version__}")

with av.open("plain.mp4", "w") as container:  # a red top left corner on grey
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
    picture = np.full((64, 96, 3), 128, np.uint8)
    picture[:32, :48] = (220, 40, 40)
    for index in range(5):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
plain = open("plain.mp4", "rb").read()


def rotation(a: int, b: int, c: int, d: int) -> float:
    """The reported rotation of the same video with another display matrix in its track header."""
    data = bytearray(plain)
    header = data.index(b"tkhd") + 4
    matrix = header + 4 + (32 if data[header] else 20) + 16
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    open("turned.mp4", "wb").write(data)
    with av.open("turned.mp4") as container:
        return float(next(container.decode(video=0)).rotation)


seen = {
    "turned by 90": rotation(0, 1, -1, 0),
    "turned by 180": rotation(-1, 0, 0, -1),
    "mirrored left to right": rotation(-1, 0, 0, 1),
    "mirrored top to bottom": rotation(1, 0, 0, -1),
    "transposed": rotation(0, 1, 1, 0),
}
for name, degrees in seen.items():
    print(f"{name:24} rotation {degrees:g}")
expected = (
    abs(seen["mirrored left to right"]) == abs(seen["turned by 180"]) == 180
    and seen["mirrored top to bottom"] == 0
    and abs(seen["transposed"]) == abs(seen["turned by 90"]) == 90
)
sys.exit(0 if expected else "The behaviour has changed.")
PYTHON
