"""What stays float32 in a half-precision file: the tail of every head, and what the recipe names.

In: a program and its recipe, then operations of a converted one. Out: the program with marks; whether to keep one.

A converter makes other operations of a program's nodes and gives them names of its own. What all of them hand on, for
people to debug with, is the line of source that a node came from: the mark is written there.
"""

import copy
from fnmatch import fnmatchcase
from typing import Any

from torch.export import ExportedProgram

from coevoer_edge.quantization.quantizer import module_path
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quiet import quietly

MARK = "stays_float32"
"""In the place of a node's stack trace."""

_MIL_GEMMS = ("linear", "conv", "matmul")


def mark(program: ExportedProgram, recipe: QuantizationRecipe) -> ExportedProgram:
    """Copy a program, with marks on the nodes whose module an fp16 recipe keeps float32.

    Raises:
        InputError: a pattern of the recipe that matches no module.
    """
    with quietly():
        marked = copy.deepcopy(program)
    if recipe.precision != "fp16":
        return marked
    paths = {node: module_path(node) for node in marked.graph.nodes}
    recipe.refuse_idle_patterns([path for path in paths.values() if path], "module")
    for node, path in paths.items():
        if any(fnmatchcase(path, pattern) for pattern in recipe.float_patterns()):
            node.meta["stack_trace"] = MARK
    return marked


def stays_float32(operation: Any) -> bool:
    """Whether a MIL operation bears the mark or belongs to the tail."""
    from coremltools.converters.mil.mil.scope import ScopeSource

    return MARK in operation.scopes.get(ScopeSource.EXIR_STACK_TRACE, ()) or _is_tail(operation)


def _is_tail(operation: Any) -> bool:
    """Whether an operation leads to an output with no GEMM behind it: the last Linear of each head, and what turns its
    raw numbers into rotations, camera and boxes.

    These few scalars stay float32: at 22 m, where the virtual camera puts a body, float16 has steps of 16 mm.
    """
    consumers = [consumer for output in operation.outputs for consumer in output.child_ops]
    if operation.op_type.startswith("constexpr"):
        return any(_is_tail(consumer) for consumer in consumers)
    is_output = any(output in operation.enclosing_block.outputs for output in operation.outputs)
    return is_output or any(c.op_type not in _MIL_GEMMS and _is_tail(c) for c in consumers)
