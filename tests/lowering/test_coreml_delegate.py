"""ExecuTorch's Core ML backend: the program of the `.mlpackage` inside a `.pte`, read back, interpreted, refused.

The network is the tiny one, whole.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from click.testing import CliRunner
from conftest import Lower
from torch.export import ExportedProgram

from coevoer_edge import contract, recipes
from coevoer_edge.bundle.manifest import ParityEntry
from coevoer_edge.errors import BundleError, CheckFailed, InputError, PlatformError
from coevoer_edge.export import exporter
from coevoer_edge.export.__main__ import command
from coevoer_edge.export.exporter import ExportRequest
from coevoer_edge.lowering import coreml, executorch_coreml
from coevoer_edge.lowering.facts import FileFacts, ProgramFacts, check_fusion
from coevoer_edge.lowering.recipe import BACKENDS, ExportRecipe, recipe_name, refuse_impossible
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.coreml_delegate import CoreMLDelegateReference, read_delegate
from coevoer_edge.runtime.open import open_artifact, open_runtime
from coevoer_edge.runtime.pte import Delegate, read_method

RECIPE = ExportRecipe.open("executorch-coreml")
APPLE = sys.platform == "darwin"
OFF_APPLE = pytest.mark.skipif(APPLE, reason="macOS runs the delegate itself")


def write(program: ExportedProgram, precision: str, path: Path) -> Path:
    executorch_coreml.lower(program, RECIPE, precision, path, tiny.METADATA)
    return path


@pytest.fixture(scope="module")
def artifact(quantized_program: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(quantized_program, "w8a8", tmp_path_factory.mktemp("delegate") / "tiny.pte")


@pytest.fixture(scope="module")
def float_artifact(float_program: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(float_program, "fp32", tmp_path_factory.mktemp("float") / "tiny.pte")


@pytest.fixture(scope="module")
def facts(artifact: Path) -> FileFacts:
    return executorch_coreml.read_facts(artifact)


# The file.


def test_whole_network_is_one_delegate_of_core_ml(artifact: Path, facts: FileFacts) -> None:
    method = read_method(artifact)
    assert [delegate.backend_id for delegate in method.delegates] == ["CoreMLBackend"]
    assert method.backend == "coreml"
    assert (facts.delegates, facts.outside) == (1, Counter())


def test_program_inside_keeps_the_fusion_contract(facts: FileFacts, quantized_program: ExportedProgram) -> None:
    program = ProgramFacts.of(quantized_program)
    check_fusion(program, facts, RECIPE)
    assert facts.attentions == program.attentions == 11
    assert (facts.ops["layer_norm"], facts.ops["softmax"]) == (16, 0)
    assert facts.entry().int8_gemms == program.int8_gemms == facts.gemms - 6


def test_program_inside_is_that_of_the_package_but_for_the_image_scale(facts: FileFacts, lowered: Lower) -> None:
    package = coreml.read_facts(lowered("coreml", "w8a8"))
    assert package.ops - facts.ops == Counter({"mul": 1})
    assert facts.ops - package.ops == Counter()


def test_tail_is_float32_and_the_rest_float16(artifact: Path) -> None:
    program, _ = read_delegate(read_method(artifact).delegates[0])
    types = {op.kind: Counter[str]() for op in program.operations}
    for op in program.operations:
        types[op.kind][op.outputs[0].dtype] += 1
    assert {program.types[name].dtype for name in program.outputs} == {"float32"}
    assert types["linear"]["float32"] == 6  # the last of each head
    assert types["scaled_dot_product_attention"] == Counter({"float16": 11})
    assert types["layer_norm"] == Counter({"float16": 16})


def test_metadata_can_be_read_as_methods(artifact: Path) -> None:
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(artifact)
    assert set(program.method_names) == {"forward", *tiny.METADATA}


def test_model_is_named_by_what_it_holds(artifact: Path, float_artifact: Path) -> None:
    """ExecuTorch keeps compiled models on the device under this name."""
    names = [read_delegate(read_method(path).delegates[0])[1]["identifier"] for path in (artifact, float_artifact)]
    assert all(re.fullmatch(r"executorch_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name) for name in names)
    assert names[0] != names[1]


SECOND = "import sys, pathlib, tiny, test_coreml_delegate as t; " + (
    "t.write(tiny.w8a8(tiny.tiny_network()), 'w8a8', pathlib.Path(sys.argv[1]))"
)


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(artifact: Path, tmp_path: Path) -> None:
    folders = os.pathsep.join(map(str, (Path(tiny.__file__).parent, Path(__file__).parent)))
    subprocess.run(
        [sys.executable, "-c", SECOND, str(tmp_path / "again.pte")],
        env=os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": folders},
        timeout=300,
        check=True,
    )
    assert (tmp_path / "again.pte").read_bytes() == artifact.read_bytes()


def test_nothing_of_this_machine_is_in_the_file(artifact: Path) -> None:
    content = artifact.read_bytes()
    for place in (Path(executorch_coreml.__file__).parents[2], Path(sys.prefix), Path.home()):
        assert str(place).encode() not in content


def test_lowering_leaves_the_program_as_it_was(
    float_program: ExportedProgram, float_artifact: Path, tmp_path: Path
) -> None:
    before = set(float_program.constants)
    again = write(float_program, "fp32", tmp_path / "again.pte")
    assert set(float_program.constants) == before != set()
    assert again.read_bytes() == float_artifact.read_bytes()


# What it computes.


@OFF_APPLE
def test_delegate_computes_what_the_package_computes(artifact: Path, lowered: Lower, pictures: list[Pixels]) -> None:
    inside = open_artifact("executorch", artifact, reference=True)
    package = open_artifact("coreml", lowered("coreml", "w8a8"), reference=True)
    assert (inside.name, inside.kind) == (package.name, package.kind) == ("coreml-reference", "reference")
    for picture in pictures[:8]:
        mine, expected = inside(picture), package(picture)
        assert list(mine) == list(contract.OUTPUT_NAMES)
        for name, values in expected.items():
            np.testing.assert_array_equal(mine[name], values, err_msg=name)


FP32 = 2e-5  # largest difference from float over the output's RMS, as in test_lower.py
FP16 = 0.03


@OFF_APPLE
@pytest.mark.parametrize(("precision", "limit"), [("fp32", FP32), ("fp16", FP16)])
def test_float_delegates_agree_with_the_network(
    precision: str,
    limit: float,
    float_program: ExportedProgram,
    float_artifact: Path,
    half_program: ExportedProgram,
    float_outputs: dict[str, np.ndarray],
    pictures: list[Pixels],
    tmp_path: Path,
) -> None:
    path = float_artifact if precision == "fp32" else write(half_program, precision, tmp_path / "tiny.pte")
    check_fusion(ProgramFacts.of(float_program), executorch_coreml.read_facts(path), RECIPE)
    (delegate,) = read_method(path).delegates
    assert tiny.mil_types(read_delegate(delegate)[0].operations) == tiny.MIL_TYPES[precision]
    runtime = open_artifact("executorch", path, reference=True)
    rows = [runtime(picture) for picture in pictures[:8]]
    for name in contract.OUTPUT_NAMES:
        values, expected = np.concatenate([row[name] for row in rows]), float_outputs[name][:8]
        assert abs(values - expected).max() / np.sqrt((expected**2).mean()) < limit, name


# What is refused.


@OFF_APPLE
@pytest.mark.parametrize("backend", ["coreml", None])
def test_core_ml_backend_is_refused_off_apple_systems(artifact: Path, backend: str | None) -> None:
    with pytest.raises(PlatformError) as error:
        open_artifact("executorch", artifact, backend=backend)
    assert str(error.value) == (
        "tiny.pte runs by ExecuTorch's Core ML backend, on macOS and iOS only. Here, export the same model with "
        "--target executorch --backend xnnpack or --target onnx; its results agree within the manifest's parity "
        "figures."
    )


@OFF_APPLE
def test_open_runtime_takes_the_backend_from_the_manifest(artifact: Path) -> None:
    manifest = SimpleNamespace(target="executorch", backend="coreml")
    with pytest.raises(PlatformError, match="on macOS and iOS only"):
        open_runtime(SimpleNamespace(manifest=manifest, artifact=artifact))  # type: ignore[arg-type]


def test_xnnpack_is_found_in_the_file_and_run(lowered: Lower, pictures: list[Pixels]) -> None:
    path = lowered("executorch", "w8a8")
    assert read_method(path).backend == "xnnpack"
    runtime = open_artifact("executorch", path, reference=True)
    assert (runtime.name, runtime.kind) == ("executorch", "runtime")
    assert list(runtime(pictures[0])) == list(contract.OUTPUT_NAMES)
    runtime.close()


def test_delegate_of_another_backend(lowered: Lower) -> None:
    with pytest.raises(BundleError) as error:
        CoreMLDelegateReference(lowered("executorch", "w8a8"))
    assert str(error.value) == ("The delegate is for XnnpackBackend, not for CoreMLBackend; export the bundle again.")


def test_delegate_without_a_package() -> None:
    with pytest.raises(BundleError, match=r"The delegate holds no Core ML package; export the bundle again\."):
        read_delegate(Delegate("CoreMLBackend", b"not a folder"))


@pytest.mark.parametrize("content", [b"", b"not a program", b"\0" * 4096])
def test_file_that_is_no_program(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    path.write_bytes(content)
    with pytest.raises(BundleError) as error:
        read_method(path)
    assert str(error.value) == f"{path} is not an ExecuTorch file with a forward method; export the bundle again."


def test_decomposed_attention_inside_is_named(facts: FileFacts, quantized_program: ExportedProgram) -> None:
    program = ProgramFacts.of(quantized_program)
    with pytest.raises(CheckFailed, match="10 fused attentions instead of 11"):
        check_fusion(program, replace(facts, attentions=10), RECIPE)
    with pytest.raises(CheckFailed, match=r"outside the delegate: aten::softmax x1"):
        check_fusion(program, replace(facts, outside=Counter({"aten::softmax": 1})), RECIPE)


def test_attention_that_executorch_decomposed_is_caught(
    float_program: ExportedProgram, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The partitioner of today keeps attention whole; one that did not would be noticed in the file."""
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    monkeypatch.setattr(CoreMLPartitioner, "ops_to_not_decompose", lambda *_: ([], None))
    decomposed = executorch_coreml.read_facts(write(float_program, "fp32", tmp_path / "tiny.pte"))
    with pytest.raises(CheckFailed, match="0 fused attentions instead of 11"):
        check_fusion(ProgramFacts.of(float_program), decomposed, RECIPE)


