"""Distillation: distances to the teacher, its cached outputs, and training with the INT8 recipe's rounding."""

from dataclasses import replace

import pytest
import torch
from fake_records import FakeSource, make_record
from lightning_fabric import Fabric
from tiny import tiny_network

from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import InputError
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.training.augment import Augmenter, to_input
from coevoer_edge.training.distillation import DistillationLoss, Seen, Student, Tapped, Teacher
from coevoer_edge.training.engine import RunOptions, Trainer
from coevoer_edge.training.recipe import Augmentation, Distillation, Features, LossWeights, TrainingRecipe
from coevoer_edge.training.run_folder import RunFolder
from coevoer_edge.training.teacher_cache import AnswerCache

SOURCE = FakeSource()
BODY = BodyModel.open()
WEIGHTS = Distillation(LossWeights(), vertices=1.0, labels=0.0, features=Features(1.0, 1.0))


@pytest.fixture(scope="module")
def record():
    record = make_record(SOURCE.keypoints, range(2))
    return record._replace(image=to_input(record.image))


@pytest.fixture(scope="module")
def teacher():
    return tiny_network()


def deeper():
    """A different network: the same sizes with one more block."""
    return tiny_network(depth=3)


def test_the_tap_changes_nothing(record, teacher):
    with torch.no_grad():
        seen, outputs = Tapped(teacher)(record.image), teacher(record.image)
    assert all(torch.equal(a, b) for a, b in zip(seen.outputs, outputs, strict=True))
    assert seen.encoder.shape == (2, 220, 64)
    assert seen.enhancer.shape == (2, 240, 128)


def test_the_teacher_is_at_no_distance_from_itself(record, teacher):
    loss = DistillationLoss(BODY, Teacher(teacher), WEIGHTS, LossWeights())
    with torch.no_grad():
        losses = loss(Tapped(teacher)(record.image), record, [0, 1])
    # Of the visibility, a probability against itself, its own entropy is left; the vertices' root has a floor.
    far = {name for name, value in losses.items() if value > 1e-5}
    assert far == {"visibility", "total"}


def test_vertices_are_in_metres(record, teacher):
    loss = DistillationLoss(BODY, Teacher(teacher), WEIGHTS, LossWeights())
    with torch.no_grad():
        seen = Tapped(teacher)(record.image)
        turned = seen.outputs._replace(global_orient=torch.diag(torch.tensor([-1.0, -1.0, 1.0])) @ seen.outputs[0])
        losses = loss(Seen(turned, *seen[1:]), record, [0, 1])
    assert 0.5 < losses["vertices"] < 1.2  # half a turn: twice the mean distance from the pelvis's axis


def test_gradients_reach_the_student_and_not_the_teacher(record, teacher):
    student = Student(deeper(), teacher)
    loss = DistillationLoss(BODY, Teacher(teacher), WEIGHTS, LossWeights())
    loss(student(record.image), record, [0, 1])["total"].backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert {name.partition(".")[0] for name, _ in student.named_parameters()} == {
        "network",
        "encoder_projection",
        "enhancer_projection",
    }


def test_labels_join_where_the_recipe_asks(record, teacher):
    loss = DistillationLoss(BODY, Teacher(teacher), replace(WEIGHTS, labels=0.5), LossWeights(betas=2.0))
    with torch.no_grad():
        losses = loss(Tapped(teacher)(record.image), record, [0, 1])
    assert loss.weights["label_betas"] == 1.0
    assert losses["label_betas"] > 0.1


def test_a_teacher_in_bf16_says_nearly_the_same(record, teacher):
    exact, rounded = (Teacher(teacher, bf16=bf16)(record.image, [0, 1]) for bf16 in (False, True))
    assert not torch.equal(exact.encoder, rounded.encoder)
    assert all(output.dtype == torch.float32 for output in rounded.outputs)
    torch.testing.assert_close(exact.outputs.body_pose, rounded.outputs.body_pose, atol=0.02, rtol=0)


class Counting(torch.nn.Module):
    """Counts the images that a network is evaluated on."""

    def __init__(self, network):
        super().__init__()
        self.network, self.asked = network, 0

    def forward(self, image):
        self.asked += len(image)
        return Tapped(self.network)(image)


def test_cached_answers_are_asked_once(tmp_path, record, teacher):
    def asked_teacher():
        made = Teacher(teacher, AnswerCache(tmp_path / "cache", {"teacher": "abc"}))
        made.tapped = Counting(teacher)
        return made

    first, second = asked_teacher(), asked_teacher()
    seen, again = first(record.image, [5, 1003]), second(record.image, [5, 1003])
    assert (first.tapped.asked, second.tapped.asked) == (2, 0)
    for a, b in zip(seen.outputs, again.outputs, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(seen.encoder, again.encoder, atol=1e-2, rtol=1e-2)
    third = asked_teacher()
    third(record.image, [5, 6])
    assert third.tapped.asked == 1
    (tmp_path / "plain").touch()
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.stat().st_mode for path in kept} == {(tmp_path / "plain").stat().st_mode}


def test_a_cache_of_other_answers_is_refused(tmp_path):
    AnswerCache(tmp_path / "cache", {"teacher": "abc", "seed": "0"})
    with pytest.raises(InputError, match=r"contains other answers \(teacher is abc, not def\)"):
        AnswerCache(tmp_path / "cache", {"teacher": "def", "seed": "0"})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(InputError, match="is not a cache of a teacher's answers"):
        AnswerCache(tmp_path / "photos", {})


def test_quantization_aware_training_moves_the_float_network(tmp_path, teacher):
    pytest.importorskip("torchao")
    from coevoer_edge.quantization.recipe import QuantizationRecipe
    from coevoer_edge.training.qat import prepare

    network = tiny_network()
    with torch.no_grad():
        before = network(torch.full((2, 3, 256, 192), 0.5))
    prepared = prepare(network, QuantizationRecipe.open("w8a8"), batch_size=2)
    student = Student(network, teacher, prepared)
    assert {id(p) for p in prepared.parameters()} == {id(p) for p in network.parameters()}
    assert sum("fakequant" in type(m).__name__.lower() for m in prepared.modules()) > 50

    recipe = replace(
        TrainingRecipe.open("scratch"),
        batch_size=2,
        steps=2,
        precision="fp32",
        augmentation=Augmentation(),
        ema_decay=0.0,
        warmup_steps=0,
    )
    loss = DistillationLoss(BODY, Teacher(teacher), WEIGHTS, LossWeights())
    folder = RunFolder(tmp_path / "run")
    folder.begin()
    trainer = Trainer(
        Fabric(accelerator="cpu", devices=1),
        student,
        loss,
        Augmenter(recipe.augmentation, SOURCE.keypoints.body, 0),
        SOURCE,
        recipe,
        folder,
        RunOptions(),
    )
    trainer.fit()
    with torch.no_grad():
        after = trainer.shipped()(torch.full((2, 3, 256, 192), 0.5))
        rounded = CoEvoerOutputs(*student(torch.full((2, 3, 256, 192), 0.5)).outputs)
    assert not torch.equal(before.body_pose, after.body_pose)
    assert 0 < (after.body_pose - rounded.body_pose).abs().mean() < 0.2
