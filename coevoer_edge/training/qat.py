"""Quantization-aware training: the student as a graph that rounds as the INT8 program will.

In: a float network, a quantization recipe, a batch size. Out: a module that shares the network's parameters, so that
training it updates the float network without a conversion step. `export` then quantizes the network as usual.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.errors import PlatformError
from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.training.distillation import Tapped


def prepare(network: CoEvoer, recipe: QuantizationRecipe, batch_size: int) -> nn.Module:
    """Capture a network with its features and insert fake quantization where the INT8 recipe quantizes.

    Ranges are moving averages, because a range that can only grow would retain the values of the first steps. Scales
    are half-precision numbers, as in `quantization.observers`.

    Raises:
        PlatformError: torchao is not installed.
    """
    try:
        from torchao.quantization.pt2e import allow_exported_model_train_eval
        from torchao.quantization.pt2e.fake_quantize import FakeQuantize
        from torchao.quantization.pt2e.observer import (
            MovingAverageMinMaxObserver,
            MovingAveragePerChannelMinMaxObserver,
        )
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        from coevoer_edge.quantization.observers import SMALLEST_SCALE
        from coevoer_edge.quantization.quantizer import GemmQuantizer
    except ImportError as error:
        raise PlatformError(
            f"--qat needs torchao ({error}); run `pip install 'coevoer-edge[train]'`, or omit --qat."
        ) from error

    class HalfMovingAverage(MovingAverageMinMaxObserver):  # type: ignore[misc]  # torchao ships no types
        def calculate_qparams(self) -> tuple[Tensor, Tensor]:
            scale, zero_point = super().calculate_qparams()
            return scale.half().float(), zero_point

    class HalfPerChannelMovingAverage(MovingAveragePerChannelMinMaxObserver):  # type: ignore[misc]
        def calculate_qparams(self) -> tuple[Tensor, Tensor]:
            scale, zero_point = super().calculate_qparams()
            return scale.half().float(), zero_point

    class FakeQuantizer(GemmQuantizer):
        """Rounds during training where its parent only observes."""

        def __init__(self) -> None:
            super().__init__(recipe)
            self._activation = _rounding(self._activation, HalfMovingAverage)
            self._weight = _rounding(self._weight, HalfPerChannelMovingAverage)

    def _rounding(spec: Any, observer: Any) -> Any:
        constructor = FakeQuantize.with_args(observer=observer, eps=SMALLEST_SCALE)
        return replace(spec, observer_or_fake_quant_ctr=constructor)

    images = torch.full((batch_size, *contract.INPUT.shape[1:]), 0.5)
    captured = torch.export.export(Tapped(network).eval(), (images,)).module()
    prepared: nn.Module = prepare_qat_pt2e(captured, FakeQuantizer())
    share_parameters(prepared, network)
    return allow_exported_model_train_eval(prepared)  # type: ignore[no-any-return]


def share_parameters(prepared: nn.Module, network: CoEvoer) -> None:
    """Replace the parameters of the captured graph with the network's own, by name."""
    own = dict(network.named_parameters())
    for path, _ in list(prepared.named_parameters()):
        holder_path, _, name = path.rpartition(".")
        setattr(prepared.get_submodule(holder_path), name, own.pop(path.removeprefix("network.")))
    if own:
        raise RuntimeError(f"The captured graph has no parameters {sorted(own)}.")
