"""The optimisers of a recipe: every parameter once, and the same Muon on CPUs with and without bfloat16."""

import pytest
import torch
from tiny import tiny_network

from coevoer_edge.training.dense import Trainee
from coevoer_edge.training.optimizers import Float32Muon, make_optimizers
from coevoer_edge.training.recipe import TrainingRecipe


def stepped(kind, gradients):
    matrix = torch.nn.Parameter(torch.zeros(48, 32))
    optimizer = kind([matrix], 0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        matrix.grad = gradient.clone()
        optimizer.step()
    return matrix.detach()


def test_muon_in_float32_steps_as_torchs_does_in_bfloat16():
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(48, 32, generator=generator) for _ in range(3)]
    expected, found = stepped(torch.optim.Muon, gradients), stepped(Float32Muon, gradients)
    assert (found - expected).norm() < 0.02 * expected.norm()
    assert not torch.equal(found, expected)
    assert not torch.equal(found, found.bfloat16().float())  # outside the step, casts to bfloat16 are unchanged


def test_muon_in_float32_leaves_the_gradient_as_it_was():
    gradient = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    matrix = torch.nn.Parameter(torch.zeros(8, 4))
    matrix.grad = gradient.clone()
    Float32Muon([matrix], 0.1, momentum=0.0, nesterov=False).step()
    assert torch.equal(matrix.grad, gradient)


@pytest.mark.parametrize("is_supported", [True, False])
def test_every_parameter_has_one_optimiser(monkeypatch, is_supported):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: is_supported)
    network = tiny_network()
    trainee = Trainee(network, dense=True)
    adam, muon = make_optimizers(trainee, network, TrainingRecipe.open("cpu"))
    assert type(adam) is torch.optim.Adam
    assert type(muon) is (torch.optim.Muon if is_supported else Float32Muon)
    covered = [id(p) for optimizer in (adam, muon) for group in optimizer.param_groups for p in group["params"]]
    assert len(covered) == len(set(covered)) == len(list(trainee.parameters()))
