"""Activation ranges that clip outliers: by percentile, or where clipping and rounding together cost least.

In: tensors seen during calibration. Out: scale and zero point; scales are half-precision numbers as in `observers`.

In a min-max range one outlier makes the step coarser for every other value. Both observers here fill torchao's
histogram (2048 bins that follow the range) and differ in how they derive a range from it.
"""

from typing import Any

import torch
from torch import Tensor
from torchao.quantization.pt2e.observer import HistogramObserver

from coevoer_edge.quantization.observers import SMALLEST_SCALE, HalfHistogram, HalfMinMax, half
from coevoer_edge.quantization.recipe import QuantizationRecipe

_CANDIDATES = 64  # for each end of the range
_NARROWEST = 0.02  # of the whole range


class HalfPercentile(HistogramObserver):  # type: ignore[misc]  # torchao ships no types
    """Range between two quantiles of all values seen (Wu et al. 2020, arXiv 2004.09602, section 4.1).

    Args:
        percentile: of the values that are below the upper end; the same share is above the lower end.
    """

    def __init__(self, percentile: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.percentile = percentile

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the tensor."""
        share = self.histogram.double().cumsum(0) / self.histogram.double().sum()
        inside = self.percentile / 100
        bin_width = (self.max_val - self.min_val) / self.bins
        first = int((share > 1 - inside).nonzero()[0])
        last = int((share >= min(inside, float(share[-1]))).nonzero()[0])
        return half(self._calculate_qparams(self.min_val + first * bin_width, self.min_val + (last + 1) * bin_width))


class HalfMeanSquare(HistogramObserver):  # type: ignore[misc]
    """Range with the least mean square error, both ends searched together.

    Rounding costs a twelfth of the squared step, clipping the squared distance to the range's end (Banner et al. 2019,
    arXiv 1810.05723, section 3). torchao's own histogram search moves one end by one bin and stops at the first rise.
    """

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the tensor."""
        counts = self.histogram.double()
        low, high = self.min_val.double(), self.max_val.double()
        bin_width = (high - low) / self.bins
        values = low + bin_width * (torch.arange(self.bins, dtype=torch.float64) + 0.5)
        shrink = torch.logspace(0, torch.log10(torch.tensor(_NARROWEST)).item(), _CANDIDATES, dtype=torch.float64)
        lows, highs = low.clamp(max=0) * shrink, high.clamp(min=0) * shrink  # both ranges hold 0
        below = ((lows[:, None] - values).clamp(min=0).square() * counts).sum(1)  # low ends
        above = ((values - highs[:, None]).clamp(min=0).square() * counts).sum(1)  # high ends
        step = (highs[None] - lows[:, None]) / (self.quant_max - self.quant_min)  # low ends, high ends
        error = below[:, None] + above[None] + counts.sum() * step.square() / 12
        best_low, best_high = divmod(int(error.argmin()), _CANDIDATES)
        return half(self._calculate_qparams(lows[best_low].float(), highs[best_high].float()))


def activation_observer(recipe: QuantizationRecipe) -> Any:
    """Constructor of the observer that a recipe names."""
    observers = {
        "minmax": HalfMinMax.with_args(eps=SMALLEST_SCALE),
        "histogram": HalfHistogram.with_args(eps=SMALLEST_SCALE),
        "percentile": HalfPercentile.with_args(eps=SMALLEST_SCALE, percentile=recipe.activation_percentile),
        "mse": HalfMeanSquare.with_args(eps=SMALLEST_SCALE),
    }
    return observers[recipe.activation_observer]
