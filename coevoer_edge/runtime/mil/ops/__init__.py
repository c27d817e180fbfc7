"""The operations the interpreter knows. In: an operation's name. Out: the torch function that computes it.

A function's parameters have MIL's names. Those annotated as tensors get tensors; all others get Python values.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from coevoer_edge.runtime.mil.ops import elementwise, indexing, linear, quantization, reduction, shape, spatial

Kernel = Callable[..., Tensor | tuple[Tensor, ...]]

KERNELS: Mapping[str, Kernel] = {
    **elementwise.KERNELS,
    **indexing.KERNELS,
    **linear.KERNELS,
    **quantization.KERNELS,
    **reduction.KERNELS,
    **shape.KERNELS,
    **spatial.KERNELS,
}

VALUE_PRESERVING = frozenset(shape.KERNELS) | {
    "abs",
    "crop",
    "gather",
    "gather_along_axis",
    "gather_nd",
    "identity",
    "max_pool",
    "maximum",
    "minimum",
    "reduce_max",
    "reduce_min",
    "relu",
    "select",
}
"""Operations whose float16 results need no rounding, given operands that are float16 numbers."""
