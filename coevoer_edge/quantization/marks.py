"""Mark the modules that an fp16 recipe keeps in float32.

In: a captured program and its recipe. Out: marks in the program, which the lowerings look for.

A converter turns a program's nodes into other operations with names of its own. All of them pass on the line of source
that a node came from, for debugging, so the mark is written there.
"""

from fnmatch import fnmatchcase

from torch.export import ExportedProgram

from coevoer_edge.quantization.quantizer import module_path
from coevoer_edge.quantization.recipe import QuantizationRecipe

MARK = "stays_float32"
"""The mark, which replaces a node's stack trace."""


def mark(program: ExportedProgram, recipe: QuantizationRecipe) -> None:
    """Mark, in place, the nodes whose module an fp16 recipe keeps in float32.

    Raises:
        InputError: a pattern of the recipe that matches no module.
    """
    paths = {node: module_path(node) for node in program.graph.nodes}
    recipe.refuse_idle_patterns([path for path in paths.values() if path], "module")
    for node, path in paths.items():
        if any(fnmatchcase(path, pattern) for pattern in recipe.float_patterns()):
            node.meta["stack_trace"] = MARK
