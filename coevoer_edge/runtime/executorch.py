"""ExecuTorch's own runtime (XNNPACK) through its Python binding. In: a `.pte` file. Out: a `Runtime`."""

from pathlib import Path

from coevoer_edge.errors import BundleError
from coevoer_edge.runtime.protocol import CropPixels, Outputs, RuntimeKind, to_input, to_outputs
from coevoer_edge.terminal.quiet import quietly


class ExecuTorchRuntime:
    """An ExecuTorch artifact with its method loaded."""

    name = "executorch"
    kind: RuntimeKind = "runtime"

    def __init__(self, artifact: Path, threads: int | None = None) -> None:
        with quietly():
            import torch
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime as Native

            self._from_numpy = torch.from_numpy
            if threads:
                portable_lib._unsafe_reset_threadpool(threads)
            try:
                # The method keeps no reference to its program.
                self._program = Native.get().load_program(artifact)
                self._method = self._program.load_method("forward")
            except RuntimeError as error:
                raise BundleError(f"ExecuTorch cannot load {artifact}: {error}; export the bundle again.") from error

    def __call__(self, crop: CropPixels) -> Outputs:
        """Run the network on one crop (256, 192, 3) uint8 RGB."""
        outputs = self._method.execute([self._from_numpy(to_input(crop))])
        return to_outputs([output.numpy().copy() for output in outputs])  # the runtime reuses its buffers

    def close(self) -> None:
        """Free the method, then the program."""
        del self._method, self._program
