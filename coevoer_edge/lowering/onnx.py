"""Lower to ONNX.

In: a quantized program. Out: one `.onnx` file, and the facts read back from it.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from torch.export import ExportedProgram

from coevoer_edge import contract
from coevoer_edge.lowering.facts import FileFacts
from coevoer_edge.lowering.recipe import ExportRecipe
from coevoer_edge.quantization.marks import MARK
from coevoer_edge.quantization.recipe import Precision
from coevoer_edge.terminal.quiet import quietly

_GEMMS = ("MatMul", "Gemm", "Conv")


def lower(
    program: ExportedProgram, recipe: ExportRecipe, precision: Precision, path: Path, metadata: Mapping[str, str]
) -> None:
    """Write the program as ONNX with QuantizeLinear / DequantizeLinear, every attention one `Attention` node."""
    with quietly():
        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=recipe.opset,
            input_names=[contract.INPUT.name],
            output_names=list(contract.OUTPUT_NAMES),
            external_data=False,
            verbose=False,
        )
        model = exported.model_proto  # type: ignore[union-attr]
    kept = {node.name for node in model.graph.node if any(entry.value == MARK for entry in node.metadata_props)}
    model = _without_provenance(model)
    as_uint8(model)
    if precision == "fp16":
        model = _to_half(model, kept)
    model.producer_name, model.producer_version = "coevoer-edge", ""
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def read_facts(path: Path) -> FileFacts:
    """Count the operators in the file."""
    graph = onnx.load(path).graph
    int8 = {tensor.name for tensor in graph.initializer if tensor.data_type in (TensorProto.INT8, TensorProto.UINT8)}
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}

    def weight(node: NodeProto) -> str | None:
        """Trace the second operand to its initializer; None for a product of two activations."""
        name: str = node.input[1]
        while name not in constants and name in producers:
            producer = producers[name]
            if producer.op_type not in ("DequantizeLinear", "Transpose", "Cast"):
                return None
            name = producer.input[0]
        return name

    weights = {node.name: weight(node) for node in graph.node if node.op_type in _GEMMS}
    gemms = {name: source for name, source in weights.items() if source is not None}
    ops = Counter(node.op_type for node in graph.node)
    return FileFacts(
        ops,
        attentions=ops["Attention"],
        gemms=len(gemms),
        float_gemms=tuple(name for name, source in gemms.items() if source not in int8),
    )


def as_uint8(model: ModelProto) -> None:
    """Shift int8 activations and weights by 128 to uint8, in place; the values that they represent do not change.

    Both shifts are for ONNX Runtime 1.31. It cannot load int8 activations, because its QDQ propagation adds
    QuantizeLinear nodes with an `output_dtype` that its own type inference then contradicts (microsoft/onnxruntime
    issue 25526). And uint8 activations with int8 weights saturate on x86 without VNNI, where its kernel adds two
    products in 16 bits: up to 2 * 255 * 127, where the largest value is 32767 (vpmaddubsw; see its documentation of
    quantization). uint8 with uint8 is exact everywhere.
    """
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}

    def shifted(name: str) -> str:
        """The name of the shifted tensor, which is made if it does not exist yet."""
        tensor = initializers[name]
        if tensor.data_type != TensorProto.INT8:
            return name
        new_name = f"{name}_uint8"
        if new_name not in initializers:
            values = numpy_helper.to_array(tensor).astype(np.int16) + 128
            initializers[new_name] = numpy_helper.from_array(values.astype(np.uint8), new_name)
            model.graph.initializer.append(initializers[new_name])
        return new_name

    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        if not initializers[node.input[1]].dims:
            del node.attribute[:]  # axis and output_dtype have no effect with a single scale and a given zero point
        if node.input[0] in initializers:
            node.input[0] = shifted(node.input[0])
        node.input[2] = shifted(node.input[2])
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _to_half(model: ModelProto, kept: set[str]) -> ModelProto:
    """Convert to float16 all but the nodes of `kept`, attentions and the tail: each head's last GEMM and the operations
    that turn its result into outputs.

    Those few scalars stay float32, as in Core ML: at 22 m, where the camera puts a body, float16 has steps of 16 mm.
    Attentions have no weights to store, and ONNX Runtime also rounds inside them: the error is 0.10 mm in half
    precision and 0.07 mm in float.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    producers = {name: node for node in model.graph.node for name in node.output}
    attentions = {node.name for node in model.graph.node if node.op_type == "Attention"}
    tail: set[str] = set()
    pending = [output.name for output in model.graph.output]
    while pending:
        node = producers.get(pending.pop())
        if node is not None and node.name not in tail:
            tail.add(node.name)
            pending += () if node.op_type in _GEMMS else node.input
    with quietly():
        half: ModelProto = convert_float_to_float16(
            model, keep_io_types=True, node_block_list=sorted(tail | attentions | kept)
        )
        # The converter adds a cast for each float32 consumer, all under the same name, at the end.
        nodes = list({node.output[0]: node for node in half.graph.node}.values())
        del half.graph.node[:]
        half.graph.node.extend(nodes)
        _drop_round_trips(half)
        OnnxModel(half).topological_sort()
    return half


def _drop_round_trips(model: ModelProto) -> None:
    """Remove, in place, the casts to float16 and back that the converter inserts between two float32 nodes, and between
    one and an output.
    """
    graph = model.graph
    outputs = {output.name for output in graph.output}
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    dropped, renamed = set(), {}
    for back, node in casts.items():
        there = casts.get(node.input[0])
        if there is None or (there.attribute[0].i, node.attribute[0].i) != (TensorProto.FLOAT16, TensorProto.FLOAT):
            continue
        old, new = (there.input[0], back) if back in outputs else (back, there.input[0])
        if old not in renamed:
            renamed[old] = new
            dropped.add(back)

    def name(value: str) -> str:
        while value in renamed:
            value = renamed[value]
        return value

    kept = [node for node in graph.node if node.output[0] not in dropped]
    for node in kept:
        node.input[:] = [name(value) for value in node.input]
        node.output[:] = [name(value) for value in node.output]
    read = outputs.union(*(node.input for node in kept))
    del graph.node[:]
    graph.node.extend(node for node in kept if not read.isdisjoint(node.output))


def _without_provenance(model: ModelProto) -> ModelProto:
    """Remove stack traces and class names from the exporting machine: 2 MB that differ on every machine."""
    graph = model.graph
    del graph.value_info[:]
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        item.ClearField("doc_string")
        del item.metadata_props[:]
    return model
