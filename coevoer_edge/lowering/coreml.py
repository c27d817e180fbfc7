"""Lower to Core ML.

In: a quantized program. Out: one `.mlpackage`, and the facts read back from it.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch.export import ExportedProgram

from coevoer_edge import __version__, contract
from coevoer_edge.lowering.facts import FileFacts
from coevoer_edge.lowering.full_precision import stays_float32
from coevoer_edge.lowering.recipe import ExportRecipe
from coevoer_edge.quantization.recipe import Precision
from coevoer_edge.terminal.quiet import quietly

if TYPE_CHECKING:
    from coevoer_edge.runtime.mil.program import Operation

_GEMMS = ("linear", "conv")
NAMESPACE = uuid.UUID("6f9a3f0e-7c38-5d0b-9a54-2d2b0f6c8c11")
"""Namespace of names that are derived from their content."""


def lower(
    program: ExportedProgram, recipe: ExportRecipe, precision: Precision, path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the program as an `.mlpackage` with an image input, every attention one `scaled_dot_product_attention`."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # hides its progress bars
    with quietly():
        import coremltools as ct

        model = ct.convert(
            program.run_decompositions({}),
            inputs=[
                ct.ImageType(
                    name=contract.INPUT.name,
                    shape=contract.INPUT.shape,
                    scale=1 / 255,
                    color_layout=ct.colorlayout.RGB,
                )
            ],
            outputs=[ct.TensorType(name=name, dtype=np.float32) for name in contract.OUTPUT_NAMES],
            minimum_deployment_target=getattr(ct.target, recipe.minimum_deployment_target),
            compute_precision=ct.precision.FLOAT32
            if precision == "fp32"
            else ct.transform.FP16ComputePrecision(op_selector=lambda operation: not stays_float32(operation)),
            skip_model_load=True,
        )
        model.short_description = "CoEvoer: upper body, hands and face as SMPL-X parameters from one 256 x 192 crop."
        model.version = __version__
        model.license = metadata["licence"]
        for output in contract.OUTPUTS:
            model.output_description[output.name] = f"{output.description}; {output.unit}"
        model.user_defined_metadata.clear()  # tool versions are in the manifest
        model.user_defined_metadata.update(metadata)
        model.save(str(path))
    make_reproducible(path)


def read_facts(path: Path) -> FileFacts:
    """Count the operations in the package."""
    from coevoer_edge.runtime.mil.program import read_program

    return count(read_program(path).operations)


def count(
    operations: Sequence["Operation"], delegates: int | None = None, outside: Counter[str] | None = None
) -> FileFacts:
    """Count attentions and GEMMs of a MIL program; `delegates` and `outside` are those of the `.pte` it came in."""
    int8_weights = {
        output.name
        for operation in operations
        if operation.kind == "constexpr_blockwise_shift_scale"
        for output in operation.outputs
    }

    def is_float(gemm: "Operation") -> bool:
        return gemm.inputs["weight"][0] not in int8_weights

    ops = Counter(operation.kind for operation in operations)
    gemms = [operation for operation in operations if operation.kind in _GEMMS]
    return FileFacts(
        ops,
        attentions=ops["scaled_dot_product_attention"],
        gemms=len(gemms),
        float_gemms=tuple(gemm.name for gemm in gemms if is_float(gemm)),
        delegates=delegates,
        outside=outside or Counter(),
    )


def make_reproducible(package: Path) -> None:
    """Name the package's parts after their paths, sort the specification, and remove debug files."""
    from coremltools.proto.Model_pb2 import Model

    for debug in package.glob("*.json"):
        if debug.name != "Manifest.json":
            debug.unlink()
    manifest = json.loads((package / "Manifest.json").read_text())
    new = {old: str(uuid.uuid5(NAMESPACE, item["path"])) for old, item in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted((new[old], item) for old, item in manifest["itemInfoEntries"].items()))
    manifest["rootModelIdentifier"] = new[manifest["rootModelIdentifier"]]
    # coremltools rewrites the manifest, with this newline, whenever it opens a package; digests have to stay valid.
    (package / "Manifest.json").write_text(json.dumps(manifest, indent=4) + "\n")

    path = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    spec = Model()
    spec.ParseFromString(path.read_bytes())
    path.write_bytes(spec.SerializeToString(deterministic=True))
    path.chmod(0o644)
