"""The main job: weights in, verified bundles out.

In: `ExportRequest`. Out: one `Bundle` for each target, all lowered from the same quantized program.
"""

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from coevoer_edge import __version__, bundle, contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.bundle import Bundle, body_file, model_card
from coevoer_edge.bundle.manifest import (
    BodyEntry,
    CalibrationEntry,
    CheckpointEntry,
    Manifest,
    RecipesEntry,
    shared_entries,
)
from coevoer_edge.conformance.kit import KIT_PATH
from coevoer_edge.data.folder import ImageSet, default_images, folder_images
from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.evaluation.golden import GOLDEN_IN_BUNDLE, SKIPPED, GoldenParity, Network, golden_parity, with_mirrors
from coevoer_edge.lowering.facts import FileFacts, ProgramFacts, check_fusion
from coevoer_edge.lowering.recipe import SUFFIXES, ExportRecipe, Target, recipe_name, refuse_impossible
from coevoer_edge.model import CoEvoer, checkpoint
from coevoer_edge.model.build import refuse_unknown
from coevoer_edge.model.checkpoint import Checkpoint
from coevoer_edge.model.threads import one_thread
from coevoer_edge.pipeline.constants import CONFORMANCE_FILE
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import quantize, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.open import open_artifact
from coevoer_edge.runtime.protocol import Outputs, to_outputs
from coevoer_edge.terminal.console import Steps

_TOOLS = ("torch", "torchao", "executorch", "coremltools", "onnx", "onnxscript", "onnxruntime", "numpy")


FEW_IMAGES = 64
"""With fewer calibration images, other pictures exceed the ranges that these set."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export. A request is never changed: one that cannot be served is refused."""

    targets: tuple[Target, ...]
    recipe: QuantizationRecipe
    model: str | None = None  # None: the checkpoint's model, else the default
    checkpoint: Path | None = None  # None: the embedded weights
    untrained: bool = False  # seeded random weights instead
    backend: str | None = None  # ExecuTorch; None: XNNPACK
    data: Path | None = None  # folder of calibration images; None: the embedded set
    minimum_deployment_target: str | None = None  # Core ML; None: the recipe's
    output_dir: Path = Path("artifacts")
    overwrite: bool = False
    seed: int = 0
    skip_parity: bool = False  # the bundle records it


@dataclass(frozen=True)
class _Float:
    """The float network and the images on which others are compared with it."""

    network: CoEvoer
    checkpoint: Checkpoint
    parameters: int
    golden: tuple[Pixels, ...]
    outputs: list[Outputs]


@dataclass(frozen=True)
class _Quantized:
    """The one program that every target lowers."""

    program: ExportedProgram
    facts: ProgramFacts
    recipe: QuantizationRecipe
    calibration: CalibrationEntry | None
    outputs: list[Outputs]


def export(request: ExportRequest, steps: Steps | None = None) -> list[Bundle]:
    """Export a model to every requested target.

    Raises:
        CoEvoerError: bad input; raised before any work where that is possible.
        CheckFailed: an artifact that breaks its fusion contract, its size or its parity limit; nothing is written.
    """
    steps = steps or Steps(number_of_steps(request), quiet=True)
    recipes = [_export_recipe(target, request) for target in request.targets]
    folders = [_folder(request, recipe) for recipe in recipes]
    with ExitStack() as stack:
        places = [stack.enter_context(bundle.reserving(folder, overwrite=request.overwrite)) for folder in folders]
        calibration = _calibration_images(request)

        steps.step("Load weights")
        reference = _load(request, steps)
        steps.step(f"Quantize ({request.recipe.name})")
        quantized = _quantize(reference, calibration, request, steps)
        return [
            _write(reference, quantized, recipe, place, folder, request, steps)
            for recipe, place, folder in zip(recipes, places, folders, strict=True)
        ]


def number_of_steps(request: ExportRequest) -> int:
    """How many steps `export` announces."""
    return 2 + 2 * len(request.targets)


def _export_recipe(target: Target, request: ExportRequest) -> ExportRecipe:
    recipe = ExportRecipe.open(recipe_name(target, request.backend))
    refuse_impossible(recipe, request.recipe.precision)
    if request.minimum_deployment_target is None:
        return recipe
    if not recipe.is_core_ml:
        raise InputError(f"--minimum-deployment-target is for --target coreml, not for {target}.")
    return replace(recipe, minimum_deployment_target=request.minimum_deployment_target)


