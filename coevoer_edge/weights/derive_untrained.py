"""`python coevoer_edge/weights/derive_untrained.py`: the default weights until trained ones exist.

The seeded initialisation of `coevoer-t`, rounded to multiples of 2^-10 so that the file compresses to less than half.
"""

from pathlib import Path

import torch

from coevoer_edge import checkpoint
from coevoer_edge.model import build

_STEP = 2.0**-10

if __name__ == "__main__":
    network = build(checkpoint.DEFAULT_MODEL, seed=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter / _STEP).round() * _STEP)
    file = Path(__file__).parent / f"{checkpoint.DEFAULT_MODEL}.safetensors"
    checkpoint.save(network, file, trained=False)
    print(f"{file}: {file.stat().st_size:,} bytes")
