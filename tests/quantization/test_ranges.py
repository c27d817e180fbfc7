"""What each observer makes of values with outliers, and that a recipe's choice reaches the program."""

import pytest
import tiny
import torch
from torch import Tensor

from coevoer_edge.model.captured_program import GEMMS
from coevoer_edge.quantization.pt2e import quantize
from coevoer_edge.quantization.ranges import activation_observer
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import Grid

OBSERVERS = ("minmax", "histogram", "percentile", "mse")


def recipe(observer: str, percentile: float = 99.9) -> QuantizationRecipe:
    return QuantizationRecipe(
        name="mine",
        precision="w8a8",
        activation_observer=observer,  # type: ignore[arg-type]
        activation_percentile=percentile,
        num_calibration_samples=1,
        max_error_ratio=1.1,
    )


def grid(observer: str, batches: list[Tensor], percentile: float = 99.9) -> Grid:
    made = activation_observer(recipe(observer, percentile))(
        dtype=torch.int8, quant_min=-128, quant_max=127, qscheme=torch.per_tensor_affine
    )
    for batch in batches:
        made(batch)
    return Grid.of(made)


def ends(grid: Grid) -> tuple[float, float]:
    low, high = ((q - grid.zero_point) * grid.scale for q in (grid.low, grid.high))
    return float(low), float(high)


@pytest.fixture(scope="module")
def batches() -> list[Tensor]:
    """Normal values with a standard deviation of 1, the range growing from batch to batch; one in 10,000 is 40."""
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(10_000, generator=generator) * size for size in (0.8, 1.0, 1.2)]
    for batch in made:
        batch[0] = 40.0
    return made


@pytest.mark.parametrize("observer", OBSERVERS)
def test_scales_are_half_precision_numbers(observer: str, batches: list[Tensor]) -> None:
    scale = grid(observer, batches).scale
    assert torch.equal(scale, scale.half().float())


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("value", [0.0, 2.0, -2.0])
def test_a_tensor_of_one_value_has_a_range(observer: str, value: float) -> None:
    constant = torch.full((4, 8), value)
    assert torch.allclose(grid(observer, [constant, constant]).rounded(constant), constant, atol=0.02)


def test_min_max_holds_every_value(batches: list[Tensor]) -> None:
    low, high = ends(grid("minmax", batches))
    assert low <= min(float(batch.min()) for batch in batches) + 0.1
    assert high == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("percentile", [99.0, 99.9])
def test_percentile_cuts_off_as_many_as_it_says(percentile: float, batches: list[Tensor]) -> None:
    values = torch.cat(batches)
    for end, share in zip(ends(grid("percentile", batches, percentile)), (100 - percentile, percentile), strict=True):
        assert end == pytest.approx(float(values.quantile(share / 100)), abs=0.1)


def test_percentile_100_is_min_max(batches: list[Tensor]) -> None:
    assert ends(grid("percentile", batches, 100)) == pytest.approx(ends(grid("minmax", batches)), abs=0.1)


def test_least_square_error_is_the_least_of_all(batches: list[Tensor]) -> None:
    values = torch.cat(batches)
    squares = {
        observer: float((grid(observer, batches).rounded(values) - values).square().mean()) for observer in OBSERVERS
    }
    assert squares["mse"] == min(squares.values())
    assert squares["mse"] < squares["minmax"]


def test_the_recipes_choice_reaches_the_program() -> None:
    network, images = tiny.tiny_network(enhancer=False, foreground=False, depth=1), tiny.images(1, 2)

    def scale(observer: str) -> float:
        program = quantize(network, recipe(observer, 99.0), images)
        conv = next(node for node in program.graph.nodes if node.target in GEMMS)
        return float(conv.args[0].args[1])  # of dequantize, before patch_embed

    assert scale("percentile") < scale("minmax")
