"""Move scale between the channels of a tensor and the weights around it, so that one step suits all channels.

In: a float network and the tensors that its layers read. Out: the same function with other weights (in place).

The layer that writes a tensor is divided by a positive factor for each channel, and every layer that reads it is
multiplied by the same factor: y = W x = (W diag(s)) (x / s). The factor is SmoothQuant's (Xiao et al. 2022, arXiv
2211.10438, equation 4): s_j = max|x_j|^alpha / max|W_j|^(1 - alpha). At alpha 1/2 it is the cross-layer equalisation of
Nagel et al. 2019 (arXiv 1906.04721), with observed values in place of the writer's weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from coevoer_edge.model.threads import one_thread
from coevoer_edge.quantization.rounding import Gemm, Grid, gemm

Treatment = Callable[[str], str]
"""Module path to "w8a8" or "float": `QuantizationRecipe.treatment`."""

_SAMPLED_IMAGES = 8  # whose tensors are kept to compare factors on
_DEAD = 1e-4  # share of the largest channel; a smaller channel counts as this large


@dataclass(frozen=True)
class Fold:
    """Module paths on both sides of a tensor: the layers that write it or add to it, and all that read it."""

    writers: tuple[str, ...]  # LayerNorm, Linear or Conv2d
    readers: tuple[str, ...]  # Linear or Conv2d


@dataclass
class Reading:
    """A layer's observed inputs: the largest absolute value of each channel (C,), and a few whole tensors."""

    largest: Tensor = field(default_factory=lambda: torch.zeros(()))
    sample: list[Tensor] = field(default_factory=list)

    def add(self, x: Tensor, channel_axis: int) -> None:
        """Observe one more tensor."""
        largest = x.abs().transpose(channel_axis, -1).flatten(0, -2).amax(0)
        self.largest = torch.maximum(self.largest, largest)
        if len(self.sample) < _SAMPLED_IMAGES:
            self.sample.append(x)


def fold(
    network: nn.Module, folds: Sequence[Fold], alphas: Sequence[float], images: Sequence[Tensor], treatment: Treatment
) -> dict[str, float | None]:
    """Apply every fold in place; return the alpha that was used by first writer, None where the fold was skipped.

    Args:
        network: float network in eval mode.
        folds: over different tensors.
        alphas: a single one is used throughout; of several, each fold takes the one with the least rounding error of
            its readers' outputs, or none of them if that is better.
        images: calibration images, each (1, 3, 256, 192) in [0, 1].
        treatment: which parts of a reader are rounded.
    """
    readings = read(network, [path for f in folds for path in f.readers], images)
    used: dict[str, float | None] = {}
    with torch.no_grad(), one_thread():
        for f in folds:
            readers = {path: gemm(network, path) for path in f.readers}
            chosen: float | None = alphas[0]
            if len(alphas) > 1:
                factors: dict[float | None, Tensor | None] = {a: _factor(readers, readings, a) for a in alphas}
                factors[None] = None
                errors = {a: _error(readers, readings, factor, treatment) for a, factor in factors.items()}
                chosen = min(errors, key=errors.__getitem__)
            if chosen is not None:
                factor = _factor(readers, readings, chosen)
                for writer in f.writers:
                    scale_outputs(network.get_submodule(writer), 1 / factor)
                for reader in readers.values():
                    reader.weight.copy_(_columns_scaled(reader, factor))
            used[f.writers[0]] = chosen
    return used


def read(
    network: nn.Module, paths: Sequence[str], images: Sequence[Tensor], *, outputs: bool = False
) -> dict[str, Reading]:
    """Observe what the layers at these paths read (or write) while the float network runs on the images."""
    readings = {path: Reading() for path in paths}

    def watch(path: str) -> Any:
        axis = _channel_axis(gemm(network, path))
        if outputs:
            return lambda module, args, output: readings[path].add(output, axis)
        return lambda module, args, output: readings[path].add(args[0], axis)

    hooks = [gemm(network, path).register_forward_hook(watch(path)) for path in readings]
    try:
        with torch.no_grad(), one_thread():
            for image in images:
                network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return readings


def scale_outputs(module: nn.Module, factor: Tensor) -> None:
    """Multiply the output channels of a LayerNorm, Linear or Conv2d by a factor (C,), in place."""
    assert isinstance(module, nn.LayerNorm | Gemm)
    assert module.bias is not None  # all of ours have one
    module.weight.mul_(factor.view(-1, *[1] * (module.weight.dim() - 1)))
    module.bias.mul_(factor)


def _channel_axis(module: Gemm) -> int:
    return 1 if isinstance(module, nn.Conv2d) else -1


def _input_axis(reader: Gemm) -> int:
    """Axis of the input channels in the weight; a depth-wise convolution's is (C, 1, h, w)."""
    depthwise = isinstance(reader, nn.Conv2d) and reader.groups == reader.in_channels > 1
    return 0 if depthwise else 1


def _columns_scaled(reader: Gemm, factor: Tensor) -> Tensor:
    """The reader's weight with its input channels multiplied by a factor (C,)."""
    shape = [1] * reader.weight.dim()
    shape[_input_axis(reader)] = -1
    return reader.weight * factor.view(shape)


def _columns_largest(reader: Gemm) -> Tensor:
    """Largest absolute weight of each input channel, (C,)."""
    return reader.weight.abs().transpose(_input_axis(reader), -1).flatten(0, -2).amax(0)


def _factor(readers: Mapping[str, Gemm], readings: Mapping[str, Reading], alpha: float) -> Tensor:
    """s (C,), its geometric mean 1."""
    activation = alive(torch.stack([readings[path].largest for path in readers]).amax(0))
    weight = alive(torch.stack([_columns_largest(reader) for reader in readers.values()]).amax(0))
    logarithm = alpha * activation.log() - (1 - alpha) * weight.log()
    return (logarithm - logarithm.mean()).exp()


def alive(largest: Tensor) -> Tensor:
    """Largest values (C,), with those of dead channels raised so that no factor becomes extreme."""
    return largest.clamp(min=max(float(largest.max()) * _DEAD, torch.finfo().tiny))


def _error(
    readers: Mapping[str, Gemm], readings: Mapping[str, Reading], factor: Tensor | None, treatment: Treatment
) -> float:
    """Squared error of the readers' outputs over the outputs' variance, summed over the readers."""
    total = 0.0
    for path, reader in readers.items():
        if treatment(path) == "float":
            continue
        x, weight = torch.cat(readings[path].sample), reader.weight
        exact = reader(x)
        if factor is not None:
            axis = _channel_axis(reader)
            x = x / (factor.view(-1, 1, 1) if axis == 1 else factor)
            weight = _columns_scaled(reader, factor)
        x = Grid.of_activation(x).rounded(x)
        rounded = functional_call(reader, {"weight": Grid.of_weight(weight).rounded(weight)}, (x,))
        total += float((rounded - exact).square().mean() / exact.var().clamp(min=torch.finfo().tiny))
    return total
