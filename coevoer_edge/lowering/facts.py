"""The contents of a program and of a written file, and the fusion contract between the two.

In: `ProgramFacts` of the quantized program, `FileFacts` read back from the artifact. Out: nothing, or `CheckFailed`
with the offending operators named.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
from torch.export import ExportedProgram
from torch.fx import Node

from coevoer_edge.bundle.manifest import FusionEntry
from coevoer_edge.errors import CheckFailed
from coevoer_edge.lowering.recipe import ExportRecipe
from coevoer_edge.model.captured_program import GEMMS, count_attentions

_QUANTIZED = torch.ops.quantized_decomposed
DEQUANTIZE_ACTIVATION = _QUANTIZED.dequantize_per_tensor.default
DEQUANTIZE_WEIGHT = _QUANTIZED.dequantize_per_channel.default


@dataclass(frozen=True)
class ProgramFacts:
    """Counts in the quantized program."""

    attentions: int
    gemms: int  # Linear and Conv2d
    int8_gemms: int

    @classmethod
    def of(cls, program: ExportedProgram) -> "ProgramFacts":
        """Count them."""
        gemms = [node for node in program.graph.nodes if node.target in GEMMS]
        int8 = [node for node in gemms if is_from(node.args[1], DEQUANTIZE_WEIGHT)]
        return cls(count_attentions(program), len(gemms), len(int8))


def is_from(node: Any, target: object) -> bool:
    """Whether an argument is the result of a call to `target`."""
    return isinstance(node, Node) and node.target is target


@dataclass(frozen=True)
class FileFacts:
    """What was found when the artifact was read back."""

    ops: Counter[str]
    attentions: int
    gemms: int
    float_gemms: tuple[str, ...]  # names of those whose weights are not int8
    delegates: int | None = None  # ExecuTorch
    outside: Counter[str] = field(default_factory=Counter)  # ExecuTorch: operators outside the delegate

    def entry(self) -> FusionEntry:
        """For the manifest."""
        return FusionEntry(
            fused_attentions=self.attentions,
            gemms=self.gemms,
            int8_gemms=self.gemms - len(self.float_gemms),
            ops=dict(sorted(self.ops.items())),
            delegates=self.delegates,
            outside=None if self.delegates is None else dict(self.outside),
        )


def check_fusion(program: ProgramFacts, file: FileFacts, recipe: ExportRecipe) -> None:
    """Check the written file against the recipe.

    Raises:
        CheckFailed: an attention that was decomposed, a GEMM that is missing or whose weights are not int8, more
            delegates than the recipe allows, or an operator outside them that it does not name.
    """
    faults = []
    if file.attentions != program.attentions:
        faults.append(f"{file.attentions} fused attentions instead of {program.attentions}")
    if file.gemms != program.gemms:
        faults.append(f"{file.gemms} Linear and Conv operators instead of {program.gemms}")
    if len(file.float_gemms) > program.gemms - program.int8_gemms:
        faults.append(f"weights that are not int8: {', '.join(file.float_gemms)}")
    if recipe.max_delegates and (file.delegates or 0) > recipe.max_delegates:
        faults.append(f"{file.delegates} delegates instead of {recipe.max_delegates}")
    if foreign := sorted(file.outside.keys() - recipe.outside.keys()):
        faults.append(f"outside the delegate: {', '.join(f'{op} x{file.outside[op]}' for op in foreign)}")
    if faults:
        raise CheckFailed(f"The {recipe.target} artifact breaks its fusion contract: {'; '.join(faults)}.")
