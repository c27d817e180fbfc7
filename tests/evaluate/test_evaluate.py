"""The command `evaluate` on three known people: its text, JSON, pictures and errors."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from click.testing import CliRunner, Result
from known_people import Knowing, KnowingRuntime, People, open_body

import coevoer_edge
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.bundle import Bundle
from coevoer_edge.evaluate.__main__ import command
from coevoer_edge.evaluation.domains import choose
from coevoer_edge.model import checkpoint
from coevoer_edge.model.checkpoint import Checkpoint

TURN = torch.from_numpy(axis_angle_to_matrix((0, 0, 0.3))).float()


@pytest.fixture
def body():
    return open_body()


@pytest.fixture
def world(monkeypatch, body):
    """Two domains of three people; the embedded weights predict them exactly, a bundle less exactly."""
    people = People(body)
    state = SimpleNamespace(people=people, network=Knowing(people), sha256="s", asked=[])

    def turn(values):
        values["body_pose"] = values["body_pose"] @ TURN

    state.runtime = KnowingRuntime(Knowing(people, turn))
    sources = ModuleType("coevoer_edge.data.sources")
    sources.open_test = lambda spec, body=None, device="cpu": (
        state.asked.append((spec, body)) or [("training look", people), ("held-out look", people)]
    )
    monkeypatch.setitem(sys.modules, "coevoer_edge.data.sources", sources)
    loaded = lambda: (state.network, Checkpoint("coevoer-t", "w.safetensors", state.sha256, trained=True))  # noqa: E731
    monkeypatch.setattr(checkpoint, "load_embedded", lambda model: loaded())
    manifest = SimpleNamespace(
        model="coevoer-t",
        trained=True,
        target="onnx",
        precision="w8a8",
        checkpoint=SimpleNamespace(source="w", sha256="s"),
    )
    monkeypatch.setattr(Bundle, "open", lambda path: SimpleNamespace(path=Path(path), manifest=manifest))
    monkeypatch.setattr("coevoer_edge.runtime.open_runtime", lambda bundle: state.runtime)
    return state


def cli(*arguments) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def last_json(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_without_arguments(world):
    result = cli("--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "Published, on UBody: CoEvoer (AAAI-26), Table 1" in result.stdout
    assert "Measured here, on synthetic, 6 samples, body: open body" in result.stdout
    for name in ("SMPLer-X", "coevoer-t", "  training look", "  held-out look", "  vertices in the crop"):
        assert any(line.startswith(name) for line in result.stdout.splitlines()), name
    assert "Not comparable" in result.stdout
    assert "Untrained" not in result.stdout
    assert world.asked == [("synthetic", None)]
    assert "[2/2] Evaluate coevoer-t on held-out look, 3 samples" in result.stderr


def test_the_call_gives_what_the_command_prints(world):
    found = coevoer_edge.evaluate(limit=3, batch_size=2, device="cpu")
    printed = last_json(cli("--json", "--quiet", "--limit", 3, "--batch-size", 2, "--device", "cpu"))
    changing = {"seconds", "domains"}
    assert {k: v for k, v in found.table.items() if k not in changing} == {
        k: v for k, v in printed.items() if k not in changing
    }
    assert "Measured here, on synthetic, 3 samples, body: open body" in str(found)
    assert repr(found) == "<Evaluation: coevoer-t on 3 samples; PA-MPVPE all 0.0, hand 0.0, face 0.0 mm>"
    assert found.pictures == ()


def test_json(world):
    result = cli("--json", "--quiet", "--limit", 3, "--batch-size", 2, "--device", "cpu")
    found = last_json(result)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""
    assert next(iter(found)) == "model"
    assert found["model"] == "coevoer-t"
    assert found["mpvpe_mm"] == pytest.approx({"all": 0, "hand": 0, "face": 0}, abs=0.01)
    assert found["pa_mpvpe_mm"].keys() == {"all", "hand", "face"}
    assert found["count"] == 3
    assert found["limit"] == 3
    assert found["seconds"] >= 0
    assert [(name, part["count"]) for name, part in found["domains"].items()] == [
        ("training look", 2),
        ("held-out look", 1),
    ]
    assert sorted(found["domains"]["training look"]["worst"]) == [0, 1]
    assert (found["enhancer"], found["foreground"], found["trained"], found["data"]) == (True, True, True, "synthetic")
    assert {"geodesic_deg", "mpjpe_mm", "keypoint_px", "box_iou", "visibility_accuracy"} <= found.keys()


def test_a_bundle_alone(world):
    found = last_json(cli("--bundle", "b", "--json", "--device", "cpu"))
    assert (found["source"], found["precision"], found["runtime"]) == ("b", "w8a8", "knowing")
    assert found["mpvpe_mm"]["all"] > 10
    assert "float_parent" not in found
    assert world.runtime.closed == 1


def test_a_bundle_beside_its_float_parent(world):
    result = cli("--bundle", "b", "--model", "coevoer-t", "--json", "--device", "cpu")
    found = last_json(result)
    assert found["float_parent"]["mpvpe_mm"]["all"] == pytest.approx(0, abs=0.01)
    assert found["loss"]["mpvpe_mm"]["all"] == pytest.approx(found["mpvpe_mm"]["all"], abs=0.01)
    assert "artifact - float parent" in result.stderr


def test_a_bundle_of_other_weights_is_refused(world):
    world.sha256 = "other"
    result = cli("--bundle", "b", "--model", "coevoer-t", "--device", "cpu")
    assert result.exit_code == 2
    assert "b was exported from w, not from w.safetensors (their sha256 differ)" in result.output


def test_figures(world, tmp_path):
    result = cli("--limit", 2, "--figures", tmp_path / "f", "--device", "cpu")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "f").iterdir())
    assert names == [f"{look}-look-{kind}.png" for look in ("held-out", "training") for kind in ("first", "worst")]
    assert f"Wrote {tmp_path / 'f' / 'training-look-first.png'}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", 7], "--limit 7 exceeds the 6 available samples"),
        (["--device", "tpu"], "Unknown device 'tpu'; valid: cpu, cuda, cuda:1, mps."),
        (["--device", "cpu:1"], "Unknown device 'cpu:1'"),
        (["--device", "cuda:99"], "This machine has no device cuda:99"),
        (["--figures", __file__], "is a file; give a folder with --figures"),
        (["--checkpoint", "absent.safetensors"], "No checkpoint 'absent.safetensors'"),
        (["--body", "absent.npz"], "absent.npz"),
    ],
)
def test_bad_requests(world, arguments, message):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_unknown_model():
    result = cli("--model", "coevoer-xl", "--device", "cpu")
    assert result.exit_code == 2
    assert "Unknown model 'coevoer-xl'; valid: coevoer-l" in result.output


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, [5, 2, 4]), (11, [5, 2, 4]), (3, [1, 1, 1]), (1, [1]), (5, [2, 2, 1]), (8, [3, 2, 3]), (10, [4, 2, 4])],
)
def test_a_limit_is_dealt_out_evenly(limit, expected):
    domains = choose([("a", range(5)), ("b", range(2)), ("c", range(4))], limit)
    assert [len(domain.indices) for domain in domains] == expected
    assert all(domain.indices[0] == 0 for domain in domains)
