"""`coevoer-edge bench`: bundles side by side in one run.

In: bundle folders. Out: median and p90 of the network alone, and ratios to the first bundle.

Machines are noisy, so rounds are interleaved (every bundle once a round) and ratios of medians are the result; a time
by itself says little about another machine.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from coevoer_edge.bundle import GOLDEN, Bundle
from coevoer_edge.console import Command, Steps
from coevoer_edge.runtime import Runtime, open_runtime

_WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """One bundle's times over all rounds."""

    bundle: str
    runtime: str
    median_ms: float
    p90_ms: float
    ratio: float  # the first bundle's median over this one's: how many times faster this one is
    megabytes: float


def bench(
    bundles: Sequence[Bundle], rounds: int, threads: int | None = None, steps: Steps | None = None
) -> list[Timing]:
    """Time the network of every bundle on the first bundle's golden images, interleaved."""
    steps = steps or Steps(1, quiet=True)
    with np.load(bundles[0].path / GOLDEN) as golden:
        images = golden["image"]
    runtimes = [open_runtime(bundle, threads) for bundle in bundles]
    try:
        times_ms = _interleaved(runtimes, images, rounds, steps)
    finally:
        for runtime in runtimes:
            runtime.close()
    medians = np.median(times_ms, axis=1)
    return [
        Timing(
            bundle.path.name,
            runtime.name,
            float(median),
            float(np.percentile(times, 90)),
            float(medians[0] / median),
            bundle.manifest.artifact_bytes / 1e6,
        )
        for bundle, runtime, times, median in zip(bundles, runtimes, times_ms, medians, strict=True)
    ]


def _interleaved(runtimes: Sequence[Runtime], images: np.ndarray, rounds: int, steps: Steps) -> np.ndarray:
    """Times (bundles, rounds), ms."""
    times_ms = np.zeros((len(runtimes), rounds))
    for runtime in runtimes:
        for image in images[:_WARM_UP]:
            runtime(image)
    for i in steps.track(range(rounds), lambda _: "rounds"):
        for j, runtime in enumerate(runtimes):
            start = time.perf_counter()
            runtime(images[i % len(images)])
            times_ms[j, i] = (time.perf_counter() - start) * 1000
    return times_ms


@click.command(cls=Command, name="bench")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rounds", type=click.IntRange(min=1), default=100, show_default=True, help="Images for each bundle.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the backend's choice]")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(bundles: tuple[Path, ...], rounds: int, threads: int | None, as_json: bool, quiet: bool) -> None:
    """Time bundles side by side; the first one is the yardstick."""
    steps = Steps(1, quiet=quiet)
    opened = [Bundle.open(bundle) for bundle in bundles]
    steps.step(f"Time {len(opened)} bundles, {rounds} rounds")
    timings = bench(opened, rounds, threads, steps)
    width = max(len(timing.bundle) for timing in timings)
    click.echo(f"{'bundle':<{width}}  {'runtime':<12}{'median ms':>10}{'p90 ms':>9}{'speed':>8}{'MB':>8}")
    for t in timings:
        figures = f"{t.median_ms:>10.1f}{t.p90_ms:>9.1f}{t.ratio:>7.2f}x{t.megabytes:>8.1f}"
        click.echo(f"{t.bundle:<{width}}  {t.runtime:<12}{figures}")
    if as_json:
        click.echo(json.dumps([asdict(timing) for timing in timings]))


if __name__ == "__main__":
    command()
