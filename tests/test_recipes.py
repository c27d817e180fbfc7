import tomllib
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from coevoer_edge import recipes
from coevoer_edge.errors import InputError
from coevoer_edge.lowering.recipe import ALIASES, SUFFIXES, TARGETS, ExportRecipe, canonical_target
from coevoer_edge.quantization.recipe import QuantizationRecipe

SHIPPED = [(kind, name) for kind in ("export", "quantization") for name in recipes.names(kind)]


def message_of(path_or_name: str | Path) -> str:
    with pytest.raises(InputError) as error:
        ExportRecipe.open(path_or_name)
    return str(error.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_names_of_the_shipped_recipes() -> None:
    assert recipes.names("export") == ("coreml", "executorch", "executorch-coreml", "onnx")
    assert set(TARGETS) == set(recipes.names("export")) - {"executorch-coreml"}
    assert recipes.names("quantization") == ("fp16", "fp32", "w8a8")


@pytest.mark.parametrize("target", TARGETS)
def test_shipped_export_recipes_open(target: str) -> None:
    recipe = ExportRecipe.open(target)
    assert recipe.target == target
    assert recipe.max_bytes_per_parameter == 1.15
    assert target in SUFFIXES
    with pytest.raises(FrozenInstanceError):
        recipe.opset = 1  # type: ignore[misc]


def test_a_copy_of_a_shipped_recipe_opens_as_a_file(tmp_path: Path) -> None:
    text = (recipes.folder("export") / "onnx.toml").read_text()
    assert ExportRecipe.open(write(tmp_path, text)) == ExportRecipe.open("onnx")


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_shipped_value_has_its_reason_beside_or_above_it(kind: str, name: str) -> None:
    """A comment on its line or at the start of its paragraph."""
    text = (recipes.folder(kind) / f"{name}.toml").read_text()
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip().splitlines()
        for number, line in enumerate(lines):
            if "=" in line and not line.startswith("#"):
                explained = "#" in line or any(above.startswith("#") for above in lines[:number])
                assert explained, f"{kind}/{name}.toml: no reason for {line!r}"


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_reasons_of_operators_outside_the_delegate_are_sentences(kind: str, name: str) -> None:
    table = tomllib.loads((recipes.folder(kind) / f"{name}.toml").read_text())
    assert all(len(reason.split()) > 3 for reason in table.get("outside", {}).values())


def test_unknown_recipe() -> None:
    assert message_of("tflite") == (
        "No export recipe 'tflite'; valid: coreml, executorch, executorch-coreml, onnx, or the path of a .toml file."
    )


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert message_of(path) == (
        f"No export recipe '{path}'; valid: coreml, executorch, executorch-coreml, onnx, or the path of a .toml file."
    )


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "folder.toml"
    path.mkdir()
    assert message_of(path).startswith(f"No export recipe '{path}'; valid: ")


def test_not_toml(tmp_path: Path) -> None:
    path = write(tmp_path, "target: onnx\n")
    assert message_of(path) == (
        f"{path} is not a TOML file (Expected '=' after a key in a key/value pair (at line 1, column 7)); correct it."
    )


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert message_of(path).startswith(f"{path} is not a TOML file ('utf-8' codec can't decode byte 0xff")


def test_unknown_keys_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'target = "onnx"\nopset = 23\nmax_bytes_per_parameter = 1.1\nopsett = 24\nbits = 8\n')
    assert message_of(path) == (
        f"Export recipe {path}: unknown 'bits', 'opsett'; it takes backend, max_bytes_per_parameter, max_delegates, "
        "minimum_deployment_target, opset, outside, target."
    )


def test_missing_keys_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "opset = 23\n")
    assert message_of(path) == (
        f"Export recipe {path}: missing 'max_bytes_per_parameter', 'target'; it takes max_bytes_per_parameter, target."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('target = "tflite"', "Export recipe: target 'tflite'; valid: coreml, executorch, onnx."),
        ('target = "onnx"\nopset = 22', "Opset 22: Attention needs 23 or newer."),
        (
            'target = "onnx"\nopset = 23\nmax_delegates = 1',
            "Export recipe for onnx: 'max_delegates' belongs to executorch.",
        ),
        (
            'target = "executorch"\nbackend = "vulkan"',
            "Export recipe for executorch: backend 'vulkan'; valid: xnnpack, coreml.",
        ),
        (
            'target = "coreml"\nminimum_deployment_target = "iOS17"',
            "Minimum deployment target 'iOS17'; valid: iOS18, iOS26, macOS15, macOS26 "
            "(older ones have neither int8 activations nor a fused attention).",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message_of(write(tmp_path, f"{text}\nmax_bytes_per_parameter = 1.1\n")) == message


def test_aliases_of_targets() -> None:
    assert {alias: canonical_target(alias) for alias in ALIASES} == ALIASES
    assert [canonical_target(target) for target in TARGETS] == list(TARGETS)


def test_unknown_target() -> None:
    with pytest.raises(InputError) as error:
        canonical_target("tflite")
    assert str(error.value) == (
        "Unknown target 'tflite'; valid: coreml, executorch, onnx (or mlpackage, ios, pte, android), "
        "and 'all' for all three."
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "bias_correction = true",
            'bias_correction = "false"',
            "bias_correction is 'false'; it must be true or false.",
        ),
        ("num_calibration_samples = 64", "num_calibration_samples = 64.0", "is 64.0; it must be a whole number."),
        ("max_error_ratio = 1.1", "max_error_ratio = nan", "max_error_ratio is nan; it must be a finite number."),
        ("max_error_ratio = 1.1", "max_error_ratio = " + "9" * 400, "it must be a finite number."),
        ('name = "w8a8"', "name = 3", "name is 3; it must be a string."),
        ("equalisation_alphas = [0.8]", "equalisation_alphas = 0.8", "equalisation_alphas is 0.8; it must be a list."),
        ("equalisation_alphas = [0.8]", 'equalisation_alphas = ["a"]', "equalisation_alphas[0] is 'a'; it must be a"),
        ('weight_rounding = "gptq"', "weight_rounding = [1]", "weight_rounding is [1]; it must be a string."),
    ],
)
def test_every_value_has_its_type(tmp_path: Path, old: str, new: str, message: str) -> None:
    """`bias_correction = "false"` turned it on."""
    text = (recipes.folder("quantization") / "w8a8.toml").read_text()
    assert old in text
    with pytest.raises(InputError) as error:
        QuantizationRecipe.open(write(tmp_path, text.replace(old, new)))
    assert message in str(error.value)


def test_deep_nesting_and_huge_files_are_refused(tmp_path: Path) -> None:
    assert "is not a TOML file" in message_of(write(tmp_path, "a = " + "[" * 10_000 + "]" * 10_000))
    assert "a recipe has at most 1,000,000" in message_of(write(tmp_path, "#" * 1_000_001))
