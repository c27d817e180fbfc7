"""Portrait Foreground Extraction: the torso segments T_face, T_lhand, T_rhand.

In: patch tokens (B, 192, C). Out: three segments (B, n, d), one for each part.

Source: the paper's section "Portrait Foreground Extraction" and the work it builds on, the rectangular self-calibration
of Ni et al. 2024 (CGRSeg). Where the paper gives no details:
- "a convolutional encoder" is applied to the shared feature map, not to the image: the method is one-stage with a
  single encoder, and the segments are called "globally contextualized".
- Strip convolutions are depth-wise, 11 long, with a ReLU between them and a sigmoid after them: the gate of CGRSeg. No
  batch norm, so nothing has to be folded before quantization.
- The learned queries need no projection of their own (a projected parameter is a parameter); each part has its own
  set: slicing one set in three is not lowered to XNNPACK once the tokens are int8.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.model.attention import merge_heads, split_heads
from coevoer_edge.model.embedding import GRID

_STRIP = 11


class ForegroundExtraction(nn.Module):
    """Gate the feature map by a rectangular activation map, then gather it with Prior Interaction Tokens."""

    def __init__(self, in_dim: int, dim: int, heads: int, segment_tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.conv = nn.Conv2d(in_dim, dim, 3, padding=1)
        self.adjust = nn.Conv2d(dim, dim, 1)
        self.strip_horizontal = nn.Conv2d(dim, dim, (1, _STRIP), padding=(0, _STRIP // 2), groups=dim)
        self.strip_vertical = nn.Conv2d(dim, dim, (_STRIP, 1), padding=(_STRIP // 2, 0), groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.queries = nn.ParameterList(torch.zeros(1, segment_tokens, dim) for _ in contract.PARTS)
        self.out = nn.ModuleList(nn.Linear(dim, dim) for _ in contract.PARTS)

    def gate(self, features: Tensor) -> Tensor:
        """Weigh local features (B, d, H, W) by the refined foreground activation; same shape."""
        _, _, H, W = features.shape
        horizontal = F.avg_pool2d(features, (1, W))  # B d H 1
        vertical = F.avg_pool2d(features, (H, 1))  # B d 1 W
        coarse = horizontal + vertical  # B d H W, Z_rec in the paper
        refined = self.strip_vertical(F.relu(self.strip_horizontal(coarse)))
        return torch.sigmoid(refined) * features

    def forward(self, patches: Tensor) -> list[Tensor]:
        """Return the segments [T_face, T_lhand, T_rhand], each (B, n, d)."""
        B, _, C = patches.shape
        features = patches.transpose(1, 2).reshape(B, C, *GRID)  # B C 16 12
        features = self.gate(self.adjust(F.gelu(self.conv(features))))  # B d 16 12
        tokens = self.norm(features.flatten(2).transpose(1, 2))  # B 192 d
        k = split_heads(self.key(tokens), self.heads)
        v = split_heads(self.value(tokens), self.heads)
        segments = []
        for query, out in zip(self.queries, self.out, strict=True):
            q = query.expand(B, -1, -1)  # B n d
            attended = F.scaled_dot_product_attention(split_heads(q, self.heads), k, v)
            segments.append(q + out(merge_heads(attended)))
        return segments


class PooledSegments(nn.Module):
    """Table 4, "w/o P.F.E.": the feature map pooled to a 4 x 4 grid and projected for each part, without a gate."""

    _POOL = (GRID[0] // 4, GRID[1] // 4)

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(in_dim, dim) for _ in contract.PARTS)

    def forward(self, patches: Tensor) -> list[Tensor]:
        """Return three segments (B, 16, d)."""
        B, _, C = patches.shape
        features = patches.transpose(1, 2).reshape(B, C, *GRID)  # B C 16 12
        tokens = F.avg_pool2d(features, self._POOL).flatten(2).transpose(1, 2)  # B 16 C
        return [project(tokens) for project in self.project]
