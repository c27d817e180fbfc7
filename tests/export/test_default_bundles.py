"""The main job itself: one command exports the embedded default model to all targets; the bundles keep their promises.

The command runs once, as a user runs it, and takes about 4 minutes on two cores; every test looks at what it wrote.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import trimesh
from click.testing import CliRunner, Result
from photo import ASTRONAUT
from PIL import Image

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import OPEN_BODY_PATH
from coevoer_edge.bundle import SUMS, Bundle
from coevoer_edge.cli import main
from coevoer_edge.evaluation.golden import GOLDEN_IN_BUNDLE, self_check_ratio
from coevoer_edge.parity.__main__ import command as parity_command
from coevoer_edge.run.__main__ import UNTRAINED
from coevoer_edge.run.__main__ import command as run_command
from coevoer_edge.runtime.open import open_artifact

NAMES = {
    "coreml": "coevoer-t-coreml-w8a8",
    "executorch": "coevoer-t-executorch-xnnpack-w8a8",
    "onnx": "coevoer-t-onnx-w8a8",
}
RUNNABLE = ("executorch", "onnx")

PARAMETERS = 10_630_658
GEMMS = 152  # Linear and Conv2d of coevoer-t
ATTENTIONS = 15  # 6 encoder, 6 enhancer, 3 foreground extraction
FLOAT_GEMMS = 23  # which the recipe keeps float: the last Linear of each head, the trunk's first 17 layers

BYTES_PER_PARAMETER = 1.15  # those of the export recipes; measured 1.10 to 1.12
RATIO = 1.1  # issue 2: distance from float, artifact over quantized program, each output over the golden set
# ExecuTorch to ONNX after two passes, on a photo of 512 px, mean over the joints in sight: two INT8 roundings, which
# fall otherwise on every processor. Measured 4.4, with the farthest joint at 11.9 (6.6 on another processor).
JOINTS_PX = 8.0
# The photo hides hips, legs and half the arms, where two roundings lead to other guesses: a wrist 61 px apart.
IN_SIGHT = ("spine3", "neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf", "left_collar", "right_collar")
IN_SIGHT += ("left_shoulder", "right_shoulder")

EXPORT_TIMEOUT_S = 1500
METADATA = ("schema_version", "model", "trained", "checkpoint_sha256", "recipe", "licence")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The main job: where it wrote to, and what it said."""
    folder = tmp_path_factory.mktemp("artifacts")
    options = ["--target", "all", "-o", str(folder), "--json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "coevoer_edge.export", *options],
        capture_output=True,
        text=True,
        timeout=EXPORT_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(folder=folder, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="module")
def bundles(job: SimpleNamespace) -> dict[str, Bundle]:
    return {target: Bundle.open(job.folder / name) for target, name in NAMES.items()}


@pytest.fixture(params=NAMES)
def bundle(request: pytest.FixtureRequest, bundles: dict[str, Bundle]) -> Bundle:
    return bundles[request.param]


def test_writes_three_bundles_and_nothing_else(job: SimpleNamespace) -> None:
    assert sorted(path.name for path in job.folder.iterdir()) == sorted(NAMES.values())


def test_quiet_json_is_all_that_is_printed(job: SimpleNamespace, bundles: dict[str, Bundle]) -> None:
    assert job.stderr == ""
    for said, bundle in zip(json.loads(job.stdout), bundles.values(), strict=True):
        assert (said["bundle"], said["artifact"]) == (str(bundle.path), str(bundle.artifact))
        assert (said["model"], said["trained"]) == ("coevoer-t", True)
        assert said["bytes"] == bundle.manifest.artifact_bytes
        assert said["bytes_per_parameter"] <= BYTES_PER_PARAMETER
        assert said["parity"] == json.loads((bundle.path / "manifest.json").read_text())["parity"]


def test_files_of_a_bundle(bundle: Bundle) -> None:
    names = {bundle.manifest.artifact, "manifest.json", "golden.npz", "MODEL_CARD.md", "SHA256SUMS"}
    names |= {"body.safetensors", "conformance.safetensors"}
    assert {path.name for path in bundle.path.iterdir()} == names
    assert bundle.manifest.artifact == bundle.path.name + {"coreml": ".mlpackage", "executorch": ".pte"}.get(
        bundle.manifest.target, ".onnx"
    )


def test_it_is_trained_and_says_nothing_else(bundle: Bundle) -> None:
    assert bundle.manifest.trained is True
    assert "ntrained" not in (bundle.path / "MODEL_CARD.md").read_text()


def test_what_it_is(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.model, manifest.precision, manifest.parameters) == ("coevoer-t", "w8a8", PARAMETERS)
    assert manifest.backend == ("xnnpack" if manifest.target == "executorch" else "")
    assert manifest.calibration is not None
    assert manifest.calibration.source == "default calibration set, 64 of 128 images"
    assert (manifest.calibration.kind, manifest.calibration.seed) == ("default", 0)
    assert (manifest.calibration.count, manifest.calibration.available) == (64, 128)
    assert manifest.checkpoint.source == "coevoer-t.safetensors"
    assert manifest.body_model.name == "open body"


def test_size(bundle: Bundle) -> None:
    files = [bundle.artifact] if bundle.artifact.is_file() else bundle.artifact.rglob("*")
    size = sum(path.stat().st_size for path in files if path.is_file())
    assert size == bundle.manifest.artifact_bytes
    assert size <= BYTES_PER_PARAMETER * bundle.manifest.parameters


def test_every_attention_is_fused_and_every_gemm_is_int8(bundle: Bundle) -> None:
    fusion = bundle.manifest.fusion
    assert (fusion.fused_attentions, fusion.gemms) == (ATTENTIONS, GEMMS)
    assert fusion.int8_gemms == GEMMS - FLOAT_GEMMS
    single = {"coreml": "scaled_dot_product_attention", "onnx": "Attention", "executorch": "XNNSoftmax"}
    assert fusion.ops[single[bundle.manifest.target]] == ATTENTIONS


def test_whole_network_is_one_delegate(bundles: dict[str, Bundle]) -> None:
    fusion = bundles["executorch"].manifest.fusion
    assert (fusion.delegates, fusion.outside) == (1, {})


def rms_error_ratio(bundle: Bundle) -> tuple[dict[str, float], dict[str, float]]:
    """The artifact's error over the quantized program's, by output, and its standard error."""
    error = bundle.manifest.parity.rms_error
    assert error is not None
    assert error.ratio is not None
    assert error.ratio_standard_error is not None
    return error.ratio, error.ratio_standard_error


def test_parity(bundle: Bundle) -> None:
    parity = bundle.manifest.parity
    assert parity.verdict == "pass"
    assert parity.images >= 128
    assert parity.kind == ("reference" if bundle.manifest.target == "coreml" else "runtime")
    ratio, standard_error = rms_error_ratio(bundle)
    assert list(ratio) == [*contract.OUTPUT_NAMES, "all"]
    assert max(value - 2 * standard_error[name] for name, value in ratio.items()) <= RATIO
    assert ratio["all"] <= RATIO
    assert max(standard_error.values()) < 0.1


def test_the_card_tells_the_ratio_and_how_sure_it_is(bundle: Bundle) -> None:
    ratio, standard_error = rms_error_ratio(bundle)
    told = f"| {ratio['all']:.3g} ± {standard_error['all']:.2g} |"
    assert told in (bundle.path / "MODEL_CARD.md").read_text()


def test_the_whole_ladder_is_within_its_budget(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    """All three on the golden set and its mirror images, held to what they measured before, and to each other."""
    paths = [str(bundle.path) for bundle in bundles.values()]
    options = ["--budget", "coevoer-t", "-o", str(tmp_path), "--json", "--quiet"]
    result = CliRunner().invoke(parity_command, [*paths, *options])
    assert result.exit_code == 0, result.output
    ladders = json.loads(result.stdout.splitlines()[-1])["ladders"]
    assert [ladder["bundle"] for ladder in ladders] == list(NAMES.values())
    assert {(ladder["verdict"], ladder["images"]) for ladder in ladders} == {("pass", 256)}
    assert [len(ladder["agreement"]) for ladder in ladders] == [2, 2, 2]
    for ladder in ladders:
        assert ladder["rungs"]["reference"]["source"].startswith("coevoer-s.safetensors")
        for step in ("distillation", "quantization", "lowering"):
            assert ladder["steps"][step]["figures"]["mpvpe_mm.all"]["mean"] > 0


def test_all_three_were_lowered_from_one_program(bundles: dict[str, Bundle]) -> None:
    quantized = [bundle.manifest.parity.rms_error.quantized for bundle in bundles.values()]
    assert quantized[0] == quantized[1] == quantized[2]
    digests = [hashlib.sha256(bundle.golden.read_bytes()).hexdigest() for bundle in bundles.values()]
    assert len(set(digests)) == 1


# Golden inputs and outputs.


def test_golden_has_the_contracts_shapes(bundle: Bundle) -> None:
    with np.load(bundle.golden) as golden:
        arrays = dict(golden)
    assert arrays.pop("image").shape == (GOLDEN_IN_BUNDLE, 256, 192, 3)
    shapes = {output.name: (GOLDEN_IN_BUNDLE, *output.shape[1:]) for output in contract.OUTPUTS}
    assert {name: array.shape for name, array in arrays.items()} == {
        f"{kind}_{name}": shape for kind in ("float", "quantized") for name, shape in shapes.items()
    }
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values())


def test_golden_replays(bundle: Bundle) -> None:
    """The self-check of an app: the artifact is as near to float on these images as the quantized program is."""
    with np.load(bundle.golden) as golden:
        arrays = dict(golden)
    runtime = open_artifact(bundle.manifest.target, bundle.artifact, reference=True)
    outputs = [runtime(image) for image in arrays["image"]]
    runtime.close()
    exact, quantized = (
        [{name: arrays[f"{kind}_{name}"][i : i + 1] for name in contract.OUTPUT_NAMES} for i in range(len(outputs))]
        for kind in ("float", "quantized")
    )
    ratio = self_check_ratio(outputs, quantized, exact)
    assert ratio <= bundle.manifest.recipes.quantization["max_self_check_ratio"]
    assert ratio == pytest.approx(bundle.manifest.parity.self_check_ratio, rel=0.01)


# The artifact tells by itself what it is.


def expected_metadata(bundle: Bundle) -> dict[str, str]:
    manifest = bundle.manifest
    return {
        "schema_version": str(manifest.schema_version),
        "model": manifest.model,
        "trained": "true",
        "checkpoint_sha256": manifest.checkpoint.sha256,
        "recipe": manifest.recipes.quantization["name"],
        "licence": manifest.licence,
    }


def test_metadata_of_the_onnx_file(bundles: dict[str, Bundle]) -> None:
    model = onnx.load(bundles["onnx"].artifact)
    assert {item.key: item.value for item in model.metadata_props} == expected_metadata(bundles["onnx"])
    assert [item.name for item in model.graph.input] == [contract.INPUT.name]
    assert [item.name for item in model.graph.output] == list(contract.OUTPUT_NAMES)
    assert next(item.version for item in model.opset_import if not item.domain) >= 23


def test_metadata_of_the_pte_file(bundles: dict[str, Bundle]) -> None:
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(bundles["executorch"].artifact)
    assert program.method_names == {"forward", *METADATA}
    constants = {name: program.load_method(name).execute([])[0] for name in METADATA}
    assert constants == expected_metadata(bundles["executorch"])


def test_metadata_of_the_core_ml_package(bundles: dict[str, Bundle]) -> None:
    from coremltools.proto.Model_pb2 import Model

    model = Model()
    model.ParseFromString((bundles["coreml"].artifact / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
    description = model.description
    told = dict(description.metadata.userDefined)
    assert {name: told[name] for name in METADATA} == expected_metadata(bundles["coreml"])
    assert description.metadata.license == bundles["coreml"].manifest.licence
    assert [(item.name, item.type.WhichOneof("Type")) for item in description.input] == [("image", "imageType")]
    assert [item.name for item in description.output] == list(contract.OUTPUT_NAMES)


def test_core_ml_bundle_is_unaltered_after_coremltools_opened_it(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    """coremltools writes Manifest.json again whenever it opens a package, so ours has to be what it writes."""
    import coremltools as ct

    copy = shutil.copytree(bundles["coreml"].path, tmp_path / NAMES["coreml"])
    ct.models.MLModel(str(copy / bundles["coreml"].manifest.artifact), skip_model_load=True)
    Bundle.open(copy)


# On a photo.


def run(bundle: Bundle, output_dir: Path) -> Result:
    return CliRunner().invoke(run_command, [str(bundle.path), str(ASTRONAUT), "-o", str(output_dir)])


@pytest.fixture(scope="module")
def results(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that `run` wrote to, by target."""
    folders = {}
    for target in RUNNABLE:
        folders[target] = tmp_path_factory.mktemp(target)
        result = run(bundles[target], folders[target])
        assert result.exit_code == 0, result.output
        assert UNTRAINED not in result.output
    return folders


@pytest.fixture(params=RUNNABLE)
def result(request: pytest.FixtureRequest, results: dict[str, Path]) -> Path:
    return results[request.param]


def test_run_writes_four_files(result: Path) -> None:
    assert sorted(path.name for path in result.iterdir()) == [
        f"astronaut{suffix}" for suffix in (".glb", ".json", ".npz", ".overlay.png")
    ]


def test_json_loads(result: Path, bundles: dict[str, Bundle]) -> None:
    record: dict[str, Any] = json.loads((result / "astronaut.json").read_text())
    assert record["trained"] is True
    assert "warning" not in record
    target = record["provenance"]["target"]
    assert record["provenance"]["bundle"] == bundles[target].path.name
    assert len(record["joints_px"]) == NUM_JOINTS


def test_npz_poses_smplx_itself(result: Path, tmp_path: Path) -> None:
    import smplx
    import torch

    with np.load(result / "astronaut.npz") as opened:
        saved = dict(opened)
    shutil.copy(OPEN_BODY_PATH, tmp_path / "SMPLX_NEUTRAL.npz")  # smplx takes the kind of model from the name
    body = smplx.SMPLX(
        str(tmp_path / "SMPLX_NEUTRAL.npz"), use_pca=False, flat_hand_mean=True, num_betas=10, num_expression_coeffs=10
    )
    names = [name for name in saved if name.endswith("_pose") or name in ("global_orient", "betas", "expression")]
    output = body(**{name: torch.from_numpy(saved[name]) for name in (*names, "transl")})
    np.testing.assert_allclose(output.joints[0, :NUM_JOINTS].detach(), saved["joints_cam"], atol=1e-4)


def test_glb_loads(result: Path) -> None:
    mesh = trimesh.load(result / "astronaut.glb", force="mesh")
    body = BodyModel.open()
    assert mesh.vertices.shape == (body.num_vertices, 3)
    assert len(mesh.faces) == len(body.faces)


def test_overlay_has_the_size_of_the_photo(result: Path) -> None:
    with Image.open(result / "astronaut.overlay.png") as overlay, Image.open(ASTRONAUT) as photo:
        assert overlay.size == photo.size
        difference = np.abs(np.asarray(overlay.convert("RGB"), int) - np.asarray(photo.convert("RGB"), int))
    assert difference.max() > 50


def test_two_backends_see_the_same_body(results: dict[str, Path]) -> None:
    joints = []
    for folder in results.values():
        with np.load(folder / "astronaut.npz") as saved:
            joints.append(saved["joints_px"])
    in_sight = [JOINT_NAMES.index(name) for name in IN_SIGHT]
    assert np.linalg.norm(joints[0] - joints[1], axis=1)[in_sight].mean() < JOINTS_PX


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML bundles run on macOS")
def test_core_ml_bundle_is_refused_off_macos(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    refused = run(bundles["coreml"], tmp_path / "out")
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert refused.stderr.splitlines()[1:] == [
        "Error: coevoer-t-coreml-w8a8.mlpackage is a Core ML package, which runs on macOS and iOS only. Here, export "
        "the same model with --target executorch or --target onnx; its results agree within the manifest's parity "
        "figures."
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kept_bytes", [0, 100, 6_000_000])
@pytest.mark.parametrize(
    ("target", "start", "reasons"),
    [
        ("executorch", "Error: ExecuTorch cannot load", {"Failed to load program"}),
        ("onnx", "Error: ONNX Runtime cannot load", {"Protobuf parsing failed", "No graph was found in the protobuf"}),
    ],
)
def test_truncated_artifact(
    bundles: dict[str, Bundle], tmp_path: Path, target: str, start: str, reasons: set[str], kept_bytes: int
) -> None:
    """Cut before the digests were made: they fit, and the runtime itself has to say it."""
    folder = shutil.copytree(bundles[target].path, tmp_path / NAMES[target])
    artifact = folder / bundles[target].manifest.artifact
    digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
    artifact.write_bytes(artifact.read_bytes()[:kept_bytes])
    sums = (folder / SUMS).read_text()
    (folder / SUMS).write_text(sums.replace(digest, hashlib.sha256(artifact.read_bytes()).hexdigest()))
    result = run(Bundle.open(folder), tmp_path / "out")
    assert result.exit_code == 2
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert error.startswith(f"{start} {artifact}: ")
    assert any(reason in error for reason in reasons)
    assert not (tmp_path / "out").exists()


# Side by side.


def test_bench(bundles: dict[str, Bundle]) -> None:
    paths = [str(bundles[target].path) for target in RUNNABLE]
    result = CliRunner().invoke(main, ["bench", *paths, "--rounds", "3", "--starts", "1", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout.splitlines()[-1])["rows"]
    assert [(row["kind"], row["name"], row["runtime"]) for row in rows[:4]] == [
        (kind, NAMES[target], {"executorch": "executorch", "onnx": "onnxruntime"}[target])
        for kind in ("network", "pipeline")
        for target in RUNNABLE
    ]
    assert [row["kind"] for row in rows[4:]] == ["mesh", "gemm"]
    for row in rows[:4]:
        assert 0 < row["median_ms"] <= row["p90_ms"]
        assert row["megabytes"] <= BYTES_PER_PARAMETER * PARAMETERS / 1e6
    assert [row["share_of_peak"] is not None for row in rows] == [True, True, False, False, False, False]