def _folder(request: ExportRequest, recipe: ExportRecipe) -> Path:
    parts = [_model(request), recipe.target, recipe.backend, request.recipe.name]
    return request.output_dir / "-".join(part for part in parts if part)


def _model(request: ExportRequest) -> str:
    if request.checkpoint is not None:
        return checkpoint.peek(request.checkpoint, request.model)
    model = request.model or checkpoint.DEFAULT_MODEL
    if request.untrained:
        refuse_unknown(model)
    else:
        checkpoint.refuse_unembedded(model)
    return model


def _load(request: ExportRequest, steps: Steps) -> _Float:
    if request.checkpoint is not None:
        network, source = checkpoint.load(request.checkpoint, request.model)
    elif request.untrained:
        network, source = checkpoint.untrained(_model(request), request.seed)
    else:
        network, source = checkpoint.load_embedded(_model(request))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    steps.note(f"{source.model}, {parameters:,} parameters, {source.source}")
    if not source.trained:
        steps.note("Untrained: the weights are random, and so is what the artifact computes.", style="bold yellow")
    if request.skip_parity:
        golden = default_images("golden", GOLDEN_IN_BUNDLE).images
    else:
        golden = with_mirrors(default_images("golden").images)
    return _Float(network, source, parameters, golden, _outputs(_eager(network), golden))


def _calibration_images(request: ExportRequest) -> ImageSet | None:
    """The images that set activation ranges; None where nothing is quantized."""
    if request.recipe.precision != "w8a8":
        return None
    count = request.recipe.num_calibration_samples
    return folder_images(request.data, count, request.seed) if request.data else default_images("calibration", count)


def _quantize(reference: _Float, calibration: ImageSet | None, request: ExportRequest, steps: Steps) -> _Quantized:
    recipe = request.recipe
    images = calibration.images if calibration else ()
    if calibration is not None and len(images) < FEW_IMAGES:
        steps.note(
            f"Only {len(images)} calibration images: {FEW_IMAGES} or more give better activation ranges.",
            style="bold yellow",
        )
    program = quantize(reference.network, recipe, steps.track(images, lambda _: "calibrating"))
    facts = ProgramFacts.of(program)
    steps.note(f"{facts.gemms} Linear and Conv layers, {facts.int8_gemms} in int8; {facts.attentions} attentions")
    if calibration is None:
        return _Quantized(program, facts, recipe, None, reference.outputs)
    described = CalibrationEntry(
        source=calibration.source,
        count=len(calibration.images),
        seed=request.seed,
        sha256=calibration.sha256,
        kind=calibration.kind,
        available=calibration.available,
    )
    return _Quantized(program, facts, recipe, described, _outputs(_eager(program.module()), reference.golden))


def _eager(module: nn.Module) -> Network:
    """A torch network as a function from a crop to the contract's outputs."""
    return lambda image: to_outputs([output.numpy() for output in module(to_tensor(image))])


def _outputs(network: Network, images: Iterable[Pixels]) -> list[Outputs]:
    with torch.inference_mode(), one_thread():
        return [network(image) for image in images]


