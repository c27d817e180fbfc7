"""`python -m coevoer_edge.export`, the same as `coevoer-edge export`: weights in, verified bundles out.

Only the command line is here; `coevoer_edge.export.exporter.export` does the work and can be called from Python.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coevoer_edge.errors import InputError
from coevoer_edge.export.request import recipe_of, targets_of
from coevoer_edge.lowering.recipe import ALIASES, BACKENDS, DEPLOYMENT_TARGETS, TARGETS
from coevoer_edge.quantization.recipe import PRECISIONS
from coevoer_edge.terminal.console import JSON_OPTION, Command, Steps, print_json
from coevoer_edge.terminal.quiet import quietly

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle


@click.command(cls=Command, name="export")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="TARGET",
    help=f"{', '.join(TARGETS)} or all; may be repeated. Also: {', '.join(ALIASES)}.",
)
@click.option("--backend", help=f"ExecuTorch: {', '.join(BACKENDS)}.  [default: {BACKENDS[0]}]")
@click.option("--model", help="coevoer-t (default), -s, -b or -l.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Export your own weights (.safetensors).")
@click.option("--untrained", is_flag=True, help="Use seeded random weights, to measure size and speed.")
@click.option("--precision", help=f"{', '.join(PRECISIONS)}.  [default: w8a8]")
@click.option("--recipe", type=click.Path(path_type=Path), help="Use your own quantization recipe (.toml).")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of calibration images. Without it, the default image set is used.",
)
@click.option("--num-calibration-samples", type=click.IntRange(min=1), help="Override the recipe's image count.")
@click.option(
    "--minimum-deployment-target",
    help=f"Core ML, also inside ExecuTorch: {', '.join(DEPLOYMENT_TARGETS)}.  [default: iOS18]",
)
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("artifacts"), show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace bundles that exist.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for image selection and for --untrained.")
@click.option(
    "--skip-parity", is_flag=True, help="Skip both accuracy checks; the manifest and the model card record that."
)
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    targets: tuple[str, ...],
    backend: str | None,
    model: str | None,
    checkpoint: Path | None,
    untrained: bool,
    precision: str | None,
    recipe: Path | None,
    data: Path | None,
    num_calibration_samples: int | None,
    minimum_deployment_target: str | None,
    output_dir: Path,
    overwrite: bool,
    seed: int,
    skip_parity: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Export a model to Core ML, ExecuTorch and ONNX.

    The network is quantized once, and that program is lowered to every target. Each file is read back: a bundle is
    written only if every attention is fused, the weights are INT8, the size is within its limit, and the file is as
    accurate as the quantized program (lowering). The distance of the quantized program from the float network is
    reported beside it (quantization).
    """
    chosen = targets_of(targets)
    quantization = recipe_of(precision, recipe, data, num_calibration_samples)
    if untrained and checkpoint is not None:
        raise InputError("--untrained and --checkpoint exclude each other.")

    with quietly():  # torchao reports, when imported, which of its CUDA libraries it cannot load
        from coevoer_edge.export.exporter import ExportRequest, export, number_of_steps

    request = ExportRequest(
        targets=chosen,
        recipe=quantization,
        model=model,
        checkpoint=checkpoint,
        untrained=untrained,
        backend=backend,
        data=data,
        minimum_deployment_target=minimum_deployment_target,
        output_dir=output_dir,
        overwrite=overwrite,
        seed=seed,
        skip_parity=skip_parity,
    )
    steps = Steps(number_of_steps(request), quiet=quiet, json_only=as_json)
    bundles = export(request, steps)
    _report(bundles, backend, steps)
    if as_json:
        print_json([_summary(bundle) for bundle in bundles])


def _summary(bundle: "Bundle") -> dict[str, object]:
    from coevoer_edge.bundle.typed_table import to_table

    manifest = bundle.manifest
    return {
        "bundle": str(bundle.path),
        "artifact": str(bundle.artifact),
        "model": manifest.model,
        "trained": manifest.trained,
        "bytes": manifest.artifact_bytes,
        "bytes_per_parameter": round(manifest.artifact_bytes / manifest.parameters, 3),
        "parity": to_table(manifest.parity),
    }


def _report(bundles: list["Bundle"], backend: str | None, steps: Steps) -> None:
    for bundle in bundles:
        manifest = bundle.manifest
        steps.result(
            f"Wrote {bundle.path} ({manifest.artifact_bytes / 1e6:.1f} MB, "
            f"{manifest.artifact_bytes / manifest.parameters:.2f} bytes per parameter)"
        )
        for line in _checks(bundle):
            steps.result(f"  {line}")
    runnable = next((b for b in bundles if "coreml" not in (b.manifest.target, backend)), None)
    if runnable is not None:
        steps.result(f"Next: python -m coevoer_edge.run {runnable.path} photo.jpg -o out/")
    elif backend == "coreml":
        steps.result(f"Next: load {bundles[0].artifact} with ExecuTorch's Core ML backend in an app, or on a Mac:")
        steps.result(f"  python -m coevoer_edge.run {bundles[0].path} photo.jpg -o out/")
    else:
        steps.result(f"Next: drag {bundles[0].artifact} into Xcode, or on a Mac:")
        steps.result(f"  python -m coevoer_edge.run {bundles[0].path} photo.jpg -o out/")


def _checks(bundle: "Bundle") -> list[str]:
    """Both checks, each with its figure, its limit and its verdict."""
    parity = bundle.manifest.parity
    if parity.lowering is None or parity.mean_vertex_distance_mm is None:
        return [f"Not measured. Measure it with: python -m coevoer_edge.parity {bundle.path}"]
    lowering, quantization = parity.lowering, parity.quantization
    lines = [
        f"lowering: {lowering.figure:.3g} {lowering.unit} (limit {lowering.limit:g}): {lowering.verdict}; "
        f"{parity.mean_vertex_distance_mm.artifact['all']:.3g} mm from the float network, "
        f"run by {parity.runtime} ({parity.kind})"
    ]
    if quantization is not None:
        lines.append(
            f"quantization: {quantization.figure:.3g} {quantization.unit} from the float network "
            f"(limit {quantization.limit:g}): {quantization.verdict}"
        )
        if quantization.verdict == "over":
            lines.append(f"Details by body part: python -m coevoer_edge.parity {bundle.path}")
    return lines


if __name__ == "__main__":
    command()
