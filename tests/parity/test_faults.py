"""Deliberately damaged artifacts: the check that passes the good file has to refuse each of them.

The damage is done to real files, the tiny network's ONNX and Core ML artifacts, or to what runs them. What the outputs
show is refused by the limit on error ratios. What is smaller than the noise of int8 in the outputs of this network, or
lies in a branch that hardly reaches them, is refused by what the layers add.
"""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny
from conftest import Lower
from onnx import ModelProto, NodeProto, helper, numpy_helper
from torch.export import ExportedProgram

from coevoer_edge import contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.evaluation.golden import golden_parity
from coevoer_edge.parity.layers import lowering_layers
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.onnx import OnnxRuntime
from coevoer_edge.runtime.open import open_artifact
from coevoer_edge.runtime.protocol import CropPixels, Outputs

IMAGES = 32
RECIPE = QuantizationRecipe.open("w8a8")
LAYER = 0.005  # what a layer of the ONNX file may add; measured 0.0007
OUTPUT = 1e-4  # the same for what makes outputs of the last Linears' numbers, in float32; measured 5e-8
Run = Callable[[CropPixels], Outputs]
Damage = Callable[[ModelProto], None]


class NoBody(BodyModel):
    """Error ratios are of outputs: meshes would only take time."""

    def __init__(self) -> None:
        pass

    def pose(self, parameters: Any) -> Any:
        class Point:
            vertices = joints = np.zeros((1, 3))

        return Point

    part_vertices: Any = {}  # noqa: RUF012


class Gate:
    """The check, as one function over what runs an artifact: what it has against it, in words."""

    def __init__(self, program: Any, network: Any, pictures: list[Pixels]) -> None:
        self.pictures = pictures[:IMAGES]
        self.exact, self.quantized = (_rows(tiny.outputs(m, self.pictures)) for m in (network, program.module()))

    def __call__(self, run: Run, recipe: QuantizationRecipe = RECIPE) -> list[str]:
        outputs = [run(picture) for picture in self.pictures]
        found = golden_parity(self.exact, self.quantized, outputs, NoBody(), "seeded fault", "runtime")
        return found.faults(recipe)


def _rows(outputs: dict[str, np.ndarray]) -> list[Outputs]:
    return [{name: values[i : i + 1] for name, values in outputs.items()} for i in range(IMAGES)]


@pytest.fixture(scope="module")
def gate(tiny_network: Any, quantized_program: ExportedProgram, pictures: list[Pixels]) -> Gate:
    return Gate(quantized_program, tiny_network, pictures)


@pytest.fixture(scope="module")
def model(lowered: Lower) -> ModelProto:
    return onnx.load(lowered("onnx", "w8a8"))


# Damage to an ONNX file.


def named(model: ModelProto, name: str) -> NodeProto:
    return next(node for node in model.graph.node if name in node.output)


def of_kind(model: ModelProto, kind: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def edit(model: ModelProto, node: NodeProto, position: int, change: Callable[[np.ndarray], np.ndarray]) -> str:
    """Give a node a constant of its own, changed; others that share the old one keep it."""
    old = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[position])
    array = numpy_helper.to_array(old)
    node.input[position] = f"{old.name}_damaged_for_{node.output[0]}"
    changed = np.array(change(array.copy()), array.dtype, order="C")
    model.graph.initializer.append(numpy_helper.from_array(changed, node.input[position]))
    return node.input[position]


def after(value: str, kind: str, *constants: np.ndarray, **attributes: Any) -> Damage:
    """Put an operator behind a value: all that read it, read the operator's result."""

    def damage(model: ModelProto) -> None:
        node = named(model, value)
        node.output[list(node.output).index(value)] = f"{value}_sound"
        names = [f"{value}_constant_{i}" for i in range(len(constants))]
        model.graph.initializer.extend(map(numpy_helper.from_array, constants, names))
        inserted = helper.make_node(kind, [f"{value}_sound", *names], [value], **attributes)
        model.graph.node.insert(list(model.graph.node).index(node) + 1, inserted)

    return damage


def before_all(kind: str, *constants: np.ndarray, **attributes: Any) -> Damage:
    """Put an operator between the image and the network."""

    def damage(model: ModelProto) -> None:
        for node in model.graph.node:
            node.input[:] = ["damaged_image" if name == "image" else name for name in node.input]
        names = [f"image_constant_{i}" for i in range(len(constants))]
        model.graph.initializer.extend(map(numpy_helper.from_array, constants, names))
        model.graph.node.insert(0, helper.make_node(kind, ["image", *names], ["damaged_image"], **attributes))

    return damage


