from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.model import build
from coevoer_edge.model.embedding import GRID, PatchEmbedding, TrunkEmbedding
from coevoer_edge.model.trunk import LATERAL_CHANNELS, TOP_CHANNELS, Trunk, load_pretrained

H, W = contract.IMAGE_HEIGHT_PX, contract.IMAGE_WIDTH_PX
WEIGHTS = Path(build.__code__.co_filename).parents[1] / "weights" / "blazepose-trunk.safetensors"


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    made = Trunk().eval()
    load_pretrained(made)
    return made


def image(batch: int = 1) -> Tensor:
    coarse = torch.rand(batch, 3, H // 32, W // 32, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (H, W), mode="bilinear")


def test_trunk_has_a_lateral_at_each_stride(trunk: Trunk) -> None:
    with torch.no_grad():
        laterals, top = trunk(image(2))
    assert [tuple(x.shape) for x in laterals] == [(2, LATERAL_CHANNELS, H // s, W // s) for s in (4, 8, 16, 32)]
    assert tuple(top.shape) == (2, TOP_CHANNELS, H // 32, W // 32)
    assert all(x.min() >= 0 and x.max() <= 6 for x in (*laterals, top))


def test_trunk_is_pretrained_in_every_model_that_has_one(trunk: Trunk) -> None:
    embedding = build("coevoer-t", seed=3).encoder.patch_embed
    assert isinstance(embedding, TrunkEmbedding)
    for key, value in trunk.state_dict().items():
        assert torch.equal(embedding.trunk.state_dict()[key], value)


def test_weights_are_half_precision_and_complete() -> None:
    weights = load_file(WEIGHTS)
    assert weights.keys() == Trunk().state_dict().keys()
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert all(value.isfinite().all() for value in weights.values())


def test_embeddings_have_one_vector_a_patch() -> None:
    for embedding in (PatchEmbedding(8), TrunkEmbedding(8, Trunk())):
        with torch.no_grad():
            assert tuple(embedding(image(2)).shape) == (2, 8, *GRID)


def test_spread_starts_as_bilinear_upsampling() -> None:
    embedding = TrunkEmbedding(8, Trunk())
    embedding.spread_bilinearly()
    x = torch.randn(2, 5, GRID[0] // 2, GRID[1] // 2)
    spread = embedding.spread(x.flatten(2)).view(2, 5, *GRID)
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(spread, doubled, rtol=0, atol=1e-6)


def test_each_map_reaches_the_patch_that_it_covers() -> None:
    """A change of one pixel changes the tokens around it most, not those elsewhere."""
    embedding = build("coevoer-t").encoder.patch_embed
    before = image()
    after = before.clone()
    after[:, :, 5 * 16 : 6 * 16, 3 * 16 : 4 * 16] = 1.0
    with torch.no_grad():
        moved = (embedding(after) - embedding(before)).square().sum(1)[0]  # 16 12
    row, column = divmod(int(moved.argmax()), GRID[1])
    assert abs(row - 5) <= 1
    assert abs(column - 3) <= 1
