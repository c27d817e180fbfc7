"""GPTQ: weights on their grids, and errors that cancel in what a layer writes."""

import copy

import pytest
import tiny
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.gptq import _columns, round_weights, rounded, second_moments
from coevoer_edge.quantization.pt2e import calibrate, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import Grid, Rounding, gemm, roundings

PICTURES = tiny.images(1, 4)
INPUTS = [to_tensor(picture) for picture in PICTURES]
ROWS, COLUMNS, OUT = 400, 200, 6  # more columns than a block of 128


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def correlated() -> Tensor:
    """Inputs (ROWS, COLUMNS) that rise and fall together: ten causes and a little noise."""
    made = generator()
    causes = torch.randn(ROWS, 10, generator=made) @ torch.randn(10, COLUMNS, generator=made)
    return causes + 0.1 * torch.randn(ROWS, COLUMNS, generator=made)


def coarse(weight: Tensor) -> Grid:
    """Seven numbers instead of 255, so that errors are large."""
    scale = weight.abs().amax(1) / 3
    return Grid(scale, torch.zeros(len(weight), dtype=torch.int32), -3, 3, per_channel=True)


def test_weights_are_on_their_grid_and_outputs_nearer() -> None:
    x, weight = correlated(), torch.randn(OUT, COLUMNS, generator=generator())
    grid = coarse(weight)
    found = rounded(weight, (x.T @ x)[None], grid)
    assert torch.allclose(grid.rounded(found), found)
    nearest = grid.rounded(weight)
    error, before = ((x @ (w - weight).T).square().mean(0) for w in (found, nearest))
    assert (error < 0.2 * before).all()


def test_without_correlation_it_rounds_to_nearest() -> None:
    weight = torch.randn(OUT, COLUMNS, generator=generator())
    grid = coarse(weight)
    assert torch.allclose(rounded(weight, torch.eye(COLUMNS)[None], grid), grid.rounded(weight))


def test_groups_are_rounded_apart() -> None:
    """Two groups in one call are as each by itself."""
    x, weight = correlated()[:, :9], torch.randn(2 * OUT, 1, 3, 3, generator=generator())
    moments = torch.stack((x.T @ x, torch.eye(9)))
    grid = coarse(weight.flatten(1))
    both = rounded(weight, moments, grid)
    for part, one in zip((slice(None, OUT), slice(OUT, None)), moments, strict=True):
        alone = Grid(grid.scale[part], grid.zero_point[part], -3, 3, per_channel=True)
        assert torch.equal(both[part], rounded(weight[part], one[None], alone))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(6, 5),
        nn.Conv2d(6, 5, 1),
        nn.Conv2d(6, 5, 3, padding=1),
        nn.Conv2d(6, 5, 4, stride=4),
        nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6),
        nn.Conv2d(6, 6, (1, 11), padding=(0, 5), groups=6),
    ],
    ids=str,
)
def test_columns_times_weight_is_the_layer(layer: nn.Linear | nn.Conv2d) -> None:
    x = torch.randn(2, 8, 8, 6, generator=generator())
    if isinstance(layer, nn.Linear):
        written = F.linear(x, layer.weight).reshape(-1, 5)
    else:
        x = x.permute(0, 3, 1, 2)
        written = (layer(x) - layer.bias[:, None, None]).permute(0, 2, 3, 1).flatten(0, 2)  # B*L O
    columns = _columns(layer, x)  # G N K
    weight = layer.weight.reshape(len(columns), -1, columns.shape[-1])  # G O/G K
    assert torch.allclose((columns @ weight.mT).permute(1, 0, 2).flatten(1), written, atol=1e-5)


@pytest.fixture(scope="module")
def network() -> CoEvoer:
    return tiny.tiny_network(enhancer=False, foreground=False, depth=1)


def test_layers_with_fewer_inputs_than_columns_are_left_alone(network: CoEvoer) -> None:
    paths = ["body_head.hidden", "body_head.reduce"]  # one vector an image, and one for each token
    with torch.no_grad():
        assert list(second_moments(network, paths, INPUTS)) == ["body_head.reduce"]


def test_only_weights_that_have_a_grid_change(network: CoEvoer) -> None:
    changed = copy.deepcopy(network)
    grid = Grid.of_weight(gemm(network, "body_tokens").weight.detach())
    round_weights(
        changed, {"body_tokens": Rounding(grid, None, None), "box_net.mlp.0": Rounding(None, None, None)}, INPUTS
    )
    differing = [
        name for name, value in network.state_dict().items() if not torch.equal(value, changed.state_dict()[name])
    ]
    assert differing == ["body_tokens.weight"]


def test_the_graph_has_the_weights_and_the_network_stays_exact(network: CoEvoer) -> None:
    def made(**changes: object) -> QuantizationRecipe:
        values = {"name": "mine", "precision": "w8a8", "num_calibration_samples": 1, "max_error_ratio": 1.1} | changes
        return QuantizationRecipe(**values)  # type: ignore[arg-type]

    calibrated = calibrate(network, made(weight_rounding="gptq"), PICTURES)
    assert all(
        torch.equal(value, calibrated.network.state_dict()[name]) for name, value in network.state_dict().items()
    )
    grid = roundings(calibrated.prepared)["body_tokens"].weight
    weight = calibrated.prepared.get_parameter("network.body_tokens.weight")
    exact = gemm(network, "body_tokens").weight
    assert grid is not None
    assert torch.allclose(grid.rounded(weight), weight, atol=1e-7)
    assert not torch.allclose(grid.rounded(exact), weight, atol=1e-7)
    assert float(grid.scale[0]) == pytest.approx(float(exact[0].detach().abs().max()) / 127, rel=1e-3)  # as before
