"""Which layers are quantized and how, read from top-level `quantization/*.toml`.

In: a recipe's name or file. Out: `QuantizationRecipe`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, get_args

from coevoer_edge import recipes
from coevoer_edge.errors import InputError

Precision = Literal["w8a8", "fp16", "fp32"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
TRUNK = "encoder.patch_embed.trunk."
"""Module path of the pretrained trunk, in models that have one."""
Observer = Literal["minmax", "histogram", "percentile", "mse"]
WeightRounding = Literal["nearest", "gptq"]


@dataclass(frozen=True)
class QuantizationRecipe:
    """A quantization recipe; the TOML file gives the reason for each value beside it.

    Patterns name modules by their path in the network, with shell wildcards: `*_head.out`.
    """

    name: str
    precision: Precision
    activation_observer: Observer = "minmax"
    activation_percentile: float = 99.99  # of the values below the upper end of a range; for "percentile"
    smoothing_alphas: tuple[
        float, ...
    ] = ()  # norm to Linear: none turns it off, one is used as given, and of several the best for each
    equalisation_alphas: tuple[float, ...] = ()  # Linear to Linear, in the same way
    weight_rounding: WeightRounding = "nearest"  # "gptq" lets the errors of a layer's weights cancel
    bias_correction: bool = False  # subtract every layer's mean error over the calibration images from its bias
    keep_float: tuple[str, ...] = ()  # w8a8: Linear and Conv2d that are not quantized; fp16: modules that stay float32
    keep_float_in_trunk: tuple[str, ...] = ()  # the same for paths within the trunk of models that have one
    num_calibration_samples: int = 0
    max_error_ratio: float = 0.0  # w8a8: artifact's distance from float over the quantized program's (parity/golden.py)
    max_self_check_ratio: float = 1.3  # w8a8: the same on the bundle's golden images, on a user's device
    max_relative_error: float = 0.0  # fp16, fp32: artifact's distance from float over the output's own size

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"Recipe {self.name!r}: precision {self.precision!r}; valid: {', '.join(PRECISIONS)}.")
        for field, valid in (
            ("activation_observer", get_args(Observer)),
            ("weight_rounding", get_args(WeightRounding)),
        ):
            if getattr(self, field) not in valid:
                raise InputError(f"Recipe {self.name!r}: {field} {getattr(self, field)!r}; valid: {', '.join(valid)}.")
        if not 50 < self.activation_percentile <= 100:
            raise InputError(
                f"Recipe {self.name!r}: activation_percentile {self.activation_percentile}; valid: above 50, up to 100."
            )
        for field in ("smoothing_alphas", "equalisation_alphas"):
            if outside := [alpha for alpha in getattr(self, field) if not 0 <= alpha <= 1]:
                raise InputError(
                    f"Recipe {self.name!r}: {field} {outside[0]}; valid: 0 to 1, or an empty list for off."
                )
        if self.precision == "w8a8" and self.num_calibration_samples < 1:
            raise InputError(f"Recipe {self.name!r}: w8a8 needs num_calibration_samples of at least 1.")

        if self.max_self_check_ratio < 1:
            raise InputError(
                f"Recipe {self.name!r}: max_self_check_ratio {self.max_self_check_ratio}; valid: 1 or more."
            )
        limit = "max_error_ratio" if self.precision == "w8a8" else "max_relative_error"
        if getattr(self, limit) <= 0:
            raise InputError(f"Recipe {self.name!r}: {self.precision} needs {limit} above 0.")

    @classmethod
    def open(cls, name_or_file: str | Path) -> "QuantizationRecipe":
        """Read a recipe that comes with the package by its name, or a TOML file of your own."""
        return recipes.into(cls, recipes.read("quantization", name_or_file), f"Quantization recipe {name_or_file}")

    def treatment(self, module_path: str) -> Literal["w8a8", "float"]:
        """How the Linear or Conv2d at a module path is quantized."""
        if self.precision != "w8a8" or any(fnmatchcase(module_path, pattern) for pattern in self.float_patterns()):
            return "float"
        return "w8a8"

    def refuse_idle_patterns(self, paths: Sequence[str], kind: str) -> None:
        """Check that each pattern matches at least one of these module paths.

        Raises:
            InputError: a pattern that matches none; patterns of the trunk only where there is one.
        """
        has_trunk = any(path.startswith(TRUNK) for path in paths)
        for pattern in self.float_patterns() if has_trunk else self.keep_float:
            if not any(fnmatchcase(path, pattern) for path in paths):
                raise InputError(
                    f"Recipe {self.name!r}: pattern {pattern!r} matches no {kind}; "
                    f"module paths look like {paths[1]!r}, {paths[-1]!r}."
                )

    def float_patterns(self) -> tuple[str, ...]:
        """Patterns of the module paths that stay float."""
        return (*self.keep_float, *(TRUNK + pattern for pattern in self.keep_float_in_trunk))