def swapped_outputs(one: str, other: str) -> Damage:
    def damage(model: ModelProto) -> None:
        first, second = named(model, one), named(model, other)
        first.output[0], second.output[0] = other, one

    return damage


def swapped_weights(one: int, other: int) -> Damage:
    """Of two layers of one shape, by their place in the program; each keeps its scales."""

    def damage(model: ModelProto) -> None:
        first, second = (named(model, f"dequantize_per_channel_{i}") for i in (one, other))
        first.input[0], second.input[0] = second.input[0], first.input[0]

    return damage


def constant(value: str, position: int, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """Change a constant of the node that makes a value."""
    return lambda model: void(edit(model, named(model, value), position, change))


def void(_: object) -> None:
    return None


def zero_point(number: int, by: int = 1) -> Damage:
    """Off in one DequantizeLinear, right in the QuantizeLinear before it."""

    def damage(model: ModelProto) -> None:
        reads = [node for node in of_kind(model, "DequantizeLinear") if "per_tensor" in node.output[0]]
        edit(model, reads[number], 2, lambda array: array + by)

    return damage


def clipped(number: int, divisor: float) -> Damage:
    """A range that is too small, in the QuantizeLinear and all that read it."""

    def damage(model: ModelProto) -> None:
        node = of_kind(model, "QuantizeLinear")[number]
        scale = edit(model, node, 1, lambda array: array / divisor)
        for reader in of_kind(model, "DequantizeLinear"):
            if reader.input[0] == node.output[0]:
                reader.input[1] = scale

    return damage


def attribute(kind: str, name: str, value: object) -> Damage:
    def damage(model: ModelProto) -> None:
        for node in of_kind(model, kind):
            kept = [item for item in node.attribute if item.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return damage


def every_weight(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(model: ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.UINT8 and len(tensor.dims) > 1:  # int8 shifted by 128
                array = (change(numpy_helper.to_array(tensor).astype(int) - 128).clip(-127, 127) + 128).astype(np.uint8)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    return damage


def retrained(weights: np.ndarray) -> np.ndarray:
    return weights + np.random.default_rng(weights.size).integers(-3, 4, weights.shape)


def no_bias(name: str) -> Damage:
    def damage(model: ModelProto) -> None:
        (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(tensor), name))

    return damage


def relu(model: ModelProto) -> None:
    node = of_kind(model, "Gelu")[0]
    node.op_type = "Relu"
    del node.attribute[:]


def turned(joint: int, angle_deg: float) -> np.ndarray:
    matrices = np.tile(np.eye(3, dtype=np.float32), (1, contract.NUM_BODY_JOINTS, 1, 1))
    matrices[0, joint] = axis_angle_to_matrix((np.radians(angle_deg), 0.0, 0.0))
    return matrices


REVERSED = np.arange(contract.NUM_BETAS - 1, -1, -1)
TRANSPOSED = {"perm": [0, 1, 3, 2]}

SEEN_IN_OUTPUTS: dict[str, tuple[Damage, tuple[str, ...]]] = {  # damage, outputs that have to be refused
    "hands swapped": (swapped_outputs("left_hand_pose", "right_hand_pose"), ("left_hand_pose", "right_hand_pose")),
    "mean in BGR order": (constant("sub", 1, lambda array: array[:, ::-1]), ("part_boxes", "body_pose")),
    "no mean": (constant("sub", 1, lambda array: 0 * array), contract.OUTPUT_NAMES),
    "no std": (constant("div", 1, lambda array: 0 * array + 1), contract.OUTPUT_NAMES),
    "BGR for RGB": (before_all("Gather", np.array([2, 1, 0]), axis=1), ("part_boxes", "left_hand_pose")),
    "divided by 255 twice": (before_all("Mul", np.float32(1 / 255)), contract.OUTPUT_NAMES),
    "image one pixel off": (before_all("Gather", np.r_[1:192, 191], axis=3), ("right_hand_pose",)),
    "a layer's scale halved": (constant("dequantize_per_channel_12", 1, lambda array: array / 2), ("betas", "camera")),
    "zero point off by one": (zero_point(10), ("expression", "part_boxes")),
    "boxes with x and y changed": (after("part_boxes", "Gather", np.array([1, 0, 3, 2]), axis=2), ("part_boxes",)),
    "bias dropped": (no_bias("network.body_head.out.bias"), ("global_orient", "body_pose", "camera")),
    "query and key swapped": (swapped_weights(1, 2), ("camera", "betas", "part_boxes")),
    "ReLU for GELU": (relu, ("global_orient", "visibility")),
    "LayerNorm's epsilon 1e-3": (attribute("LayerNormalization", "epsilon", 1e-3), ("betas", "camera")),
    "softmax without scale": (attribute("Attention", "scale", 1.0), ("part_boxes", "camera", "visibility")),
    "rotations transposed": (after("view_60", "Transpose", **TRANSPOSED), ("body_pose", "global_orient")),
    "jaw transposed": (after("jaw_pose", "Transpose", **TRANSPOSED), ("jaw_pose",)),
    "one joint 5 degrees off": (after("body_pose", "MatMul", turned(17, 5.0)), ("body_pose",)),
    "camera in mm": (after("camera", "Mul", np.float32(1000)), ("camera",)),
    "camera 1 % off": (after("camera", "Mul", np.float32(1.01)), ("camera",)),
    "betas backwards": (after("betas", "Gather", REVERSED, axis=1), ("betas",)),
    "finger joints swapped": (after("left_hand_pose", "Gather", np.r_[0:12, 13, 12, 14], axis=1), ("left_hand_pose",)),
    "another checkpoint": (every_weight(retrained), ("expression", "visibility", "part_boxes")),
    "weights of 4 bits": (every_weight(lambda array: np.round(array / 16).astype(int) * 16), contract.OUTPUT_NAMES),
    "activations clipped": (clipped(20, 2.0), ("camera", "visibility", "part_boxes")),
    "a scalar wrong": (constant("mul_29", 1, lambda array: 0.9 * array), ("camera",)),
}
SEEN_IN_LAYERS: dict[str, tuple[Damage, str]] = {  # damage, layer that has to be named
    "std in BGR order": (constant("div", 1, lambda array: array[:, ::-1]), "encoder.patch_embed.project"),
    "the image's zero point off by one": (zero_point(0), "encoder.patch_embed.project"),
    "zero point off by one": (zero_point(40), "refine_net.mlp.0"),
    "a probability's zero point off by one": (zero_point(-1), "visibility_head.1"),
    "query and key of the enhancer swapped": (swapped_weights(27, 28), "enhancer.part_from_torso.0.attention.query"),
    "activations of the enhancer clipped": (clipped(60, 2.0), "enhancer.part_from_torso.1.attention.query"),
    "one joint half a degree off": (after("body_pose", "MatMul", turned(17, 0.5)), "outputs.body_pose"),
}


def damaged(model: ModelProto, damage: Damage, folder: Path) -> Path:
    changed = copy.deepcopy(model)
    damage(changed)
    used = {name for node in changed.graph.node for name in node.input}
    for tensor in [tensor for tensor in changed.graph.initializer if tensor.name not in used]:
        changed.graph.initializer.remove(tensor)
    assert changed.SerializeToString(deterministic=True) != model.SerializeToString(deterministic=True)
    path = folder / "damaged.onnx"
    path.write_bytes(changed.SerializeToString())
    return path


def test_the_good_file_passes(gate: Gate, lowered: Lower) -> None:
    assert gate(OnnxRuntime(lowered("onnx", "w8a8"), 1)) == []


def test_a_tighter_limit_refuses_the_good_file(gate: Gate, lowered: Lower) -> None:
    refused = gate(OnnxRuntime(lowered("onnx", "w8a8"), 1), replace(RECIPE, max_error_ratio=0.5))
    assert [fault.split()[0] for fault in refused] == [*contract.OUTPUT_NAMES, "all"]


@pytest.mark.parametrize("fault", SEEN_IN_OUTPUTS)
def test_outputs_refuse(fault: str, gate: Gate, model: ModelProto, tmp_path: Path) -> None:
    damage, outputs = SEEN_IN_OUTPUTS[fault]
    refused = {line.split()[0] for line in gate(OnnxRuntime(damaged(model, damage, tmp_path), 1))}
    assert refused >= set(outputs)


def test_layers_pass_the_good_file(quantized_program: ExportedProgram, pictures: list[Pixels], lowered: Lower) -> None:
    losses = lowering_layers(quantized_program, "onnx", lowered("onnx", "w8a8"), pictures[:1])
    assert [loss for loss in losses if not loss.added <= allowed(loss.path)] == []


@pytest.mark.parametrize("fault", SEEN_IN_LAYERS)
def test_layers_refuse_and_name_the_place(
    fault: str, quantized_program: ExportedProgram, pictures: list[Pixels], model: ModelProto, tmp_path: Path
) -> None:
    damage, path = SEEN_IN_LAYERS[fault]
    artifact = damaged(model, damage, tmp_path)
    losses = lowering_layers(quantized_program, "onnx", artifact, pictures[:1])
    assert path in [loss.path for loss in losses if not loss.added <= allowed(loss.path)]


def allowed(path: str) -> float:
    return OUTPUT if path.startswith("outputs.") else LAYER


# Damage to what runs a file.


def previous(run: Run) -> Run:
    """A buffer that is read too early."""
    kept: list[Outputs] = []

    def stale(crop: CropPixels) -> Outputs:
        kept.append(run(crop))
        return kept[-2] if len(kept) > 1 else kept[-1]

    return stale


def not_a_number_once(run: Run) -> Run:
    calls: list[None] = []

    def broken(crop: CropPixels) -> Outputs:
        calls.append(None)
        outputs = run(crop)
        return outputs | {"betas": outputs["betas"] * np.nan} if len(calls) == IMAGES else outputs

    return broken


def mirrored(run: Run) -> Run:
    return lambda crop: run(np.ascontiguousarray(crop[:, ::-1]))


@pytest.mark.parametrize(
    ("wrap", "output"), [(previous, "camera"), (not_a_number_once, "betas"), (mirrored, "part_boxes")]
)
def test_outputs_refuse_a_broken_runtime(wrap: Callable[[Run], Run], output: str, gate: Gate, lowered: Lower) -> None:
    refused = gate(wrap(OnnxRuntime(lowered("onnx", "w8a8"), 1)))
    assert output in {line.split()[0] for line in refused}


# Damage to a Core ML package.


def spelled_bgr(spec: Any, weights: bytearray) -> None:
    image = spec.description.input[0].type.imageType
    image.colorSpace = type(image).ColorSpace.Value("BGR")


def renamed_hands(spec: Any, weights: bytearray) -> None:
    names = {"left_hand_pose": "right_hand_pose", "right_hand_pose": "left_hand_pose"}
    for operation in operations(spec):
        for output in operation.outputs:
            output.name = names.get(output.name, output.name)


def wrong_scalar(spec: Any, weights: bytearray) -> None:
    """Of the camera's depth."""
    (product,) = (operation for operation in operations(spec) if operation.outputs[0].name == "mul_29")
    immediate(spec, product.inputs["y"].arguments[0].name).floats.values[0] *= 0.9


def halved_scale(spec: Any, weights: bytearray) -> None:
    """Of the weights of encoder.blocks.1.mlp.2."""
    name = "dequantize_per_channel_12_cast_fp16"
    (scaled,) = (operation for operation in operations(spec) if operation.outputs[0].name == name)
    given = scaled.attributes["scale"] if "scale" in scaled.attributes else scaled.inputs["scale"].arguments[0].value
    record = given.blobFileValue.offset
    size, start = np.frombuffer(weights, "<u8", 2, record + 8)
    values = np.frombuffer(weights, "<f2", int(size) // 2, int(start)) / 2
    weights[int(start) : int(start) + int(size)] = values.astype("<f2").tobytes()


def operations(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def immediate(spec: Any, name: str) -> Any:
    (const,) = (operation for operation in operations(spec) if operation.outputs[0].name == name)
    return const.attributes["val"].immediateValue.tensor


@pytest.mark.parametrize(
    ("damage", "output"),
    [
        (None, None),
        (spelled_bgr, "part_boxes"),
        (renamed_hands, "left_hand_pose"),
        (wrong_scalar, "camera"),
        (halved_scale, "camera"),
    ],
)
def test_outputs_refuse_a_damaged_package(
    damage: Callable[[Any, bytearray], None] | None, output: str | None, gate: Gate, lowered: Lower, tmp_path: Path
) -> None:
    from coremltools.proto.Model_pb2 import Model

    package = Path(shutil.copytree(lowered("coreml", "w8a8"), tmp_path / "damaged.mlpackage"))
    folder = package / "Data" / "com.apple.CoreML"
    if damage is not None:
        spec = Model.FromString((folder / "model.mlmodel").read_bytes())
        weights = bytearray((folder / "weights" / "weight.bin").read_bytes())
        damage(spec, weights)
        (folder / "model.mlmodel").write_bytes(spec.SerializeToString())
        (folder / "weights" / "weight.bin").write_bytes(weights)
    refused = {line.split()[0] for line in gate(open_artifact("coreml", package, reference=True))}
    assert output in refused if output else not refused
