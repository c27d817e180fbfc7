"""The model card that travels with a bundle.

In: `Manifest`. Out: Markdown.
"""

from coevoer_edge.bundle.manifest import Manifest, PairEntry, ParityEntry

LICENCE = "Apache-2.0"

_UNTRAINED = """\
> **Untrained.** These weights are a seeded random initialisation. Size, speed and structure are those of the trained
> network; the outputs are meaningless.

"""

_APPLE = "It runs on Apple systems only. "

_CARD = """\
# {model}, {target}, {precision}

{untrained}CoEvoer (AAAI-26) regresses SMPL-X parameters of a person's upper body, hands and face from one crop.

| | |
|---|---|
| Artifact | `{artifact}`, {megabytes:.1f} MB, {parameters:,} parameters ({per_parameter:.2f} bytes each) |
| Weights | {source}{digest} |
| Input | `{input.name}` {shape}, {input.colour} in {value_range} (`.mlpackage`: an 8-bit RGB image) |
| Calibration | {calibration} |
| Fused attentions | {fusion.fused_attentions} |
| int8 Linear and Conv | {fusion.int8_gemms} of {fusion.gemms} |
| Licence | {licence} |

## Parity with the float network

{parity}

## Limits

The network expects one person in the crop. Body model in this bundle: {body}. SMPL-X itself is licensed for
non-commercial use and is not included. {apple}Tools: {tools}.
"""

_PARITY = """\
Over {images} golden images, run by {runtime} ({kind}):

| check | figure | limit | verdict |
|---|---|---|---|
{checks}

*Lowering* compares the error of this file with that of the quantized program, both measured against the float network.
*Quantization* is the distance of the quantized program from the float network; its limit is that of the default budget.

| mean vertex distance, mm | {parts} |
|---|{rules}|
| quantized program | {quantized_mm} |
| this artifact | {artifact_mm} |

{outputs}"""

_SKIPPED = "Not measured (`export --skip-parity`). Measure it with `python -m coevoer_edge.parity` on this folder."


def render(manifest: Manifest) -> str:
    """Fill the card."""
    calibration = manifest.calibration
    values = vars(manifest) | {
        "untrained": "" if manifest.trained else _UNTRAINED,
        "megabytes": manifest.artifact_bytes / 1e6,
        "per_parameter": manifest.artifact_bytes / manifest.parameters,
        "apple": _APPLE if "coreml" in (manifest.target, manifest.backend) else "",
        "shape": " x ".join(map(str, manifest.input.shape)),
        "value_range": list(manifest.input.value_range),
        "source": manifest.checkpoint.source,
        "digest": f", sha256 `{manifest.checkpoint.sha256[:16]}`" if manifest.checkpoint.sha256 else "",
        "calibration": f"{calibration.count} images, {calibration.source}" if calibration else "none",
        "parity": _parity(manifest.parity),
        "body": manifest.body_model.name,
        "tools": ", ".join(f"{tool} {version}" for tool, version in manifest.tools.items()),
    }
    return _CARD.format_map(values)


def _parity(parity: ParityEntry) -> str:
    vertices, errors = parity.mean_vertex_distance_mm, parity.rms_error
    if vertices is None or errors is None:
        return _SKIPPED
    checks = {"lowering": parity.lowering, "quantization": parity.quantization}
    return _PARITY.format(
        images=parity.images,
        runtime=parity.runtime,
        kind=parity.kind,
        checks="\n".join(
            f"| {name} | {check.figure:.3g} {check.unit} | {check.limit:g} | {check.verdict} |"
            for name, check in checks.items()
            if check is not None
        ),
        parts=" | ".join(vertices.artifact),
        rules="|".join("---" for _ in vertices.artifact),
        quantized_mm=" | ".join(f"{value:.3g}" for value in vertices.quantized.values()),
        artifact_mm=" | ".join(f"{value:.3g}" for value in vertices.artifact.values()),
        outputs=_errors(errors),
    )


def _errors(errors: PairEntry) -> str:
    """A table of the errors by output, with ratios if there is a quantized program."""
    if errors.ratio is None or errors.ratio_standard_error is None:
        lines = ["| output | error |", "|---|---|"]
        return "\n".join(lines + [f"| `{name}` | {error:.3g} |" for name, error in errors.artifact.items()])
    told = {name: f"{ratio:.3g} ± {errors.ratio_standard_error[name]:.2g}" for name, ratio in errors.ratio.items()}
    lines = ["| output | error, quantized | error, artifact | ratio ± standard error |", "|---|---|---|---|"]
    exact = errors.quantized
    lines += [f"| `{n}` | {exact[n]:.3g} | {error:.3g} | {told[n]} |" for n, error in errors.artifact.items()]
    return "\n".join([*lines, f"| all | | | {told['all']} |"])
