"""A bundle is complete, unaltered and true to the contract, or it is refused with what is wrong."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from coevoer_edge import bundle, contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.bundle import SUMS, Bundle, Manifest
from coevoer_edge.errors import BundleError, InputError
from coevoer_edge.pipeline.constants import CONFORMANCE_FILE, PIPELINE, Pipeline

NAME = "coevoer-t-onnx-w8a8"
ARTIFACT = f"{NAME}.onnx"


def manifest(**changed: Any) -> Manifest:
    values: dict[str, Any] = {
        **bundle.shared_tables(),
        "model": "coevoer-t",
        "trained": False,
        "parameters": 8,
        "target": "onnx",
        "backend": "",
        "precision": "w8a8",
        "artifact": ARTIFACT,
        "artifact_bytes": 8,
        "checkpoint": {"source": "coevoer-t.safetensors", "sha256": "0" * 64},
        "recipes": {"quantization": {}, "export": {}},
        "calibration": {},
        "tools": {},
        "body_model": {"name": "open body", "licence": "CC0-1.0", "file": "body.safetensors"},
        "licence": "Apache-2.0",
        "fusion": {},
        "parity": {"verdict": "pass"},
    }
    return Manifest(**(values | changed))


def fill(folder: Path, content: Manifest) -> None:
    (folder / ARTIFACT).write_bytes(b"artifact")
    (folder / bundle.MANIFEST).write_text(json.dumps(asdict(content), indent=2) + "\n", encoding="utf-8")
    (folder / bundle.CARD).write_text("# Card\n", encoding="utf-8")
    (folder / bundle.GOLDEN).write_bytes(b"golden")
    (folder / "body.safetensors").write_bytes(b"body")
    (folder / CONFORMANCE_FILE).write_bytes(b"kit")


def write(folder: Path, content: Manifest | None = None, *, overwrite: bool = False) -> Path:
    with bundle.writing(folder, overwrite=overwrite) as unfinished:
        fill(unfinished, content or manifest())
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
    """Change the manifest and make the digests fit it."""
    table = json.loads((folder / bundle.MANIFEST).read_text())
    edit(table)
    (folder / bundle.MANIFEST).write_text(json.dumps(table))
    remake_sums(folder)


# A sound one.


def test_opens(sound: Path) -> None:
    opened = Bundle.open(sound)
    assert opened.manifest == manifest()
    assert opened.artifact == sound / ARTIFACT
    assert opened.golden == sound / "golden.npz"
    assert opened.body == sound / "body.safetensors"
    assert opened.conformance == sound / "conformance.safetensors"
    assert Bundle.open(str(sound)) == opened


def test_a_renamed_and_moved_folder_opens(sound: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(sound, tmp_path / "app" / "model")
    assert Bundle.open(moved).manifest == manifest()


def test_an_artifact_that_is_a_folder_is_covered_by_the_digests(tmp_path: Path) -> None:
    folder, inside = tmp_path / "coevoer-t-coreml-w8a8", "coevoer-t-coreml-w8a8.mlpackage/Data/weights/weight.bin"
    content = manifest(target="coreml", artifact="coevoer-t-coreml-w8a8.mlpackage")
    with bundle.writing(folder, overwrite=False) as unfinished:
        fill(unfinished, content)
        (unfinished / inside).parent.mkdir(parents=True)
        (unfinished / inside).write_bytes(b"weights")
    assert Bundle.open(folder).artifact == folder / "coevoer-t-coreml-w8a8.mlpackage"
    (folder / inside).write_bytes(b"Weights")
    assert refusal(folder) == (
        f"{folder} does not match its SHA256SUMS: {inside} was altered. Export it again or copy it whole."
    )


def test_manifest_tells_the_whole_contract() -> None:
    table = asdict(manifest())
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


# Refused.


def test_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert (
        refusal(path)
        == f"There is no bundle folder '{path}'; `python -m coevoer_edge.export --target onnx` writes one."
    )


def test_file_in_place_of_a_folder(sound: Path) -> None:
    path = sound / ARTIFACT
    assert (
        refusal(path)
        == f"There is no bundle folder '{path}'; `python -m coevoer_edge.export --target onnx` writes one."
    )


def test_folder_that_is_no_bundle(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is not a bundle: it has no manifest.json and no SHA256SUMS."


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS"])
def test_without_manifest_or_digests(sound: Path, name: str) -> None:
    (sound / name).unlink()
    assert refusal(sound) == f"{sound} is not a bundle: it has no {name}."


def unmatched(folder: Path, faults: str) -> str:
    return f"{folder} does not match its SHA256SUMS: {faults}. Export it again or copy it whole."


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


# Refused although the digests fit.


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
        f"{sound / 'manifest.json'} has schema version 3, this is version 2; "
        "export the bundle again, or install the coevoer-edge that wrote it."
    )


def test_unknown_and_missing_keys(sound: Path) -> None:
    edit_manifest(sound, lambda table: (table.update(weather="fine"), table.pop("licence")))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: missing or unknown keys ['licence', 'weather']; export the bundle again."
    )


def test_renamed_output(sound: Path) -> None:
    edit_manifest(sound, lambda table: table["outputs"][0].update(name="root_pose"))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: its outputs are not those of this contract; export the bundle again."
    )


def test_outputs_in_another_order(sound: Path) -> None:
    edit_manifest(sound, lambda table: table["outputs"].reverse())
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: its outputs are not those of this contract; export the bundle again."
    )


@pytest.mark.parametrize("change", [{"shape": [1, 3, 256, 256]}, {"colour": "BGR"}, {"value_range": [0.0, 255.0]}])
def test_other_input(sound: Path, change: dict[str, Any]) -> None:
    edit_manifest(sound, lambda table: table["input"].update(change))
    assert refusal(sound) == (
        f"{sound / 'manifest.json'}: its input are not those of this contract; export the bundle again."
    )


def test_manifest_names_an_artifact_that_is_not_there(sound: Path) -> None:
    edit_manifest(sound, lambda table: table.update(artifact="other.onnx"))
    assert refusal(sound) == f"{sound}: the manifest names other.onnx, which is not there."


def test_body_and_kit_must_be_there(sound: Path) -> None:
    for edit, name in (
        (lambda table: table["body_model"].update(file="other.safetensors"), "other.safetensors"),
        (lambda table: table["pipeline"].update(conformance="else.safetensors"), "else.safetensors"),
    ):
        kept = (sound / bundle.MANIFEST).read_text()
        edit_manifest(sound, edit)
        assert refusal(sound) == f"{sound}: the manifest names {name}, which is not there."
        (sound / bundle.MANIFEST).write_text(kept)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t["body_model"].pop("file"), "body_model.file None is not the name of a file beside it; export it"),
        (lambda t: t["pipeline"].pop("conformance"), "pipeline.conformance None is not the name of a file"),
        (lambda t: t["body_model"].update(file="../x"), "body_model.file '../x' is not the name of a file beside it"),
        (lambda t: t["pipeline"].pop("tile_step"), "pipeline: missing or unknown keys ['tile_step']; export the"),
        (lambda t: t.update(pipeline=[]), "pipeline.conformance None is not the name"),
        (lambda t: t["pipeline"].update(max_gap_ms="long"), "pipeline.max_gap_ms is 'long', not a number; export the"),
    ],
)
def test_body_and_pipeline_are_checked(sound: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    edit_manifest(sound, edit)
    assert refusal(sound).startswith(f"{sound / 'manifest.json'}: {message}")


@pytest.mark.parametrize("artifact", [5, "../elsewhere.onnx", ""])
def test_artifact_must_be_a_file_of_the_bundle(sound: Path, artifact: object) -> None:
    edit_manifest(sound, lambda table: table.update(artifact=artifact))
    message = f"{sound / 'manifest.json'}: artifact {artifact!r} is not the name of a file beside it; export it again."
    assert refusal(sound) == message


def test_digests_that_are_no_text(sound: Path) -> None:
    (sound / "SHA256SUMS").write_bytes(b"\xff\xfe\xff")
    assert refusal(sound).startswith(f"{sound / 'SHA256SUMS'} is not a list of digests (")


def test_every_key_of_a_manifest_is_required(sound: Path) -> None:
    text = (sound / "manifest.json").read_text()
    for key in {field.name for field in fields(Manifest)} - {"schema_version"}:
        (sound / "manifest.json").write_text(text)
        edit_manifest(sound, lambda table, key=key: table.pop(key))
        assert refusal(sound) == (
            f"{sound / 'manifest.json'}: missing or unknown keys ['{key}']; export the bundle again."
        )


# Writing.


def snapshot(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_nothing_is_in_place_before_all_is_well(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / NAME
    with bundle.writing(folder, overwrite=False) as unfinished:
        fill(unfinished, manifest())
        assert not folder.exists()
        assert unfinished.parent == folder.parent  # so that the last step is a rename
    assert [path.name for path in folder.parent.iterdir()] == [NAME]
    Bundle.open(folder)


def test_existing_bundle_is_refused_without_overwrite(sound: Path) -> None:
    before = snapshot(sound)
    with pytest.raises(InputError) as error, bundle.writing(sound, overwrite=False):
        pytest.fail("the folder was given out")
    assert str(error.value) == f"{sound} exists; add --overwrite, or choose another --output-dir."
    assert snapshot(sound) == before


def test_overwrite_replaces_the_whole_bundle(sound: Path) -> None:
    (sound / "left-over").touch()
    write(sound, manifest(trained=True), overwrite=True)
    assert Bundle.open(sound).manifest.trained
    assert [path.name for path in sound.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_that_is_not_a_bundle_is_never_overwritten(tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("years of work")
    with pytest.raises(InputError) as error, bundle.writing(folder, overwrite=overwrite):
        pytest.fail("the folder was given out")
    expected = "exists and is not a bundle; it is not overwritten"
    assert (
        str(error.value)
        == f"{folder} {expected if overwrite else 'exists; add --overwrite, or choose another --output-dir'}."
    )
    assert (folder / "chapter1.txt").read_text() == "years of work"


def test_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError) as error, bundle.writing(tmp_path / "file", overwrite=True):
        pytest.fail("the folder was given out")
    assert str(error.value) == f"{tmp_path / 'file'} exists and is not a bundle; it is not overwritten."


def write_and_fail(folder: Path, exception: type[BaseException]) -> None:
    with bundle.writing(folder, overwrite=True) as unfinished:
        fill(unfinished, manifest(trained=True))
        raise exception


@pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt])
def test_exception_leaves_nothing(tmp_path: Path, exception: type[BaseException]) -> None:
    with pytest.raises(exception):
        write_and_fail(tmp_path / NAME, exception)
    assert list(tmp_path.iterdir()) == []


def test_exception_keeps_the_previous_bundle(sound: Path) -> None:
    before = snapshot(sound)
    with pytest.raises(RuntimeError):
        write_and_fail(sound, RuntimeError)
    assert snapshot(sound) == before
    assert [path.name for path in sound.parent.iterdir()] == [NAME]
    Bundle.open(sound)


def test_leftovers_of_a_killed_export_do_not_get_in(tmp_path: Path) -> None:
    left = tmp_path / f".{NAME}.unfinished"
    left.mkdir()
    (left / "half.onnx").touch()
    write(tmp_path / NAME)
    assert "half.onnx" not in snapshot(tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
