import pytest
import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.model.embedding import GRID
from coevoer_edge.model.foreground import ForegroundExtraction, PooledSegments

IN_DIM, DIM, HEADS, N, B = 24, 16, 2, 6, 2
H, W = GRID


@pytest.fixture
def module() -> ForegroundExtraction:
    torch.manual_seed(0)
    made = ForegroundExtraction(IN_DIM, DIM, HEADS, N)
    for query in made.queries:
        nn.init.normal_(query)
    return made.eval().requires_grad_(False)


def test_gate_is_between_0_and_1_and_multiplies_the_features(module: ForegroundExtraction) -> None:
    features = torch.randn(B, DIM, H, W)
    ratio = module.gate(features) / features
    assert ratio.shape == features.shape
    assert ((ratio > 0) & (ratio < 1)).all()
    assert ratio.std() > 0


def test_gate_of_strip_convolutions_that_say_nothing_is_a_half(module: ForegroundExtraction) -> None:
    module.strip_vertical.weight.zero_()
    assert module.strip_vertical.bias is not None
    module.strip_vertical.bias.zero_()
    features = torch.randn(B, DIM, H, W)
    torch.testing.assert_close(module.gate(features), features / 2)


def test_coarse_map_is_the_mean_along_rows_plus_the_mean_along_columns(module: ForegroundExtraction) -> None:
    seen: list[Tensor] = []
    handle = module.strip_horizontal.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    features = torch.randn(B, DIM, H, W)
    module.gate(features)
    handle.remove()
    expected = features.mean(3, keepdim=True) + features.mean(2, keepdim=True)
    torch.testing.assert_close(seen[0], expected)


def test_strip_convolutions_are_depthwise_one_along_each_axis(module: ForegroundExtraction) -> None:
    assert module.strip_horizontal.weight.shape == (DIM, 1, 1, 11)
    assert module.strip_vertical.weight.shape == (DIM, 1, 11, 1)


def test_three_segments_of_the_queries_shape(module: ForegroundExtraction) -> None:
    segments = module(torch.randn(B, H * W, IN_DIM))
    assert [s.shape for s in segments] == [(B, N, DIM)] * len(contract.PARTS)


def test_segments_are_the_prior_interaction_tokens_plus_what_they_gather(module: ForegroundExtraction) -> None:
    for out in module.out:
        assert isinstance(out, nn.Linear)
        out.weight.zero_()
        out.bias.zero_()
    for segment, query in zip(module(torch.randn(B, H * W, IN_DIM)), module.queries, strict=True):
        torch.testing.assert_close(segment, query.expand(B, -1, -1))


def test_segments_are_softmax_attention_over_the_gated_map(module: ForegroundExtraction) -> None:
    patches = torch.randn(1, H * W, IN_DIM)
    maps = patches.transpose(1, 2).reshape(1, IN_DIM, H, W)
    gated = module.gate(module.adjust(nn.functional.gelu(module.conv(maps))))
    tokens = module.norm(gated.flatten(2).transpose(1, 2))[0]  # 192 d
    k, v, width = module.key(tokens), module.value(tokens), DIM // HEADS
    for segment, query, out in zip(module(patches), module.queries, module.out, strict=True):
        attended = []
        for h in range(HEADS):
            span = slice(h * width, (h + 1) * width)
            weights = torch.softmax(query[0, :, span] @ k[:, span].T / width**0.5, dim=-1)
            attended.append(weights @ v[:, span])
        torch.testing.assert_close(segment[0], query[0] + out(torch.cat(attended, dim=-1)), rtol=0, atol=1e-5)


def test_each_part_has_its_own_queries(module: ForegroundExtraction) -> None:
    patches = torch.randn(B, H * W, IN_DIM)
    before = module(patches)
    module.queries[1].zero_()
    changed = [not torch.equal(a, b) for a, b in zip(before, module(patches), strict=True)]
    assert changed == [False, True, False]


def test_ablation_pools_the_map_to_4_by_4_and_projects_for_each_part() -> None:
    module = PooledSegments(IN_DIM, DIM).requires_grad_(False)
    patches = torch.randn(B, H * W, IN_DIM)
    segments = module(patches)
    cells = patches.view(B, 4, H // 4, 4, W // 4, IN_DIM).mean((2, 4)).view(B, 16, IN_DIM)
    assert len(segments) == len(contract.PARTS)
    for segment, project in zip(segments, module.project, strict=True):
        torch.testing.assert_close(segment, project(cells))
