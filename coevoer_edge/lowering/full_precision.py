"""What stays float32 in a half-precision Core ML program: the tail of every head, and modules that the recipe names.

In: an operation of a MIL program. Out: whether to keep it.
"""

from typing import Any

from coevoer_edge.quantization.marks import MARK

_MIL_GEMMS = ("linear", "conv", "matmul")


def stays_float32(operation: Any) -> bool:
    """Whether a MIL operation is marked or belongs to the tail."""
    from coremltools.converters.mil.mil.scope import ScopeSource

    return MARK in operation.scopes.get(ScopeSource.EXIR_STACK_TRACE, ()) or _is_tail(operation)


def _is_tail(operation: Any) -> bool:
    """Whether an operation leads to an output with no further GEMM: the last Linear of each head, and the operations
    that turn its result into rotations, camera and boxes.

    These few scalars stay float32: at 22 m, where the virtual camera puts a body, float16 has steps of 16 mm.
    """
    consumers = [consumer for output in operation.outputs for consumer in output.child_ops]
    if operation.op_type.startswith("constexpr"):
        return any(_is_tail(consumer) for consumer in consumers)
    is_output = any(output in operation.enclosing_block.outputs for output in operation.outputs)
    return is_output or any(c.op_type not in _MIL_GEMMS and _is_tail(c) for c in consumers)
