"""The MIL program of a Core ML package, as stored on disk. In: a `.mlpackage`. Out: a `Program`, weights decoded.

Read from the protobuf itself, not through coremltools' loader: that one builds the program anew, with inferred types
and filled-in defaults, so it would show how coremltools reads the file, not its content. A `reference` reader.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coevoer_edge.errors import BundleError, PlatformError
from coevoer_edge.runtime.mil.weights import WeightFiles, decode_bytes

Constant = np.ndarray[Any, Any] | str | tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """A named value with its declared type: `float16`, `int8`, `string` ...; -1 stands for a flexible dimension."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One operation. `inputs` names the values each parameter takes; a literal is named `<operation>.<parameter>`."""

    kind: str
    name: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[Value, ...]


@dataclass(frozen=True)
class Image:
    """An input that Core ML feeds with 8-bit pixels. Scale and bias are operations of the program."""

    colour: str  # RGB, BGR or GRAYSCALE


@dataclass(frozen=True)
class Program:
    """One function of the package. Outputs are in the order of the function's block."""

    path: Path
    inputs: tuple[Value, ...]
    images: Mapping[str, Image]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    constants: Mapping[str, Constant]
    types: Mapping[str, Value]


def read_program(path: Path) -> Program:
    """Read the default function of a package.

    Raises:
        BundleError: the package is incomplete, damaged or contradicts itself.
        PlatformError: it is sound, and holds what this reader does not read: another kind of model, image outputs,
            control flow, constants that are no tensors.
    """
    from coremltools.proto import MIL_pb2, Model_pb2

    file = _model_file(path)
    spec = Model_pb2.Model()
    try:
        spec.ParseFromString(file.read_bytes())
    except Exception as error:  # DecodeError is in different places in different versions of protobuf
        raise BundleError(f"{file} is not a Core ML specification: {error}.") from error
    if spec.WhichOneof("Type") != "mlProgram":
        raise PlatformError(
            f"{path} holds a {spec.WhichOneof('Type')}, not an ML program; convert it with convert_to='mlprogram'."
        )

    description, name = _default_description(spec.description, path)
    functions = spec.mlProgram.functions
    if name not in functions:
        raise BundleError(f"{path} has no function '{name}', only {', '.join(functions) or 'none'}.")
    function = functions[name]
    if function.opset not in function.block_specializations:
        raise BundleError(f"{path}: function '{name}' has no block for its opset {function.opset}.")
    _refuse_image_outputs(description, path)

    type_names = {number: label.lower() for label, number in MIL_pb2.DataType.items()}
    reader = _BlockReader(path, WeightFiles(path, file.parent), type_names)
    inputs = tuple(reader.declare(named) for named in function.inputs)
    block = function.block_specializations[function.opset]
    for operation in block.operations:
        reader.read(operation)
    return Program(
        path=path,
        inputs=inputs,
        images=_images(description),
        outputs=tuple(block.outputs),
        operations=tuple(reader.operations),
        constants=reader.constants,
        types=reader.types,
    )


def _model_file(path: Path) -> Path:
    manifest = path / "Manifest.json"
    if not manifest.is_file():
        raise BundleError(f"{path} is not a Core ML package: it has no Manifest.json.")
    try:
        content = json.loads(manifest.read_text())
        file: Path = path / "Data" / content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{manifest} names no root model ({error!r}); write the package again.") from error
    if not file.is_file():
        raise BundleError(f"{path} is incomplete: its manifest names {file.relative_to(path)}, which is not there.")
    return file


def _default_description(description: Any, path: Path) -> tuple[Any, str]:
    """Description and name of the function that Core ML loads by default; packages of one function call it `main`."""
    if not description.functions:
        return description, "main"
    name = description.defaultFunctionName or "main"
    for function in description.functions:
        if function.name == name:
            return function, name
    raise BundleError(f"{path} describes no function '{name}', which it names as its default.")


