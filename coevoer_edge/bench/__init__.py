"""The command `bench`: time bundles and peers side by side in one run.

`coevoer_edge.bench(...)` does from Python what the command does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.terminal.extras import names_its_extra

if TYPE_CHECKING:
    from coevoer_edge.bench.report import Report

__all__ = ["PEERS", "bench"]

PEERS = ("mediapipe", "eager")
"""Peers that bundles can be timed against."""


@names_its_extra
def bench(
    bundles: str | Path | Sequence[str | Path],
    *,
    rounds: int = 100,
    threads: int | None = None,
    peers: Sequence[str] = (),
    mediapipe_python: str | Path | None = None,
    starts: int = 3,
    quiet: bool = True,
) -> "Report":
    """Time bundles side by side: the network alone, and the whole pipeline from a video frame to a mesh.

        report = coevoer_edge.bench(["artifacts/coevoer-t-onnx-w8a8", "artifacts/coevoer-t-onnx-fp32"])
        for row in report.rows:
            print(row.name, row.kind, row.median_ms, row.ratio)

    Args:
        bundles: one bundle folder or several.
        rounds: timed turns of each row.
        threads: CPU threads; None for each backend's choice.
        peers: what to time as well: "mediapipe" (Holistic) and "eager" (the networks in PyTorch, float32).
        mediapipe_python: the Python that has mediapipe 0.10.21; None for this one.
        starts: the number of process starts for the medians of cold start and memory.
        quiet: False prints steps and progress on stderr.

    Returns:
        A report with a row for each subject: times in ms, memory and sizes in MB, ratios to the first row of its kind.
        `coevoer_edge.bench.table.as_text(report)` is the table that the command prints.

    Raises:
        InputError: an unknown peer, or a number below 1.
        BundleError: a bundle that cannot be opened or loaded.
        PlatformError: a Core ML bundle on a system other than macOS, or a peer that is not installed.
    """
    from coevoer_edge.bench.report import BenchRequest
    from coevoer_edge.bench.report import bench as run
    from coevoer_edge.errors import InputError
    from coevoer_edge.terminal.console import Steps

    peers = (peers,) if isinstance(peers, str) else tuple(dict.fromkeys(peers))
    if unknown := [peer for peer in peers if peer not in PEERS]:
        raise InputError(f"There is no peer {unknown[0]!r}; give {' or '.join(PEERS)}.")
    for name, value in {"rounds": rounds, "starts": starts, "threads": threads}.items():
        if value is not None and value < 1:
            raise InputError(f"The argument {name} is {value}; give 1 or more.")
    request = BenchRequest(
        bundles=tuple(Path(path) for path in ((bundles,) if isinstance(bundles, str | Path) else bundles)),
        rounds=rounds,
        threads=threads,
        peers=peers,
        mediapipe_python=Path(mediapipe_python or sys.executable),
        starts=starts,
    )
    return run(request, Steps(3, quiet=quiet))


sys.modules[__name__].__class__ = CallableModule
