"""The shared encoder: a ViT over 16 x 16 px patches, with task tokens.

In: image (B, 3, 256, 192), RGB in [0, 1]. Out: patch tokens (B, 192, C) and task tokens (B, T, C).

Source: OSX main/transformer_utils/mmpose/models/backbones/vit.py (ViTPose's ViT with learned task tokens before the
patches). OSX has 31 task tokens: shape, camera, 2 expression/jaw, 2 hands, 25 body joints. Ours are the 28 below: one
for each body rotation, betas and camera, and one for the person and each part that the visibility head and BoxNet look
for. Their number is the only difference.
"""

import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.model.attention import Block
from coevoer_edge.model.embedding import GRID, PatchEmbedding, TrunkEmbedding

BODY_TASKS = (*BODY_JOINT_NAMES, "betas", "camera")
"""Task tokens that the body head reads."""
PART_TASKS = contract.VISIBILITY
"""Task tokens of the person and the three parts: the visibility head reads all four, BoxNet the last three."""


class Encoder(nn.Module):
    """ViT over the patches that `patch_embed` makes of the 256 x 192 crop."""

    def __init__(self, patch_embed: PatchEmbedding | TrunkEmbedding, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.pos_embed = nn.Parameter(torch.zeros(1, GRID[0] * GRID[1], dim))
        self.task_tokens = nn.Parameter(torch.zeros(1, len(BODY_TASKS) + len(PART_TASKS), dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return patch tokens (B, 192, C), body task tokens (B, 24, C) and part task tokens (B, 4, C)."""
        patches = self.patch_embed(image)  # B C 16 12
        patches = patches.flatten(2).transpose(1, 2) + self.pos_embed  # B 192 C
        tasks = self.task_tokens.expand(image.shape[0], -1, -1)  # B T C
        x = torch.cat((tasks, patches), dim=1)  # B T+192 C
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        first_part, first_patch = len(BODY_TASKS), len(BODY_TASKS) + len(PART_TASKS)
        return x[:, first_patch:], x[:, :first_part], x[:, first_part:first_patch]
