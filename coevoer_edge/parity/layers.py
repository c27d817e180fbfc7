"""Locate the error: float against quantized program and quantized program against artifact, layer by layer.

In: exported programs, an artifact, a few images (256, 192, 3) uint8 RGB. Out: `LayerLoss`es, the worst first.

A layer is a Conv2d, Linear, LayerNorm, GELU or attention, and each of the contract's outputs (`outputs.camera`). Where
a result is rounded to int8 immediately, the layer's output is the value that this int8 represents. Every format keeps
the names of the program's nodes, so layers are paired by name; a layer that a converter merged with another is left
out.

There are two figures. `relative_error` is the error of the layer's output in a whole run, including the errors of all
layers before it. `added` is the distance between the two sides where both have the same inputs: a damaged layer stands
out there, and the layers after it do not.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Interpreter, Node

from coevoer_edge import contract
from coevoer_edge.errors import InputError
from coevoer_edge.lowering.facts import DEQUANTIZE_ACTIVATION, is_from
from coevoer_edge.model.captured_program import ATTENTION, GEMMS
from coevoer_edge.model.threads import one_thread
from coevoer_edge.parity.result import LayerLoss
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import to_tensor
from coevoer_edge.quantization.quantizer import module_path

Values = dict[str, Tensor]  # by layer; float32, in the program's shape
Side = Callable[[Pixels], Values]  # runs one image and returns the layers that it exposes

_QUANTIZE_ACTIVATION = torch.ops.quantized_decomposed.quantize_per_tensor.default
_KINDS: Mapping[Any, str] = {
    **dict.fromkeys(GEMMS, "gemm"),
    ATTENTION: "attention",
    torch.ops.aten.layer_norm.default: "norm",
    torch.ops.aten.gelu.default: "gelu",
}
_MOVES = (torch.ops.aten.view.default, torch.ops.aten.reshape.default, torch.ops.aten.transpose.int)
_ONNX_KINDS: Mapping[str, frozenset[str]] = {  # a Linear is MatMul and Add, or Gemm
    "gemm": frozenset(("Add", "MatMul", "Gemm", "Conv")),
    "attention": frozenset(("Attention",)),
    "norm": frozenset(("LayerNormalization",)),
    "gelu": frozenset(("Gelu",)),
}
_MIL_KINDS: Mapping[str, frozenset[str]] = {
    "gemm": frozenset(("linear", "conv")),
    "attention": frozenset(("scaled_dot_product_attention",)),
    "norm": frozenset(("layer_norm",)),
    "gelu": frozenset(("gelu",)),
}


def quantization_layers(
    float_program: ExportedProgram, quantized_program: ExportedProgram, images: Iterable[Pixels]
) -> tuple[LayerLoss, ...]:
    """Measure the cost of quantization in each layer; `added` is the layer's own share, given the float network's
    inputs.

    Where a recipe moves scales from one layer's weights to another's (equalisation, smoothing), `float_program` has to
    be captured from the network with the moved scales (`Calibrated.network`), or equivalent layers would differ.
    """
    before, after = _Program(float_program), _Program(quantized_program)
    sums = _Sums()
    for image in _each(images):
        exact = before.run(image)
        sums.add(exact, after.run(image), exact, after.run(image, exact))
    return sums.losses()


def lowering_layers(
    program: ExportedProgram, target: str, artifact: Path, images: Iterable[Pixels]
) -> tuple[LayerLoss, ...]:
    """Measure the distance of an artifact's layers from those of the program that it was lowered from.

    `added` is the distance of an artifact's layer from the program's layer on the artifact's own inputs. An ONNX file
    is run by ONNX Runtime with the layers added to its outputs, a Core ML package by the reference interpreter on every
    system. ExecuTorch runs the network as one delegate that exposes no intermediate values, so only the outputs are
    compared.
    """
    before = _Program(program)
    after = _artifact(target, artifact, before)
    sums = _Sums()
    for image in _each(images):
        shown = after(image)
        sums.add(before.run(image), shown, before.run(image, shown), shown)
    return sums.losses()


@dataclass(frozen=True)
class _Layer:
    """The place of a layer in a program."""

    label: str  # module path; numbered where a module holds several of a kind
    kind: str  # gemm, attention, norm, gelu, output
    shape: tuple[int, ...]
    rounding: Node | None  # the quantize node that is its only reader, if there is one


class _Program:
    """An exported program that exposes its layers."""

    def __init__(self, program: ExportedProgram) -> None:
        self._module = program.module()
        nodes = list(self._module.graph.nodes)
        found = [node for node in nodes if node.target in _KINDS]
        paths = [module_path(node) for node in found]
        count = Counter(paths)
        seen: Counter[str] = Counter()
        self.layers: dict[str, _Layer] = {}  # by node name
        for node, path in zip(found, paths, strict=True):
            seen[path] += 1
            label = path if count[path] == 1 else f"{path} ({_KINDS[node.target]} {seen[path]})"
            self.layers[node.name] = _Layer(label, _KINDS[node.target], tuple(node.meta["val"].shape), _rounding(node))
        results = nodes[-1].args[0]
        for name, node in zip(contract.OUTPUT_NAMES, results, strict=True):
            self.layers[node.name] = _Layer(f"outputs.{name}", "output", tuple(node.meta["val"].shape), None)

    def run(self, image: Pixels, given: Mapping[str, Tensor] | None = None) -> Values:
        """Run one image; where a layer's output is given, later nodes read it instead of the layer's own."""
        run = _Run(self._module, self.layers, given or {})
        run.run(to_tensor(image))
        return run.values


class _Run(Interpreter):
    def __init__(self, module: torch.nn.Module, layers: Mapping[str, _Layer], given: Mapping[str, Tensor]) -> None:
        super().__init__(module)
        self._layers = layers
        self._given = given
        self.values: Values = {}

    def run_node(self, n: Node) -> Any:
        """Compute a node; keep its value if it is a layer, and pass on the given value if there is one."""
        result = super().run_node(n)
        layer = self._layers.get(n.name)
        if layer is None:
            return result
        self.values[layer.label] = _rounded(result, layer.rounding)
        return self._given.get(layer.label, result)


def _rounding(node: Node) -> Node | None:
    """Find the quantize node that is the only reader of a value, past data movements: ONNX Runtime rounds before
    those."""
    while len(node.users) == 1:
        (node,) = node.users
        if is_from(node, _QUANTIZE_ACTIVATION):
            return node
        if node.target not in _MOVES:
            break
    return None


def _rounded(value: Tensor, rounding: Node | None) -> Tensor:
    """Round a value to int8 and back, as its reading node does."""
    if rounding is None:
        return value
    arguments = rounding.args[1:]  # scale, zero point, limits, type
    rounded: Tensor = DEQUANTIZE_ACTIVATION(_QUANTIZE_ACTIVATION(value, *arguments), *arguments)
    return rounded


@dataclass
class _Sums:
    """Sums of squares over images, by layer."""

    size: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    difference: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    own_size: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    own_difference: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, before: Values, after: Values, own_before: Values, own_after: Values) -> None:
        """Add one image: a whole run of both sides, and both sides with the same inputs."""
        for label in before.keys() & after.keys():
            self.size[label] += _squares(before[label])
            self.difference[label] += _squares(after[label] - before[label])
            self.own_size[label] += _squares(own_before[label])
            self.own_difference[label] += _squares(own_after[label] - own_before[label])

    def losses(self) -> tuple[LayerLoss, ...]:
        """Sort the layers by the error that each adds; NaN comes first."""
        losses = [
            LayerLoss(
                path=label,
                relative_error=_relative(self.difference[label], size),
                sqnr_db=-20 * _log10(_relative(self.difference[label], size)),
                added=_relative(self.own_difference[label], self.own_size[label]),
            )
            for label, size in self.size.items()
        ]
        return tuple(sorted(losses, key=lambda loss: (-_worst_first(loss.added), -_worst_first(loss.relative_error))))


def _squares(value: Tensor) -> float:
    return float(value.double().square().sum())


def _relative(difference: float, size: float) -> float:
    """Root of the ratio of two sums of squares; infinite where only the second is 0."""
    if size:
        return math.sqrt(difference / size)
    return math.inf if difference else 0.0


def _log10(value: float) -> float:
    return math.log10(value) if value else -math.inf


def _worst_first(error: float) -> float:
    return math.inf if math.isnan(error) else error


def _each(images: Iterable[Pixels]) -> Iterator[Pixels]:
    """Iterate on one thread, without gradients.

    Raises:
        InputError: there are no images.
    """
    number = 0
    with torch.no_grad(), one_thread():
        for image in images:
            number += 1
            yield image
    if not number:
        raise InputError("Layers are compared over images; give at least one.")


def _artifact(target: str, artifact: Path, program: _Program) -> Side:
    if target == "onnx":
        return _onnx(artifact, program.layers)
    if target == "coreml":
        return _coreml(artifact, program.layers)
    from coevoer_edge.runtime.open import open_artifact

    runtime = open_artifact(target, artifact, reference=True)
    return lambda image: {f"outputs.{name}": torch.from_numpy(value) for name, value in runtime(image).items()}


def _onnx(artifact: Path, layers: Mapping[str, _Layer]) -> Side:
    """Run a copy of the file that has the layers as outputs too.

    Where a layer's result is quantized, the copy outputs the uint8 value: with the float value as an output, ONNX
    Runtime could not use the int8 kernel that it normally uses.
    """
    import onnx
    import onnxruntime

    from coevoer_edge.runtime.onnx import session_options
    from coevoer_edge.runtime.protocol import to_input

    model = onnx.load(artifact)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    taps: dict[str, tuple[_Layer, float, int]] = {}  # by tensor: layer, scale, zero point
    for name, layer in layers.items():
        if layer.kind == "output":
            taps[layer.label.removeprefix("outputs.")] = (layer, 1.0, 0)
        elif name in producers and producers[name].op_type in _ONNX_KINDS[layer.kind]:
            (reader, *others) = readers.get(name, [None])
            if reader is not None and not others and reader.op_type == "QuantizeLinear":
                scale, zero_point = (constants[i] for i in reader.input[1:3])
                taps[reader.output[0]] = (layer, scale.item(), zero_point.item())
            else:
                taps[name] = (layer, 1.0, 0)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in taps if name not in known)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )

    def run(image: Pixels) -> Values:
        results = session.run(list(taps), {contract.INPUT.name: to_input(image)})
        found = zip(taps.values(), map(torch.from_numpy, results), strict=True)
        return {
            layer.label: _rounded((value.float() - zero_point) * scale, layer.rounding)
            for (layer, scale, zero_point), value in found
            if tuple(value.shape) == layer.shape
        }

    return run


def _coreml(artifact: Path, layers: Mapping[str, _Layer]) -> Side:
    """Interpret the package and read its values by name."""
    from coevoer_edge.runtime.mil.interpreter import MilProgram

    program = MilProgram.open(artifact, "fp16-storage")
    readers: dict[str, list[Any]] = {}
    for operation in program:
        for names in operation.inputs.values():
            for name in names:
                readers.setdefault(name, []).append(operation)

    def only_reader(value: str, kind: str) -> str | None:
        found = readers.get(value, [])
        return found[0].outputs[0].name if len(found) == 1 and found[0].kind == kind else None

    taps: dict[str, _Layer] = {}  # by value
    for name, layer in layers.items():
        if layer.kind == "output":
            taps[layer.label.removeprefix("outputs.")] = layer
            continue
        for spelling in (name, f"{name}_cast_fp16", f"{name}_0", f"{name}_0_cast_fp16"):  # coremltools' own endings
            producer = program.producer(spelling)
            if producer is not None and producer.kind in _MIL_KINDS[layer.kind]:
                rounded = only_reader(spelling, "quantize")
                taps[(rounded and only_reader(rounded, "dequantize")) or spelling] = layer
                break

    def run(image: Pixels) -> Values:
        values = program.intermediates({contract.INPUT.name: image}, taps)
        found = {name: torch.from_numpy(value).float() for name, value in values.items()}
        return {
            layer.label: _rounded(found[name], layer.rounding)
            for name, layer in taps.items()
            if tuple(found[name].shape) == layer.shape
        }

    return run
