"""Subtract the mean error of every layer from its bias.

In: a float network, the rounding of its layers, calibration images. Out: the network with other biases (in place).

Rounding shifts the mean of a channel, which affects the following layers on every image (Nagel et al. 2019, arXiv
1906.04721, section 4.2, the empirical form). A layer's error includes that of the layers before it, so layers are
corrected in order: all images run as one batch, and everything before a layer is already rounded and corrected. The
mean is taken before the output is rounded, because afterwards a channel narrower than one step would be pushed from one
number to the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from coevoer_edge.model.threads import one_thread
from coevoer_edge.quantization.rounding import Gemm, Rounding, gemms, rounding

Means = dict[str, Tensor]
"""Mean output of each Linear and Conv2d by module path, (C,)."""


def correct(network: nn.Module, exact: Means, layers: Mapping[str, Rounding], images: Sequence[Tensor]) -> None:
    """Correct the bias of every Linear and Conv2d in place, including those that stay float.

    Args:
        network: in eval mode; weights of its own or already on their grids.
        exact: `mean_outputs` of the float network on the images.
        layers: what is rounded, by module path.
        images: calibration images, each (1, 3, 256, 192) in [0, 1].
    """

    def correction(path: str) -> Any:
        def hook(module: Gemm, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if module.bias is None:  # the next layer that has one corrects this error too
                return output
            error = _mean(module, output) - exact[path]
            module.bias.sub_(error)
            return output - (error.view(-1, 1, 1) if isinstance(module, nn.Conv2d) else error)

        return hook

    hooks = [module.register_forward_hook(correction(path)) for path, module in gemms(network).items()]
    try:
        with torch.no_grad(), one_thread(), rounding(network, layers):  # its hooks run after those above
            network(torch.cat(list(images)))
    finally:
        for hook in hooks:
            hook.remove()


def mean_outputs(network: nn.Module, images: Sequence[Tensor]) -> Means:
    """Mean of each output channel over images, tokens and pixels; inside `rounding`, of the rounded network."""
    sums: Means = {}

    def watch(path: str) -> Any:
        def hook(module: Gemm, args: tuple[Tensor, ...], output: Tensor) -> None:
            sums[path] = sums.get(path, 0) + _mean(module, output) / len(images)

        return hook

    hooks = [module.register_forward_hook(watch(path)) for path, module in gemms(network).items()]
    try:
        with torch.no_grad(), one_thread():
            for image in images:
                network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return sums


def _mean(module: Gemm, output: Tensor) -> Tensor:
    """Mean of each channel, (C,), of (B, ..., C) or of a convolution's (B, C, H, W)."""
    return output.mean((0, 2, 3)) if isinstance(module, nn.Conv2d) else output.flatten(0, -2).mean(0)
