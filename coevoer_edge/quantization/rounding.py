"""The eager float network, rounding where the quantized program rounds: everywhere, or one layer at a time.

In: a prepared, calibrated graph. Out: the `Rounding` of every Linear and Conv2d, and a context that applies it.

The program is fixed to batch 1 and takes seconds to make; this takes batches and needs no preparation. A test compares
the two.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from coevoer_edge.model.captured_program import GEMMS
from coevoer_edge.quantization.observers import SMALLEST_SCALE
from coevoer_edge.quantization.quantizer import module_path

Gemm = nn.Linear | nn.Conv2d


def gemms(network: nn.Module) -> dict[str, Gemm]:
    """Every Linear and Conv2d by module path."""
    return {path: module for path, module in network.named_modules() if isinstance(module, Gemm)}


def gemm(network: nn.Module, path: str) -> Gemm:
    """The Linear or Conv2d at a module path."""
    module = network.get_submodule(path)
    assert isinstance(module, Gemm), path
    return module


@dataclass(frozen=True, eq=False)
class Grid:
    """The 8-bit numbers that a tensor may take."""

    scale: Tensor  # 1, or one for each output channel of a weight
    zero_point: Tensor
    low: int
    high: int
    per_channel: bool = False  # axis 0

    @classmethod
    def of(cls, observer: Any) -> "Grid":
        """The result of a calibrated observer."""
        scale, zero_point = observer.calculate_qparams()
        per_channel = observer.qscheme == torch.per_channel_symmetric
        return cls(scale, zero_point.int(), observer.quant_min, observer.quant_max, per_channel)

    @classmethod
    def of_activation(cls, x: Tensor) -> "Grid":
        """Min-max range of a whole tensor, as `quantizer` annotates activations."""
        low, high = x.min().clamp(max=0), x.max().clamp(min=0)
        scale = ((high - low) / 255).clamp(min=SMALLEST_SCALE).view(1)
        return cls(scale, (-128 - torch.round(low / scale)).clamp(-128, 127).int(), -128, 127)

    @classmethod
    def of_weight(cls, weight: Tensor) -> "Grid":
        """Min-max range of each output channel, symmetric, as `quantizer` annotates weights."""
        scale = (weight.flatten(1).abs().amax(1) / 127).clamp(min=SMALLEST_SCALE)
        return cls(scale, torch.zeros_like(scale, dtype=torch.int32), -127, 127, per_channel=True)

    def rounded(self, x: Tensor) -> Tensor:
        """The nearest numbers of the grid; same shape."""
        if self.per_channel:
            return torch.fake_quantize_per_channel_affine(x, self.scale, self.zero_point, 0, self.low, self.high)
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, self.low, self.high)


@dataclass(frozen=True)
class Rounding:
    """Which parts of a Linear or Conv2d are rounded; parts without a grid stay float."""

    weight: Grid | None
    data: Grid | None
    output: Grid | None


def roundings(prepared: GraphModule) -> dict[str, Rounding]:
    """Grids by module path, without layers that stay float."""
    found = {}
    for node in prepared.graph.nodes:
        if node.target not in GEMMS:
            continue
        data, weight = node.args[:2]
        if (grid := _grid(prepared, weight)) is not None:
            written = [g for user in node.users if (g := _grid(prepared, user)) is not None]
            found[module_path(node)] = Rounding(grid, _grid(prepared, data), written[0] if written else None)
    return found


def _grid(prepared: GraphModule, node: Node) -> Grid | None:
    """Grid of a node that is an observer."""
    return Grid.of(prepared.get_submodule(str(node.target))) if node.op == "call_module" else None


@contextmanager
def rounding(network: nn.Module, layers: Mapping[str, Rounding]) -> Iterator[None]:
    """A context in which the layers at these module paths compute as their int8 counterparts do."""
    modules = {path: gemm(network, path) for path in layers}
    exact = {path: module.weight.data for path, module in modules.items()}
    hooks = []
    try:
        for path, layer in layers.items():
            if layer.weight is not None:
                modules[path].weight.data = layer.weight.rounded(exact[path])
            if layer.data is not None:
                hooks.append(modules[path].register_forward_pre_hook(_round_data(layer.data)))
            if layer.output is not None:
                hooks.append(modules[path].register_forward_hook(_round_output(layer.output)))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for path, module in modules.items():
            module.weight.data = exact[path]


def _round_data(grid: Grid) -> Any:
    return lambda module, args: (grid.rounded(args[0]),)


def _round_output(grid: Grid) -> Any:
    return lambda module, args, output: grid.rounded(output)