def _write(
    reference: _Float,
    quantized: _Quantized,
    recipe: ExportRecipe,
    place: Path,
    folder: Path,
    request: ExportRequest,
    steps: Steps,
) -> Bundle:
    body = BodyModel.open()
    name = folder.name + SUFFIXES[recipe.target]
    lowering = _lowering(recipe)
    steps.step(f"Lower to {recipe.target}")
    artifact = place / name
    metadata = {
        "schema_version": str(contract.SCHEMA_VERSION),
        "model": reference.checkpoint.model,
        "trained": str(reference.checkpoint.trained).lower(),
        "checkpoint_sha256": reference.checkpoint.sha256,
        "recipe": quantized.recipe.name,
        "licence": model_card.LICENCE,
    }
    with steps.waiting():
        lowering.lower(quantized.program, recipe, quantized.recipe.precision, artifact, metadata)

    steps.step(f"Verify {name}")
    facts: FileFacts = lowering.read_facts(artifact)
    check_fusion(quantized.facts, facts, recipe)
    size = _size(artifact)
    _check_size(size, reference.parameters, quantized.recipe, recipe)
    summary = SKIPPED
    if not request.skip_parity:
        parity = _parity(reference, quantized, recipe, artifact, body, steps)
        if faults := parity.faults(quantized.recipe):
            raise CheckFailed(f"{name} exceeds its lowering limit: {'; '.join(faults)}. Nothing was written.")
        summary = parity.entry(quantized.recipe)
    manifest = Manifest(
        **shared_entries(),
        model=reference.checkpoint.model,
        trained=reference.checkpoint.trained,
        parameters=reference.parameters,
        target=recipe.target,
        backend=recipe.backend,
        precision=quantized.recipe.precision,
        artifact=name,
        artifact_bytes=size,
        checkpoint=_origin(reference.checkpoint),
        recipes=RecipesEntry(asdict(quantized.recipe), asdict(recipe)),
        calibration=quantized.calibration,
        tools={"coevoer-edge": __version__} | {tool: version(tool) for tool in _TOOLS},
        body_model=BodyEntry(body.name, body.licence, body_file.FILE_NAME),
        licence=model_card.LICENCE,
        fusion=facts.entry(),
        parity=summary,
    )
    (place / bundle.MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    (place / bundle.CARD).write_text(model_card.render(manifest), encoding="utf-8")
    _write_golden(place / bundle.GOLDEN, reference, quantized)
    body_file.write_body(body, place / body_file.FILE_NAME)
    shutil.copyfile(KIT_PATH, place / CONFORMANCE_FILE)
    bundle.finish(place, folder)
    return Bundle.open(folder)


def _origin(source: Checkpoint) -> CheckpointEntry:
    return CheckpointEntry(source.source, source.sha256, source.enhancer, source.foreground, source.seed)


def _lowering(recipe: ExportRecipe) -> ModuleType:
    """The module that lowers by a recipe; imported here because each brings a heavy package."""
    match recipe.target, recipe.backend:
        case "coreml", _:
            from coevoer_edge.lowering import coreml

            return coreml
        case "onnx", _:
            from coevoer_edge.lowering import onnx

            return onnx
        case "executorch", "coreml":
            from coevoer_edge.lowering import executorch_coreml

            return executorch_coreml
        case _:
            from coevoer_edge.lowering import executorch

            return executorch


def _size(artifact: Path) -> int:
    files = [artifact] if artifact.is_file() else [path for path in artifact.rglob("*") if path.is_file()]
    return sum(file.stat().st_size for file in files)


def _check_size(size: int, parameters: int, quantization: QuantizationRecipe, recipe: ExportRecipe) -> None:
    if quantization.precision == "w8a8" and size > recipe.max_bytes_per_parameter * parameters:
        raise CheckFailed(
            f"The {recipe.target} artifact has {size / parameters:.3f} bytes for each of {parameters:,} parameters; "
            f"the recipe allows {recipe.max_bytes_per_parameter}."
        )


def _parity(
    reference: _Float,
    quantized: _Quantized,
    recipe: ExportRecipe,
    artifact: Path,
    body: BodyModel,
    steps: Steps,
) -> GoldenParity:
    runtime = open_artifact(recipe.target, artifact, backend=recipe.backend, reference=True)
    try:
        outputs = _outputs(runtime, steps.track(reference.golden, lambda _: "golden images"))
    finally:
        runtime.close()
    return golden_parity(reference.outputs, quantized.outputs, outputs, body, runtime.name, runtime.kind)


def _write_golden(path: Path, reference: _Float, quantized: _Quantized) -> None:
    """Inputs (N, 256, 192, 3) uint8 and the outputs of float network and quantized program on them."""
    arrays = {"image": np.stack(reference.golden[:GOLDEN_IN_BUNDLE])}
    for kind, outputs in (("float", reference.outputs), ("quantized", quantized.outputs)):
        for name in contract.OUTPUT_NAMES:
            arrays[f"{kind}_{name}"] = np.concatenate([o[name] for o in outputs[:GOLDEN_IN_BUNDLE]])
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
