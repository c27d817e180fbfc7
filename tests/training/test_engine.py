"""The training loop: it reduces the loss, resumes exactly, and gives the same result with two processes."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fake_records import FakeSource
from lightning_fabric import Fabric
from safetensors.torch import load_file
from tiny import tiny_network

from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.training.augment import Augmenter
from coevoer_edge.training.dense import Trainee, TrainingLoss
from coevoer_edge.training.engine import RunOptions, Trainer
from coevoer_edge.training.losses import alone
from coevoer_edge.training.recipe import Augmentation, TrainingRecipe
from coevoer_edge.training.run_folder import CHECKPOINT, CURVES, WEIGHTS, RunFolder

SCRATCH = TrainingRecipe.open("scratch")
RECIPE = replace(SCRATCH, batch_size=4, steps=6, precision="fp32", warmup_steps=2, log_every=1, checkpoint_every=100)


def trainer_of(fabric: Fabric, recipe: TrainingRecipe, folder: Path, **options: object) -> Trainer:
    source = FakeSource(8)
    average = (lambda t: fabric.all_reduce(t, reduce_op="mean")) if fabric.world_size > 1 else alone
    loss = TrainingLoss(source.keypoints, recipe, average)
    augmenter = Augmenter(recipe.augmentation, source.keypoints.body, 0)
    run_folder = RunFolder(folder)
    if fabric.is_global_zero:
        run_folder.begin()
    fabric.barrier()
    trainee = Trainee(tiny_network(), dense=recipe.dense.on)
    evaluate = options.pop("evaluate", None)
    return Trainer(
        fabric, trainee, loss, augmenter, source, recipe, run_folder, RunOptions(**options), evaluate=evaluate
    )


DRAW_CURVES = RunFolder.draw_curves


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    """Plotting takes a second each time, so only one test does it."""
    monkeypatch.setattr(RunFolder, "draw_curves", lambda _: None)


def one_process() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def totals(folder: Path) -> list[float]:
    return [line["total"] for line in RunFolder(folder).lines() if "total" in line]


def test_eight_samples_can_be_memorised(tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "draw_curves", DRAW_CURVES)
    recipe = replace(RECIPE, batch_size=8, steps=200, lr=2e-3, log_every=10, ema_decay=0.9, augmentation=Augmentation())
    trainer_of(one_process(), recipe, tmp_path).fit()
    lines = RunFolder(tmp_path).lines()
    for term in ("keypoints_3d", "keypoints_2d", "part_boxes"):
        assert lines[-1][term] < 0.5 * lines[0][term], term
    assert (tmp_path / CURVES).stat().st_size > 1000


def test_a_resumed_run_is_the_run(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer_of(one_process(), RECIPE, whole).fit()
    trainer_of(one_process(), RECIPE, parts).fit(until=3)
    RunFolder(parts).log({"step": 5, "total": 0.0})  # as if the run had continued after its last checkpoint
    second = trainer_of(one_process(), RECIPE, parts)
    second.resume()
    assert second.step == 3
    assert second.fit() == 6
    a, b = (torch.load(folder / CHECKPOINT, weights_only=True) for folder in (whole, parts))
    for key in ("trainee", "ema"):
        assert all(torch.equal(a[key][name], b[key][name]) for name in a[key]), key
    moments = [state["optimizers"][0]["state"] for state in (a, b)]
    assert all(torch.equal(moments[0][i][k], moments[1][i][k]) for i in moments[0] for k in moments[0][i])
    assert totals(parts) == totals(whole)


def test_written_weights_are_the_averaged_ones_in_half_precision(tmp_path):
    trainer = trainer_of(one_process(), RECIPE, tmp_path)
    trainer.fit(until=2)
    written = load_file(tmp_path / WEIGHTS)
    assert all(torch.equal(written[key], value.half()) for key, value in trainer.ema.items())
    assert not any(key.startswith("dense") for key in written)
    assert not torch.equal(trainer.ema["body_head.out.weight"], trainer.network.body_head.out.weight)


def run_in_process(fabric: Fabric, folder: Path) -> None:
    torch.set_num_threads(1)
    trainer_of(fabric, RECIPE, folder).fit(until=4)


def test_two_processes_do_what_one_does(tmp_path):
    together = Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn")
    together.launch(run_in_process, tmp_path / "two")
    run_in_process(one_process(), tmp_path / "one")
    assert totals(tmp_path / "two") == pytest.approx(totals(tmp_path / "one"), abs=1e-4)
    weights = [load_file(tmp_path / name / WEIGHTS) for name in ("one", "two")]
    assert all((weights[0][key] - weights[1][key]).abs().max() < 1e-2 for key in weights[0])


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    class Pretend(Fabric):
        world_size = 3

    with pytest.raises(InputError, match="Batch size 4 is not a multiple of the number of processes, 3"):
        trainer_of(Pretend(accelerator="cpu", devices=1), RECIPE, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    trainer = trainer_of(one_process(), RECIPE, tmp_path)
    trainer.fit(until=1)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        trainer.network.body_head.out.weight[0, 0] = float("nan")
    with pytest.raises(CheckFailed, match=r"became non-finite between steps 1 and 2 \(.*global_orient"):
        trainer.fit()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_checkpoint(tmp_path, number):
    def interrupt(network: object) -> dict[str, float]:
        os.kill(os.getpid(), number)
        return {"mpvpe_mm": 1.0}

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    trainer = trainer_of(one_process(), replace(RECIPE, evaluate_every=2), tmp_path, evaluate=interrupt)
    assert trainer.fit() == 3
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 3
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert {"step": 2, "evaluation/mpvpe_mm": 1.0} in RunFolder(tmp_path).lines()


def test_a_second_ctrl_c_takes_effect_at_once(tmp_path):
    def interrupt(network: object) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("The run went on.")

    trainer = trainer_of(one_process(), replace(RECIPE, evaluate_every=2), tmp_path, evaluate=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test worker ignores Ctrl-C
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_time_is_up(tmp_path):
    assert trainer_of(one_process(), RECIPE, tmp_path, max_minutes=1e-9).fit() == 1
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["step"] == 1


def test_numbered_checkpoints_are_kept(tmp_path):
    trainer_of(one_process(), replace(RECIPE, keep_every=1), tmp_path).fit(until=2)
    assert sorted(path.name for path in tmp_path.glob("checkpoint*")) == [
        "checkpoint-0000001.pt",
        "checkpoint-0000002.pt",
        "checkpoint.pt",
    ]


def test_every_file_of_a_run_has_the_mode_that_the_umask_gives(tmp_path):
    """Files are written under another name and renamed; none remains readable only by its owner."""
    (tmp_path / "plain").touch()
    trainer_of(one_process(), replace(RECIPE, keep_every=1), tmp_path / "run").fit(until=2)
    files = list((tmp_path / "run").iterdir())
    assert {WEIGHTS, CHECKPOINT} < {path.name for path in files}
    assert {path.stat().st_mode for path in files} == {(tmp_path / "plain").stat().st_mode}


def test_workers_give_the_same_batches(tmp_path):
    losses = []
    for workers in (0, 1):
        trainer_of(one_process(), RECIPE, tmp_path / str(workers), num_workers=workers).fit(until=2)
        losses.append(totals(tmp_path / str(workers)))
    assert losses[0] == losses[1]


def test_half_precision_keeps_the_last_layers_in_float32(tmp_path):
    network = tiny_network()
    trainee = Trainee(network, dense=True)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        predictions = trainee(torch.rand(2, 3, 256, 192))
    assert {output.dtype for output in predictions.outputs} == {torch.float32}
    error = predictions.outputs.body_pose @ predictions.outputs.body_pose.transpose(-1, -2) - torch.eye(3)
    assert error.abs().max() < 1e-4


def test_attention_in_bf16_is_attention(tmp_path):
    """On a CPU a bf16 step computes attention as two products; the result is the same and the setting is restored."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 20, 16) for _ in range(3))
    exact = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    trainer = trainer_of(one_process(), replace(RECIPE, precision="bf16"), tmp_path)
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    with trainer._attention():
        assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
        rounded = torch.nn.functional.scaled_dot_product_attention(*(t.bfloat16() for t in (q, k, v)))
    assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed() == before
    assert 0 < (rounded.float() - exact).abs().max() < 0.02
