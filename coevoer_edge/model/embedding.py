"""Embed an image as patches: by a ViT's own projection, or from a pretrained trunk's features (the hybrid ViT).

In: image (B, 3, 256, 192), RGB in [0, 1]. Out: (B, C, 16, 12), one vector for each 16 x 16 px.

Source: Dosovitskiy et al. 2020, section 3.1, for both. Each normalises its own input.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.model.trunk import LATERAL_CHANNELS, TOP_CHANNELS, Trunk

PATCH_PX = 16
GRID = (contract.IMAGE_HEIGHT_PX // PATCH_PX, contract.IMAGE_WIDTH_PX // PATCH_PX)  # 16 rows, 12 columns

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class PatchEmbedding(nn.Module):
    """A Linear over the pixels of each patch. Its padding of 2 px is ViTPose's, so that ViTPose's weights fit."""

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.project = nn.Conv2d(3, dim, PATCH_PX, stride=PATCH_PX, padding=2)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 256, 192) to (B, C, 16, 12)."""
        return self.project((image - self.mean) / self.std)  # type: ignore[no-any-return]


class TrunkEmbedding(nn.Module):
    """A Linear over the trunk's features in and around each patch, at strides 4 (4 x 4 of them), 8 (2 x 2), 16 and 32.

    BlazePose adds its laterals, coarse to fine, and reads keypoints from the sum with one Linear. This sum is linear
    too, with its own weights at every position, so the trunk's keypoint features are available from the start. Stride
    32 is spread over the finer grid by a Linear over positions: an upsampling that starts as bilinear and needs no
    resize.
    """

    def __init__(self, dim: int, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.fine = nn.Conv2d(LATERAL_CHANNELS, dim, 4, stride=4)
        self.middle = nn.Conv2d(LATERAL_CHANNELS, dim, 2, stride=2)
        self.own = nn.Conv2d(LATERAL_CHANNELS, dim, 1)
        self.coarse = nn.Conv2d(LATERAL_CHANNELS + TOP_CHANNELS, dim, 1)
        self.spread = nn.Linear(GRID[0] * GRID[1] // 4, GRID[0] * GRID[1], bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 256, 192) to (B, C, 16, 12)."""
        (fine, middle, own, coarse), top = self.trunk(image)
        above = self.coarse(torch.cat((coarse, top), dim=1))  # B C 8 6
        spread = self.spread(above.flatten(2)).view(-1, above.shape[1], *GRID)  # B C 16 12
        return self.fine(fine) + self.middle(middle) + self.own(own) + spread  # type: ignore[no-any-return]

    @torch.no_grad()
    def spread_bilinearly(self) -> None:
        """Initialise `spread` as a bilinear upsampling."""
        places = torch.eye(self.spread.in_features).view(-1, 1, GRID[0] // 2, GRID[1] // 2)
        doubled = F.interpolate(places, scale_factor=2.0, mode="bilinear", align_corners=False)
        self.spread.weight.copy_(doubled.flatten(1).T)
