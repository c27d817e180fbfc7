"""The commands `train` and `distill`: files, resuming, and refused requests."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner
from fake_records import FakeSource

import coevoer_edge
from coevoer_edge.distill.__main__ import command as distill
from coevoer_edge.errors import InputError
from coevoer_edge.model import build, checkpoint
from coevoer_edge.train.__main__ import command as train
from coevoer_edge.training import conduct
from coevoer_edge.training.session import Settings


@pytest.fixture(autouse=True)
def _fake_data(monkeypatch):
    def open_source(spec, seed, device, body=None):
        return FakeSource(4)

    monkeypatch.setattr(conduct.conduct, "__defaults__", (None, open_source))
    monkeypatch.setattr(conduct, "validation", lambda data, body, device: lambda network: {"mpvpe_mm.all": 1.0})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "t.safetensors"
    checkpoint.save(build("coevoer-t"), path, trained=True)
    return path


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


SHORT = ("--device", "cpu", "--batch-size", 2, "--precision", "fp32")


def test_train_then_resume(tmp_path):
    out = tmp_path / "run"
    first = run(train, *SHORT, "--steps", 1, "--no-enhancer", "-o", out, "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["step"] == 1
    assert f"Next: python -m coevoer_edge.evaluate --checkpoint {out / 'weights.safetensors'}" in first.output
    _, origin = checkpoint.load(out / "weights.safetensors")
    assert (origin.model, origin.trained, origin.enhancer) == ("coevoer-t", True, False)

    assert "already contains a run; add --resume" in run(train, *SHORT, "-o", out).output
    for options, message in (
        (("--seed", 7), "--seed is 7, but the run was started with 0; omit --seed when you use --resume."),
        (("--batch-size", 4), "started with another recipe (these keys differ: batch_size)"),
        (("--no-foreground",), "--no-foreground is given, but the run was started without it"),
    ):
        refused = run(train, "--resume", "-o", out, *options)
        assert refused.exit_code == 2
        assert message in refused.output

    second = run(train, "--resume", "--steps", 2, "-o", out, "--quiet")
    assert second.exit_code == 0, second.output
    assert second.output == ""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "total" in line] == [1, 2]
    assert [line["step"] for line in lines if line.get("evaluation/mpvpe_mm.all") == 1.0] == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "coevoer-x"), "Unknown model 'coevoer-x'"),
        (("--recipe", "fast"), "There is no training recipe 'fast'; valid are cpu, further, paper, scratch"),
        (("--precision", "int8"), "precision is 'int8'; valid are fp32, bf16"),
        (("--device", "tpu"), "Unknown device 'tpu'; valid: cpu, cuda, cuda:1, mps"),
        (("--init", "none.safetensors"), "No checkpoint 'none.safetensors'"),
        (("--resume",), "contains no checkpoint.pt to resume from"),
        (("--init", "none.safetensors", "--resume"), "--init starts a run and --resume continues one"),
        (("--grow", "--model", "coevoer-s"), "--grow grows the weights of --init into the larger --model; give both."),
        (
            ("--grow", "--init", "t.safetensors"),
            "--grow grows the weights of --init into the larger --model; give both.",
        ),
    ],
)
def test_train_refuses(tmp_path, options, message):
    result = run(train, "-o", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "run").exists()


def test_train_grows_a_smaller_model(tmp_path, weights):
    out = tmp_path / "run"
    options = ("--model", "coevoer-s", "--init", weights, "--grow", *SHORT, "--steps", 1, "-o", out, "--quiet")
    result = run(train, *options)
    assert result.exit_code == 0, result.output
    assert checkpoint.peek(out / "weights.safetensors") == "coevoer-s"
    assert run(train, "--resume", "--steps", 2, "-o", out, "--quiet").exit_code == 0


def test_train_refuses_weights_of_another_variant(tmp_path, weights):
    result = run(train, "--init", weights, "--no-foreground", "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert "change --no-enhancer and --no-foreground" in result.output


@pytest.mark.parametrize(("precision", "is_emulated"), [("bf16", True), ("bf16", False), ("fp32", True)])
def test_emulated_bf16_is_pointed_out(tmp_path, monkeypatch, precision, is_emulated):
    def refuse(spec, seed, device, body=None):
        raise InputError("No data, so that nothing is trained")

    monkeypatch.setattr(conduct.conduct, "__defaults__", (None, refuse))
    monkeypatch.setattr(conduct, "emulates_bfloat16", lambda device: is_emulated)
    result = run(train, "--device", "cpu", "--precision", precision, "-o", tmp_path / "run")
    assert "No data, so that nothing is trained" in result.output
    said = "This processor only emulates bf16, which is many times slower than fp32." in result.output
    assert said == (is_emulated and precision == "bf16")


def test_distill(tmp_path, weights):
    out = tmp_path / "run"
    options = ("--teacher", weights, "--student", "coevoer-t", *SHORT, "--steps", 1, "-o", out, "--quiet")
    result = run(distill, *options, "--no-augmentation", "--cache", tmp_path / "cache")
    assert result.exit_code == 0, result.output
    checkpoint.load(out / "weights.safetensors")
    line = json.loads((out / "log.jsonl").read_text().splitlines()[0])
    assert {"vertices", "encoder", "enhancer", "label_keypoints_3d", "total"} <= line.keys()
    assert len([*(tmp_path / "cache").rglob("*.safetensors")]) == 2
    other = run(train, "--resume", "-o", out)
    assert "The request is to train, but the run was started to distill from coevoer-t" in other.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cache", "cache"), "add --no-augmentation, or omit --cache"),
        (("--qat",), "--qat needs fp32, but the recipe uses bf16; add --precision fp32."),
        (("--qat", "--compile"), "--qat trains a captured graph"),
        (("--student", "coevoer-x"), "Unknown model 'coevoer-x'"),
    ],
)
def test_distill_refuses(tmp_path, weights, options, message, monkeypatch):
    monkeypatch.setattr(conduct, "emulates_bfloat16", lambda device: False)  # or the recipe gives way to fp32
    result = run(distill, "--teacher", weights, "--student", "coevoer-t", "-o", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "run").exists()


def test_an_untrained_teacher_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    checkpoint.save(build("coevoer-t"), path, trained=False)
    result = run(distill, "--teacher", path, "--student", "coevoer-t", "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert "is untrained; give trained weights." in result.output


def test_train_from_python_takes_the_commands_options(tmp_path, capsys):
    out = tmp_path / "run"
    short = {"device": "cpu", "batch_size": 2, "precision": "fp32"}
    assert coevoer_edge.train(**short, steps=1, foreground=False, output_dir=str(out)) == out
    assert capsys.readouterr().out == ""
    _, origin = checkpoint.load(out / "weights.safetensors")
    assert (origin.enhancer, origin.foreground) == (True, False)
    settings = Settings(resume=True, steps=2, output_dir=out, quiet=True)
    assert coevoer_edge.train(settings) == out
    lines = (out / "log.jsonl").read_text().splitlines()
    assert len([line for line in lines if "total" in line]) >= 1


def test_distill_from_python(tmp_path, weights):
    options = {"device": "cpu", "batch_size": 2, "precision": "fp32", "steps": 1, "output_dir": tmp_path / "run"}
    assert coevoer_edge.distill(weights, "coevoer-t", **options) == tmp_path / "run"
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    with pytest.raises(InputError, match="The student determines the model and its initial weights"):
        coevoer_edge.distill(weights, "coevoer-t", model="coevoer-s")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 3}, "There is no training option 'step'; valid are model, init, grow,"),
        ({"steps": 0}, "The training option steps is 0; it must be at least 1."),
        ({"seed": -1}, "The training option seed is -1; it must be at least 0."),
        ({"max_minutes": 0}, "The training option max_minutes is 0; it must be above 0."),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        coevoer_edge.train(**options)


def test_each_option_of_the_commands_is_a_setting():
    known = {field.name for field in fields(Settings)}
    of_train, of_distill = ({parameter.name for parameter in command.params} for command in (train, distill))
    assert of_train - {"help"} == known
    assert of_distill - {"help"} == known - {"model", "init", "grow", "enhancer", "foreground"} | {
        "teacher",
        "student",
        "cache",
        "qat",
    }


@pytest.mark.parametrize(
    ("options", "precision", "said"),
    [
        ((), "fp32", "This processor only emulates bf16, so the network trains in fp32."),
        (("--precision", "bf16"), "bf16", "This processor only emulates bf16, which is many times slower than fp32."),
        (("--precision", "fp32"), "fp32", None),
    ],
)
def test_an_emulated_bf16_gives_way_to_fp32(tmp_path, monkeypatch, options, precision, said):
    monkeypatch.setattr(conduct, "emulates_bfloat16", lambda device: True)
    seen = []

    def no_launch(settings, recipe):
        seen.append(recipe.precision)
        raise InputError("Far enough.")

    monkeypatch.setattr(conduct, "launch", no_launch)
    result = run(train, "--device", "cpu", *options, "-o", tmp_path / "run")
    assert seen == [precision]
    assert (said in result.stderr) if said else ("emulates" not in result.stderr)


def test_a_native_bf16_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(conduct, "emulates_bfloat16", lambda device: False)
    seen = []

    def no_launch(settings, recipe):
        seen.append(recipe.precision)
        raise InputError("Far enough.")

    monkeypatch.setattr(conduct, "launch", no_launch)
    assert "emulates" not in run(train, "--device", "cpu", "-o", tmp_path / "run").stderr
    assert seen == ["bf16"]


def test_ctrl_c_answers_at_once_and_leaves_a_checkpoint(tmp_path):
    """The first one is acknowledged before the step ends, and the run can be resumed."""
    arguments = ["--device", "cpu", "--batch-size", "2", "--precision", "fp32", "--steps", "100000"]
    command = [sys.executable, "-m", "coevoer_edge.train", *arguments, "-o", str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as child:
        said = []
        for line in child.stderr:
            said.append(line)
            if "step 1 of" in line:
                child.send_signal(signal.SIGINT)
            if "Stopping" in line:
                break
        rest = child.stderr.read()
        code = child.wait(timeout=120)
    assert "Stopping after this step and writing a checkpoint." in said[-1], said
    assert code == 0, rest
    assert (tmp_path / "run" / "checkpoint.pt").is_file()
