"""The networks of the ladder: found or rebuilt from a bundle's manifest, and run.

In: `Bundle`s. Out: float network, quantized program and artifacts, and their outputs on images.
"""

import hashlib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from coevoer_edge import __version__, contract, recipes
from coevoer_edge.bundle import SUMS, Bundle
from coevoer_edge.data.folder import DEFAULT_COUNTS, ImageSet, default_images, folder_images
from coevoer_edge.errors import CheckFailed, CheckpointError, InputError
from coevoer_edge.evaluation.golden import mean_rms, over, self_check_ratio, sizes
from coevoer_edge.model import CoEvoer, checkpoint
from coevoer_edge.model.checkpoint import Checkpoint
from coevoer_edge.model.threads import one_thread
from coevoer_edge.parity.result import Rung
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import calibrate, convert, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.open import open_artifact
from coevoer_edge.runtime.protocol import Outputs, Runtime, to_outputs
from coevoer_edge.terminal.console import Steps

FLOAT_AGAIN = 1e-3
"""Largest relative error of the rebuilt float network on the golden images; another order of summation gives 1e-5."""

_SHOWN = 16  # digits of a digest


def name_of(bundle: Bundle) -> str:
    """The name of the bundle's folder."""
    return bundle.path.resolve().name


def one_program(bundles: Sequence[Bundle]) -> None:
    """Refuse bundles that were not lowered from one quantized program, and two bundles of the same name.

    Raises:
        InputError: names the two bundles and their differences.
    """
    if not bundles:
        raise InputError("No bundle; give the folder that `python -m coevoer_edge.export` wrote.")
    first = bundles[0]
    names = [name_of(bundle) for bundle in bundles]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{', '.join(twice)} is given twice; give each bundle once, under a folder name of its own.")
    for bundle in bundles[1:]:
        pairs = zip(_origin(first).items(), _origin(bundle).values(), strict=True)
        if differing := [what for (what, mine), theirs in pairs if mine != theirs]:
            raise InputError(
                f"{name_of(bundle)} and {name_of(first)} are not of one quantized program: their "
                f"{' and '.join(differing)} differ. Export both in one run, or measure them separately."
            )


def _origin(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "checkpoint": (manifest.model, manifest.checkpoint),
        "quantization recipe": manifest.recipes.quantization,
        "calibration": manifest.calibration and manifest.calibration.sha256,
    }


def recipe_of(bundle: Bundle) -> QuantizationRecipe:
    """The recipe that a bundle was quantized with."""
    return recipes.into(QuantizationRecipe, bundle.manifest.recipes.quantization, f"{bundle.path}: recipe")


def load_student(bundle: Bundle, file: Path | None) -> tuple[CoEvoer, Checkpoint]:
    """The float network that a bundle was exported from: `file`, or the embedded or seeded weights that it names.

    Raises:
        CheckpointError: weights that are missing, or not those of the bundle.
    """
    manifest = bundle.manifest
    source, digest = manifest.checkpoint.source, manifest.checkpoint.sha256
    if file is not None:
        network, found = checkpoint.load(file, manifest.model)
    elif manifest.checkpoint.seed is not None:
        return checkpoint.untrained(manifest.model, manifest.checkpoint.seed)
    elif not digest:
        raise CheckpointError(
            f"{name_of(bundle)} does not record how its untrained weights were made; export it again."
        )
    elif manifest.model in checkpoint.embedded_models():
        network, found = checkpoint.load_embedded(manifest.model)
    else:
        raise CheckpointError(
            f"{name_of(bundle)} was exported from {source}, which does not come with the package; "
            f"add --checkpoint with that file (sha256 {digest[:_SHOWN]})."
        )
    if found.sha256 != digest:
        given = f"{file}" if file is not None else f"the embedded {found.source}"
        raise CheckpointError(
            f"{name_of(bundle)} was exported from {source} (sha256 {digest[:_SHOWN] or 'none'}), and {given} has "
            f"sha256 {found.sha256[:_SHOWN]}; "
            f"{'give that file with --checkpoint, or export again' if digest else 'leave --checkpoint out'}."
        )
    return network, found


def calibration_images(bundle: Bundle, folder: Path | None) -> ImageSet | None:
    """The images that a bundle was calibrated on; None where nothing is quantized.

    Raises:
        InputError: they are missing, or their pixels differ.
    """
    stated = bundle.manifest.calibration
    if stated is None:
        if folder is not None:
            raise InputError(f"--calibration-data is for int8; {name_of(bundle)} is {bundle.manifest.precision}.")
        return None
    advice = f"--calibration-data with the folder that {name_of(bundle)} was calibrated on ({stated.source})"
    if folder is not None:
        images = folder_images(folder, stated.count, stated.seed)
    elif stated.kind != "folder" and stated.count <= DEFAULT_COUNTS["calibration"]:
        images = default_images("calibration", stated.count)
    else:
        raise InputError(f"Add {advice}.")
    if images.sha256 != stated.sha256:
        what = "The default calibration set" if folder is None else str(folder)
        raise InputError(
            f"{what} does not hold the images of {name_of(bundle)} (sha256 {stated.sha256[:_SHOWN]}, not "
            f"{images.sha256[:_SHOWN]}); add {advice}, or export again."
        )
    return images


