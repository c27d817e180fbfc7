"""One way to run a network or an exported artifact.

In: images (B, 3, 256, 192) uint8 RGB. Out: finite `CoEvoerOutputs`, on the CPU or on the network's device.
"""

import numpy as np
import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.body.rotations import nearest_rotation
from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoerOutputs
from coevoer_edge.runtime.protocol import CropPixels, Outputs, Runtime, RuntimeKind, to_outputs

NetworkOrRuntime = nn.Module | Runtime
"""Anything that can be evaluated: a torch network, or the runtime of an exported artifact."""


@torch.no_grad()
def predict(network: NetworkOrRuntime, images: Tensor) -> CoEvoerOutputs:
    """Run on images (B, 3, 256, 192), uint8 RGB: a torch network in eval mode on the batch, a runtime image by image.

    A runtime's rotations are projected onto SO(3), as in the estimator.

    Raises:
        InputError: the network returned values that are not finite, which no mean should hide.
    """
    outputs = _batched(network, images) if isinstance(network, nn.Module) else _one_by_one(network, images)
    for name, value in zip(contract.OUTPUT_NAMES, outputs, strict=True):
        if not value.isfinite().all():
            raise InputError(
                f"The network returned values in {name} that are not finite and cannot be measured. Use another "
                "checkpoint, or export again with --precision fp32."
            )
    return outputs


def _batched(network: nn.Module, images: Tensor) -> CoEvoerOutputs:
    parameter = next(network.parameters(), None)
    image = images.to(images.device if parameter is None else parameter.device).float() / 255
    was_training = network.training
    network.eval()
    try:
        return CoEvoerOutputs(*(output.float() for output in network(image)))
    finally:
        network.train(was_training)


def _one_by_one(runtime: Runtime, images: Tensor) -> CoEvoerOutputs:
    crops = np.ascontiguousarray(images.cpu().permute(0, 2, 3, 1).numpy())  # B H W 3
    answers = [runtime(crop) for crop in crops]
    stacked = {name: np.concatenate([answer[name] for answer in answers]) for name in contract.OUTPUT_NAMES}
    rotations = [output.name for output in contract.OUTPUTS if output.shape[-2:] == (3, 3)]
    for name in rotations:
        if np.isfinite(stacked[name]).all():
            stacked[name] = nearest_rotation(stacked[name]).astype(np.float32)
    return CoEvoerOutputs(**{name: torch.from_numpy(value) for name, value in stacked.items()})


class AsRuntime:
    """A torch network behind the runtimes' protocol, so that the estimator accepts it."""

    name = "torch"
    kind: RuntimeKind = "runtime"

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run on one crop (256, 192, 3) uint8 RGB."""
        image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]))  # 1 3 H W
        return to_outputs([output.cpu().numpy() for output in predict(self.network, image)])

    def close(self) -> None:
        """Do nothing, because nothing is held open."""
