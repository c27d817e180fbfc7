"""What the export command refuses, with the exact message, and what it asks of `export`. Nothing is exported here."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from photo import ASTRONAUT

from coevoer_edge.bundle.manifest import CheckEntry, PairEntry, ParityEntry
from coevoer_edge.export import exporter
from coevoer_edge.export.__main__ import command
from coevoer_edge.export.exporter import ExportRequest
from coevoer_edge.quantization.recipe import QuantizationRecipe

USAGE = "Usage: export [OPTIONS]\nTry 'export --help' for help.\n\n"


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The message of exit code 2, without `Error: ` and without the usage that click puts before its own."""
    result = cli(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    before, _, message = result.stderr.rpartition("Error: ")
    assert before in ("", USAGE)
    assert message.endswith("\n")
    return message.removesuffix("\n")


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything is refused before weights are loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exporter, "_load", lambda *_: pytest.fail("weights were loaded"))


# Options that cannot be, or cannot be together.


def test_target_is_required() -> None:
    assert refusal() == "Missing option '--target'."


def test_unknown_target() -> None:
    assert refusal("--target", "tflite") == (
        "Unknown target 'tflite'; valid: coreml, executorch, onnx (or mlpackage, ios, pte, android), "
        "and 'all' for all three."
    )


def test_unknown_precision() -> None:
    assert refusal("--target", "onnx", "--precision", "int4") == "Unknown precision 'int4'; valid: w8a8, fp16, fp32."


@pytest.mark.parametrize("target", ["executorch", "pte", "all"])
def test_impossible_pair(target: str) -> None:
    assert refusal("--target", target, "--precision", "fp16") == (
        "--target executorch --precision fp16 is not possible with XNNPACK; valid: w8a8, fp32."
    )


def test_untrained_with_checkpoint() -> None:
    assert refusal("--target", "onnx", "--untrained", "--checkpoint", "mine.safetensors") == (
        "--untrained and --checkpoint exclude each other."
    )


@pytest.mark.parametrize("option", [("--data", "photos"), ("--num-calibration-samples", 8)])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_calibration_of_a_float_export(precision: str, option: tuple[str, object]) -> None:
    assert refusal("--target", "onnx", "--precision", precision, *option) == (
        f"--data and --num-calibration-samples are for w8a8; {precision} needs no calibration."
    )


def test_precision_with_recipe() -> None:
    assert refusal("--target", "onnx", "--precision", "w8a8", "--recipe", "mine.toml") == (
        "--precision names a recipe that comes with the package; leave it out with --recipe FILE."
    )


def test_missing_recipe() -> None:
    assert refusal("--target", "onnx", "--recipe", "mine.toml") == (
        "No quantization recipe 'mine.toml'; valid: fp16, fp32, w8a8, or the path of a .toml file."
    )


def test_missing_checkpoint() -> None:
    assert refusal("--target", "onnx", "--checkpoint", "mine.safetensors") == (
        "No checkpoint 'mine.safetensors'; give the path of a .safetensors file."
    )


def test_checkpoint_that_is_an_image() -> None:
    assert refusal("--target", "onnx", "--checkpoint", ASTRONAUT).startswith(
        f"{ASTRONAUT} is not a readable .safetensors file ("
    )


def test_bad_deployment_target() -> None:
    assert refusal("--target", "coreml", "--minimum-deployment-target", "iOS17") == (
        "Minimum deployment target 'iOS17'; valid: iOS18, iOS26, macOS15, macOS26 "
        "(older ones have neither int8 activations nor a fused attention)."
    )


@pytest.mark.parametrize(("target", "named"), [("onnx", "onnx"), ("executorch", "executorch"), ("all", "executorch")])
def test_deployment_target_of_another_target(target: str, named: str) -> None:
    assert refusal("--target", target, "--minimum-deployment-target", "iOS18") == (
        f"--minimum-deployment-target is for --target coreml, not for {named}."
    )


@pytest.mark.parametrize("count", [0, -1])
def test_no_calibration_samples(count: int) -> None:
    assert refusal("--target", "onnx", "--num-calibration-samples", count) == (
        f"Invalid value for '--num-calibration-samples': {count} is not in the range x>=1."
    )


# Output.


