"""The command `parity`: the loss of each step from the full network to the shipped file, checked against a budget.

`coevoer_edge.parity(...)` does from Python what the command does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.terminal.extras import names_its_extra

if TYPE_CHECKING:
    from coevoer_edge.parity.ladder import Climb

__all__ = ["parity"]


@names_its_extra
def parity(
    bundles: str | Path | Sequence[str | Path],
    *,
    reference: str | None = None,
    checkpoint: str | Path | None = None,
    calibration_data: str | Path | None = None,
    data: str | Path | None = None,
    limit: int | None = None,
    budget: str | Path | None = None,
    body: str | Path | None = None,
    layers: bool = False,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = True,
) -> "Climb":
    """Measure the loss of each step to a bundle's artifact: full network, float student, quantized program, artifact.

        found = coevoer_edge.parity("artifacts/coevoer-t-onnx-w8a8", output_dir="reports")
        for ladder in found.ladders:
            print(ladder.bundle, ladder.verdict, *ladder.violations)

    Args:
        bundles: one bundle folder, or several of one export, which are then compared with each other too.
        reference: weights of the full network (.safetensors). None uses the stored outputs of the default model's
            teacher on the golden images, and no reference on other images or with your own weights.
        checkpoint: the weights that were exported, if they are your own.
        calibration_data: the folder that `export` was given as `data`.
        data: a folder of photographs, or a dataset as `evaluate` takes it; None for the embedded golden images.
        limit: the number of images; None for 128, or all if there are fewer.
        budget: "default", "coevoer-t", or a file of your own limits (.toml); None for "default".
        body: your SMPLX_NEUTRAL.npz; None for the open body.
        layers: compare layer by layer even where everything is within the budget.
        output_dir: a folder for reports as JSON, JUnit, Markdown and HTML.
        overwrite: replace reports that exist.
        quiet: False prints steps and progress on stderr.

    Returns:
        A `Ladder` for each bundle with its figures (mm, degrees, px), and the outputs they were computed from.
        `coevoer_edge.parity.report.as_text(found.ladders)` is the table that the command prints.

    Raises:
        InputError: an impossible request, or reports that exist.
        BundleError: a bundle that cannot be opened.
        CheckFailed: rebuilt networks whose outputs differ from those at export. A figure over its limit raises nothing:
            it is listed in `ladder.violations`, and `ladder.verdict` is "fail".
    """
    from coevoer_edge.terminal.console import Steps
    from coevoer_edge.terminal.quiet import quietly

    with quietly():
        from coevoer_edge.evaluation.golden import DEFAULT_BUDGET
        from coevoer_edge.parity.budget import Budget
        from coevoer_edge.parity.ladder import ParityRequest, climb, number_of_steps
        from coevoer_edge.parity.report_files import refuse_existing, write_reports

    folder = None if output_dir is None else Path(output_dir)
    if folder is not None:
        refuse_existing(folder, overwrite=overwrite)
    body = None if body is None else Path(body)
    request = ParityRequest(
        bundles=tuple(Path(path) for path in ((bundles,) if isinstance(bundles, str | Path) else bundles)),
        reference=reference,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        calibration_data=None if calibration_data is None else Path(calibration_data),
        data=None if data is None else str(data),
        limit=limit,
        budget=Budget.open(budget or DEFAULT_BUDGET),
        body=body,
        layers=layers,
    )
    found = climb(request, Steps(number_of_steps(request), quiet=quiet))
    if folder is not None:
        write_reports(found, folder, body)
    return found


sys.modules[__name__].__class__ = CallableModule