# The recipe and the command line.


def test_names_of_recipes() -> None:
    assert BACKENDS == ("xnnpack", "coreml")
    assert [recipe_name("executorch", backend) for backend in (None, *BACKENDS)] == [
        "executorch",
        "executorch",
        "executorch-coreml",
    ]
    assert (RECIPE.target, RECIPE.backend, RECIPE.minimum_deployment_target) == ("executorch", "coreml", "iOS18")
    assert ExportRecipe.open("executorch").backend == "xnnpack"


def test_deployment_target_of_the_xnnpack_backend(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    shipped = (recipes.folder("export") / "executorch.toml").read_text()
    path.write_text(f'minimum_deployment_target = "iOS18"\n{shipped}')
    with pytest.raises(InputError) as error:
        ExportRecipe.open(path)
    assert str(error.value) == "Export recipe for executorch: 'minimum_deployment_target' belongs to coreml."


def test_core_ml_backend_needs_a_deployment_target_that_can() -> None:
    with pytest.raises(InputError, match="Minimum deployment target 'iOS17'; valid: iOS18"):
        replace(RECIPE, minimum_deployment_target="iOS17")


def test_half_precision_is_possible_with_core_ml() -> None:
    refuse_impossible(RECIPE, "fp16")


def cli(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.stderr.rpartition("Error: ")[2].removesuffix("\n")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exporter, "_load", lambda *_: pytest.fail("weights were loaded"))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "onnx", "--backend", "coreml"), "--backend is for --target executorch, not for onnx."),
        (("--target", "coreml", "--backend", "coreml"), "--backend is for --target executorch, not for coreml."),
        (("--target", "all", "--backend", "xnnpack"), "--backend is for --target executorch, not for coreml."),
        (("--target", "executorch", "--backend", "vulkan"), "Unknown backend 'vulkan'; valid: xnnpack, coreml."),
        (
            ("--target", "executorch", "--backend", "xnnpack", "--precision", "fp16"),
            "--target executorch --precision fp16 is not possible with XNNPACK; valid: w8a8, fp32.",
        ),
        (
            ("--target", "executorch", "--backend", "xnnpack", "--minimum-deployment-target", "iOS18"),
            "--minimum-deployment-target is for --target coreml, not for executorch.",
        ),
    ],
)
def test_refused_options(no_work: Path, options: tuple[str, ...], message: str) -> None:
    assert cli(*options) == (2, message)
    assert list(no_work.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        (("--backend", "coreml"), "coevoer-t-executorch-coreml-w8a8"),
        (("--backend", "coreml", "--precision", "fp16"), "coevoer-t-executorch-coreml-fp16"),
        (("--backend", "coreml", "--minimum-deployment-target", "iOS26"), "coevoer-t-executorch-coreml-w8a8"),
        (("--backend", "xnnpack"), "coevoer-t-executorch-xnnpack-w8a8"),
        ((), "coevoer-t-executorch-xnnpack-w8a8"),
    ],
)
def test_backend_is_in_the_name(no_work: Path, options: tuple[str, ...], folder: str) -> None:
    (no_work / "out" / folder).mkdir(parents=True)
    assert cli("--target", "pte", *options, "-o", "out") == (
        2,
        f"{Path('out') / folder} exists; add --overwrite, or choose another --output-dir.",
    )


def test_backend_reaches_the_export_and_the_next_command_names_the_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    manifest = SimpleNamespace(
        target="executorch", backend="coreml", artifact_bytes=11, parameters=10, parity=ParityEntry("skipped")
    )
    bundle = SimpleNamespace(path=Path("b"), artifact=Path("b", "a.pte"), manifest=manifest)
    monkeypatch.setattr(exporter, "export", lambda request, steps: [seen.append(request), bundle][1:])
    result = CliRunner().invoke(command, ["--target", "executorch", "--backend", "coreml"])
    assert seen == [
        ExportRequest(targets=("executorch",), recipe=QuantizationRecipe.open("w8a8"), backend="coreml"),
    ]
    assert result.stdout.splitlines()[2:] == [
        f"Next: load {bundle.artifact} with ExecuTorch's Core ML backend in an app, or on a Mac:",
        "  python -m coevoer_edge.run b photo.jpg -o out/",
    ]