def test_existing_output_folder(tmp_path: Path) -> None:
    existing = tmp_path / "out" / "coevoer-t-onnx-w8a8"
    existing.mkdir(parents=True)
    assert refusal("--target", "onnx", "-o", tmp_path / "out") == (
        f"{existing} exists; add --overwrite, or choose another --output-dir."
    )
    assert list(existing.iterdir()) == []


def test_existing_folder_that_is_no_bundle_even_with_overwrite(tmp_path: Path) -> None:
    existing = tmp_path / "out" / "coevoer-t-executorch-xnnpack-w8a8"
    existing.mkdir(parents=True)
    assert refusal("--target", "all", "-o", tmp_path / "out", "--overwrite") == (
        f"{existing} exists and is not a bundle, so it is not overwritten; choose another --output-dir."
    )


def test_default_output_folder(tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "coevoer-t-coreml-w8a8").mkdir(parents=True)
    assert refusal("--target", "coreml") == (
        f"{Path('artifacts/coevoer-t-coreml-w8a8')} exists; add --overwrite, or choose another --output-dir."
    )


# What is looked for and not found; nothing is written.


def test_model_without_embedded_weights(tmp_path: Path) -> None:
    assert refusal("--target", "onnx", "--model", "coevoer-b", "--quiet") == (
        "No weights for 'coevoer-b' come with the package, only for coevoer-t; "
        "give --checkpoint FILE, or --untrained for seeded random weights (to measure size and speed)."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("untrained", [[], ["--untrained"]])
def test_unknown_model(tmp_path: Path, untrained: list[str]) -> None:
    assert refusal("--target", "onnx", "--model", "vit-h", *untrained, "--quiet") == (
        "Unknown model 'vit-h'; valid: coevoer-l, coevoer-b, coevoer-s, coevoer-t."
    )
    assert list(tmp_path.iterdir()) == []


def test_missing_data_folder(tmp_path: Path) -> None:
    assert refusal("--target", "onnx", "--data", "photos", "--quiet") == (
        "There is no folder photos; give a folder that holds photos."
    )
    assert list(tmp_path.iterdir()) == []


def test_data_folder_with_too_few_photos(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "astronaut.jpg").write_bytes(ASTRONAUT.read_bytes())
    assert refusal("--target", "onnx", "--data", photos, "--quiet") == (
        f"{photos} contains 1 image; 64 are needed. Add photos or give --num-calibration-samples 1."
    )


def test_too_many_calibration_samples(tmp_path: Path) -> None:
    assert refusal("--target", "onnx", "--num-calibration-samples", 129, "--quiet") == (
        "The default calibration set has 128 images, but 129 were requested; give a folder of your own photos for more."
    )
    assert list(tmp_path.iterdir()) == []


# What is asked of `export`, and what is said of its result.


def summary_of(target: str) -> SimpleNamespace:
    parity = ParityEntry(
        verdict="pass",
        images=256,
        runtime="fake",
        kind="runtime",
        mean_vertex_distance_mm=PairEntry({"all": 7.0}, {"all": 7.5}),
        rms_error=PairEntry({"camera": 1.0}, {"camera": 1.05}, {"camera": 1.05, "all": 0.98}, {"camera": 0, "all": 0}),
        lowering=CheckEntry(0.98, "times the quantized program's error", 1.1, "pass"),
        quantization=CheckEntry(7.0, "mm", 0.5, "over"),
    )
    manifest = SimpleNamespace(
        target=target,
        model="coevoer-t",
        trained=False,
        precision="w8a8",
        artifact_bytes=11_000_000,
        parameters=10_000_000,
        parity=parity,
    )
    path = Path("artifacts") / target
    return SimpleNamespace(path=path, artifact=path / "artifact", manifest=manifest)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[ExportRequest]:
    """The requests that reach `export`, which answers with made-up bundles."""
    seen: list[ExportRequest] = []

    def export(request: ExportRequest, steps: object) -> list[SimpleNamespace]:
        seen.append(request)
        return [summary_of(target) for target in request.targets]

    monkeypatch.setattr(exporter, "export", export)
    return seen


@pytest.mark.parametrize(
    ("names", "targets"),
    [
        (["coreml"], ["coreml"]),
        (["ios"], ["coreml"]),
        (["mlpackage"], ["coreml"]),
        (["pte"], ["executorch"]),
        (["android"], ["executorch"]),
        (["onnx"], ["onnx"]),
        (["all"], ["coreml", "executorch", "onnx"]),
        (["onnx", "ios"], ["onnx", "coreml"]),
        (["ios", "coreml", "mlpackage"], ["coreml"]),
        (["onnx", "all"], ["coreml", "executorch", "onnx"]),
    ],
)
def test_names_of_targets(requests: list[ExportRequest], names: list[str], targets: list[str]) -> None:
    result = cli(*(word for name in names for word in ("--target", name)))
    assert result.exit_code == 0, result.output
    assert [list(request.targets) for request in requests] == [targets]


def test_defaults(requests: list[ExportRequest]) -> None:
    cli("--target", "onnx")
    assert requests == [ExportRequest(targets=("onnx",), recipe=QuantizationRecipe.open("w8a8"))]


def test_every_option_arrives(requests: list[ExportRequest]) -> None:
    cli(
        *("--target", "coreml", "--checkpoint", "a.safetensors", "--model", "coevoer-s", "--data", "photos"),
        *("--num-calibration-samples", 5, "--minimum-deployment-target", "iOS26", "-o", "out", "--overwrite"),
        *("--seed", 3),
    )
    (request,) = requests
    assert request.recipe.num_calibration_samples == 5
    assert request == ExportRequest(
        targets=("coreml",),
        recipe=request.recipe,
        model="coevoer-s",
        checkpoint=Path("a.safetensors"),
        untrained=False,
        data=Path("photos"),
        minimum_deployment_target="iOS26",
        output_dir=Path("out"),
        overwrite=True,
        seed=3,
    )


@pytest.mark.parametrize("precision", ["w8a8", "fp16", "fp32"])
def test_precision_names_a_recipe(requests: list[ExportRequest], precision: str) -> None:
    cli("--target", "onnx", "--precision", precision, "--untrained")
    assert requests[0].recipe == QuantizationRecipe.open(precision)
    assert requests[0].untrained


CHECKS = [
    "  lowering: 0.98 times the quantized program's error (limit 1.1): pass; 7.5 mm from the float network, "
    "run by fake (runtime)",
    "  quantization: 7 mm from the float network (limit 0.5): over",
]


def test_report_and_next_command(requests: list[ExportRequest]) -> None:
    """Two checks with two limits: nothing says that parity passes while the second is over."""
    assert cli("--target", "coreml", "--target", "onnx").stdout.splitlines() == [
        "Wrote artifacts/coreml (11.0 MB, 1.10 bytes per parameter)",
        *CHECKS,
        "  Details by body part: python -m coevoer_edge.parity artifacts/coreml",
        "Wrote artifacts/onnx (11.0 MB, 1.10 bytes per parameter)",
        *CHECKS,
        "  Details by body part: python -m coevoer_edge.parity artifacts/onnx",
        "Next: python -m coevoer_edge.run artifacts/onnx photo.jpg -o out/",
    ]


def test_report_of_core_ml_alone_names_the_mac(requests: list[ExportRequest]) -> None:
    assert cli("--target", "coreml").stdout.splitlines()[4:] == [
        "Next: drag artifacts/coreml/artifact into Xcode, or on a Mac:",
        "  python -m coevoer_edge.run artifacts/coreml photo.jpg -o out/",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_json_stands_alone_on_stdout(requests: list[ExportRequest], quiet: bool) -> None:
    result = cli("--target", "onnx", "--json", *(["--quiet"] if quiet else []))
    (table,) = json.loads(result.stdout)
    assert (table["bundle"], table["trained"], table["bytes_per_parameter"]) == ("artifacts/onnx", False, 1.1)
    assert table["parity"]["lowering"] == {
        "figure": 0.98,
        "unit": "times the quantized program's error",
        "limit": 1.1,
        "verdict": "pass",
    }
    assert table["parity"]["quantization"]["verdict"] == "over"
    assert ("Next: " in result.stderr) != quiet


@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_errors_are_said_even_when_quiet(options: tuple[str, ...]) -> None:
    result = cli("--target", "tflite", *options)
    assert result.stderr.startswith("Error: Unknown target 'tflite'; valid: ")


def test_all_does_not_hide_an_unknown_target() -> None:
    assert refusal("--target", "all", "--target", "tflite").startswith("Unknown target 'tflite'; valid: coreml")


def test_output_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refusal("--target", "onnx", "-o", tmp_path / "file" / "deeper")
    assert message == f"{tmp_path / 'file'} is a file; give a folder with --output-dir."
