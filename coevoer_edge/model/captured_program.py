"""Capture the float network as an exported program.

In: `CoEvoer`. Out: `torch.export.ExportedProgram` with the contract's input and outputs, batch 1.
"""

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from coevoer_edge import contract
from coevoer_edge.model import CoEvoer

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
GEMMS = (torch.ops.aten.linear.default, torch.ops.aten.conv2d.default)


class _Exportable(nn.Module):
    """Changes only what export needs: the input is named as in the contract, the outputs are a plain tuple."""

    def __init__(self, network: CoEvoer) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(image))


def capture(network: CoEvoer) -> ExportedProgram:
    """Export the network at batch 1, in eval mode, with attentions and norms as single ops."""
    training = network.training
    try:
        return torch.export.export(_Exportable(network).eval(), (example_input(),))
    finally:
        network.train(training)


def example_input() -> Tensor:
    """A grey image of the contract's shape."""
    return torch.full(contract.INPUT.shape, 0.5)


def count_attentions(program: ExportedProgram) -> int:
    """The number of attentions in the program; every lowered file must contain as many fused ops."""
    return sum(node.target is ATTENTION for node in program.graph.nodes)
