"""Lower to ExecuTorch with the XNNPACK backend.

In: a quantized program. Out: one `.pte` file, and the facts read back from it.
"""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram

from coevoer_edge.lowering.facts import FileFacts
from coevoer_edge.lowering.passes import decompose_for_xnnpack
from coevoer_edge.lowering.provenance import shared_provenance
from coevoer_edge.lowering.recipe import ExportRecipe, refuse_impossible
from coevoer_edge.quantization.recipe import Precision
from coevoer_edge.runtime.pte import read_method
from coevoer_edge.terminal.quiet import quietly

_GEMMS = ("XNNFullyConnected", "XNNConv2d", "XNNDepthwiseConv2d")


def lower(
    program: ExportedProgram, recipe: ExportRecipe, precision: Precision, path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the program as a `.pte`, the whole network inside one XNNPACK delegate.

    Raises:
        InputError: fp16, which XNNPACK takes only from a network whose inputs and outputs are fp16 too.
    """
    refuse_impossible(recipe, precision)
    with quietly(), shared_provenance():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

        edge = to_edge_transform_and_lower(
            decompose_for_xnnpack(program),
            partitioner=[XnnpackPartitioner()],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
            constant_methods=dict(metadata),
        )
        path.write_bytes(edge.to_executorch().buffer)


def read_facts(path: Path) -> FileFacts:
    """Count delegates, the operators outside them, and the nodes of XNNPACK's graph inside."""
    method = read_method(path)
    ops, float_gemms, attentions, gemms = Counter[str](), [], 0, 0
    for delegate in method.delegates:
        graph = _xnnpack_graph(delegate.payload)
        values = {_tensor(v["xvalue_union"])["id_out"]: _tensor(v["xvalue_union"]) for v in graph["xvalues"]}
        for node in graph["xnodes"]:
            kind, fields = node["xnode_union_type"], node["xnode_union"]
            ops[kind.removeprefix("_")] += 1
            attentions += kind == "XNNSoftmax"
            if kind in _GEMMS:
                gemms += 1
                dtype = values[fields["filter_id"]].get("datatype", "xnn_datatype_invalid")
                if not dtype.startswith("xnn_datatype_qcint8"):
                    float_gemms.append(f"{kind} of {dtype}")
    return FileFacts(ops, attentions, gemms, tuple(float_gemms), len(method.delegates), method.outside)


def _tensor(value: dict[str, Any]) -> dict[str, Any]:
    """A tensor's fields, which a quantized value wraps."""
    return value.get("tensor_value", value)  # type: ignore[no-any-return]


def _xnnpack_graph(payload: bytes) -> dict[str, Any]:
    """Decode XNNPACK's own flatbuffer with the schema and compiler that come with executorch."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader, _get_schema_bytes
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
        schema.write_bytes(_get_schema_bytes())
        binary.write_bytes(payload[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size])
        _flatc_decompile(folder, str(schema), str(binary), ["--raw-binary", "--defaults-json"])
        text = Path(folder, "graph.json").read_text()
    return json.loads(re.sub(r": (-?)inf\b", r": \1Infinity", text))  # type: ignore[no-any-return]
