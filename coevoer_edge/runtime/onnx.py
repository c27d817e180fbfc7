"""ONNX Runtime on the CPU. In: an `.onnx` file. Out: a `Runtime`."""

from pathlib import Path

import onnxruntime

from coevoer_edge import contract
from coevoer_edge.errors import BundleError
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind, to_input, to_outputs


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Options of every session; with `threads` None, ONNX Runtime chooses the number of CPU threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # Otherwise its threads keep spinning after each run and take the cores from whatever runs next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


class OnnxRuntime:
    """An ONNX artifact in an inference session."""

    name = "onnxruntime"
    kind: RuntimeKind = "runtime"

    def __init__(self, artifact: Path, threads: int | None = None) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                str(artifact), session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise BundleError(f"ONNX Runtime cannot load {artifact}: {error}; export the bundle again.") from error

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        return to_outputs(self._session.run(list(contract.OUTPUT_NAMES), {contract.INPUT.name: to_input(crop)}))

    def close(self) -> None:
        """End the session."""
        del self._session
