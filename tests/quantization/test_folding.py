"""Weight edits leave the function as it is, whatever the factor, and take outliers out of the channels."""

import copy
import itertools

import pytest
import tiny
import torch
from torch import Tensor, nn

from coevoer_edge.model import CoEvoer, build
from coevoer_edge.model.attention import Attention
from coevoer_edge.quantization.equalisation import equalise, linear_folds
from coevoer_edge.quantization.folding import Fold, _columns_scaled, read, scale_outputs
from coevoer_edge.quantization.pt2e import to_tensor
from coevoer_edge.quantization.recipe import TRUNK
from coevoer_edge.quantization.rounding import Grid, Rounding, gemm, gemms, rounding
from coevoer_edge.quantization.smoothquant import norm_folds, smooth

VARIANTS = list(itertools.product((True, False), repeat=2))
TOLERANCE = 1e-4
OUTLIERS, SIZE = 3, 30.0


def w8a8(path: str) -> str:
    return "w8a8"


def inputs(count: int = 2) -> list[Tensor]:
    return [to_tensor(image) for image in tiny.images(3, count)]


def outputs(network: nn.Module) -> list[Tensor]:
    with torch.no_grad():
        return [torch.cat(column) for column in zip(*(network(x) for x in inputs()), strict=True)]


def assert_same(network: nn.Module, other: nn.Module) -> None:
    for a, b in zip(outputs(network), outputs(other), strict=True):
        assert torch.allclose(a, b, atol=TOLERANCE, rtol=TOLERANCE)


@torch.no_grad()
def scale(network: nn.Module, fold: Fold, factor: Tensor) -> None:
    for writer in fold.writers:
        scale_outputs(network.get_submodule(writer), 1 / factor)
    for path in fold.readers:
        gemm(network, path).weight.copy_(_columns_scaled(gemm(network, path), factor))


def channels(network: nn.Module, fold: Fold) -> int:
    return len(network.get_submodule(fold.writers[0]).weight)  # type: ignore[arg-type]


def with_outliers(network: CoEvoer, folds: tuple[Fold, ...]) -> CoEvoer:
    """The same function with a few channels of every fold's tensor many times as large."""
    made, generator = copy.deepcopy(network), torch.Generator().manual_seed(1)
    for fold in folds:
        factor = torch.ones(channels(made, fold))
        factor[torch.randperm(len(factor), generator=generator)[:OUTLIERS]] = 1 / SIZE
        scale(made, fold, factor)
    return made


@pytest.mark.parametrize("folds_of", [norm_folds, linear_folds])
@pytest.mark.parametrize(("enhancer", "foreground"), VARIANTS)
def test_any_factor_leaves_the_function_as_it_is(folds_of, enhancer: bool, foreground: bool) -> None:
    network = tiny.tiny_network(enhancer=enhancer, foreground=foreground, depth=1)
    changed, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    for fold in folds_of(network):
        scale(changed, fold, torch.rand(channels(network, fold), generator=generator) * 4 + 0.25)
    assert_same(network, changed)


@pytest.mark.parametrize(("enhancer", "foreground"), VARIANTS)
def test_every_norm_is_folded_once(enhancer: bool, foreground: bool) -> None:
    network = tiny.tiny_network(enhancer=enhancer, foreground=foreground)
    writers = [writer for fold in norm_folds(network) for writer in fold.writers]
    assert sorted(writers) == sorted(p for p, m in network.named_modules() if isinstance(m, nn.LayerNorm))


@pytest.mark.parametrize("alphas", [(0.5,), (0.3, 0.7)])
def test_measures_leave_the_tiny_network_as_it_is(tiny_network: CoEvoer, alphas: tuple[float, ...]) -> None:
    network = with_outliers(tiny_network, norm_folds(tiny_network))
    equalise(network, alphas, inputs(), w8a8)
    used = smooth(network, alphas, inputs(), w8a8)
    assert set(used.values()) <= {*alphas, None}
    assert len(alphas) > 1 or set(used.values()) == set(alphas)
    assert_same(tiny_network, network)


def test_every_sum_of_the_trunk_is_folded_once() -> None:
    network = build("coevoer-t")
    folds = [fold for fold in linear_folds(network) if fold.writers[0].startswith(TRUNK)]
    paths = [path for path in gemms(network) if path.startswith(TRUNK)]
    laterals = [f"{TRUNK}laterals.{i}.0.0" for i in range(3)]
    writers = [path for path in paths if path.endswith((".project.0", "stem.2.0"))]
    readers = [path for path in paths if path.endswith((".expand.0", "top.0.0")) or path in laterals]
    assert sorted(path for fold in folds for path in fold.writers) == sorted(writers)
    assert sorted(path for fold in folds for path in fold.readers) == sorted(readers)


def test_measures_leave_coevoer_t_as_it_is() -> None:
    network = build("coevoer-t").eval()
    changed = copy.deepcopy(network)
    equalise(changed, (0.5,), inputs(1), w8a8)
    smooth(changed, (0.5,), inputs(1), w8a8)
    assert_same(network, changed)


@pytest.mark.parametrize("alphas", [(0.5,), (0.3, 0.5, 0.7)])
@pytest.mark.parametrize(("folds_of", "measure"), [(norm_folds, smooth), (linear_folds, equalise)])
def test_outliers_cost_less_afterwards(tiny_network: CoEvoer, folds_of, measure, alphas: tuple[float, ...]) -> None:
    network = with_outliers(tiny_network, folds_of(tiny_network))
    before = rounding_error(network)
    measure(network, alphas, inputs(), w8a8)
    assert rounding_error(network) < 0.5 * before


def rounding_error(network: CoEvoer) -> float:
    """Mean square error over all outputs, in units of their variance, with every layer's input and weight rounded."""
    read_by = read(network, list(gemms(network)), inputs())
    layers = {
        path: Rounding(Grid.of_weight(module.weight.detach()), Grid.of_activation(torch.cat(reading.sample)), None)
        for (path, module), reading in zip(gemms(network).items(), read_by.values(), strict=True)
    }
    exact = outputs(network)
    with rounding(network, layers):
        rounded = outputs(network)
    return sum(float((a - b).square().mean() / a.var()) for a, b in zip(exact, rounded, strict=True))


def test_queries_and_keys_get_the_same_largest_values(tiny_network: CoEvoer) -> None:
    network = copy.deepcopy(tiny_network)
    equalise(network, (0.5,), inputs(), w8a8)
    attentions = [path for path, module in network.named_modules() if isinstance(module, Attention)]
    seen = read(network, [f"{p}.{name}" for p in attentions for name in ("query", "key")], inputs(), outputs=True)
    for path in attentions:
        assert torch.allclose(seen[f"{path}.query"].largest, seen[f"{path}.key"].largest, rtol=1e-3), path


def test_what_stays_float_has_no_say(tiny_network: CoEvoer) -> None:
    network = with_outliers(tiny_network, norm_folds(tiny_network))
    assert set(smooth(network, (0.3, 0.7), inputs(), lambda _: "float").values()) == {0.3}  # all cost nothing