def _images(description: Any) -> dict[str, Image]:
    return {
        feature.name: Image(feature.type.imageType.ColorSpace.Name(feature.type.imageType.colorSpace))
        for feature in description.input
        if feature.type.WhichOneof("Type") == "imageType"
    }


def _refuse_image_outputs(description: Any, path: Path) -> None:
    for feature in description.output:
        if feature.type.WhichOneof("Type") == "imageType":
            raise PlatformError(f"{path}: output '{feature.name}' is an image; only tensor outputs are read.")


class _BlockReader:
    """Collects operations, constants and types of one block, in order."""

    def __init__(self, path: Path, weights: WeightFiles, type_names: Mapping[int, str]) -> None:
        self._path = path
        self._weights = weights
        self._type_names = type_names
        self.operations: list[Operation] = []
        self.constants: dict[str, Constant] = {}
        self.types: dict[str, Value] = {}

    def declare(self, named: Any) -> Value:
        value = self._typed(named.name, named.type)
        self.types[value.name] = value
        return value

    def read(self, proto: Any) -> None:
        if proto.blocks:
            raise PlatformError(
                f"{self._path}: operation {proto.type} '{proto.outputs[0].name}' holds blocks; the reference "
                "interpreter reads no control flow."
            )
        outputs = tuple(self.declare(named) for named in proto.outputs)
        name = outputs[0].name if outputs else proto.type
        if proto.type == "const":
            self.constants[name] = self._constant(proto.attributes["val"], outputs[0])
            return
        inputs = {parameter: self._arguments(name, parameter, a.arguments) for parameter, a in proto.inputs.items()}
        for parameter, literal in proto.attributes.items():  # iOS16's constexpr operations keep their data here
            if parameter != "name":
                inputs[parameter] = (self._literal(f"{name}.{parameter}", literal),)
        self.operations.append(Operation(proto.type, name, inputs, outputs))

    def _arguments(self, operation: str, parameter: str, bindings: Iterable[Any]) -> tuple[str, ...]:
        names: list[str] = []
        for binding in bindings:
            if binding.WhichOneof("binding") == "name":
                if binding.name not in self.types:
                    raise BundleError(
                        f"{self._path}: operation '{operation}' takes '{binding.name}', which nothing before it makes."
                    )
                names.append(binding.name)
                continue
            suffix = f".{len(names)}" if names else ""
            names.append(self._literal(f"{operation}.{parameter}{suffix}", binding.value))
        return tuple(names)

    def _literal(self, name: str, proto: Any) -> str:
        self.types[name] = self._typed(name, proto.type)
        self.constants[name] = self._constant(proto, self.types[name])
        return name

    def _typed(self, name: str, proto: Any) -> Value:
        kind = proto.WhichOneof("type")
        if kind != "tensorType":
            return Value(name, kind, ())
        tensor = proto.tensorType
        shape = tuple(d.constant.size if d.WhichOneof("dimension") == "constant" else -1 for d in tensor.dimensions)
        return Value(name, self._type_names[tensor.dataType], shape)

    def _constant(self, proto: Any, value: Value) -> Constant:
        where = proto.WhichOneof("value")
        if where == "blobFileValue":
            return self._weights.read(
                proto.blobFileValue.fileName, proto.blobFileValue.offset, value.dtype, value.shape
            )
        if where != "immediateValue" or proto.immediateValue.WhichOneof("value") != "tensor":
            raise PlatformError(
                f"{self._path}: constant '{value.name}' is a {value.dtype}; the reference interpreter reads tensors "
                "only."
            )
        tensor = proto.immediateValue.tensor
        field = tensor.WhichOneof("value")
        content = getattr(tensor, field).values
        if field == "strings":
            return str(content[0]) if value.shape == () else tuple(content)
        if field == "bytes":
            return decode_bytes(content, value.dtype, value.shape, f"{self._path}: constant '{value.name}'")
        array = np.array(content, dtype=value.dtype)
        if array.size != int(np.prod(value.shape)):
            raise BundleError(
                f"{self._path}: constant '{value.name}' has {array.size} elements, not those of shape {value.shape}."
            )
        return array.reshape(value.shape)
