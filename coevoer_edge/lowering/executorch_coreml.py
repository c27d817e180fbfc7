"""Lower to ExecuTorch with its Core ML delegate.

In: a quantized program. Out: one `.pte` file whose delegate holds a Core ML package, and the facts read back from it.
"""

import copy
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from torch.export import ExportedProgram

from coevoer_edge.lowering.coreml import NAMESPACE, count, make_reproducible
from coevoer_edge.lowering.facts import FileFacts
from coevoer_edge.lowering.provenance import shared_provenance
from coevoer_edge.lowering.recipe import ExportRecipe
from coevoer_edge.quantization.recipe import Precision
from coevoer_edge.terminal.quiet import quietly


def lower(
    program: ExportedProgram, recipe: ExportRecipe, precision: Precision, path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the program as a `.pte`, the whole network inside one Core ML delegate.

    Quantize and dequantize, attention and norm are passed on undecomposed: the partitioner asks coremltools which
    operators it converts, and keeps ExecuTorch from decomposing those. The same values are float16 as in an
    `.mlpackage`.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # hides its progress bars
    with quietly(), shared_provenance():
        import coremltools as ct
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
        from executorch.exir.lowered_backend_module import get_lowered_backend_modules

        from coevoer_edge.lowering.half_precision import PASSES

        specs = CoreMLBackend.generate_compile_specs(
            minimum_deployment_target=getattr(ct.target, recipe.minimum_deployment_target),
            compute_precision=ct.precision.FLOAT32,  # FLOAT16 would convert all; our pass skips what stays float32
            pass_names=None if precision == "fp32" else PASSES,
        )
        edge = to_edge_transform_and_lower(
            copy.deepcopy(program),  # ExecuTorch removes the constants of a delegate from the program that it is given
            partitioner=[CoreMLPartitioner(compile_specs=specs)],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
            constant_methods=dict(metadata),
        )
        for module in get_lowered_backend_modules(edge.exported_program().graph_module):
            module._processed_bytes = _reproducible(module.processed_bytes)
        path.write_bytes(edge.to_executorch().buffer)


def read_facts(path: Path) -> FileFacts:
    """Count delegates, the operators outside them, and the operations of the MIL programs inside."""
    from coevoer_edge.runtime.coreml_delegate import read_delegate
    from coevoer_edge.runtime.pte import read_method

    method = read_method(path)
    programs = [read_delegate(delegate)[0] for delegate in method.delegates]
    return count(
        [operation for program in programs for operation in program.operations],
        delegates=len(method.delegates),
        outside=method.outside,
    )


def _reproducible(payload: bytes) -> bytes:
    """Remove what differs from one export to the next, and name the model after its content.

    ExecuTorch keeps the compiled model on the device under this name: with one name for two models, an app would
    continue to run the first.
    """
    from coremltools.proto.Model_pb2 import Model
    from executorch.backends.apple.coreml import executorchcoreml

    from coevoer_edge.runtime.coreml_delegate import METADATA, PACKAGE, unfold

    with tempfile.TemporaryDirectory() as folder:
        inside = unfold(payload, Path(folder))
        package, metadata = inside / PACKAGE, inside / METADATA
        for file in inside.glob("*.json"):
            if file != metadata:
                file.unlink()  # debug_info.json, as large as half the program
        specification = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
        spec = Model()
        spec.ParseFromString(specification.read_bytes())
        spec.description.metadata.ClearField("userDefined")  # tool versions are in the manifest
        specification.write_bytes(spec.SerializeToString(deterministic=True))
        make_reproducible(package)

        digest = hashlib.sha256()
        for file in sorted(path for path in package.rglob("*") if path.is_file()):
            digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
        table = json.loads(metadata.read_text(encoding="utf-8"))
        table["identifier"] = f"executorch_{uuid.uuid5(NAMESPACE, digest.hexdigest())}"
        metadata.write_text(json.dumps(table), encoding="utf-8")
        flat: bytes = executorchcoreml.flatten_directory_contents(str(inside.resolve()))
    return flat
