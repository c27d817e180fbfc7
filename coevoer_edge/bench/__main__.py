"""`coevoer-edge bench`: time bundles and peers side by side in one run, the network alone and the whole pipeline.

In: bundle folders. Out: a table of times, memory and sizes, ratios, JSON. `report.bench` does the same from Python and
describes what each row times.
"""

import sys
from pathlib import Path

import click

from coevoer_edge.bench import PEERS
from coevoer_edge.terminal.console import JSON_OPTION, Command, Steps, print_json


@click.command(cls=Command, name="bench")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--rounds", type=click.IntRange(min=1), default=100, show_default=True, help="Number of timed turns of each row."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads; MediaPipe chooses its own number.  [default: the backend's choice]",
)
@click.option(
    "--peer",
    "peers",
    type=click.Choice(PEERS),
    multiple=True,
    help="Time this as well: MediaPipe Holistic on the same frames, or the bundles' networks in eager PyTorch, "
    "float32. May be repeated.",
)
@click.option(
    "--mediapipe-python",
    type=click.Path(path_type=Path),
    help="The Python interpreter that has mediapipe 0.10.21, which needs numpy 1.  [default: this one]",
)
@click.option(
    "--starts",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of process starts for each cold-start time.",
)
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print no progress.")
def command(
    bundles: tuple[Path, ...],
    rounds: int,
    threads: int | None,
    peers: tuple[str, ...],
    mediapipe_python: Path | None,
    starts: int,
    markdown: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Time bundles side by side: the network alone, and the whole pipeline from a video frame to a mesh.

    Every row runs in a process of its own, and the processes take turns, so that background load affects all rows
    equally. The first row of each kind is the baseline of the ratios. Compare ratios: times depend on the machine.
    """
    from coevoer_edge.bench.report import BenchRequest, as_table, bench
    from coevoer_edge.bench.table import as_markdown, as_text

    request = BenchRequest(
        bundles=bundles,
        rounds=rounds,
        threads=threads,
        peers=tuple(dict.fromkeys(peers)),
        mediapipe_python=mediapipe_python or Path(sys.executable),
        starts=starts,
    )
    report = bench(request, Steps(3, quiet=quiet, json_only=as_json))
    if not (as_json and quiet):
        click.echo((as_markdown if markdown else as_text)(report), err=as_json)
    if as_json:
        print_json(as_table(report))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.bench")
