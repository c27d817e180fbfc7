"""Climb the ladder: reference, student, quantized program, artifact, and the loss at each step.

In: `ParityRequest`: bundles of one quantized program, images, a budget. Out: `Climb`, with one `Ladder` a bundle.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import torch
from torch.export import ExportedProgram

from coevoer_edge.body.model import BodyModel
from coevoer_edge.bundle import Bundle
from coevoer_edge.data.folder import ImageSet
from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.golden import error_ratio
from coevoer_edge.evaluation.measuring_body import MeasuringBody
from coevoer_edge.model import CoEvoer, checkpoint
from coevoer_edge.model.captured_program import capture
from coevoer_edge.model.checkpoint import Checkpoint
from coevoer_edge.parity import compare, rungs
from coevoer_edge.parity.budget import WORST_VERTEX, Budget
from coevoer_edge.parity.layers import lowering_layers, quantization_layers
from coevoer_edge.parity.result import STEPS, Ladder, LayerLoss, Loss, Rung, RungName, Statistics, Violation
from coevoer_edge.parity.samples import Samples, open_samples
from coevoer_edge.parity.stored import TEACHER, StoredReference
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.runtime.protocol import Outputs
from coevoer_edge.terminal.console import Steps
from coevoer_edge.terminal.device import find_device

LAYER_IMAGES = 4
"""The number of images that layers are compared on."""

STEADY = 128
"""With fewer images, the error ratio of a small output varies by more than its limit allows for."""


@dataclass(frozen=True)
class ParityRequest:
    """What to measure, and everything that cannot be rebuilt from a bundle's manifest."""

    bundles: tuple[Path, ...]
    reference: str | None = None  # the full network: a file or a model; None: the default model's teacher, as stored
    checkpoint: Path | None = None  # the student's weights, where they do not come with the package
    calibration_data: Path | None = None  # folder of its calibration images, where they were not the default set
    data: str | None = None  # None: the golden set; a folder of photos, or a dataset as `evaluate` takes it
    limit: int | None = None  # images; None: 128, or as many as there are
    budget: Budget = field(default_factory=Budget.open)
    body: Path | None = None  # the user's SMPL-X; None: the open body
    layers: bool = False  # compare layers even where nothing is over budget


@dataclass(frozen=True, eq=False)
class Answers:
    """One rung with its outputs on all images."""

    rung: Rung
    outputs: list[Outputs]


@dataclass(frozen=True, eq=False)
class Climb:
    """Ladders, and the data that pictures of them are rendered from."""

    ladders: tuple[Ladder, ...]
    trained: bool
    samples: Samples
    networks: Mapping[RungName, Answers]  # reference (if there is one), student, quantized
    artifacts: tuple[Answers, ...]  # in the order of `ladders`

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{ladder.bundle} {ladder.verdict}" for ladder in self.ladders)
        return f"<Climb: {verdicts}; {len(self.samples.images)} images>"


@dataclass(frozen=True, eq=False)
class _Loaded:
    """Everything that can be checked before any work."""

    student: CoEvoer
    student_from: Checkpoint
    reference: tuple[CoEvoer, Checkpoint] | StoredReference | None
    calibration: ImageSet | None


@dataclass(frozen=True, eq=False)
class _Made:
    """The torch side of a ladder."""

    exact: CoEvoer  # the student, its weights changed as the recipe asks: the same function, layer by layer too
    program: ExportedProgram | None  # None: nothing is quantized
    networks: dict[RungName, Answers]


def number_of_steps(request: ParityRequest) -> int:
    """How many steps `climb` announces."""
    return 5 + len(request.bundles)


def climb(request: ParityRequest, steps: Steps | None = None) -> Climb:
    """Run every network of the ladder on the same images, and measure each step.

    Raises:
        CoEvoerError: bad input, before any work where it can be known before.
        CheckFailed: rebuilt networks whose outputs differ from those at export. A figure over budget raises nothing: it
            is listed in `Ladder.violations`.
    """
    start = time.perf_counter()
    steps = steps or Steps(number_of_steps(request), quiet=True)
    bundles = [Bundle.open(path) for path in request.bundles]
    rungs.one_program(bundles)
    body_model = BodyModel.open(request.body)
    body = MeasuringBody(body_model)
    loaded = _load(bundles[0], request)

    steps.step("Read images")
    samples = open_samples(request.data, request.limit, body_model if request.body else None)
    steps.note(samples.source)
    stored = _stored_answers(loaded.reference, samples, steps, asked=request.reference is not None)
    made = _networks(bundles[0], loaded, stored, samples, steps)
    artifacts = []
    for bundle in bundles:
        steps.step(f"Run {bundle.manifest.artifact}")
        rung, outputs = rungs.run_artifact(bundle, _tracked(samples, steps))
        steps.note(f"{rung.runtime} ({rung.kind})")
        artifacts.append(Answers(rung, outputs))

    steps.step("Measure")
    if made.program is not None and len(samples.images) < STEADY:
        steps.note(f"error ratios vary by chance over {len(samples.images)} images; they are steady from {STEADY} on")
    losses: dict[str, Loss] = {
        step: _loss(made.networks[before], made.networks[after], body)
        for step, (before, after) in STEPS.items()
        if before in made.networks and after in made.networks
    }
    truth = {name: _truth(answers, samples, body) for name, answers in made.networks.items()}
    agreement = _agreement(bundles, artifacts, body)
    ladders = [
        _ladder(bundle, artifact, made, losses, truth, agreement, samples, body, request.budget)
        for bundle, artifact in zip(bundles, artifacts, strict=True)
    ]
    ladders = _with_layers(ladders, bundles, made, samples, request, steps)
    seconds = time.perf_counter() - start
    ladders = [replace(ladder, seconds=seconds) for ladder in ladders]
    return Climb(tuple(ladders), loaded.student_from.trained, samples, made.networks, tuple(artifacts))


