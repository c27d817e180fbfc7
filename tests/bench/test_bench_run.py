"""The command over real artifacts of the tiny network, and the eager peers' networks."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bench_bundles
import pytest
from click.testing import CliRunner, Result
from conftest import Lower

from coevoer_edge.bench.__main__ import command
from coevoer_edge.bench.processes import Worker
from coevoer_edge.bench.subjects import GEMM_SIZE, network_of, subjects
from coevoer_edge.bundle import Bundle
from coevoer_edge.bundle.manifest import CheckpointEntry
from coevoer_edge.model import build
from coevoer_edge.model.checkpoint import embedded_models, save

THREADS = 1


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def bundles(lowered: Lower, tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder, made = tmp_path_factory.mktemp("bundles"), (("onnx", "fp32"), ("onnx", "w8a8"))
    return [bench_bundles.write_bundle(folder / f"tiny-{t}-{p}", lowered(t, p), t, p) for t, p in made]


def test_two_bundles_side_by_side(bundles: list[Bundle]) -> None:
    result = cli(*(b.path for b in bundles), "--rounds", 2, "--starts", 1, "--threads", THREADS, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    table = json.loads(result.stdout)
    rows: list[dict[str, Any]] = table["rows"]
    assert [(row["kind"], row["name"], row["runtime"]) for row in rows] == [
        ("network", "tiny-onnx-fp32", "onnxruntime"),
        ("network", "tiny-onnx-w8a8", "onnxruntime"),
        ("pipeline", "tiny-onnx-fp32", "onnxruntime"),
        ("pipeline", "tiny-onnx-w8a8", "onnxruntime"),
        ("mesh", "mesh decode", "numpy"),
        ("gemm", f"GEMM {GEMM_SIZE} x {GEMM_SIZE} x {GEMM_SIZE}", "onnxruntime"),
    ]
    assert all(0 < row["median_ms"] <= row["p90_ms"] for row in rows)
    assert all(row["cold_start_ms"] > 0 and row["peak_mb"] > 0 for row in rows[:4])
    assert [row["megabytes"] for row in rows[:4]] == [b.manifest.artifact_bytes / 1e6 for b in bundles] * 2
    assert [row["share_of_peak"] for row in rows] == [None] * 6  # the tiny network's work is unknown
    assert [(c["what"], c["name"], c["against"]) for c in table["comparisons"]] == [
        ("int8_speed", "tiny-onnx-w8a8", "tiny-onnx-fp32")
    ]
    assert (table["rounds"], table["threads"], table["starts"]) == (2, THREADS, 1)
    for row in rows:
        assert row["name"] in result.stdout


def test_what_is_no_bundle_is_refused_before_anything_starts(tmp_path: Path) -> None:
    result = cli(tmp_path / "none")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"Error: There is no bundle folder '{tmp_path / 'none'}'; "
        "`python -m coevoer_edge.export --target onnx` writes one."
    ]


def test_an_unknown_peer(bundles: list[Bundle]) -> None:
    result = cli(bundles[0].path, "--peer", "openpose")
    assert result.exit_code == 2
    assert "'openpose' is not one of 'mediapipe', 'eager'" in result.stderr


def manifest_of(model: str, enhancer: bool | None = True, foreground: bool | None = True) -> SimpleNamespace:
    return SimpleNamespace(model=model, checkpoint=CheckpointEntry("weights", "", enhancer, foreground))


@pytest.mark.parametrize("variant", [{}, {"enhancer": False}, {"foreground": False}])
def test_the_network_of_a_bundle_is_the_variant_that_its_manifest_names(variant: dict[str, bool]) -> None:
    found = network_of(manifest_of("coevoer-t", **variant))  # type: ignore[arg-type]
    assert found is not None
    assert found.state_dict().keys() == build("coevoer-t", **variant).state_dict().keys()


@pytest.mark.parametrize(("model", "enhancer"), [("tiny", True), ("coevoer-t", None)])
def test_a_network_of_another_name_or_of_an_older_bundle_is_unknown(model: str, enhancer: bool | None) -> None:
    assert network_of(manifest_of(model, enhancer)) is None  # type: ignore[arg-type]


def test_eager_peers(bundles: list[Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one peer for each network among the bundles, with the checkpoint that its worker loads."""
    assert "coevoer-t" in embedded_models()
    network = build("coevoer-t").eval()
    monkeypatch.setattr("coevoer_edge.bench.subjects.network_of", lambda manifest: network)
    found = subjects(bundles, ["eager"], THREADS, tmp_path, Path("python"))
    (peer,) = (subject for subject in found if subject.target == "eager")
    assert (peer.name, peer.kind, peer.precision) == ("coevoer-t in PyTorch", "network", "fp32")
    save(network, tmp_path / "again.safetensors", trained=False)
    assert peer.megabytes == (tmp_path / "again.safetensors").stat().st_size / 1e6
    with Worker(peer.name, peer.job) as worker:
        assert worker.turn() > 0
        assert worker.finish()["runtime"] == "torch eager"
