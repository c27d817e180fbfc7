"""Write frames for a test as BMP files: golden images unchanged, and one enlarged in a wider frame. Needs only numpy.

python frames.py BUNDLE FOLDER
"""

import struct
import sys
from pathlib import Path

import numpy as np


def write_bitmap(path: Path, rgb: np.ndarray) -> None:
    """(H, W, 3) uint8 as an uncompressed BMP of 24 bits."""
    height, width = rgb.shape[:2]
    rows = np.zeros((height, (3 * width + 3) // 4 * 4), np.uint8)
    rows[:, : 3 * width] = rgb[::-1, :, ::-1].reshape(height, 3 * width)
    header = struct.pack("<2sIHHI", b"BM", 54 + rows.size, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, rows.size, 2835, 2835, 0, 0)
    path.write_bytes(header + rows.tobytes())


def main(bundle: Path, folder: Path) -> None:
    """Write golden0.bmp to golden3.bmp and landscape.bmp."""
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(bundle / "golden.npz") as golden:
        images = golden["image"]
    for number in range(4):
        write_bitmap(folder / f"golden{number}.bmp", images[number])
    frame = np.full((720, 1280, 3), 40, np.uint8)
    enlarged = images[0].repeat(2, 0).repeat(2, 1)
    frame[100 : 100 + enlarged.shape[0], 500 : 500 + enlarged.shape[1]] = enlarged
    write_bitmap(folder / "landscape.bmp", frame)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
