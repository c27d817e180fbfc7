"""The manifest: a bundle's description of itself, with the types that the apps use.

In: `manifest.json`. Out: `Manifest`, whose fields are all checked when it is read. Apps take names, sizes and units
from the file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.bundle.typed_table import read_table, to_table
from coevoer_edge.errors import BundleError
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.image import CROP_RULE, CropRule

Verdict = Literal["pass", "over"]
Figures = dict[str, float]


@dataclass(frozen=True)
class InputEntry:
    """The single input, and how it is cropped from a full image."""

    name: str
    shape: tuple[int, ...]  # 1 3 H W
    colour: str
    value_range: tuple[float, ...]  # lowest, highest
    layout: str
    crop: CropRule


@dataclass(frozen=True)
class OutputEntry:
    """One output tensor."""

    name: str
    shape: tuple[int, ...]  # with batch 1
    unit: str
    description: str
    rows: tuple[str, ...] | None = None  # names of the second axis
    columns: tuple[str, ...] | None = None  # names of the last axis


@dataclass(frozen=True)
class CameraEntry:
    """The virtual camera of the crop."""

    focal_px: float
    principal_point_px: tuple[float, ...]  # x, y
    frame: str


@dataclass(frozen=True)
class CheckpointEntry:
    """The float weights that the bundle was exported from."""

    source: str  # file name, or "random initialisation, seed N"
    sha256: str  # empty for untrained weights
    enhancer: bool | None = None  # False: Table 4's variant without it. None in bundles of version 0.1
    foreground: bool | None = None  # likewise
    seed: int | None = None  # of the initialisation, if untrained


@dataclass(frozen=True)
class CalibrationEntry:
    """The images that determined the ranges of activations."""

    source: str  # a description
    count: int
    seed: int
    sha256: str  # of the pixels
    kind: Literal["default", "folder"] | None = None  # None in bundles of version 0.1
    available: int | None = None  # number of images in the source


@dataclass(frozen=True)
class RecipesEntry:
    """The values of both recipes; `QuantizationRecipe` and `ExportRecipe` read them."""

    quantization: dict[str, Any]
    export: dict[str, Any]


@dataclass(frozen=True)
class BodyEntry:
    """The body that the parameters pose."""

    name: str
    licence: str
    file: str  # in the manifest's folder


@dataclass(frozen=True)
class FusionEntry:
    """Facts that were read back from the artifact."""

    fused_attentions: int
    gemms: int  # Linear and Conv
    int8_gemms: int
    ops: dict[str, int]
    delegates: int | None = None  # ExecuTorch
    outside: dict[str, int] | None = None  # ExecuTorch: operators outside the delegates


@dataclass(frozen=True)
class CheckEntry:
    """A figure and the limit that it must not exceed."""

    figure: float
    unit: str
    limit: float
    verdict: Verdict


@dataclass(frozen=True)
class PairEntry:
    """Errors of the quantized program and of the artifact against the float network, by part or by output."""

    quantized: Figures
    artifact: Figures
    ratio: Figures | None = None  # artifact over quantized; INT8 only
    ratio_standard_error: Figures | None = None


@dataclass(frozen=True)
class ParityEntry:
    """Distances from the float network over the golden images, as the export measured them."""

    verdict: Literal["pass", "fail", "skipped"]  # on the lowering; decides whether a bundle is written
    images: int = 0
    runtime: str = ""  # backend that ran the artifact
    kind: Literal["", "runtime", "reference"] = ""  # "reference" where the real runtime does not run
    mean_vertex_distance_mm: PairEntry | None = None
    rms_error: PairEntry | None = None
    self_check_ratio: float | None = None
    lowering: CheckEntry | None = None  # the artifact against the quantized program. None in bundles of version 0.1
    quantization: CheckEntry | None = None  # the quantized program against float, by the default budget


@dataclass(frozen=True)
class Manifest:
    """A bundle's description of itself."""

    schema_version: int
    model: str
    trained: bool
    parameters: int
    target: str
    backend: str
    precision: str
    artifact: str
    artifact_bytes: int
    checkpoint: CheckpointEntry
    recipes: RecipesEntry
    tools: dict[str, str]  # tool to version
    input: InputEntry
    outputs: tuple[OutputEntry, ...]
    camera: CameraEntry
    joint_names: tuple[str, ...]
    pipeline: Pipeline
    body_model: BodyEntry
    licence: str
    fusion: FusionEntry
    parity: ParityEntry
    calibration: CalibrationEntry | None = None  # None if nothing is quantized to INT8

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and check a manifest.json.

        Raises:
            BundleError: the file is not JSON, has missing or unknown keys or values of the wrong type, or follows
                another schema version or contract.
        """
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            version = table["schema_version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{path} is not a manifest ({error!r}); export the bundle again.") from error
        if version != contract.SCHEMA_VERSION:
            raise BundleError(
                f"{path} has schema version {version}; this coevoer-edge reads version {contract.SCHEMA_VERSION}. "
                "Export the bundle again, or install the coevoer-edge that wrote it."
            )
        if table.get("calibration") == {}:  # bundles of version 0.1 without INT8
            del table["calibration"]
        try:
            manifest = read_table(cls, table, "manifest")
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        ours = shared_entries()
        for key in ("input", "outputs"):
            if getattr(manifest, key) != ours[key]:
                raise BundleError(f"{path}: {key} differ from the contract of this version; export the bundle again.")
        for key, name in (
            ("artifact", manifest.artifact),
            ("body_model.file", manifest.body_model.file),
            ("pipeline.conformance", manifest.pipeline.conformance),
        ):
            if not name or Path(name).name != name or "\0" in name:
                raise BundleError(f"{path}: {key} {name!r} is not the name of a file in its folder; export it again.")
        return manifest

    def to_json(self) -> str:
        """The text of manifest.json, without fields that are None."""
        return json.dumps(to_table(self), indent=2) + "\n"


def shared_entries() -> dict[str, Any]:
    """The entries that are the same in every manifest of this version, as arguments of `Manifest`."""
    rows, columns = {"part_boxes": contract.PARTS}, {"visibility": contract.VISIBILITY}
    return {
        "schema_version": contract.SCHEMA_VERSION,
        "input": InputEntry(**vars(contract.INPUT), crop=CROP_RULE),
        "outputs": tuple(
            OutputEntry(o.name, o.shape, o.unit, o.description, rows.get(o.name), columns.get(o.name))
            for o in contract.OUTPUTS
        ),
        "camera": CameraEntry(
            contract.VIRTUAL_FOCAL_PX,
            (contract.IMAGE_WIDTH_PX / 2, contract.IMAGE_HEIGHT_PX / 2),
            "x right, y down, z into the scene; pixel (0, 0) has its centre at (0.5, 0.5)",
        ),
        "joint_names": JOINT_NAMES,
        "pipeline": PIPELINE,
    }
