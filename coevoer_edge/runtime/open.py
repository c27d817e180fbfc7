"""Choose the backend of an artifact.

In: target and path. Out: a `Runtime`.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.errors import PlatformError
from coevoer_edge.runtime.protocol import Runtime

if TYPE_CHECKING:
    from coevoer_edge.bundle import Bundle


def open_runtime(bundle: "Bundle", threads: int | None = None) -> Runtime:
    """Load a bundle's artifact with the real runtime of its target.

    Args:
        bundle: an opened bundle.
        threads: CPU threads; None leaves it to the backend.

    Raises:
        PlatformError: a Core ML bundle anywhere but on macOS.
    """
    return open_artifact(bundle.manifest.target, bundle.artifact, threads)


def open_artifact(target: str, artifact: Path, threads: int | None = None, *, reference: bool = False) -> Runtime:
    """Load an artifact; with `reference`, a Core ML package off macOS is interpreted instead of refused."""
    if target == "onnx":
        from coevoer_edge.runtime.onnx import OnnxRuntime

        return OnnxRuntime(artifact, threads)
    if target == "executorch":
        from coevoer_edge.runtime.executorch import ExecuTorchRuntime

        return ExecuTorchRuntime(artifact, threads)
    if sys.platform == "darwin":
        from coevoer_edge.runtime.coreml import CoreMLRuntime

        return CoreMLRuntime(artifact)
    if reference:
        from coevoer_edge.runtime.mil.reference import CoreMLReference

        return CoreMLReference(artifact)
    raise PlatformError(
        f"{artifact.name} is a Core ML package, which runs on macOS and iOS only. Here, export the same model with "
        "--target executorch or --target onnx; its results agree within the manifest's parity figures."
    )
