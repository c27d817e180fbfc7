"""Attention and the transformer block.

In: token tensors (B, N, C). Out: token tensors (B, N, C).

Exported programs keep each `scaled_dot_product_attention` as one op. Query, key and value each have a Linear of their
own, because a slice of an int8 tensor cannot be lowered to XNNPACK, and three GEMMs cost the same as one.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head attention with an output projection: FC(softmax(Q K^T / sqrt(d)) V)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} is not a multiple of heads {heads}")
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.fc = nn.Linear(dim, dim)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Let `query` (B, N, C) attend to `context` (B, M, C); returns (B, N, C)."""
        q = split_heads(self.query(query), self.heads)  # B h N C/h
        k = split_heads(self.key(context), self.heads)  # B h M C/h
        v = split_heads(self.value(context), self.heads)  # B h M C/h
        return self.fc(merge_heads(F.scaled_dot_product_attention(q, k, v)))  # type: ignore[no-any-return]


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) to (B, heads, N, C / heads)."""
    B, N, C = tokens.shape
    return tokens.view(B, N, heads, C // heads).transpose(1, 2)


def merge_heads(tokens: Tensor) -> Tensor:
    """(B, heads, N, C / heads) to (B, N, C)."""
    B, heads, N, width = tokens.shape
    return tokens.transpose(1, 2).reshape(B, N, heads * width)


class Mlp(nn.Sequential):
    """Linear layers with GELU between them: `Mlp(384, 1536, 384)` is a transformer's feed-forward network."""

    def __init__(self, *widths: int) -> None:
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), nn.GELU()]
        super().__init__(*layers[:-1])


class Block(nn.Module):
    """Pre-norm transformer block (Dosovitskiy et al. 2020)."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, dim * mlp_ratio, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        y = self.norm1(x)
        x = x + self.attention(y, y)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]
