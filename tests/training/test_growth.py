"""A grown network computes the same as the small one at first, and its copied channels are trained differently."""

import pytest
import torch

from coevoer_edge.errors import InputError
from coevoer_edge.model import build, checkpoint
from coevoer_edge.model.build import _SIZES, Sizes
from coevoer_edge.training.growth import copies, grow

SMALL = Sizes(trunk=False, dim=64, depth=2, heads=1, decoder_dim=64, reduced=8, hidden=16)
DOUBLE = Sizes(trunk=False, dim=128, depth=5, heads=2, decoder_dim=128, reduced=8, hidden=32)
UNEVEN = Sizes(trunk=False, dim=192, depth=2, heads=3, decoder_dim=192, reduced=8, hidden=16)
LARGE = Sizes(trunk=False, dim=256, depth=2, heads=4, decoder_dim=256, reduced=8, hidden=16)


@pytest.fixture(autouse=True)
def _sizes(monkeypatch):
    for name, sizes in (("small", SMALL), ("double", DOUBLE), ("uneven", UNEVEN), ("large", LARGE)):
        monkeypatch.setitem(_SIZES, name, sizes)


def small(**variant):
    """A network unlike a newly initialised one: biases and norms differ, and outputs depend on the image."""
    network = build("small", **variant).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def images(count=2):
    return torch.rand(count, 3, 256, 192, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("variant", [{}, {"enhancer": False}, {"foreground": False}])
def test_twice_as_wide_and_deeper_is_the_same_function(variant):
    network = small(**variant)
    grown = grow(network, "double", **variant)
    assert grown.name == "double"
    assert not grown.training
    with torch.no_grad():
        for before, after in zip(network(images()), grown(images()), strict=True):
            torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_copies_get_different_gradients():
    grown = grow(small(), "double").train()
    sum(output.square().mean() for output in grown(images())).backward()
    gradient = grown.encoder.blocks[0].mlp[0].weight.grad
    first, second = gradient[:64], gradient[64:128]  # of hidden channels that copy the same channel
    torch.testing.assert_close(copies(256, 512)[:128], torch.arange(64).repeat(2))
    assert (first - second).abs().max() > 0.05 * first.abs().max()


def test_new_blocks_add_nothing_until_they_learn():
    grown = grow(small(), "double")
    blocks = list(grown.encoder.blocks)
    adds = [bool(block.mlp[2].weight.any() or block.attention.fc.weight.any()) for block in blocks]
    assert adds == [True, False, False, True, False]
    x = torch.randn(1, 5, 128)
    torch.testing.assert_close(blocks[1](x), x)


def test_copies_go_by_one_rule():
    for before, after in ((64, 128), (192, 256), (192, 384), (96, 192), (128, 320)):
        one = copies(before, after)
        assert one.shape == (after,)
        assert set(one.tolist()) == set(range(before))
        counts = one.bincount()
        assert counts.max() - counts.min() <= 1
        three = copies(3 * before, 3 * after)  # three concatenated tensors
        assert torch.equal(three, torch.cat([one + i * before for i in range(3)]))
    heads = copies(192, 256).view(4, 64)
    assert all(torch.equal(head, head[0] + torch.arange(64)) for head in heads)


def test_growing_is_seeded():
    first, again, other = (grow(small(), "double", seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_embedded_default_grows_into_the_reference():
    """The decoder grows from 3 to 4 heads, which moves the result by 2.4 mm, the mean over 32 golden images."""
    network, _ = checkpoint.load_embedded("coevoer-t")
    with torch.no_grad():
        before, after = network(images()), grow(network, "coevoer-s")(images())
    angle = torch.linalg.matrix_norm(after.body_pose - before.body_pose).mean()
    assert angle < 0.05
    assert (after.camera - before.camera).abs()[:, :2].max() < 0.05


@pytest.mark.parametrize(("old", "new"), [("large", "uneven"), ("coevoer-t", "double"), ("double", "coevoer-s")])
def test_what_it_cannot_grow_into_is_refused(old, new):
    with pytest.raises(InputError, match=rf"^{old} cannot grow into {new} \(.*\); coevoer-t can grow into coevoer-s"):
        grow(build(old), new)
