"""A bundle: the folder that an export writes and an app embeds.

In: a folder. Out: `Bundle`, complete, unaltered and true to the contract, or an error that says what is wrong.

    coevoer-t-onnx-w8a8/
      coevoer-t-onnx-w8a8.onnx   the artifact (.onnx, .pte, or the folder .mlpackage)
      manifest.json              what it is, what goes in, what comes out, how exact it is
      golden.npz                 inputs with the outputs to expect, for a self-check on the device
      body.safetensors           the body that the parameters pose (docs/pipeline.md, section 5)
      conformance.safetensors    cases that every implementation of the pipeline passes (section 9)
      MODEL_CARD.md
      SHA256SUMS                 of every other file; `sha256sum -c SHA256SUMS` checks it too
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.errors import BundleError, InputError
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.image import CROP_RULE

MANIFEST, GOLDEN, CARD, SUMS = "manifest.json", "golden.npz", "MODEL_CARD.md", "SHA256SUMS"


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself. Apps read names, sizes and units from it."""

    schema_version: int
    model: str
    trained: bool
    parameters: int
    target: str
    backend: str
    precision: str
    artifact: str
    artifact_bytes: int
    checkpoint: dict[str, Any]  # source, sha256
    recipes: dict[str, Any]  # quantization, export: their values
    calibration: dict[str, Any]  # source, count, seed, sha256; empty without INT8
    tools: dict[str, str]  # versions
    input: dict[str, Any]
    outputs: list[dict[str, Any]]
    camera: dict[str, Any]  # the virtual camera of the crop
    joint_names: list[str]
    pipeline: dict[str, Any]  # constants of tracking and smoothing; `conformance`: file name
    body_model: dict[str, str]  # name, licence, file
    licence: str
    fusion: dict[str, Any]  # read back from the artifact
    parity: dict[str, Any]  # verdict and figures

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and check a manifest.json.

        Raises:
            BundleError: not JSON, missing or unknown keys, another schema version or another contract.
        """
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            version = table["schema_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} is not a manifest ({error!r}); export the bundle again.") from error
        if version != contract.SCHEMA_VERSION:
            raise BundleError(
                f"{path} has schema version {version}, this is version {contract.SCHEMA_VERSION}; "
                "export the bundle again, or install the coevoer-edge that wrote it."
            )
        known = {field.name for field in fields(cls)}
        if table.keys() != known:
            raise BundleError(
                f"{path}: missing or unknown keys {sorted(table.keys() ^ known)}; export the bundle again."
            )
        for key, ours in (("input", input_table()), ("outputs", output_tables())):
            if table[key] != ours:
                raise BundleError(f"{path}: its {key} are not those of this contract; export the bundle again.")
        files = {
            "artifact": table["artifact"],
            "body_model.file": _entry(table["body_model"], "file"),
            "pipeline.conformance": _entry(table["pipeline"], "conformance"),
        }
        for key, name in files.items():
            if not isinstance(name, str) or not name or Path(name).name != name:
                raise BundleError(f"{path}: {key} {name!r} is not the name of a file beside it; export it again.")
        try:
            Pipeline.from_table(table["pipeline"])
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        return cls(**table)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle."""

    path: Path
    manifest: Manifest

    @property
    def artifact(self) -> Path:
        """The file (or .mlpackage folder) that apps embed."""
        return self.path / self.manifest.artifact

    @property
    def golden(self) -> Path:
        """Inputs with the outputs to expect; keys `image`, `float_<output>`, `quantized_<output>`."""
        return self.path / GOLDEN

    @property
    def body(self) -> Path:
        """The portable body."""
        return self.path / str(self.manifest.body_model["file"])

    @property
    def conformance(self) -> Path:
        """The conformance kit."""
        return self.path / str(self.manifest.pipeline["conformance"])

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Open a bundle folder and check every digest and the contract.

        Raises:
            BundleError: missing, incomplete or altered, or of another contract.
        """
        path = Path(path)
        if not path.is_dir():
            raise BundleError(
                f"There is no bundle folder {str(path)!r}; `python -m coevoer_edge.export --target onnx` writes one."
            )
        if missing := [name for name in (MANIFEST, SUMS) if not (path / name).is_file()]:
            raise BundleError(f"{path} is not a bundle: it has no {' and no '.join(missing)}.")
        _verify(path)
        manifest = Manifest.read(path / MANIFEST)
        opened = cls(path, manifest)
        for file in (opened.artifact, opened.body, opened.conformance):
            if not file.exists():
                raise BundleError(f"{path}: the manifest names {file.name}, which is not there.")
        return opened


def input_table() -> dict[str, Any]:
    """The contract's input and the crop rule, for the manifest."""
    table = asdict(contract.INPUT) | {"crop": asdict(CROP_RULE)}
    return json.loads(json.dumps(table))  # type: ignore[no-any-return]  # tuples become lists, as when read back


def output_tables() -> list[dict[str, Any]]:
    """The contract's outputs, for the manifest."""
    extra: dict[str, dict[str, Any]] = {
        "part_boxes": {"rows": contract.PARTS},
        "visibility": {"columns": contract.VISIBILITY},
    }
    tables = [asdict(output) | extra.get(output.name, {}) for output in contract.OUTPUTS]
    return json.loads(json.dumps(tables))  # type: ignore[no-any-return]


def shared_tables() -> dict[str, Any]:
    """What is the same in every manifest."""
    return {
        "schema_version": contract.SCHEMA_VERSION,
        "input": input_table(),
        "outputs": output_tables(),
        "camera": {
            "focal_px": contract.VIRTUAL_FOCAL_PX,
            "principal_point_px": [contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2],
            "frame": "x right, y down, z into the scene; pixel (0, 0) has its centre at (0.5, 0.5)",
        },
        "joint_names": list(JOINT_NAMES),
        "pipeline": PIPELINE.to_table(),
    }


@contextmanager
def writing(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder to write a bundle to; put it in its place, with digests, once all went well.

    Raises:
        InputError: the bundle is there already.
    """
    import shutil

    refuse_existing(folder, overwrite=overwrite)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(unfinished).items())
        (unfinished / SUMS).write_text(sums, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over a bundle, or, even with `overwrite`, over anything else."""
    if folder.exists() and not overwrite:
        raise InputError(f"{folder} exists; add --overwrite, or choose another --output-dir.")
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} exists and is not a bundle; it is not overwritten.")
    nearest = next(parent for parent in folder.absolute().parents if parent.exists())
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; give a folder with --output-dir.")


def _entry(table: object, key: str) -> object:
    return table.get(key) if isinstance(table, dict) else None


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below, by its path with forward slashes."""
    import hashlib  # late, as shutil: both are slow to load, and `from coevoer_edge import Bundle` is not to be

    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _verify(folder: Path) -> None:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BundleError(f"{folder / SUMS} is not a list of digests ({error}); export the bundle again.") from error
    stated = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = _digests(folder)
    faults = [f"{name} is missing" for name in sorted(stated.keys() - found.keys())]
    faults += [f"{name} is not listed" for name in sorted(found.keys() - stated.keys())]
    faults += [f"{name} was altered" for name in sorted(stated.keys() & found.keys()) if stated[name] != found[name]]
    if faults:
        raise BundleError(f"{folder} does not match its {SUMS}: {'; '.join(faults)}. Export it again or copy it whole.")