def _load(bundle: Bundle, request: ParityRequest) -> _Loaded:
    student, found = rungs.load_student(bundle, request.checkpoint)
    reference = _load_reference(request, found)
    return _Loaded(student, found, reference, rungs.calibration_images(bundle, request.calibration_data))


def _load_reference(request: ParityRequest, student: Checkpoint) -> tuple[CoEvoer, Checkpoint] | StoredReference | None:
    """The requested network; else, for the embedded student, the stored outputs of its teacher."""
    if request.reference is not None and request.reference != TEACHER:
        return checkpoint.load_named(request.reference)
    embedded = request.checkpoint is None and student.trained and student.model == checkpoint.DEFAULT_MODEL
    return StoredReference.open() if embedded or request.reference == TEACHER else None


def _stored_answers(reference: object, samples: Samples, steps: Steps, *, asked: bool) -> Answers | None:
    """A stored reference's outputs for the images; None where it has none for them, or is a network.

    Raises:
        InputError: it was requested by name and has no outputs for the images.
    """
    if not isinstance(reference, StoredReference):
        return None
    outputs = reference.answers(samples.images)
    if outputs is not None:
        return Answers(reference.rung, outputs)
    only = f"only the outputs of {TEACHER} on the default golden images come with the package"
    advice = f"add --reference FILE with its weights (derive/teacher/{TEACHER}.safetensors in the repository)"
    if asked:
        raise InputError(f"--reference {TEACHER} is not possible on these images, because {only}; {advice}.")
    steps.note(
        f"The ladder starts at the student, because {only}; to measure distillation on other images, {advice}.",
        style="bold yellow",
    )
    return None


def _networks(bundle: Bundle, loaded: _Loaded, stored: Answers | None, samples: Samples, steps: Steps) -> _Made:
    """The float networks and the quantized program, rebuilt, checked and run.

    `stored`: the outputs of a reference that is not run here.
    """
    student, found, calibration = loaded.student, loaded.student_from, loaded.calibration
    steps.step("Rebuild the quantized program")
    if not found.trained:
        steps.note("untrained: the weights are random, so millimetres and degrees are meaningless", style="bold yellow")
    exact, program = rungs.quantize_again(bundle, student, calibration, steps)
    eager = None if program is None else program.module()
    rungs.check_golden(bundle, student, eager)
    steps.note(
        "nothing is quantized: it is the student"
        if eager is None
        else "it is as far from float as the bundle's, on its golden images"
    )

    networks: dict[RungName, Answers] = {}
    label = f"torch {torch.__version__} cpu"
    if isinstance(loaded.reference, tuple):
        steps.step(f"Run the reference, {loaded.reference[1].model}, and the student, {found.model}")
        networks["reference"] = _reference(*loaded.reference, samples, steps)
    else:
        steps.step(f"Run the student, {found.model}")
        if stored is not None:
            steps.note(f"the outputs of the reference, {stored.rung.model}, come with the package")
            networks["reference"] = stored
    rung = Rung("student", found.model, rungs.weights_label(found), label, "network")
    networks["student"] = Answers(rung, rungs.run(student, _tracked(samples, steps)))
    steps.step("Run the quantized program")
    outputs = networks["student"].outputs if eager is None else rungs.run(eager, _tracked(samples, steps))
    recipe = rungs.recipe_of(bundle).name
    source = f"recipe {recipe}, {calibration.source}" if calibration else f"recipe {recipe}, the student itself"
    networks["quantized"] = Answers(Rung("quantized", found.model, source, label, "network"), outputs)
    return _Made(exact, program, networks)


def _tracked(samples: Samples, steps: Steps) -> Iterator[Pixels]:
    return steps.track(samples.images, lambda _: "images")


def _reference(network: CoEvoer, found: Checkpoint, samples: Samples, steps: Steps) -> Answers:
    """The full network in float32, on the GPU if there is one."""
    device = find_device(None)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # else its convolution rounds to 10 bits
        outputs = rungs.run(network.to(device), _tracked(samples, steps), device, threaded=True)
    label = f"torch {torch.__version__} {device}"
    return Answers(Rung("reference", found.model, rungs.weights_label(found), label, "network"), outputs)


