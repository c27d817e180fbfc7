"""Convert the golden.npz of a bundle to safetensors, with its error limit, for the tests in C++, Kotlin and Swift.

It needs only numpy.

python golden_to_safetensors.py BUNDLE golden.safetensors
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

TYPES = {"float32": "F32", "uint8": "U8"}


def main(bundle: Path, output: Path) -> None:
    """Write every array of the npz, and the limit as metadata."""
    recipe = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["recipes"]["quantization"]
    header: dict[str, object] = {"__metadata__": {"max_self_check_ratio": str(recipe["max_self_check_ratio"])}}
    data = b""
    with np.load(bundle / "golden.npz") as arrays:
        for name in arrays.files:
            array = np.ascontiguousarray(arrays[name])
            span = [len(data), len(data) + array.nbytes]
            header[name] = {"dtype": TYPES[array.dtype.name], "shape": array.shape, "data_offsets": span}
            data += array.tobytes()
    text = json.dumps(header).encode()
    output.write_bytes(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
