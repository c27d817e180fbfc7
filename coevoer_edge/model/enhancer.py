"""Collaborative Evolution Enhancer and RefineNet.

In: part features Z (three of (B, 64, d)) and torso segments T (three of (B, n, d)). Out: both, corrected; RefineNet
turns the corrected segments into torso tokens (B, n, d).

Source: equations (1) to (3). F_corr = FC(Attn(Q, K, V)) is `Attention`, whose output projection is the FC. The paper
does not specify the rest: here the correction is added to its query, and both inputs are normalised first, as in every
transformer layer; without the sum, a part's own features would reach its head only as attention weights. The six
attentions share no weights.
"""

import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.model.attention import Attention, Mlp


class Correction(nn.Module):
    """Z + F_corr(Z, T, T): one direction between one part and its torso segment."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(dim, eps=1e-6)
        self.norm_context = nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Correct `query` (B, N, d) by what it finds in `context` (B, M, d)."""
        return query + self.attention(self.norm_query(query), self.norm_context(context))  # type: ignore[no-any-return]


class CollaborativeEvolutionEnhancer(nn.Module):
    """Six cross-attentions: for face, left and right hand, part from torso (1) and torso from part (2)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.part_from_torso = nn.ModuleList(Correction(dim, heads) for _ in contract.PARTS)
        self.torso_from_part = nn.ModuleList(Correction(dim, heads) for _ in contract.PARTS)

    def forward(self, parts: list[Tensor], segments: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Both directions start from the uncorrected features, as in equations (1) and (2)."""
        corrected = [f(z, t) for f, z, t in zip(self.part_from_torso, parts, segments, strict=True)]
        refined = [f(t, z) for f, z, t in zip(self.torso_from_part, parts, segments, strict=True)]
        return corrected, refined


class ConcatenatedSelfAttention(nn.Module):
    """Table 4, "w/o C.E.E.": self-attention over the concatenated part features; the torso segments pass unchanged."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)

    def forward(self, parts: list[Tensor], segments: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Same signature as the enhancer."""
        x = torch.cat(parts, dim=1)  # B 192 d
        y = self.norm(x)
        x = x + self.attention(y, y)
        return list(x.split([part.shape[1] for part in parts], dim=1)), segments


class RefineNet(nn.Module):
    """An MLP that fuses the three corrected torso segments, token by token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = Mlp(len(contract.PARTS) * dim, 2 * dim, dim)

    def forward(self, segments: list[Tensor]) -> Tensor:
        """Three (B, n, d) to torso tokens (B, n, d)."""
        return self.mlp(torch.cat(segments, dim=-1))  # type: ignore[no-any-return]
