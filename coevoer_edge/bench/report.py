"""Time bundles and peers side by side.

In: `BenchRequest`. Out: `Report`: a `Row` for each subject, and `Comparison`s between rows.

| kind | what a turn is |
|---|---|
| network | a crop (256, 192, 3) to the contract's outputs |
| pipeline | a frame of 640 x 480 px to a smoothed person with a mesh: `Estimator.detect_for_video` and `mesh()` |
| mesh | SMPL-X parameters to the open body's vertices |
| gemm | one large INT8 matrix product, which gives the machine's peak |

All pipelines process the same frames of one synthetic person (stream.py). The network runs on each frame and is timed,
but the rest of the pipeline continues with outputs made from the ground truth: if the network found nobody, as an
untrained one would, the pipeline would have less to do. MediaPipe uses its own detections; the report gives the share
of frames in which it found each part.

Each row runs in its own process, with one untimed turn before each timed one. Cold start is the time from the start of
such a process to its first result, with its files in the system's cache. Peak memory is resident memory and includes
Python and, for ExecuTorch's binding, torch. Both are medians over `starts` processes.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from coevoer_edge.bench.rounds import in_rounds
from coevoer_edge.bench.subjects import HOLISTIC, Subject, SubjectKind, subjects
from coevoer_edge.bundle import Bundle
from coevoer_edge.terminal.console import Steps

BENCH_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BenchRequest:
    """What to time. `peers` are names from `coevoer_edge.bench.PEERS`."""

    bundles: Sequence[Path]
    rounds: int = 100
    threads: int | None = None
    peers: Sequence[str] = ()
    mediapipe_python: Path = Path("python3")
    starts: int = 3


@dataclass(frozen=True)
class Row:
    """One subject's figures over all rounds."""

    name: str
    kind: SubjectKind
    runtime: str
    model: str
    target: str
    precision: str
    median_ms: float
    p90_ms: float
    ratio: float  # the median of the first row of this kind over this one's: how many times as fast this one is
    cold_start_ms: float | None
    peak_mb: float | None
    megabytes: float | None  # of the network's file, or of all files
    gmacs_per_s: float | None
    share_of_peak: float | None  # multiply-accumulates per second relative to the GEMM's; INT8 networks only
    found: dict[str, float] = field(default_factory=dict)  # MediaPipe: share of turns in which it found each part


@dataclass(frozen=True)
class Comparison:
    """One comparison between rows of a run."""

    what: str  # "int8_speed": times faster than FP32; "time_of_mediapipe": fraction of MediaPipe's time
    name: str
    against: str
    value: float


@dataclass(frozen=True)
class Report:
    """The result of a run."""

    rounds: int
    threads: int | None
    starts: int
    cpu: str
    cores: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]


def bench(request: BenchRequest, steps: Steps | None = None) -> Report:
    """Start a process for each row, let them take turns, and summarise.

    Raises:
        BundleError: a bundle that cannot be opened or loaded.
        PlatformError: a Core ML bundle on a system other than macOS, or a peer that is not installed.
    """
    from coevoer_edge.bench.processes import Worker
    from coevoer_edge.bench.stream import draw_stream

    steps = steps or Steps(3, quiet=True)
    bundles = [Bundle.open(path) for path in request.bundles]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stream = Path(folder)
        steps.step("Render the frames of a moving person")
        draw_stream().save(stream)
        found = subjects(bundles, request.peers, request.threads, stream, request.mediapipe_python)

        steps.step(f"Start {len(found)} processes, {request.starts} times where the start is timed")
        starts_ms: list[list[float]] = [[] for _ in found]
        peaks: list[list[float]] = [[] for _ in found]
        for _ in range(request.starts - 1):
            for i, subject in enumerate(found):
                if subject.starts:
                    with Worker(subject.name, subject.job, subject.python) as worker:
                        starts_ms[i].append(worker.start_ms)
                        worker.turn()
                        peaks[i].append(worker.finish()["peak_bytes"])
        workers = []
        for i, subject in enumerate(found):
            steps.note(f"{subject.kind}: {subject.name}")
            workers.append(stack.enter_context(Worker(subject.name, subject.job, subject.python)))
            starts_ms[i].append(workers[i].start_ms)

        steps.step(f"Time {len(found)} rows in {request.rounds} rounds")
        times_ms = in_rounds([worker.turn for worker in workers], request.rounds, steps)
        said = [worker.finish() for worker in workers]
    for peak, words in zip(peaks, said, strict=True):
        peak.append(words["peak_bytes"])
    rows = sum_up(found, times_ms, starts_ms, peaks, said)
    return Report(request.rounds, request.threads, request.starts, *_machine(), tuple(rows), tuple(compare(rows)))


def sum_up(
    found: Sequence[Subject],
    times_ms: np.ndarray,
    starts_ms: Sequence[Sequence[float]],
    peak_bytes: Sequence[Sequence[float]],
    said: Sequence[dict[str, Any]],
) -> list[Row]:
    """Combine subjects with their times (subjects, rounds), starts and peaks, and their processes' reports, to rows."""
    medians = np.median(times_ms, axis=1)
    speeds = [None if s.macs is None else s.macs / float(m) / 1e6 for s, m in zip(found, medians, strict=True)]
    peak_speed = next((speed for s, speed in zip(found, speeds, strict=True) if s.kind == "gemm"), None)
    first: dict[SubjectKind, float] = {}
    rows = []
    for i, subject in enumerate(found):
        speed, median = speeds[i], float(medians[i])
        counts = subject.kind == "network" and subject.precision == "w8a8" and speed is not None and peak_speed
        rows.append(
            Row(
                name=subject.name,
                kind=subject.kind,
                runtime=said[i]["runtime"],
                model=subject.model,
                target=subject.target,
                precision=subject.precision,
                median_ms=median,
                p90_ms=float(np.percentile(times_ms[i], 90)),
                ratio=first.setdefault(subject.kind, median) / median,
                cold_start_ms=float(np.median(starts_ms[i])) if subject.starts else None,
                peak_mb=float(np.median(peak_bytes[i])) / 1e6 if subject.starts else None,
                megabytes=said[i].get("megabytes", subject.megabytes),
                gmacs_per_s=speed,
                share_of_peak=speed / peak_speed if counts and speed and peak_speed else None,
                found=said[i].get("found", {}),
            )
        )
    return rows


def compare(rows: Sequence[Row]) -> list[Comparison]:
    """Compare INT8 networks with FP32 ones of the same model and target, and pipelines with MediaPipe's."""
    floats = {(r.model, r.target): r for r in rows if r.kind == "network" and r.precision == "fp32"}
    peer = next((row for row in rows if row.name == HOLISTIC), None)
    found = []
    for row in rows:
        other = floats.get((row.model, row.target))
        if row.kind == "network" and row.precision == "w8a8" and other is not None:
            found.append(Comparison("int8_speed", row.name, other.name, other.median_ms / row.median_ms))
    for row in rows:
        if row.kind == "pipeline" and peer is not None and row is not peer:
            found.append(Comparison("time_of_mediapipe", row.name, peer.name, row.median_ms / peer.median_ms))
    return found


def as_table(report: Report) -> dict[str, Any]:
    """The fields of `Report` and the schema version, for JSON. Fields may be added; none changes its meaning."""
    return {"schema_version": BENCH_SCHEMA_VERSION, **asdict(report)}


def _machine() -> tuple[str, int]:
    import os
    import platform

    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.is_file() else []
    name = next((line.partition(":")[2].strip() for line in names if line.startswith("model name")), "")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return name or platform.processor() or platform.machine(), usable
