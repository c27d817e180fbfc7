"""A Core ML bundle's artifact as a `Runtime`, off Apple systems. In: an `.mlpackage`. Out: a `reference` runtime."""

from pathlib import Path

from coevoer_edge import contract
from coevoer_edge.runtime.mil.interpreter import Arithmetic, MilProgram
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind, to_input, to_outputs


class CoreMLReference:
    """The package, interpreted with values stored as it declares them."""

    name = "coreml-reference"
    kind: RuntimeKind = "reference"

    def __init__(self, artifact: Path, precision: Arithmetic = "fp16-storage") -> None:
        self._program = MilProgram.open(artifact, precision)

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        to_input(crop)  # refuses another shape or type
        outputs = self._program({contract.INPUT.name: crop})
        return to_outputs([outputs[name] for name in contract.OUTPUT_NAMES])

    def close(self) -> None:
        """Do nothing, because nothing is held open."""
