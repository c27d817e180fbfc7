"""The content of ExecuTorch's Core ML delegate. In: a `.pte`. Out: its MIL programs, and a `reference` runtime.

The delegate's payload is a folder packed into one block of bytes: `model.mlpackage`, and `metadata.json` with the
names of the model's inputs and outputs in the order of the delegate's arguments. ExecuTorch provides the code that
unpacks it.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from coevoer_edge.errors import BundleError
from coevoer_edge.runtime.mil.interpreter import Arithmetic, MilProgram
from coevoer_edge.runtime.mil.program import Program, read_program
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind, to_input, to_outputs
from coevoer_edge.runtime.pte import Delegate, Method, read_method
from coevoer_edge.terminal.quiet import quietly

FOLDER, PACKAGE, METADATA = "lowered_module", "model.mlpackage", "metadata.json"
"""Names in the payload, fixed by ExecuTorch."""


def unfold(payload: bytes, folder: Path) -> Path:
    """Write a payload's files into an empty folder, and return the folder that holds package and metadata.

    Raises:
        BundleError: not the payload of a Core ML delegate.
    """
    from executorch.backends.apple.coreml import executorchcoreml

    inside = folder / FOLDER
    try:
        unfolded = executorchcoreml.unflatten_directory_contents(payload, str(folder))
    except RuntimeError:  # its text says only that it failed
        unfolded = False
    if not unfolded or not (inside / PACKAGE).is_dir() or not (inside / METADATA).is_file():
        raise BundleError("The delegate holds no Core ML package; export the bundle again.")
    return inside


def read_delegate(delegate: Delegate) -> tuple[Program, dict[str, Any]]:
    """The MIL program inside a delegate, weights decoded, and its metadata.

    Raises:
        BundleError: a delegate of another backend, or one that holds no package.
    """
    if delegate.backend_id != "CoreMLBackend":
        raise BundleError(f"The delegate is for {delegate.backend_id}, not for CoreMLBackend; export the bundle again.")
    with quietly(), tempfile.TemporaryDirectory() as folder:  # off macOS, coremltools prints what it lacks
        inside = unfold(delegate.payload, Path(folder))
        return read_program(inside / PACKAGE), json.loads((inside / METADATA).read_text(encoding="utf-8"))


class CoreMLDelegateReference:
    """The package inside the delegate, interpreted with values stored as it declares them."""

    name = "coreml-reference"
    kind: RuntimeKind = "reference"

    def __init__(self, artifact: Path, precision: Arithmetic = "fp16-storage") -> None:
        method = read_method(artifact)
        if len(method.delegates) != 1 or len(method.calls) != 1 or method.outside:
            raise BundleError(
                f"{artifact} has {len(method.delegates)} delegates and {method.outside.total()} operators outside "
                "them; only a method that is one Core ML delegate is interpreted. Export the bundle again."
            )
        program, metadata = read_delegate(method.delegates[0])
        self._program = MilProgram(program, precision)
        self._input, self._outputs = _wiring(method, metadata, artifact)

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        outputs = self._program({self._input: to_input(crop)})
        return to_outputs([outputs[name] for name in self._outputs])

    def close(self) -> None:
        """Do nothing, because nothing is held open."""


def _wiring(method: Method, metadata: dict[str, Any], artifact: Path) -> tuple[str, tuple[str, ...]]:
    """The model's input, and its outputs in the method's order: the delegate numbers them in its own order."""
    names = dict(zip(method.calls[0], [*metadata["inputNames"], *metadata["outputNames"]], strict=True))
    if len(method.inputs) != 1 or not {*method.inputs, *method.outputs} <= names.keys():
        raise BundleError(f"{artifact}: inputs and outputs of the method are not the delegate's; export it again.")
    return names[method.inputs[0]], tuple(names[value] for value in method.outputs)
