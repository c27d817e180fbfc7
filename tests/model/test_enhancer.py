import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.model.attention import Attention
from coevoer_edge.model.enhancer import CollaborativeEvolutionEnhancer, ConcatenatedSelfAttention, Correction, RefineNet

TOLERANCE = 1e-5  # largest difference, tokens of RMS 1, float32; measured 2e-6
DIM, HEADS, B = 32, 4, 2
FACE = 0


def tokens() -> tuple[list[Tensor], list[Tensor]]:
    """Part features Z (64 tokens) and torso segments T (16 tokens)."""
    torch.manual_seed(0)
    return [torch.randn(B, 64, DIM) for _ in range(3)], [torch.randn(B, 16, DIM) for _ in range(3)]


def enhancer() -> CollaborativeEvolutionEnhancer:
    """Give the norms weights other than the identity's, as after training."""
    torch.manual_seed(1)
    made = CollaborativeEvolutionEnhancer(DIM, HEADS)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def norm(x: Tensor, layer: nn.LayerNorm) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (variance + 1e-6).sqrt() * layer.weight + layer.bias


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    return x @ layer.weight.T + layer.bias


def f_attn(Q: Tensor, K: Tensor, V: Tensor, heads: int) -> Tensor:
    """Softmax(Q K^T / sqrt(d)) V, head by head."""
    width = Q.shape[-1] // heads
    out = []
    for h in range(heads):
        q, k, v = (x[..., h * width : (h + 1) * width] for x in (Q, K, V))
        scores = torch.stack([q_b @ k_b.T for q_b, k_b in zip(q, k, strict=True)]) / math.sqrt(width)  # B N M
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        out.append(weights @ v)
    return torch.cat(out, dim=-1)


def f_corr(c: Correction, query: Tensor, context: Tensor) -> Tensor:
    """Equation (3) after the norms: F_corr(Q, K, V) = F_fc(F_attn(Q, K, V))."""
    query, context = norm(query, c.norm_query), norm(context, c.norm_context)
    a = c.attention
    Q, K, V = linear(query, a.query), linear(context, a.key), linear(context, a.value)
    return linear(f_attn(Q, K, V, HEADS), a.fc)


def test_enhancer_is_equations_1_to_3() -> None:
    Z, T = tokens()
    model = enhancer()
    with torch.no_grad():
        Z_tilde, T_tilde = model(Z, T)
        for i in range(3):
            equation_1 = Z[i] + f_corr(model.part_from_torso[i], Z[i], T[i])
            equation_2 = T[i] + f_corr(model.torso_from_part[i], T[i], Z[i])  # from Z, not from Z tilde
            torch.testing.assert_close(Z_tilde[i], equation_1, rtol=0, atol=TOLERANCE)
            torch.testing.assert_close(T_tilde[i], equation_2, rtol=0, atol=TOLERANCE)


def test_enhancer_is_six_cross_attentions_that_share_nothing() -> None:
    model = enhancer()
    attentions = [module for module in model.modules() if isinstance(module, Attention)]
    assert len(attentions) == 6
    parameters = list(model.named_parameters(remove_duplicate=False))
    assert len({p.data_ptr() for _, p in parameters}) == len(parameters) == 6 * (4 * 2 + 2 * 2)


def test_each_part_talks_to_its_own_segment_only() -> None:
    model, (Z, T) = enhancer(), tokens()
    with torch.no_grad():
        before = model(Z, T)
        after = model(Z, [torch.zeros_like(T[FACE]), *T[1:]])
    for old, new in zip(before, after, strict=True):
        changed = [not torch.equal(a, b) for a, b in zip(old, new, strict=True)]
        assert changed == [True, False, False]


def test_constant_context_values_give_every_query_the_same_correction() -> None:
    """Attention's weights sum to 1: with V constant over the context, the correction is FC(V) for every token."""
    correction, (Z, T) = enhancer().part_from_torso[FACE], tokens()
    assert isinstance(correction, Correction)
    with torch.no_grad():
        correction.attention.value.weight.zero_()
        added = correction(Z[FACE], T[FACE]) - Z[FACE]
        constant = correction.attention.fc(correction.attention.value.bias)
    torch.testing.assert_close(added, constant.expand_as(added), rtol=0, atol=TOLERANCE)


def test_correction_without_fc_leaves_its_query_as_it_was() -> None:
    correction, (Z, T) = enhancer().torso_from_part[FACE], tokens()
    assert isinstance(correction, Correction)
    with torch.no_grad():
        correction.attention.fc.weight.zero_()
        correction.attention.fc.bias.zero_()
        assert torch.equal(correction(T[FACE], Z[FACE]), T[FACE])


def test_order_of_the_context_does_not_matter() -> None:
    correction, (Z, T) = enhancer().part_from_torso[FACE], tokens()
    with torch.no_grad():
        flipped = correction(Z[FACE], T[FACE].flip(1))
        torch.testing.assert_close(flipped, correction(Z[FACE], T[FACE]), rtol=0, atol=TOLERANCE)


def test_refine_net_fuses_the_segments_token_by_token() -> None:
    net, (_, T) = RefineNet(DIM), tokens()
    with torch.no_grad():
        before = net(T)
        T[1][:, 5] += 1.0
        changed = (net(T) != before).any(-1)  # B n
    assert before.shape == (B, 16, DIM)
    assert changed[:, 5].all()
    assert changed.sum() == B


def test_refine_net_is_an_mlp_over_the_concatenation() -> None:
    net, (_, T) = RefineNet(DIM), tokens()
    first, last = net.mlp[0], net.mlp[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        expected = linear(F.gelu(linear(torch.cat(T, dim=-1), first)), last)
        torch.testing.assert_close(net(T), expected, rtol=0, atol=TOLERANCE)


def test_ablation_without_enhancer_attends_over_all_parts_and_leaves_the_torso() -> None:
    model, (Z, T) = ConcatenatedSelfAttention(DIM, HEADS), tokens()
    with torch.no_grad():
        parts, segments = model(Z, T)
        assert [p.shape for p in parts] == [z.shape for z in Z]
        assert all(a is b for a, b in zip(segments, T, strict=True))
        moved, _ = model([Z[0] * 2, Z[1], Z[2]], T)
    assert all(not torch.equal(a, b) for a, b in zip(parts, moved, strict=True))


def test_attention_refuses_a_width_that_its_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match=r"^dim 10 is not a multiple of heads 3$"):
        Attention(10, 3)
