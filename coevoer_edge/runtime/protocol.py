"""What every backend does.

In: a crop (256, 192, 3) uint8 RGB. Out: the contract's outputs with batch 1, float32.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.errors import BundleError, InputError

RuntimeKind = Literal["runtime", "reference"]
CropPixels = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]


class Runtime(Protocol):
    """A loaded artifact."""

    name: str
    """Name of the backend, as reports show it."""
    kind: RuntimeKind
    """`runtime` runs the file as a device does; `reference` only computes what the file defines."""

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        ...

    def close(self) -> None:
        """Free the resources of the backend."""
        ...


def to_input(crop: CropPixels) -> NDArray[np.float32]:
    """Crop (256, 192, 3) uint8 RGB to the tensor input (1, 3, 256, 192) in [0, 1].

    Raises:
        InputError: another shape or type.
    """
    expected = (contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX, 3)
    if crop.shape != expected or crop.dtype != np.uint8:
        raise InputError(
            f"The network takes a crop of shape {expected} uint8 RGB, got {crop.shape} {crop.dtype}; "
            "use coevoer_edge.pipeline.image.extract_crop."
        )
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def to_outputs(arrays: Sequence[NDArray[np.floating]]) -> Outputs:
    """Name output arrays that are in the contract's order.

    Raises:
        BundleError: another number of outputs or other shapes than the contract's.
    """
    shapes = [tuple(array.shape) for array in arrays]
    if shapes != [output.shape for output in contract.OUTPUTS]:
        raise BundleError(
            f"The artifact gives outputs of shapes {shapes}; "
            f"the contract has {[(output.name, output.shape) for output in contract.OUTPUTS]}."
        )
    return {output.name: np.asarray(array, np.float32) for output, array in zip(contract.OUTPUTS, arrays, strict=True)}
