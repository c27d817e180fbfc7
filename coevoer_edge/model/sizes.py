"""The size of a network: parameters by part, and multiply-accumulates.

In: a `CoEvoer`. Out: counts.
"""

from collections import defaultdict

import torch
from torch.utils.flop_counter import FlopCounterMode

from coevoer_edge import contract
from coevoer_edge.model.coevoer import CoEvoer


def parameters_by_part(model: CoEvoer) -> dict[str, int]:
    """Parameter count of each direct child, in the order of the forward pass."""
    counts: dict[str, int] = defaultdict(int)
    for key, parameter in model.named_parameters():
        counts[key.split(".")[0]] += parameter.numel()
    return dict(counts)


def count_macs(model: CoEvoer) -> int:
    """Multiply-accumulates of one image, attention included."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(contract.INPUT.shape))
    return counter.get_total_flops() // 2
