"""The command `evaluate`: MPVPE and PA-MPVPE of a network or an exported artifact on a dataset.

`coevoer_edge.evaluate(...)` does from Python what the command does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.terminal.extras import names_its_extra

if TYPE_CHECKING:
    from coevoer_edge.evaluate.evaluator import Evaluation

__all__ = ["evaluate"]


@names_its_extra
def evaluate(
    *,
    model: str | None = None,
    checkpoint: str | Path | None = None,
    bundle: str | Path | None = None,
    data: str | Path = "synthetic",
    limit: int | None = None,
    batch_size: int = 32,
    device: str | None = None,
    body: str | Path | None = None,
    figures: str | Path | None = None,
    beside: Sequence[str | Path] = (),
    photographs: str | Path | None = None,
    quiet: bool = True,
) -> "Evaluation":
    """Measure hands, face and body of a network against a dataset, aligned as in OSX.

        found = coevoer_edge.evaluate(limit=200)  # the default model on the synthetic test split
        found.table["pa_mpvpe_mm"]
        print(found)

    Args:
        model: the embedded model to measure; None for the default.
        checkpoint: your own weights (.safetensors).
        bundle: an exported bundle. With `model` or `checkpoint`, its float parent is measured too, and the loss between
            them.
        data: the test data.
        limit: the number of samples, an equal share from each domain; None for all.
        batch_size: samples in each batch.
        device: "cpu", "cuda", "cuda:1" or "mps"; None for cuda if available, else cpu.
        body: your SMPLX_NEUTRAL.npz, for data and weights in its shape space; None for the open body.
        figures: a folder for pictures of the first and the worst samples.
        beside: further weights to show in the pictures.
        photographs: a folder of photographs to show with overlays as well.
        quiet: False prints steps and progress on stderr.

    Returns:
        `table`, ready for JSON (MPVPE and PA-MPVPE in mm, by part and by domain); `text`, the same figures below the
        paper's Table 1; `pictures`, the files that were written.

    Raises:
        InputError: an impossible request, or data that cannot be read.
        CheckpointError: weights that do not fit.
        BundleError: a bundle that cannot be opened.
        PlatformError: a device or a runtime that this machine does not have.
    """
    from coevoer_edge.errors import InputError
    from coevoer_edge.evaluate import evaluator

    for name, value in {"limit": limit, "batch_size": batch_size}.items():
        if value is not None and value < 1:
            raise InputError(f"The argument {name} is {value}; give 1 or more.")
    request = evaluator.EvaluateRequest(
        model=model,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        bundle=None if bundle is None else Path(bundle),
        data=str(data),
        limit=limit,
        batch_size=batch_size,
        device=device,
        body=None if body is None else Path(body),
        figures=None if figures is None else Path(figures),
        beside=tuple(Path(path) for path in ((beside,) if isinstance(beside, str | Path) else beside)),
        photographs=None if photographs is None else Path(photographs),
    )
    return evaluator.evaluate(request, quiet=quiet)


sys.modules[__name__].__class__ = CallableModule
