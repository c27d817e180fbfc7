"""How a program is lowered, read from top-level `export/*.toml`.

In: a target's name or a file. Out: `ExportRecipe`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from coevoer_edge import recipes
from coevoer_edge.errors import InputError

Target = Literal["coreml", "executorch", "onnx"]
TARGETS: tuple[Target, ...] = get_args(Target)

ALIASES = {"mlpackage": "coreml", "ios": "coreml", "pte": "executorch", "android": "executorch"}
"""Other names under which users know the targets."""

Backend = Literal["xnnpack", "coreml"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
"""Backends of ExecuTorch; the first is the default."""

SUFFIXES = {"coreml": ".mlpackage", "executorch": ".pte", "onnx": ".onnx"}

_TAKES = {
    "coreml": {"minimum_deployment_target"},
    "executorch": {"backend", "max_delegates", "outside"},
    "onnx": {"opset"},
}


@dataclass(frozen=True)
class ExportRecipe:
    """An export recipe; the TOML file gives the reason for each value beside it."""

    target: Target
    max_bytes_per_parameter: float  # of an INT8 artifact
    minimum_deployment_target: str = ""  # Core ML, and ExecuTorch's Core ML backend
    backend: str = ""  # ExecuTorch
    max_delegates: int = 0  # ExecuTorch
    outside: dict[str, str] = field(default_factory=dict)  # ExecuTorch: operator -> why it may stay outside
    opset: int = 0  # ONNX

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError(f"Export recipe: target {self.target!r}; valid: {', '.join(TARGETS)}.")
        taken = _TAKES[self.target] | (_TAKES["coreml"] if self.backend == "coreml" else set())
        for target, keys in _TAKES.items():
            for key in sorted(keys - taken):
                if getattr(self, key):
                    raise InputError(f"Export recipe for {self.target}: {key!r} belongs to {target}.")
        if self.target == "executorch" and self.backend not in BACKENDS:
            raise InputError(f"Export recipe for executorch: backend {self.backend!r}; valid: {', '.join(BACKENDS)}.")
        if self.is_core_ml and self.minimum_deployment_target not in DEPLOYMENT_TARGETS:
            raise InputError(
                f"Minimum deployment target {self.minimum_deployment_target!r}; valid: {', '.join(DEPLOYMENT_TARGETS)} "
                "(older ones have neither int8 activations nor a fused attention)."
            )
        if self.target == "onnx" and self.opset < MINIMUM_OPSET:
            raise InputError(f"Opset {self.opset}: Attention needs {MINIMUM_OPSET} or newer.")

    @property
    def is_core_ml(self) -> bool:
        """Whether Core ML runs the network, by itself or inside ExecuTorch: on Apple systems only."""
        return "coreml" in (self.target, self.backend)

    @classmethod
    def open(cls, name_or_file: str | Path) -> "ExportRecipe":
        """Read a recipe that comes with the package by its name (see `recipe_name`), or a TOML file of your own."""
        return recipes.into(cls, recipes.read("export", name_or_file), f"Export recipe {name_or_file}")


DEPLOYMENT_TARGETS = ("iOS18", "iOS26", "macOS15", "macOS26")
MINIMUM_OPSET = 23


def recipe_name(target: Target, backend: str | None = None) -> str:
    """Name of the recipe that comes with the package: the target's, with the backend where it is not the default.

    Raises:
        InputError: unknown backend, or one for another target than ExecuTorch.
    """
    if backend is None:
        return target
    if backend not in BACKENDS:
        raise InputError(f"Unknown backend {backend!r}; valid: {', '.join(BACKENDS)}.")
    if target != "executorch":
        raise InputError(f"--backend is for --target executorch, not for {target}.")
    return target if backend == BACKENDS[0] else f"{target}-{backend}"


def refuse_impossible(recipe: ExportRecipe, precision: str) -> None:
    """Refuse a combination that no runtime supports.

    Raises:
        InputError: fp16 on XNNPACK, which takes it only from a network whose inputs and outputs are fp16 too.
    """
    if recipe.backend == "xnnpack" and precision == "fp16":
        raise InputError("--target executorch --precision fp16 is not possible with XNNPACK; valid: w8a8, fp32.")


def canonical_target(name: str) -> Target:
    """Resolve an alias.

    Raises:
        InputError: unknown target.
    """
    target = ALIASES.get(name, name)
    if target not in TARGETS:
        raise InputError(
            f"Unknown target {name!r}; valid: {', '.join(TARGETS)} (or {', '.join(ALIASES)}), and 'all' for all three."
        )
    return target
