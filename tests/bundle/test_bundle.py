"""A bundle is complete and unaltered and follows the contract, or it is refused with the reason."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from coevoer_edge import bundle, contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.bundle import SUMS, Bundle
from coevoer_edge.bundle.manifest import (
    BodyEntry,
    CalibrationEntry,
    CheckEntry,
    CheckpointEntry,
    FusionEntry,
    Manifest,
    PairEntry,
    ParityEntry,
    RecipesEntry,
    shared_entries,
)
from coevoer_edge.errors import BundleError
from coevoer_edge.pipeline.constants import CONFORMANCE_FILE, PIPELINE, Pipeline

NAME = "coevoer-t-onnx-w8a8"
ADVICE = "export the bundle again, or install the coevoer-edge that wrote it"
ARTIFACT = f"{NAME}.onnx"


def manifest(**changed: Any) -> Manifest:
    values: dict[str, Any] = {
        **shared_entries(),
        "model": "coevoer-t",
        "trained": False,
        "parameters": 8,
        "target": "onnx",
        "backend": "",
        "precision": "w8a8",
        "artifact": ARTIFACT,
        "artifact_bytes": 8,
        "checkpoint": CheckpointEntry("coevoer-t.safetensors", "0" * 64, True, True),
        "recipes": RecipesEntry({}, {}),
        "tools": {},
        "body_model": BodyEntry("open body", "CC0-1.0", "body.safetensors"),
        "licence": "Apache-2.0",
        "fusion": FusionEntry(15, 152, 129, {"Add": 1}),
        "parity": ParityEntry("skipped"),
    }
    return Manifest(**(values | changed))


def fill(folder: Path, content: Manifest) -> None:
    (folder / ARTIFACT).write_bytes(b"artifact")
    (folder / bundle.MANIFEST).write_text(content.to_json(), encoding="utf-8")
    (folder / bundle.CARD).write_text("# Card\n", encoding="utf-8")
    (folder / bundle.GOLDEN).write_bytes(b"golden")
    (folder / "body.safetensors").write_bytes(b"body")
    (folder / CONFORMANCE_FILE).write_bytes(b"kit")


def write(folder: Path, content: Manifest | None = None, *, overwrite: bool = False) -> Path:
    with bundle.reserving(folder, overwrite=overwrite) as unfinished:
        fill(unfinished, content or manifest())
        bundle.finish(unfinished, folder)
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / NAME)


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as error:
        Bundle.open(path)
    return str(error.value)


def remake_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(folder).as_posix()}\n" for f in files]
    (folder / SUMS).write_text("".join(lines))


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and update the digests."""
    table = json.loads((folder / bundle.MANIFEST).read_text())
    edit(table)
    (folder / bundle.MANIFEST).write_text(json.dumps(table))
    remake_sums(folder)


# A valid bundle.


def test_opens(sound: Path) -> None:
    opened = Bundle.open(sound)
    assert opened.manifest == manifest()
    assert opened.artifact == sound / ARTIFACT
    assert opened.golden == sound / "golden.npz"
    assert opened.body == sound / "body.safetensors"
    assert opened.conformance == sound / "conformance.safetensors"
    assert Bundle.open(str(sound)) == opened
    size_mb = opened.manifest.artifact_bytes / 1e6
    assert repr(opened) == f"<Bundle {sound}: coevoer-t, onnx, w8a8, untrained, {size_mb:.1f} MB>"


