"""Mark what an fp16 recipe keeps float32.

In: a captured program and its recipe. Out: marks in the program, which the lowerings look for.

A converter makes other operations of a program's nodes and gives them names of its own. What all of them hand on, for
people to debug with, is the line of source that a node came from: the mark is written there.
"""

from fnmatch import fnmatchcase

from torch.export import ExportedProgram

from coevoer_edge.quantization.quantizer import module_path
from coevoer_edge.quantization.recipe import QuantizationRecipe

MARK = "stays_float32"
"""In the place of a node's stack trace."""


def mark(program: ExportedProgram, recipe: QuantizationRecipe) -> None:
    """Mark the nodes (in place) whose module an fp16 recipe keeps float32.

    Raises:
        InputError: a pattern of the recipe that matches no module.
    """
    paths = {node: module_path(node) for node in program.graph.nodes}
    recipe.refuse_idle_patterns([path for path in paths.values() if path], "module")
    for node, path in paths.items():
        if any(fnmatchcase(path, pattern) for pattern in recipe.float_patterns()):
            node.meta["stack_trace"] = MARK
