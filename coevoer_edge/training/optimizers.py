"""The optimisers of a recipe, and their learning rates by its schedule.

In: a trainee, a recipe. Out: one optimiser or two. "adam" is the paper's optimiser. "muon" orthogonalises the momentum
of hidden matrices (Jordan et al. 2024, through torch.optim.Muon) and uses Adam for everything else.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from coevoer_edge.model import CoEvoer
from coevoer_edge.training.dense import last_linears
from coevoer_edge.training.recipe import TrainingRecipe
from coevoer_edge.training.schedule import learning_rate

_BASE_LR = "base_lr"


def make_optimizers(trainee: nn.Module, network: CoEvoer, recipe: TrainingRecipe) -> list[Optimizer]:
    """Make optimisers that together cover every trainable parameter of the trainee exactly once."""
    hidden = _hidden_matrices(network) if recipe.optimizer == "muon" else []
    taken = {id(parameter) for parameter in hidden}
    others = [parameter for parameter in trainee.parameters() if parameter.requires_grad and id(parameter) not in taken]
    optimizers: list[Optimizer] = [torch.optim.Adam(others, recipe.lr, recipe.adam_betas, fused=True)]
    if hidden:
        # The update has the same root mean square as Adam's at the same learning rate, whatever the matrix's shape.
        muon = Float32Muon if emulates_bfloat16(hidden[0].device) else torch.optim.Muon
        optimizers.append(muon(hidden, recipe.muon_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group[_BASE_LR] = group["lr"]
    return optimizers


def set_learning_rate(optimizers: Sequence[Optimizer], recipe: TrainingRecipe, step: int) -> None:
    """Set every group's learning rate to its own base rate times the schedule's factor at `step`."""
    share = learning_rate(recipe, step) / recipe.lr
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[_BASE_LR] * share


class _InFloat32(TorchFunctionMode):
    """Replaces casts to bfloat16 with float32 copies."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.bfloat16:
            return args[0].float().clone()
        return func(*args, **(kwargs or {}))


class Float32Muon(torch.optim.Muon):
    """Muon with its Newton-Schulz iteration in float32, for CPUs that only emulate bfloat16 products.

    torch's own Muon casts to bfloat16 on every device. On an AVX2 CPU that took 28 s of each step of coevoer-t; this
    class takes 0.6 s.
    """

    def step(self, closure: Any = None) -> Any:
        """Take a step, as `torch.optim.Muon.step` does."""
        with _InFloat32():
            return super().step(closure)  # type: ignore[no-untyped-call]


def emulates_bfloat16(device: torch.device) -> bool:
    """Whether the device has no hardware for bfloat16 products, which are then many times slower than float32."""
    return device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _hidden_matrices(network: CoEvoer) -> list[torch.Tensor]:
    """Weights of the network's Linear layers, except the last one of each head."""
    ends = {id(layer) for layer in last_linears(network)}
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear) and id(layer) not in ends]
