"""Millimetres: of each layer alone, of each measure, and what the two commands refuse."""

import copy
from dataclasses import asdict, replace

import pytest
import tiny
import torch
from click.testing import CliRunner

from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization import contributions, sensitivity
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import gemms, rounding, roundings
from coevoer_edge.quantization.trial import Trial

RECIPE = QuantizationRecipe.open("w8a8")
EXACT = 1e-3  # mm: equalisation leaves the function as it is, to float32's rounding


@pytest.fixture(scope="module")
def network() -> CoEvoer:
    return tiny.tiny_network(enhancer=False, foreground=False, depth=1)


@pytest.fixture(scope="module")
def trial(network: CoEvoer) -> Trial:
    return Trial(network, tiny.images(2, 3))


def test_a_network_is_no_distance_from_itself_in_any_batch(network: CoEvoer, trial: Trial) -> None:
    assert trial.loss(network) == (0, 0, 0)
    assert max(trial.loss(network, batch=1)) < EXACT


def test_the_loss_is_millimetres_with_parts_at_their_joint(network: CoEvoer, trial: Trial) -> None:
    turned = copy.deepcopy(network)
    with torch.no_grad():
        turned.left_hand_head.out.bias += 0.3 * torch.randn(90, generator=torch.Generator().manual_seed(0))
    loss = trial.loss(turned)
    assert loss.face_mm < 1e-3 < 1 < loss.hand_mm
    assert loss.all_mm < loss.hand_mm


def test_every_layer_is_measured_costliest_first(network: CoEvoer, trial: Trial) -> None:
    before = copy.deepcopy(network.state_dict())
    calibrated = sensitivity.calibrate_all(network, RECIPE, tiny.images(1, 2))
    rows = sensitivity.sensitivity(calibrated, RECIPE, trial, top=10)
    assert [row.of_weights is not None for row in rows] == [i < 10 for i in range(len(rows))]
    assert {row.path for row in rows} == set(gemms(network))
    assert [row.loss.all_mm for row in rows] == sorted((row.loss.all_mm for row in rows), reverse=True)
    assert sum(row.share for row in rows) == pytest.approx(1)
    by_path = {row.path: row for row in rows}
    assert by_path["body_head.out"].treatment == "float"
    measured = by_path["body_head.out"].of_weights
    assert measured is not None
    assert by_path["body_head.out"].loss.all_mm > measured.all_mm > 0
    assert max(by_path["visibility_head.0"].loss) < EXACT  # no body depends on it
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())
    table = sensitivity.as_markdown(rows).splitlines()
    assert table[2].startswith(f"| `{rows[0].path}` | {rows[0].loss.all_mm:.3f} | ")
    assert len(table) == 2 + len(rows)
    assert {line.count("|") for line in table} == {10}


def test_what_is_rounded_costs_apart_and_together(network: CoEvoer, trial: Trial) -> None:
    pictures = tiny.images(1, 2)
    calibrated = sensitivity.calibrate_all(network, RECIPE, pictures)
    losses = sensitivity.by_kind(calibrated, RECIPE, pictures, trial)
    kinds = ["weights, inputs and outputs", "weights", "inputs and outputs", "inputs", "weights by GPTQ"]
    assert list(losses) == kinds  # there is no trunk
    layers = {p: r for p, r in roundings(calibrated.prepared).items() if RECIPE.treatment(p) == "w8a8"}
    with rounding(calibrated.network, layers):
        assert losses["weights, inputs and outputs"] == trial.loss(calibrated.network)
    with rounding(calibrated.network, {p: replace(r, data=None, output=None) for p, r in layers.items()}):
        assert losses["weights"] == trial.loss(calibrated.network)
    assert len({*losses.values()}) == 5
    assert min(loss.all_mm for loss in losses.values()) > 100 * EXACT
    nothing = sensitivity.by_kind(calibrated, replace(RECIPE, keep_float=("*",)), pictures, trial)
    assert max(max(loss) for loss in nothing.values()) < EXACT
    table = sensitivity.kinds_as_markdown(losses).splitlines()
    assert table[3] == f"| weights | {losses['weights'].cells()} |"


def test_rows_of_the_ablation_differ_from_the_recipe_in_their_measure_only() -> None:
    wanted = replace(RECIPE, bias_correction=True, smoothing_alphas=(0.4,), activation_observer="mse")
    variants = contributions.variants(wanted)
    assert variants.pop(contributions.RECIPE) == wanted
    base = asdict(variants["min-max ranges only"])
    assert base == asdict(replace(RECIPE, **contributions.BASE))
    assert not base["bias_correction"]
    for name, recipe in variants.items():
        changed = {field for field, value in asdict(recipe).items() if value != base[field]}
        assert changed <= contributions.MEASURES[name].keys(), name
        assert changed or name == "min-max ranges only"


def test_an_ablation_measures_whole_programs(network: CoEvoer, trial: Trial) -> None:
    recipes = {"int8": RECIPE, "float": QuantizationRecipe.open("fp32")}
    rounded, exact = contributions.ablation(network, recipes, tiny.images(1, 2), trial)
    assert max(exact.loss) < 1e-3 < min(rounded.loss)
    assert contributions.as_markdown([rounded]).splitlines()[2].startswith("| int8 | ")


@pytest.mark.parametrize("command", [sensitivity.command, contributions.command])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "fp16"], "Recipe 'fp16' has precision 'fp16'; give a w8a8 recipe."),
        (["--num-images", "129"], "The default golden set has 128 images, but 129 were requested; ask for fewer."),
        (
            ["--checkpoint", "none.safetensors"],
            "No checkpoint 'none.safetensors'; give the path of a .safetensors file.",
        ),
    ],
)
def test_what_the_commands_refuse(command, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, [*arguments, "--quiet"])
    assert result.exit_code == 2
    assert result.stderr == f"Error: {message}\n"


def test_an_unknown_row_is_refused_by_name() -> None:
    with pytest.raises(contributions.InputError, match="No row's name contains 'median'; rows: min-max ranges"):
        contributions._chosen(contributions.variants(RECIPE), ["median"])