def _loss(before: Answers, after: Answers, body: MeasuringBody) -> Loss:
    return Loss(before.rung, after.rung, compare.figures(before.outputs, after.outputs, body))


def _truth(answers: Answers, samples: Samples, body: MeasuringBody) -> dict[str, Statistics]:
    if samples.truth is None:
        return {}
    return compare.truth_figures(answers.outputs, samples.truth, samples.vertices, body)


def _agreement(
    bundles: Sequence[Bundle], artifacts: Sequence[Answers], body: MeasuringBody
) -> dict[frozenset[str], Loss]:
    """The distance between each pair of artifacts, by the names of both bundles."""
    found = {}
    for (one, first), (other, second) in combinations(zip(bundles, artifacts, strict=True), 2):
        loss = _loss(first, second, body)
        worst = compare.worst_vertex_mm(first.outputs, second.outputs, body)
        found[frozenset((rungs.name_of(one), rungs.name_of(other)))] = replace(
            loss, figures={**loss.figures, WORST_VERTEX: worst}
        )
    return found


def _ladder(
    bundle: Bundle,
    artifact: Answers,
    made: _Made,
    shared: Mapping[str, Loss],
    truth: Mapping[RungName, Mapping[str, Statistics]],
    agreement: Mapping[frozenset[str], Loss],
    samples: Samples,
    body: MeasuringBody,
    budget: Budget,
) -> Ladder:
    name, precision = rungs.name_of(bundle), bundle.manifest.precision
    student, quantized = made.networks["student"], made.networks["quantized"]
    losses = {**shared, "lowering": _loss(quantized, artifact, body)}
    if made.program is None:
        export, ratio = replace(losses["lowering"], before=student.rung), {}
    else:
        export = _loss(student, artifact, body)
        ratio = error_ratio(artifact.outputs, quantized.outputs, student.outputs)
    others = {next(iter(pair - {name})): loss for pair, loss in agreement.items() if name in pair}
    violations = [
        violation for step, loss in losses.items() for violation in budget.check(step, loss.figures, precision)
    ]
    violations += budget.check_ratios({output: found.at_least for output, found in ratio.items()}, precision)
    violations += budget.check("export", export.figures, precision)
    limits = [limit for step, loss in losses.items() for limit in budget.applied(step, loss.figures, precision)]
    limits += budget.applied("lowering", [f"error_ratio.{output}" for output in ratio], precision)
    limits += budget.applied("export", export.figures, precision)
    for other, loss in others.items():
        violations += budget.check("agreement", loss.figures, precision, f"agreement with {other}")
        limits += budget.applied("agreement", loss.figures, precision, f"agreement with {other}")
    return Ladder(
        bundle=name,
        target=bundle.manifest.target,
        precision=precision,
        data=samples.source,
        images=len(samples.images),
        losses=losses,
        truth={} if samples.truth is None else {**truth, "artifact": _truth(artifact, samples, body)},
        error_ratio={output: found.value for output, found in ratio.items()},
        violations=tuple(violations),
        budget=budget.name,
        quantization_layers=(),
        lowering_layers=(),
        seconds=0.0,
        export=export,
        agreement=others,
        limits=tuple(limits),
    )


def _with_layers(
    ladders: Sequence[Ladder],
    bundles: Sequence[Bundle],
    made: _Made,
    samples: Samples,
    request: ParityRequest,
    steps: Steps,
) -> list[Ladder]:
    """Compare layer by layer where a step is over budget, or on request."""
    over = [{violation.step for violation in ladder.violations} for ladder in ladders]
    quantization = [request.layers or bool(steps_over & {"quantization", "export"}) for steps_over in over]
    lowering = [request.layers or bool(steps_over & {"lowering", "export"}) for steps_over in over]
    if not any(quantization + lowering):
        return list(ladders)
    images = samples.images[:LAYER_IMAGES]
    steps.note(f"layer by layer, over {len(images)} images")
    exact = capture(made.exact)
    program = exact if made.program is None else made.program
    of_program: tuple[LayerLoss, ...] = ()
    if made.program is not None and any(quantization):
        of_program = quantization_layers(exact, made.program, images)
    found = []
    for ladder, bundle, in_program, in_file in zip(ladders, bundles, quantization, lowering, strict=True):
        of_file = lowering_layers(program, bundle.manifest.target, bundle.artifact, images) if in_file else ()
        found.append(replace(ladder, quantization_layers=of_program if in_program else (), lowering_layers=of_file))
    return found


def all_violations(ladders: Sequence[Ladder]) -> list[tuple[str, Violation]]:
    """The violations, each once, with the name of the bundle where it was found first."""
    found: dict[Violation, str] = {}
    for ladder in ladders:
        for violation in ladder.violations:
            found.setdefault(violation, ladder.bundle)
    return [(bundle, violation) for violation, bundle in found.items()]
