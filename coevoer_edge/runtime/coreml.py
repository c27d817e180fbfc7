"""Core ML itself, on macOS. In: an `.mlpackage`. Out: a `Runtime`."""

from pathlib import Path

from PIL import Image

from coevoer_edge import contract
from coevoer_edge.errors import BundleError
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind, to_input, to_outputs


class CoreMLRuntime:
    """A Core ML artifact, compiled and loaded by the system."""

    name = "coreml"
    kind: RuntimeKind = "runtime"

    def __init__(self, artifact: Path) -> None:
        import coremltools as ct

        try:
            self._model = ct.models.MLModel(str(artifact))
        except Exception as error:  # coremltools raises bare exceptions with Core ML's text
            raise BundleError(f"Core ML cannot load {artifact}: {error}; export the bundle again.") from error

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        to_input(crop)  # refuses another shape or type; Core ML takes the pixels themselves
        outputs = self._model.predict({contract.INPUT.name: Image.fromarray(crop)})
        return to_outputs([outputs[name] for name in contract.OUTPUT_NAMES])

    def close(self) -> None:
        """Unload the model."""
        del self._model
