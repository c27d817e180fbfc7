from pathlib import Path

import pytest

from coevoer_edge.errors import InputError
from coevoer_edge.quantization.recipe import PRECISIONS, QuantizationRecipe

KEYS = (
    "activation_observer, activation_percentile, bias_correction, equalisation_alphas, keep_float, "
    "keep_float_in_trunk, max_error_ratio, max_relative_error, max_self_check_ratio, name, "
    "num_calibration_samples, precision, smoothing_alphas, weight_rounding"
)


def message_of(folder: Path, text: str) -> tuple[str, Path]:
    path = folder / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        QuantizationRecipe.open(path)
    return str(error.value), path


@pytest.mark.parametrize("precision", PRECISIONS)
def test_shipped_recipes_open_and_bear_the_name_of_their_precision(precision: str) -> None:
    recipe = QuantizationRecipe.open(precision)
    assert (recipe.name, recipe.precision) == (precision, precision)
    assert isinstance(recipe.keep_float, tuple)


def test_every_measure_is_off_unless_the_recipe_says_so() -> None:
    recipe = QuantizationRecipe(name="mine", precision="w8a8", num_calibration_samples=1, max_error_ratio=1.1)
    assert (recipe.activation_observer, recipe.weight_rounding) == ("minmax", "nearest")
    assert (recipe.smoothing_alphas, recipe.equalisation_alphas, recipe.bias_correction) == ((), (), False)


def test_unknown_recipe() -> None:
    with pytest.raises(InputError) as error:
        QuantizationRecipe.open("int4")
    assert str(error.value) == "No quantization recipe 'int4'; valid: fp16, fp32, w8a8, or the path of a .toml file."


def test_unknown_key(tmp_path: Path) -> None:
    message, path = message_of(tmp_path, 'name = "mine"\nprecision = "fp32"\nweigth_only = ["x"]\n')
    assert message == f"Quantization recipe {path}: unknown 'weigth_only'; it takes {KEYS}."


def test_missing_key(tmp_path: Path) -> None:
    message, path = message_of(tmp_path, 'name = "mine"\n')
    assert message == f"Quantization recipe {path}: missing 'precision'; it takes name, precision."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('precision = "int4"', "Recipe 'mine': precision 'int4'; valid: w8a8, fp16, fp32."),
        (
            'precision = "w8a8"\nactivation_observer = "kl"',
            "Recipe 'mine': activation_observer 'kl'; valid: minmax, histogram, percentile, mse.",
        ),
        (
            'precision = "w8a8"\nweight_rounding = "up"',
            "Recipe 'mine': weight_rounding 'up'; valid: nearest, gptq.",
        ),
        (
            'precision = "w8a8"\nactivation_percentile = 50',
            "Recipe 'mine': activation_percentile 50; valid: above 50, up to 100.",
        ),
        (
            'precision = "w8a8"\nsmoothing_alphas = [0.5, 1.5]',
            "Recipe 'mine': smoothing_alphas 1.5; valid: 0 to 1, or an empty list for off.",
        ),
        (
            'precision = "w8a8"\nequalisation_alphas = [-0.5]',
            "Recipe 'mine': equalisation_alphas -0.5; valid: 0 to 1, or an empty list for off.",
        ),
        (
            'precision = "w8a8"\nmax_error_ratio = 1.1',
            "Recipe 'mine': w8a8 needs num_calibration_samples of at least 1.",
        ),
        (
            'precision = "w8a8"\nnum_calibration_samples = 1',
            "Recipe 'mine': w8a8 needs max_error_ratio above 0.",
        ),
        (
            'precision = "fp16"\nmax_self_check_ratio = 0.9',
            "Recipe 'mine': max_self_check_ratio 0.9; valid: 1 or more.",
        ),
        ('precision = "fp16"', "Recipe 'mine': fp16 needs max_relative_error above 0."),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message_of(tmp_path, f'name = "mine"\n{text}\n')[0] == message


def test_not_toml(tmp_path: Path) -> None:
    message, path = message_of(tmp_path, "{")
    assert message.startswith(f"{path} is not a TOML file (")


def test_patterns_choose_the_treatment() -> None:
    recipe = QuantizationRecipe(
        name="mine",
        precision="w8a8",
        keep_float=("*_head.out", "box_net.*"),
        num_calibration_samples=1,
        max_error_ratio=1.1,
    )
    assert recipe.treatment("encoder.blocks.0.mlp.0") == "w8a8"
    assert recipe.treatment("body_head.out") == "float"
    assert recipe.treatment("box_net.mlp.0") == "float"
    assert QuantizationRecipe.open("fp16").treatment("encoder.blocks.0.mlp.0") == "float"
