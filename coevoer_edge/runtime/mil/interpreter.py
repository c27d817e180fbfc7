"""Runs a Core ML package without Core ML. In: images and arrays by name. Out: arrays by name.

A `reference`, never Apple's runtime.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.body.arrays import AnyArray
from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.runtime.mil.binding import (
    Step,
    Stored,
    bind,
    refuse_unknown,
    round_to_half,
    to_stored,
    with_dead_values,
)
from coevoer_edge.runtime.mil.program import Image, Operation, Program, Value, read_program

Arithmetic = Literal["fp32", "fp16-storage"]


class MilProgram:
    """The program of a `.mlpackage`, read back from disk, its weights decoded and its constant part computed once.

    `fp32` computes everything in float32. `fp16-storage` also computes in float32 and then rounds each value that the
    program declares as float16, which is what a device that accumulates in float32 and stores float16 does.
    """

    kind = "reference"

    def __init__(self, program: Program, precision: Arithmetic = "fp32") -> None:
        if precision not in get_args(Arithmetic):
            raise InputError(f"There is no precision '{precision}'; choose one of {', '.join(get_args(Arithmetic))}.")
        self.program = program
        self.precision = precision
        self._half_storage = precision == "fp16-storage"
        self._producers = {output.name: op for op in program.operations for output in op.outputs}
        refuse_unknown(program)
        with torch.inference_mode():
            self._constants, steps = self._fold()
        self._steps = with_dead_values(steps, program.outputs)

    @classmethod
    def open(cls, path: str | Path, precision: Arithmetic = "fp32") -> "MilProgram":
        """Read the package at `path` and prepare its default function.

        Raises:
            InputError: `precision` is not one of `Arithmetic`.
            BundleError: the file is incomplete or damaged, or its parts contradict each other.
            PlatformError: the file is valid, but contains something that the interpreter does not support.
        """
        return cls(read_program(Path(path)), precision)

    def __call__(self, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Run once. Floats come out as float32 in either precision, integers as int32.

        An image input takes uint8 pixels, H W 3 in RGB order (H W if it is grey); a tensor input its declared shape.

        Raises:
            InputError: other inputs than the program's, or arrays that do not fit them.
            BundleError: an operation produces another shape than the file declares.
        """
        values = self._run(inputs, self.program.outputs)
        return {name: _to_array(values[name]) for name in self.program.outputs}

    def intermediates(self, inputs: Mapping[str, AnyArray], names: Iterable[str] | None = None) -> dict[str, AnyArray]:
        """Run once and return the named values, or all that depend on the inputs, in the order of computation."""
        computed = [output.name for step in self._steps for output in step.operation.outputs]
        wanted = computed if names is None else list(names)
        unknown = [name for name in wanted if name not in self.program.types]
        if unknown:
            raise InputError(
                f"The program has no value '{unknown[0]}'; it computes {len(computed)}, the last is '{computed[-1]}'."
            )
        values = self._run(inputs, wanted)
        return {name: _to_array(values[name]) for name in wanted}

    def __iter__(self) -> Iterator[Operation]:
        """Iterate over the operations of the file, in order; `const` is not one of them."""
        return iter(self.program.operations)

    def op_counts(self) -> Counter[str]:
        """Count the operations by kind, `const` left out."""
        return Counter(op.kind for op in self.program.operations)

    def producer(self, name: str) -> Operation | None:
        """Return the operation that makes a value; None for inputs of the program and plain constants."""
        return self._producers.get(name)

    def value(self, name: str) -> Value:
        """Return a value's declared type, constants and literals included."""
        return self.program.types[name]

    def is_constant(self, name: str) -> bool:
        """Tell whether a value depends on no input: a constant, or made of constants alone."""
        return name in self.program.constants or name in self._constants

    def _fold(self) -> tuple[dict[str, Stored], list[Step]]:
        """Compute all that depends on constants alone, and keep only the constants that a run still looks up."""
        constants = {name: to_stored(constant) for name, constant in self.program.constants.items()}
        steps: list[Step] = []
        for operation in self.program.operations:
            step = bind(operation, constants, half_storage=self._half_storage)
            if step.open:
                steps.append(step)
                continue
            for output, value in zip(operation.outputs, step.run({}), strict=True):
                constants[output.name] = value
        named = {name for step in steps for _, _, names in step.open for name in names}
        folded = {output.name for op in self.program.operations for output in op.outputs}
        kept = named | folded | set(self.program.outputs)
        return {name: value for name, value in constants.items() if name in kept}, steps

    def _run(self, inputs: Mapping[str, AnyArray], wanted: Iterable[str]) -> dict[str, Stored]:
        wanted = set(wanted)
        names = [value.name for value in self.program.inputs]
        if set(inputs) != set(names):
            raise InputError(f"The program takes {', '.join(names)}; got {', '.join(inputs) or 'nothing'}.")
        values: dict[str, Stored] = dict(self._constants)
        for name in wanted & self.program.constants.keys():
            values.setdefault(name, to_stored(self.program.constants[name]))
        with torch.inference_mode():
            for value in self.program.inputs:
                tensor = _to_tensor(inputs[value.name], value, self.program.images.get(value.name))
                values[value.name] = (
                    round_to_half(tensor) if self._half_storage and value.dtype == "float16" else tensor
                )
            for step in self._steps:
                for output, result in zip(step.operation.outputs, step.run(values), strict=True):
                    values[output.name] = result
                for name in step.dead:
                    if name not in wanted:
                        values.pop(name, None)
        return values


def _to_tensor(array: AnyArray, value: Value, image: Image | None) -> Tensor:
    if image is not None:
        return _to_pixels(array, value, image)
    array = np.asarray(array)
    is_float = value.dtype.startswith("float")
    if array.dtype.kind not in ("fiu" if is_float else "iub"):
        raise InputError(f"Input '{value.name}' is {value.dtype}; an array of {array.dtype} does not fit it.")
    if array.ndim != len(value.shape) or any(d not in (-1, s) for s, d in zip(array.shape, value.shape, strict=True)):
        raise InputError(f"Input '{value.name}' has shape {value.shape}; got {array.shape}.")
    dtype = np.float32 if is_float else np.bool_ if value.dtype == "bool" else np.int32
    return torch.from_numpy(np.array(array, dtype=dtype, order="C"))


def _to_pixels(array: AnyArray, value: Value, image: Image) -> Tensor:
    """Lay pixels out as Core ML does before the first operation: 1 C H W, 0 to 255, in the declared colour order."""
    array = np.asarray(array)
    grey = image.colour == "GRAYSCALE"
    if image.colour not in ("RGB", "BGR", "GRAYSCALE"):
        raise PlatformError(f"Input '{value.name}' is a {image.colour} image; RGB, BGR and GRAYSCALE are known.")
    H, W = value.shape[-2:]
    fits = array.ndim == (2 if grey else 3) and all(d in (-1, s) for s, d in zip(array.shape, (H, W), strict=False))
    if array.dtype != np.uint8 or not fits or (not grey and array.shape[2] != 3):
        expected = f"({H}, {W})" if grey else f"({H}, {W}, 3)"
        raise InputError(f"Input '{value.name}' is an image: uint8 of {expected}; got {array.dtype} of {array.shape}.")
    planes = array[None] if grey else array.transpose(2, 0, 1)  # C H W
    if image.colour == "BGR":
        planes = planes[::-1]
    return torch.from_numpy(planes[None].astype(np.float32))


def _to_array(value: Stored) -> AnyArray:
    return np.array(value.numpy() if isinstance(value, Tensor) else value)  # a copy: it may be one of our constants
