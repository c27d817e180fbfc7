"""Which extra to install where a package is missing, in one sentence.

In: the error of an import. Out: a `PlatformError` with the command to type.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from coevoer_edge.errors import PlatformError

P = ParamSpec("P")
T = TypeVar("T")

_EXTRAS = {
    "av": "video",
    "coremltools": "export",
    "executorch": "executorch",
    "lightning_fabric": "train",
    "matplotlib": "train",
    "onnx": "export",
    "onnxscript": "export",
    "rerun": "view",
    "torch": "executorch",
    "torchao": "export",
}
"""The smallest extra that installs a package."""

_COMMANDS = {
    "bench": "export",
    "distill": "train",
    "evaluate": "train",
    "export": "export",
    "parity": "export",
    "train": "train",
}
"""The extra that installs everything a command needs."""

_BROUGHT = {
    "export": {"coremltools", "executorch", "onnx", "onnxscript", "torch", "torchao"},
    "train": {"lightning_fabric", "matplotlib", "torch", "torchao"},
}


def missing_extra(error: ModuleNotFoundError, command: str) -> PlatformError | None:
    """The error for a command whose import failed; None where the package is in none of our extras."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return None
    extra = _COMMANDS.get(command, "")
    if package not in _BROUGHT.get(extra, ()):
        extra = _EXTRAS[package]
    return PlatformError(
        f"`{command}` needs the package {package}, which is not installed; run `pip install 'coevoer-edge[{extra}]'`."
    )


def names_its_extra(function: Callable[P, T]) -> Callable[P, T]:
    """Turn the failed import of an extra's package into a `PlatformError`; the function is named after its command."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as error:
            raise missing_extra(error, function.__name__) or error from None

    return call
