"""The command `export`: lower one quantized program to Core ML, ExecuTorch and ONNX, by the recipes in `export/`.

`coevoer_edge.export(...)` does from Python what the command does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.terminal.extras import names_its_extra

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle

__all__ = ["export"]


@names_its_extra
def export(
    target: str | Sequence[str],
    *,
    model: str | None = None,
    checkpoint: str | Path | None = None,
    untrained: bool = False,
    precision: str | None = None,
    recipe: str | Path | None = None,
    data: str | Path | None = None,
    num_calibration_samples: int | None = None,
    backend: str | None = None,
    minimum_deployment_target: str | None = None,
    output_dir: str | Path = "artifacts",
    overwrite: bool = False,
    seed: int = 0,
    skip_parity: bool = False,
    quiet: bool = True,
) -> "list[Bundle]":
    """Export a model: quantize it once, lower it to every target, read each file back, and write a bundle for each.

        (bundle,) = coevoer_edge.export("onnx")
        bundle.artifact  # artifacts/coevoer-t-onnx-w8a8/coevoer-t-onnx-w8a8.onnx

    Args:
        target: "coreml", "executorch" or "onnx", one of their aliases ("mlpackage", "ios", "pte", "android"), "all", or
            several of them in a list.
        model: the embedded model to export; None for the default, or for the model that `checkpoint` names.
        checkpoint: your own weights (.safetensors) instead of the embedded ones.
        untrained: use seeded random weights, to measure size and speed.
        precision: "w8a8" (the default), "fp16" or "fp32".
        recipe: your own quantization recipe (.toml) instead of a precision.
        data: a folder of calibration images instead of the embedded set.
        num_calibration_samples: how many of them to use; overrides the recipe's image count.
        backend: for ExecuTorch, "xnnpack" (the default) or "coreml".
        minimum_deployment_target: for Core ML, such as "iOS18".
        output_dir: the folder in which each bundle becomes a folder.
        overwrite: replace bundles that exist.
        seed: seed for the selection of calibration images and for untrained weights.
        skip_parity: do not measure the artifact; its manifest says so.
        quiet: False prints steps and progress on stderr.

    Returns:
        The bundles, opened, in the order of the targets.

    Raises:
        InputError: an impossible request, or a bundle that exists; raised before any work where that is possible.
        CheckpointError: weights that do not fit the model.
        CheckFailed: an artifact that breaks its fusion contract, its size or its parity limit; it is not written.
    """
    from coevoer_edge.errors import InputError
    from coevoer_edge.export.request import recipe_of, targets_of

    targets = targets_of((target,) if isinstance(target, str) else target)
    quantization = recipe_of(precision, recipe, data, num_calibration_samples)
    if untrained and checkpoint is not None:
        raise InputError("The arguments untrained and checkpoint exclude each other; leave one of them out.")

    from coevoer_edge.terminal.console import Steps
    from coevoer_edge.terminal.quiet import quietly

    with quietly():  # torchao reports, when imported, which of its CUDA libraries it cannot load
        from coevoer_edge.export import exporter

    request = exporter.ExportRequest(
        targets=targets,
        recipe=quantization,
        model=model,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        untrained=untrained,
        backend=backend,
        data=None if data is None else Path(data),
        minimum_deployment_target=minimum_deployment_target,
        output_dir=Path(output_dir),
        overwrite=overwrite,
        seed=seed,
        skip_parity=skip_parity,
    )
    return exporter.export(request, Steps(exporter.number_of_steps(request), quiet=quiet))


sys.modules[__name__].__class__ = CallableModule
