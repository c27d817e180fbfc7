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
        threads: number of CPU threads; None lets the backend choose.

    Raises:
        PlatformError: a Core ML bundle, or ExecuTorch's Core ML backend, anywhere but on macOS.
    """
    return open_artifact(bundle.manifest.target, bundle.artifact, threads, backend=bundle.manifest.backend)


def open_artifact(
    target: str, artifact: Path, threads: int | None = None, *, backend: str | None = None, reference: bool = False
) -> Runtime:
    """Load an artifact; with `reference`, a Core ML package off macOS is interpreted instead of refused.

    `backend` is the ExecuTorch backend; None reads it from the file.
    """
    if target == "onnx":
        from coevoer_edge.runtime.onnx import OnnxRuntime

        return OnnxRuntime(artifact, threads)
    if target == "executorch" and sys.platform != "darwin" and _backend(artifact, backend) == "coreml":
        return _coreml_delegate(artifact, reference=reference)
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


def _backend(artifact: Path, backend: str | None) -> str:
    if backend is not None:
        return backend
    from coevoer_edge.runtime.pte import read_method

    return read_method(artifact).backend


def _coreml_delegate(artifact: Path, *, reference: bool) -> Runtime:
    if reference:
        from coevoer_edge.runtime.coreml_delegate import CoreMLDelegateReference

        return CoreMLDelegateReference(artifact)
    raise PlatformError(
        f"{artifact.name} runs by ExecuTorch's Core ML backend, on macOS and iOS only. Here, export the same model "
        "with --target executorch --backend xnnpack or --target onnx; its results agree within the manifest's parity "
        "figures."
    )