def test_everything_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    """Core ML's converter creates a folder that only its owner can read."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with bundle.reserving(tmp_path / NAME, overwrite=False) as unfinished:
        fill(unfinished, manifest())
        (unfinished / ARTIFACT).chmod(0o600)
        (unfinished / "inside").mkdir(mode=0o700)
        (unfinished / "inside" / "weight.bin").touch(mode=0o600)
        bundle.finish(unfinished, tmp_path / NAME)
    modes = {path.is_dir(): path.stat().st_mode for path in (tmp_path / "file", tmp_path / "folder")}
    for path in (tmp_path / NAME, *(tmp_path / NAME).rglob("*")):
        assert path.stat().st_mode == modes[path.is_dir()], path


def test_a_renamed_and_moved_folder_opens(sound: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(sound, tmp_path / "app" / "model")
    assert Bundle.open(moved).manifest == manifest()


def test_an_artifact_that_is_a_folder_is_covered_by_the_digests(tmp_path: Path) -> None:
    folder, inside = tmp_path / "coevoer-t-coreml-w8a8", "coevoer-t-coreml-w8a8.mlpackage/Data/weights/weight.bin"
    content = manifest(target="coreml", artifact="coevoer-t-coreml-w8a8.mlpackage")
    with bundle.reserving(folder, overwrite=False) as unfinished:
        fill(unfinished, content)
        (unfinished / inside).parent.mkdir(parents=True)
        (unfinished / inside).write_bytes(b"weights")
        bundle.finish(unfinished, folder)
    assert Bundle.open(folder).artifact == folder / "coevoer-t-coreml-w8a8.mlpackage"
    (folder / inside).write_bytes(b"Weights")
    assert refusal(folder) == (
        f"{folder} does not match its SHA256SUMS: {inside} was altered. Export it again, or copy all of it."
    )


def test_manifest_tells_the_whole_contract() -> None:
    table = json.loads(manifest().to_json())
    assert table["schema_version"] == contract.SCHEMA_VERSION
    assert [output["name"] for output in table["outputs"]] == list(contract.OUTPUT_NAMES)
    assert [tuple(output["shape"]) for output in table["outputs"]] == [output.shape for output in contract.OUTPUTS]
    assert all(output["unit"] and output["description"] for output in table["outputs"])
    by_name = {output["name"]: output for output in table["outputs"]}
    assert by_name["part_boxes"]["rows"] == list(contract.PARTS)
    assert by_name["visibility"]["columns"] == list(contract.VISIBILITY)
    assert table["input"]["shape"] == [1, 3, 256, 192]
    assert table["input"]["crop"]
    assert table["camera"]["focal_px"] == contract.VIRTUAL_FOCAL_PX
    assert table["camera"]["principal_point_px"] == [96.0, 128.0]
    assert table["joint_names"] == list(JOINT_NAMES)
    assert Pipeline.from_table(table["pipeline"]) == PIPELINE
    assert table["pipeline"]["conformance"] == CONFORMANCE_FILE


def test_digests_are_those_that_sha256sum_checks(sound: Path) -> None:
    lines = (sound / SUMS).read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        *("MODEL_CARD.md", "body.safetensors", ARTIFACT, "conformance.safetensors", "golden.npz", "manifest.json")
    ]
    for line in lines:
        digest, _, name = line.partition("  ")
        assert digest == hashlib.sha256((sound / name).read_bytes()).hexdigest()
    if tool := shutil.which("sha256sum"):  # GNU coreutils; not on macOS, where the lines above are the whole check
        result = subprocess.run([tool, "-c", SUMS], cwd=sound, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout.splitlines() == [f"{line.partition('  ')[2]}: OK" for line in lines]


# Refused bundles.


def test_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert (
        refusal(path)
        == f"There is no bundle folder '{path}'; `python -m coevoer_edge.export --target onnx` writes one."
    )


def test_artifact_in_place_of_its_folder(sound: Path) -> None:
    path = sound / ARTIFACT
    assert refusal(path) == f"{path} is the artifact of a bundle; give the folder that contains it, {sound}."


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pth", "mine.ckpt"])
def test_checkpoint_in_place_of_a_bundle(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"weights")
    assert refusal(path) == (
        f"{path} is a checkpoint and not a bundle; export it first, with "
        f"`python -m coevoer_edge.export --target onnx --checkpoint {path}`."
    )


def test_photo_in_place_of_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"jpeg")
    assert refusal(path) == (
        f"{path} is a file and not a bundle folder. Give the bundle first, then its input: "
        f"`python -m coevoer_edge.run BUNDLE {path}`."
    )


def test_folder_that_is_no_bundle(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is not a bundle: it has no manifest.json and no SHA256SUMS."


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS"])
def test_without_manifest_or_digests(sound: Path, name: str) -> None:
    (sound / name).unlink()
    assert refusal(sound) == f"{sound} is not a bundle: it has no {name}."


def unmatched(folder: Path, faults: str) -> str:
    return f"{folder} does not match its SHA256SUMS: {faults}. Export it again, or copy all of it."


def test_altered_artifact(sound: Path) -> None:
    (sound / ARTIFACT).write_bytes(b"Artifact")
    assert refusal(sound) == unmatched(sound, f"{ARTIFACT} was altered")


def test_truncated_artifact(sound: Path) -> None:
    (sound / ARTIFACT).write_bytes(b"arti")
    assert refusal(sound) == unmatched(sound, f"{ARTIFACT} was altered")


@pytest.mark.parametrize("name", [ARTIFACT, "golden.npz", "MODEL_CARD.md"])
def test_missing_file(sound: Path, name: str) -> None:
    (sound / name).unlink()
    assert refusal(sound) == unmatched(sound, f"{name} is missing")


def test_extra_file(sound: Path) -> None:
    (sound / "notes.txt").touch()
    assert refusal(sound) == unmatched(sound, "notes.txt is not listed")


def test_truncated_manifest(sound: Path) -> None:
    path = sound / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])
    assert refusal(sound) == unmatched(sound, "manifest.json was altered")


def test_empty_digests(sound: Path) -> None:
    (sound / SUMS).write_text("")
    names = (
        *("MODEL_CARD.md", "body.safetensors", ARTIFACT, "conformance.safetensors", "golden.npz", "manifest.json"),
    )
    assert refusal(sound) == unmatched(sound, "; ".join(f"{name} is not listed" for name in names))


def test_all_faults_are_told_at_once(sound: Path) -> None:
    (sound / "golden.npz").unlink()
    (sound / ARTIFACT).write_bytes(b"")
    (sound / "more").touch()
    assert refusal(sound) == unmatched(sound, f"golden.npz is missing; more is not listed; {ARTIFACT} was altered")


# Bundles that are refused although their digests match.


def test_manifest_that_is_not_json(sound: Path) -> None:
    path = sound / "manifest.json"
    path.write_text('{"schema_version": 1,')
    remake_sums(sound)
    assert refusal(sound) == (
        f"{path} is not a manifest (JSONDecodeError('Expecting property name enclosed in double quotes: "
        "line 1 column 22 (char 21)')); export the bundle again."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{}", "KeyError('schema_version')"), ("[]", "TypeError('list indices must be integers or slices, not str')")],
)
def test_json_that_is_no_manifest(sound: Path, text: str, reason: str) -> None:
    path = sound / "manifest.json"
    path.write_text(text)
    remake_sums(sound)
    assert refusal(sound) == f"{path} is not a manifest ({reason}); export the bundle again."


def test_other_schema_version(sound: Path) -> None:
    edit_manifest(sound, lambda table: table.update(schema_version=3, news="a key of the future"))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'} has schema version 3; this coevoer-edge reads version 2. "
        "Export the bundle again, or install the coevoer-edge that wrote it."
    )


def test_unknown_and_missing_keys(sound: Path) -> None:
    edit_manifest(sound, lambda table: (table.update(weather="fine"), table.pop("licence")))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: manifest: missing or unknown keys ['licence', 'weather']; {ADVICE}."
    )


def test_renamed_output(sound: Path) -> None:
    edit_manifest(sound, lambda table: table["outputs"][0].update(name="root_pose"))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: outputs differ from the contract of this version; export the bundle again."
    )


def test_outputs_in_another_order(sound: Path) -> None:
    edit_manifest(sound, lambda table: table["outputs"].reverse())
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: outputs differ from the contract of this version; export the bundle again."
    )


@pytest.mark.parametrize("change", [{"shape": [1, 3, 256, 256]}, {"colour": "BGR"}, {"value_range": [0.0, 255.0]}])
def test_other_input(sound: Path, change: dict[str, Any]) -> None:
    edit_manifest(sound, lambda table: table["input"].update(change))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: input differ from the contract of this version; export the bundle again."
    )


def test_manifest_names_an_artifact_that_is_not_there(sound: Path) -> None:
    edit_manifest(sound, lambda table: table.update(artifact="other.onnx"))
    assert refusal(sound) == f"{sound}: the manifest names other.onnx, which is missing; copy the bundle again, whole."


def test_body_and_kit_must_be_there(sound: Path) -> None:
    for edit, name in (
        (lambda table: table["body_model"].update(file="other.safetensors"), "other.safetensors"),
        (lambda table: table["pipeline"].update(conformance="else.safetensors"), "else.safetensors"),
    ):
        kept = (sound / bundle.MANIFEST).read_text()
        edit_manifest(sound, edit)
        assert refusal(sound) == f"{sound}: the manifest names {name}, which is missing; copy the bundle again, whole."
        (sound / bundle.MANIFEST).write_text(kept)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t["body_model"].pop("file"), f"manifest.body_model: missing or unknown keys ['file']; {ADVICE}."),
        (lambda t: t["pipeline"].pop("conformance"), "manifest.pipeline: missing or unknown keys ['conformance']; "),
        (
            lambda t: t["body_model"].update(file="../x"),
            "body_model.file '../x' is not the name of a file in its folder",
        ),
        (lambda t: t["pipeline"].update(conformance="a/b"), "pipeline.conformance 'a/b' is not the name of a file"),
        (lambda t: t["pipeline"].pop("tile_step"), "manifest.pipeline: missing or unknown keys ['tile_step']; export"),
        (lambda t: t.update(pipeline=[]), "manifest.pipeline is [], not a table; "),
        (lambda t: t["pipeline"].update(max_gap_ms="long"), "manifest.pipeline.max_gap_ms is 'long', not a number; "),
    ],
)
def test_body_and_pipeline_are_checked(sound: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    edit_manifest(sound, edit)
    assert refusal(sound).startswith(f"{sound / 'manifest.json'}: {message}")


@pytest.mark.parametrize("artifact", ["../elsewhere.onnx", ""])
def test_artifact_must_be_a_file_of_the_bundle(sound: Path, artifact: object) -> None:
    edit_manifest(sound, lambda table: table.update(artifact=artifact))
    message = (
        f"{sound / 'manifest.json'}: artifact {artifact!r} is not the name of a file in its folder; export it again."
    )
    assert refusal(sound) == message


def test_digests_that_are_no_text(sound: Path) -> None:
    (sound / "SHA256SUMS").write_bytes(b"\xff\xfe\xff")
    assert refusal(sound).startswith(f"{sound / 'SHA256SUMS'} is not a list of digests (")


def test_every_key_of_a_manifest_is_required(sound: Path) -> None:
    text = (sound / "manifest.json").read_text()
    for key in {field.name for field in fields(Manifest)} - {"schema_version", "calibration"}:
        (sound / "manifest.json").write_text(text)
        edit_manifest(sound, lambda table, key=key: table.pop(key))
        assert refusal(sound) == f"{sound / 'manifest.json'}: manifest: missing or unknown keys ['{key}']; {ADVICE}."


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.update(trained="false"), "manifest.trained is 'false'; it must be true or false"),
        (lambda t: t.update(trained=0), "manifest.trained is 0; it must be true or false"),
        (lambda t: t.update(parameters=True), "manifest.parameters is True; it must be a whole number"),
        (lambda t: t.update(parameters=1.5), "manifest.parameters is 1.5; it must be a whole number"),
        (lambda t: t.update(model=7), "manifest.model is 7; it must be a string"),
        (lambda t: t.update(artifact=5), "manifest.artifact is 5; it must be a string"),
        (lambda t: t.update(tools=["torch"]), "manifest.tools is ['torch']; it must be a table"),
        (lambda t: t["tools"].update(torch=2), "manifest.tools.torch is 2; it must be a string"),
        (lambda t: t.update(joint_names="pelvis"), "manifest.joint_names is 'pelvis'; it must be a list"),
        (lambda t: t["joint_names"].__setitem__(3, 4), "manifest.joint_names[3] is 4; it must be a string"),
        (lambda t: t.update(checkpoint="x"), "manifest.checkpoint is 'x', not a table"),
        (lambda t: t["checkpoint"].update(enhancer="no"), "manifest.checkpoint.enhancer is 'no'; it must be true or"),
        (lambda t: t["camera"].update(focal_px=None), "manifest.camera.focal_px is None; it must be a finite number"),
        (lambda t: t["fusion"]["ops"].update(Add="1"), "manifest.fusion.ops.Add is '1'; it must be a whole number"),
        (lambda t: t["parity"].update(verdict="good"), "manifest.parity.verdict is 'good'; it must be one of 'pass', "),
        (lambda t: t.update(calibration={"count": 1}), "manifest.calibration: missing or unknown keys ['seed', "),
    ],
)
def test_every_field_has_its_type(sound: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    edit_manifest(sound, edit)
    assert refusal(sound).startswith(f"{sound / 'manifest.json'}: {message}")


def test_a_whole_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    pair = PairEntry({"all": 7.3}, {"all": 7.5}, {"all": 1.03}, {"all": 0.01})
    check = CheckEntry(1.03, "times the quantized program's error", 1.1, "pass")
    full = manifest(
        calibration=CalibrationEntry("folder mine, 64 of 90 images, seed 3", 64, 3, "0" * 64, "folder", 90),
        checkpoint=CheckpointEntry("random initialisation, seed 3", "", True, False, 3),
        fusion=FusionEntry(15, 152, 129, {"Add": 1}, 1, {"_to_dim_order_copy": 2}),
        parity=ParityEntry("pass", 256, "onnxruntime", "runtime", pair, pair, 1.02, check, check),
    )
    assert Bundle.open(write(tmp_path / NAME, full)).manifest == full


def test_a_manifest_of_version_0_1_is_read(sound: Path) -> None:
    """Without the variant of the network, without the kind of calibration images, without the two checks."""

    def older(table: dict[str, Any]) -> None:
        table["checkpoint"] = {"source": "coevoer-t.safetensors", "sha256": "0" * 64}
        table["calibration"] = {}
        table["parity"] = {"verdict": "pass", "images": 256, "runtime": "onnxruntime", "kind": "runtime"}

    edit_manifest(sound, older)
    read = Bundle.open(sound).manifest
    assert (read.checkpoint.enhancer, read.calibration, read.parity.lowering) == (None, None, None)
