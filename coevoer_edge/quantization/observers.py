"""Observers whose scales are half-precision numbers.

In: tensors seen during calibration. Out: scale and zero point.

Core ML stores every scale as float16. Any other scale would be rounded there and nowhere else, by up to 0.05 %, in the
same direction for every image: a bias that the other targets do not have. The one quantized program therefore uses
half-precision scales itself, and all targets compute with the same numbers.
"""

from typing import Any

import torch
from torch import Tensor
from torchao.quantization.pt2e.observer import HistogramObserver, MinMaxObserver, PerChannelMinMaxObserver

SMALLEST_SCALE = torch.finfo(torch.float16).smallest_normal  # 6.1e-5; below it float16 loses bits


def half(qparams: Any) -> tuple[Tensor, Tensor]:
    """Scale and zero point, the scale rounded to half precision."""
    scale, zero_point = qparams
    return scale.half().float(), zero_point


class HalfMinMax(MinMaxObserver):  # type: ignore[misc]  # torchao ships no types
    """Range of all values seen."""

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the tensor."""
        return half(super().calculate_qparams())


class HalfHistogram(HistogramObserver):  # type: ignore[misc]
    """Range with the smallest L2 norm of the error over a histogram."""

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the tensor."""
        return half(super().calculate_qparams())


class HalfPerChannelMinMax(PerChannelMinMaxObserver):  # type: ignore[misc]
    """Range of each output channel."""

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point of every channel."""
        return half(super().calculate_qparams())
