"""`python -m coevoer_edge.distill`, the same as `coevoer-edge distill`: distil a large network into a small one.

In: a teacher, a student, a recipe, a dataset. Out: a run folder, as `train` writes it.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.errors import InputError
from coevoer_edge.terminal.extras import names_its_extra
from coevoer_edge.training.session import Settings, settings_of

if TYPE_CHECKING:
    from torch import nn

    from coevoer_edge.training.conduct import Parts
    from coevoer_edge.training.engine import Criterion, Evaluate


@names_its_extra
def distill(
    teacher: str | Path,
    student: str | Path,
    settings: Settings | None = None,
    *,
    cache: str | Path | None = None,
    qat: bool = False,
    evaluate: "Evaluate | None" = None,
    **options: Any,
) -> Path:
    """Train a small network (the student) to match a large one (the teacher).

        run = coevoer_edge.distill("coevoer-s", "coevoer-t", steps=1000, output_dir="runs/taught")

    Args:
        teacher: a .safetensors file, or the name of a model whose weights come with the package.
        student: a .safetensors file to continue from, or the name of a model to start with random weights.
        settings: how to train; None for the defaults, without terminal output.
        cache: folder in which the teacher's outputs are stored; needs training without augmentation.
        qat: train with the rounding of the INT8 recipe.
        evaluate: computes figures of the student on validation data; None for those of the dataset.
        options: fields of `coevoer_edge.training.session.Settings` by name, as for `coevoer_edge.train`; `student`
            replaces `model` and `init`.

    Returns:
        The run's folder, as `train` writes it.

    Raises:
        CoEvoerError: the request is invalid, or the loss became non-finite.
    """
    from coevoer_edge.model import checkpoint
    from coevoer_edge.training.conduct import conduct

    settings, teacher, student = settings_of(settings, options), str(teacher), str(student)
    cache = None if cache is None else Path(cache)
    if settings.model is not None or settings.init is not None or settings.grow:
        raise InputError("The student determines the model and its initial weights; omit model, init and grow.")
    if checkpoint.is_file(student):
        settings = replace(settings, model=checkpoint.peek(student), init=Path(student))
    else:
        settings = replace(settings, model=student, init=None)
    if qat and settings.compile:
        raise InputError("--qat trains a captured graph, which --compile cannot compile; omit one of them.")
    network, origin = checkpoint.load_named(teacher)
    if not origin.trained:
        raise InputError(f"The teacher {teacher} is untrained; give trained weights.")

    def assemble(parts: "Parts") -> "tuple[nn.Module, Criterion]":
        from coevoer_edge.training.distillation import DistillationLoss, Student, Teacher
        from coevoer_edge.training.teacher_cache import AnswerCache

        recipe, answers = parts.recipe, None
        if qat and recipe.precision != "fp32":
            raise InputError(f"--qat needs fp32, but the recipe uses {recipe.precision}; add --precision fp32.")
        if cache is not None and recipe.augmentation.on:
            raise InputError(
                "--cache stores the teacher's outputs by sample, but augmentation changes each sample every time; "
                "add --no-augmentation, or omit --cache to evaluate the teacher on the fly."
            )
        if cache is not None:
            key = {"teacher": origin.sha256, "data": settings.data, "seed": str(parts.seed)}
            answers = AnswerCache(cache, key)
        prepared = None
        if qat:
            from coevoer_edge.quantization.recipe import QuantizationRecipe
            from coevoer_edge.terminal.quiet import quietly
            from coevoer_edge.training.qat import prepare

            share = recipe.batch_size // parts.fabric.world_size
            with quietly():
                prepared = prepare(parts.network, QuantizationRecipe.open("w8a8"), share)
        trainee = Student(parts.network, network, prepared)
        asked = Teacher(network, answers, bf16=recipe.precision == "bf16")
        criterion = DistillationLoss(parts.body, asked, recipe.distillation, recipe.loss, parts.average)
        return trainee, criterion.to(parts.fabric.device)

    purpose = f"distill from {origin.model} {origin.sha256[:12]}{', qat' if qat else ''}"
    again = f"python -m coevoer_edge.distill --teacher {teacher} --student {student}{' --qat' if qat else ''}"
    return conduct(settings, assemble, purpose, again, evaluate)


sys.modules[__name__].__class__ = CallableModule
