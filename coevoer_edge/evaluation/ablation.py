"""`python -m coevoer_edge.evaluation.ablation`: the paper's Table 4 from runs of `evaluate --json`.

In: results of the full network and of its variants, on the same samples. Out: the table, with our rows below the
published ones.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.paper_tables import FULL, PAPER, TABLE_4, VARIANT_1, VARIANT_2
from coevoer_edge.evaluation.tables import Section, as_markdown, as_text, row_of
from coevoer_edge.terminal.console import Command

_NAMES = {(False, True): VARIANT_1, (True, False): VARIANT_2, (True, True): FULL}
"""Row names by enhancer and foreground extraction."""
_SAME = ("data", "count", "limit", "body")
_WRITE_ONE = "Write one with `python -m coevoer_edge.evaluate --checkpoint FILE --json > result.txt`."


def read_result(path: Path) -> dict[str, Any]:
    """Parse the last line of a file that `evaluate --json` wrote.

    Raises:
        InputError: there is no file, its last line is not JSON, or it is not the result of a float network.
    """
    if not path.is_file():
        raise InputError(f"There is no result at {path}. {_WRITE_ONE}")
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        result = None
    needed = {"mpvpe_mm", "pa_mpvpe_mm", "enhancer", "foreground", "trained", *_SAME}
    if not isinstance(result, dict) or not needed <= result.keys():
        raise InputError(f"{path} does not end with the JSON of an evaluated network. {_WRITE_ONE}")
    return result


def ablation(results: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Build Table 4: the published rows, and ours in the same order.

    Raises:
        InputError: no full network, no variant, two results of the same variant, one that lacks both modules, or
            results on different samples.
    """
    by_name: dict[str, Mapping[str, Any]] = {}
    for result in results:
        name = _NAMES.get((result["enhancer"], result["foreground"]))
        if name is None:
            raise InputError(f"{result['source']} has neither module; Table 4 removes one at a time.")
        if name in by_name:
            raise InputError(f"{by_name[name]['source']} and {result['source']} are both {name}; give one of each.")
        by_name[name] = result
    if FULL not in by_name or len(by_name) < 2:
        raise InputError(f"{', '.join(by_name) or 'Nothing'} is given; give the full network and at least one variant.")
    for key in _SAME:
        values = {str(result[key]) for result in by_name.values()}
        if len(values) > 1:
            raise InputError(
                f"The results differ in {key} ({', '.join(sorted(values))}); evaluate all on the same samples."
            )
    full = by_name[FULL]
    untrained = "" if all(result["trained"] for result in by_name.values()) else ", untrained weights"
    rows = [
        row_of(name + ("" if by_name[name]["trained"] else " (untrained)"), by_name[name])
        for name in (row.name for row in TABLE_4)
        if name in by_name
    ]
    return [
        Section(f"Published, on UBody: {PAPER}, Table 4", TABLE_4),
        Section(f"Measured here, on {full['data']}, {full['count']} samples, body: {full['body']}{untrained}", rows),
    ]


@click.command(cls=Command, name="ablation")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def command(results: tuple[Path, ...], markdown: bool) -> None:
    """Print Table 4 from RESULTS, files written by `evaluate --json`: the full network and its variants."""
    sections = ablation([read_result(path) for path in results])
    click.echo(as_markdown(sections) if markdown else as_text(sections))
    click.echo("\nCompare differences only within a block: the blocks were measured on different data.")


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.evaluation.ablation")
