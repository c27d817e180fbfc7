"""From an operation of the file to a call. In: operations and constants. Out: `Step`s with their constants bound."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_type_hints

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.errors import BundleError, CoEvoerError, PlatformError
from coevoer_edge.runtime.mil.ops import KERNELS, VALUE_PRESERVING
from coevoer_edge.runtime.mil.program import Constant, Operation, Program

Stored = Tensor | str | tuple[str, ...]
_Form = Literal["tensor", "tensors", "python"]

_WIDENED: Mapping[str, str] = {"int16": "int32", "uint16": "int32", "uint32": "int32", "uint64": "int64"}


@dataclass(frozen=True)
class Parameter:
    """How a kernel takes one argument."""

    form: _Form
    required: bool


@dataclass(frozen=True)
class Step:
    """One call. `bound` arguments are constants, `open` ones are looked up by name; nothing later needs `dead` ones."""

    operation: Operation
    kernel: Callable[..., Any]
    bound: Mapping[str, Any]
    open: tuple[tuple[str, _Form, tuple[str, ...]], ...]
    rounded: tuple[bool, ...]
    dead: tuple[str, ...] = ()

    def run(self, values: Mapping[str, Stored]) -> tuple[Tensor, ...]:
        """Compute the outputs; float16 results are rounded where the step asks for it."""
        arguments = dict(self.bound)
        for parameter, form, names in self.open:
            arguments[parameter] = _argument(form, [values[name] for name in names])
        what = f"Operation {self.operation.kind} '{self.operation.name}'"
        try:
            result = self.kernel(**arguments)
        except CoEvoerError as error:
            raise type(error)(f"{what}: {error}") from error
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, IndexError) as error:  # torch's errors about incompatible shapes and axes
            why = str(error).splitlines()[0].rstrip(".")
            raise BundleError(f"{what} cannot be computed: {why}.") from error
        except Exception as error:
            error.add_note(f"{what} of the MIL program.")
            raise
        results = (result,) if isinstance(result, Tensor) else tuple(result)
        results = tuple(round_to_half(r) if half else r for r, half in zip(results, self.rounded, strict=True))
        for value, output in zip(results, self.operation.outputs, strict=True):
            if not _fits(value.shape, output.shape):
                made = tuple(value.shape)
                raise BundleError(
                    f"Operation {self.operation.kind} '{output.name}' declares shape {output.shape}, but makes {made}."
                )
        return results


def round_to_half(value: Tensor) -> Tensor:
    """Round to the nearest float16; what is too large becomes infinite."""
    return value.half().float()


def to_stored(constant: Constant) -> Stored:
    """Turn a decoded constant into what kernels take: floats as float32, 16-bit integers as int32."""
    if not isinstance(constant, np.ndarray):
        return constant
    if constant.dtype.kind == "f":
        return torch.from_numpy(constant.astype(np.float32))
    dtype = constant.dtype.name
    return torch.from_numpy(constant.astype(_WIDENED.get(dtype, dtype)))


def bind(operation: Operation, constants: Mapping[str, Stored], *, half_storage: bool) -> Step:
    """Match an operation's inputs with its kernel's parameters.

    Raises:
        BundleError: an input is missing.
        PlatformError: an input is not known here.
    """
    parameters = _parameters(operation.kind)
    unknown = sorted(operation.inputs.keys() - parameters.keys())
    missing = sorted(name for name, p in parameters.items() if p.required and name not in operation.inputs)
    if unknown or missing:
        what = f"Operation {operation.kind} '{operation.name}'"
        if missing:
            raise BundleError(f"{what} lacks {', '.join(missing)}.")
        raise PlatformError(f"{what} takes {', '.join(unknown)}, which the reference interpreter does not know.")
    bound: dict[str, Any] = {}
    open_: list[tuple[str, _Form, tuple[str, ...]]] = []
    for parameter, names in operation.inputs.items():
        form = parameters[parameter].form
        if all(name in constants for name in names):
            bound[parameter] = _argument(form, [constants[name] for name in names])
        else:
            open_.append((parameter, form, names))
    exact = operation.kind in VALUE_PRESERVING
    rounded = tuple(half_storage and output.dtype == "float16" and not exact for output in operation.outputs)
    return Step(operation, KERNELS[operation.kind], bound, tuple(open_), rounded)


def refuse_unknown(program: Program) -> None:
    """Fail on operations without a kernel, naming all of them and their places in the program."""
    unknown = [(i, op) for i, op in enumerate(program.operations) if op.kind not in KERNELS]
    if not unknown:
        return
    shown = ", ".join(f"{op.kind} ('{op.name}', operation {i})" for i, op in unknown[:5])
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    raise PlatformError(
        f"{program.path} holds operations that the reference interpreter does not know: {shown}{more}. "
        f"It knows {len(KERNELS)}; add the missing ones to coevoer_edge.runtime.mil.ops."
    )


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(d in (-1, s) for s, d in zip(shape, declared, strict=True))


def _argument(form: _Form, values: list[Stored]) -> Any:
    if form == "tensors":
        return values
    if form == "python" and len(values) > 1:
        return tuple(_python(value) for value in values)
    (value,) = values
    return value if form == "tensor" else _python(value)


def _python(value: Stored) -> Any:
    if not isinstance(value, Tensor):
        return value
    content = value.tolist()
    return tuple(content) if isinstance(content, list) else content


@cache
def _parameters(kind: str) -> Mapping[str, Parameter]:
    kernel = KERNELS[kind]
    hints = get_type_hints(kernel)
    signature = inspect.signature(kernel).parameters
    return {name: Parameter(_form(hints[name]), p.default is inspect.Parameter.empty) for name, p in signature.items()}


def _form(hint: Any) -> _Form:
    if hint in (Tensor, Tensor | None):
        return "tensor"
    return "tensors" if hint == Sequence[Tensor] else "python"


def with_dead_values(steps: Sequence[Step], kept: Iterable[str]) -> tuple[Step, ...]:
    """Mark after which step each intermediate value is no longer needed."""
    seen = set(kept)
    result: list[Step] = []
    for step in reversed(steps):
        named = [name for _, _, names in step.open for name in names] + [o.name for o in step.operation.outputs]
        dead = tuple(dict.fromkeys(name for name in named if name not in seen))
        seen.update(dead)
        result.append(Step(step.operation, step.kernel, step.bound, step.open, step.rounded, dead))
    return tuple(reversed(result))
