"""Run native ONNX Runtime once for each line on stdin, for `npm run bench`, which alternates it with the browser.

In: a bundle folder and a number of threads, then a line on stdin for each run. Out: a line with its time in ms.
"""

import sys
import time
from pathlib import Path

import numpy as np

from coevoer_edge.bundle import Bundle
from coevoer_edge.runtime.onnx import OnnxRuntime


def main(folder: str, threads: str) -> None:
    """Run until stdin ends."""
    bundle = Bundle.open(Path(folder))
    image = np.load(bundle.golden)["image"][0]
    runtime = OnnxRuntime(bundle.artifact, int(threads))
    runtime(image)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        runtime(image)
        print(f"{1000 * (time.perf_counter() - start):.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