def quantize_again(
    bundle: Bundle, network: CoEvoer, calibration: ImageSet | None, steps: Steps
) -> tuple[CoEvoer, ExportedProgram | None]:
    """The quantized program, made as in `export` (None where it is the float network itself), and before it the float
    network with the recipe's changes to its weights, which the program has to be compared with layer by layer."""
    recipe = recipe_of(bundle)
    if recipe.precision != "w8a8":
        return network, None
    images = calibration.images if calibration else ()
    calibrated = calibrate(network, recipe, steps.track(images, lambda _: "calibrating"))
    return calibrated.network, convert(calibrated)


def check_golden(bundle: Bundle, network: nn.Module, program: nn.Module | None) -> None:
    """Refuse rebuilt networks whose outputs on the bundle's golden images differ from those at export.

    The float network has to give the same numbers. The quantized one, made from the same weights, images and recipe,
    rounds differently on another processor, so that its outputs there are as far from these as both are from float. Its
    distance from float has to be the same.

    Raises:
        CheckFailed: states the difference, and which versions differ.
    """
    with np.load(bundle.golden) as file:
        golden = dict(file)
    exact, unit = _rows(golden, "float"), sizes(_rows(golden, "float"))
    errors = {n: over(e, unit[n], 0.0) for n, e in mean_rms(run(network, golden["image"]), exact).items()}
    name = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    if not errors[name] <= FLOAT_AGAIN:  # NaN fails
        raise CheckFailed(
            f"The rebuilt float network does not give the golden outputs of {name_of(bundle)}: {name} is off "
            f"by {errors[name]:.2g} times its own size (limit {FLOAT_AGAIN:g}). {_versions(bundle)}"
        )
    if program is None:
        return
    limit = recipe_of(bundle).max_self_check_ratio
    ratio = self_check_ratio(run(program, golden["image"]), _rows(golden, "quantized"), exact)
    if not 1 / limit <= ratio <= limit:
        raise CheckFailed(
            f"The rebuilt quantized network is {ratio:.2g} times as far from float as that of {name_of(bundle)} on "
            f"its golden images (limit {limit:g} either way). {_versions(bundle)}"
        )


def _rows(golden: dict[str, Any], kind: str) -> list[Outputs]:
    count = len(golden["image"])
    return [{name: golden[f"{kind}_{name}"][i : i + 1] for name in contract.OUTPUT_NAMES} for i in range(count)]


def _versions(bundle: Bundle) -> str:
    tools = {tool: (was, _version(tool)) for tool, was in bundle.manifest.tools.items()}
    differing = [f"{tool} {was}, here {now}" for tool, (was, now) in tools.items() if was != now]
    return f"It was exported with {'; '.join(differing)}: export again." if differing else "Export again."


def _version(tool: str) -> str:
    if tool == "coevoer-edge":
        return __version__  # the version that `export` writes; the installed metadata of a source tree may be older
    try:
        return version(tool)
    except PackageNotFoundError:
        return "none"


def run(network: nn.Module, images: Iterable[Pixels], device: str = "cpu", *, threaded: bool = False) -> list[Outputs]:
    """Run a torch network or an eager program image by image, on one thread unless `threaded`."""

    def outputs(image: Pixels) -> Outputs:
        return to_outputs([output.float().cpu().numpy() for output in network(to_tensor(image).to(device))])

    if threaded:
        with torch.inference_mode():
            return [outputs(image) for image in images]
    with torch.inference_mode(), one_thread():
        return [outputs(image) for image in images]


def run_artifact(bundle: Bundle, images: Iterable[Pixels]) -> tuple[Rung, list[Outputs]]:
    """Run a bundle's artifact: by its real runtime, or, off macOS, Core ML by the reference interpreter."""
    runtime = open_artifact(bundle.manifest.target, bundle.artifact, reference=True)
    try:
        outputs = [runtime(image) for image in images]
    finally:
        runtime.close()
    return _artifact_rung(bundle, runtime), outputs


def _artifact_rung(bundle: Bundle, runtime: Runtime) -> Rung:
    lines = [line.partition("  ") for line in (bundle.path / SUMS).read_text(encoding="utf-8").splitlines()]
    name = bundle.manifest.artifact
    digests = [digest for digest, _, file in lines if file == name or file.startswith(f"{name}/")]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    known = _version(runtime.name)
    label = runtime.name if known == "none" else f"{runtime.name} {known}"
    return Rung("artifact", bundle.manifest.model, f"{name}, sha256 {digest[:_SHOWN]}", label, runtime.kind)


def weights_label(found: Checkpoint) -> str:
    """The name of a checkpoint in reports."""
    return f"{found.source}, sha256 {found.sha256[:_SHOWN]}" if found.sha256 else found.source
