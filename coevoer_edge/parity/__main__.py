"""`python -m coevoer_edge.parity`, the same as `coevoer-edge parity`: the loss of each step to the shipped file.

In: bundles of one quantized program, images, a budget. Out: a table, reports; exit code 1 for figures over budget.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coevoer_edge.errors import CheckFailed
from coevoer_edge.terminal.console import JSON_OPTION, Command, Steps, print_json
from coevoer_edge.terminal.quiet import quietly

if TYPE_CHECKING:
    from coevoer_edge.parity.ladder import Climb

_MOST = 12  # violations in the error; the reports list all of them


@click.command(cls=Command, name="parity")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--reference",
    help="Weights of the full network (.safetensors).  [default: the stored outputs of the embedded model's teacher, "
    "coevoer-s, on the golden set; none for other images and for your own weights]",
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="The weights that were exported, if they are your own."
)
@click.option("--calibration-data", type=click.Path(path_type=Path), help="The folder that export --data was given.")
@click.option("--data", help="Folder of photos, or a dataset as evaluate takes it.  [default: the golden set]")
@click.option("--limit", type=click.IntRange(min=1), help="Number of images.  [default: 128, or all if fewer]")
@click.option(
    "--budget", type=click.Path(path_type=Path), help="default, coevoer-t, or a file of your own limits (.toml)."
)
@click.option("--body", type=click.Path(path_type=Path), help="Your SMPLX_NEUTRAL.npz.  [default: the open body]")
@click.option("--layers", is_flag=True, help="Compare layer by layer, even if everything is within budget.")
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), help="Folder for JSON, JUnit, Markdown and HTML.")
@click.option("--overwrite", is_flag=True, help="Replace reports that exist.")
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print only errors and the JSON.")
def command(
    bundles: tuple[Path, ...],
    reference: str | None,
    checkpoint: Path | None,
    calibration_data: Path | None,
    data: str | None,
    limit: int | None,
    budget: Path | None,
    body: Path | None,
    layers: bool,
    output_dir: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure the loss of each step to a bundle's artifact, and check it against a budget.

    The steps are the full network (the stored outputs of the embedded model's teacher, or --reference), the float
    student, the quantized program and the artifact. The quantized program is rebuilt from the bundle's manifest.
    Several bundles of one export are also compared with each other.
    """
    with quietly():
        from coevoer_edge.evaluation.golden import DEFAULT_BUDGET
        from coevoer_edge.parity.budget import Budget
        from coevoer_edge.parity.ladder import ParityRequest, climb, number_of_steps
        from coevoer_edge.parity.report import as_dict, as_text
        from coevoer_edge.parity.report_files import refuse_existing, write_reports

    if output_dir is not None:
        refuse_existing(output_dir, overwrite=overwrite)
    request = ParityRequest(
        bundles=bundles,
        reference=reference,
        checkpoint=checkpoint,
        calibration_data=calibration_data,
        data=data,
        limit=limit,
        budget=Budget.open(budget or DEFAULT_BUDGET),
        body=body,
        layers=layers,
    )
    steps = Steps(number_of_steps(request) + (output_dir is not None), quiet=quiet, json_only=as_json)
    found = climb(request, steps)
    steps.result(as_text(found.ladders))
    if output_dir is not None:
        steps.step(f"Write reports to {output_dir}")
        for file in write_reports(found, output_dir, body):
            steps.result(f"Wrote {file}")
    for ladder in found.ladders:
        steps.result(f"Parity {ladder.verdict}: {ladder.bundle}, {ladder.images} images, budget {ladder.budget}")
    if as_json:
        print_json(as_dict(found.ladders))
    _refuse(found)


def _refuse(found: "Climb") -> None:
    from coevoer_edge.parity.ladder import all_violations

    violations = [f"{bundle}: {violation}" for bundle, violation in all_violations(found.ladders)]
    if violations:
        more = [f"and {len(violations) - _MOST} more"] if len(violations) > _MOST else []
        raise CheckFailed("\n  ".join(["Over budget:", *violations[:_MOST], *more]))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.parity")
