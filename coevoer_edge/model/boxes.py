"""BoxNet and RoIAlign: the face, left-hand and right-hand features.

In: patch tokens (B, 192, C) and part task tokens (B, 3, C). Out: boxes (B, 3, 4) and part tokens 3 x (B, 64, d).

Source: the paper's "Retrieval of different body parts". Its BoxNet is an MLP; it reads each part's task token, as
DETR's box head reads its queries. As in OSX, no gradient goes through the boxes that RoIAlign uses.
"""

import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.model.attention import Mlp
from coevoer_edge.model.embedding import GRID

ROI_SIZE = 8
"""Rows and columns of each part's feature crop. OSX main/config.py: output_face_hm_shape (16 for its hands)."""


class BoxNet(nn.Module):
    """A three-layer MLP from a part's task token to its box."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = Mlp(dim, dim, dim, 4)

    def forward(self, part_tasks: Tensor) -> Tensor:
        """(B, 3, C) to boxes (B, 3, 4): x1 y1 x2 y2 as fractions of the crop; they may exceed its border."""
        box = torch.sigmoid(self.mlp(part_tasks))  # B 3 4, centre and size
        centre, half = box[..., :2], box[..., 2:] * 0.5
        return torch.cat((centre - half, centre + half), dim=-1)


class RoIAlign(nn.Module):
    """Bilinear RoIAlign (one sample in the middle of each bin) as one matrix product with hat weights.

    For axis-aligned boxes the bilinear weights are separable: w(y, i) = relu(1 - |y - i|) for rows times the same for
    columns. Exact, differentiable, and free of gathers. Samples outside the map take the value at its border. The code
    uses views instead of unsqueeze, and a sum instead of `1 - x`, because XNNPACK would not delegate those.
    """

    rows: Tensor
    columns: Tensor
    bins: Tensor

    def __init__(self, grid: tuple[int, int] = GRID, size: int = ROI_SIZE) -> None:
        super().__init__()
        self.grid, self.size = grid, size
        # Buffers, not arange in forward: an int tensor as the input of a quantized op breaks the Core ML conversion.
        self.register_buffer("rows", torch.arange(grid[0], dtype=torch.float32).view(1, 1, grid[0]), persistent=False)
        self.register_buffer(
            "columns", torch.arange(grid[1], dtype=torch.float32).view(1, 1, grid[1]), persistent=False
        )
        bins = (torch.arange(size, dtype=torch.float32) + 0.5) / size
        self.register_buffer("bins", bins.view(1, size, 1), persistent=False)

    def _hat(self, low: Tensor, high: Tensor, cells: Tensor, count: int) -> Tensor:
        """Weights (B, S, count) of the cells along one axis for the S samples between low and high (B, 1, 1)."""
        position = (low + self.bins * (high - low)) * float(count) - 0.5  # B S 1, in cells; cell i's centre is i
        position = position.clamp(0.0, count - 1.0)
        return torch.relu(-(position - cells).abs() + 1.0)

    def forward(self, patches: Tensor, box: Tensor) -> Tensor:
        """Patches (B, H*W, C), row by row, and box (B, 1, 4) as fractions of the crop to (B, S*S, C), row by row."""
        (H, W), S, B = self.grid, self.size, patches.shape[0]
        x1, y1, x2, y2 = (box[:, :, i : i + 1] for i in range(4))  # B 1 1
        wy = self._hat(y1, y2, self.rows, H).view(B, S, 1, H, 1)
        wx = self._hat(x1, x2, self.columns, W).view(B, 1, S, 1, W)
        return torch.bmm((wy * wx).view(B, S * S, H * W), patches)  # B S*S C


class PartFeatures(nn.Module):
    """Cut each part out of the shared feature map: Z_face, Z_lhand, Z_rhand."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.roi_align = RoIAlign()
        self.project = nn.ModuleList(nn.Linear(in_dim, dim) for _ in contract.PARTS)

    def forward(self, patches: Tensor, boxes: Tensor) -> list[Tensor]:
        """Patches (B, 192, C) and boxes (B, 3, 4) to three (B, 64, d)."""
        return [project(self.roi_align(patches, boxes[:, i : i + 1])) for i, project in enumerate(self.project)]
