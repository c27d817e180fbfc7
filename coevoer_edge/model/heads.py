"""MLP heads: O_body, O_face, O_lhand, O_rhand, and the maps from raw numbers to rotations and camera.

In: token tensors (B, N, d). Out: raw numbers; `sixd_to_rotation` and `to_translation` convert them.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract

MAX_DEPTH_M = (
    contract.VIRTUAL_FOCAL_PX
    * contract.CAMERA_3D_SIZE_M
    / math.sqrt(contract.IMAGE_HEIGHT_PX * contract.IMAGE_WIDTH_PX)
)
"""The body's depth for a sigmoid of 1, 56.4 m. OSX main/OSX.py get_camera_trans: k_value."""


class TokenHead(nn.Module):
    """An MLP over all tokens at once: reduce each token, flatten (their order keeps the layout), regress."""

    def __init__(self, dim: int, tokens: int, reduced: int, hidden: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.reduce = nn.Linear(dim, reduced)
        self.hidden = nn.Linear(tokens * reduced, hidden)
        self.out = nn.Linear(hidden, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, d) to (B, out)."""
        reduced = F.gelu(self.reduce(self.norm(tokens)))  # B N r
        return self.out(F.gelu(self.hidden(reduced.flatten(1))))  # type: ignore[no-any-return]


def sixd_to_rotation(sixd: Tensor) -> Tensor:
    """Gram-Schmidt on two column vectors (Zhou et al. 2019), component by component.

    `sixd` is (B, 6, J): x y z of the first column, then of the second. Returns (B, J, 3, 3). It uses slices, sums and
    products only, so that XNNPACK runs all of it; XNNPACK would not run a reduction over the last axis.
    """

    def components(v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return v[:, 0:1], v[:, 1:2], v[:, 2:3]  # B 1 J each

    def dot(a: Tensor, b: Tensor) -> Tensor:
        x, y, z = components(a * b)
        return x + y + z

    def unit(v: Tensor) -> Tensor:
        return v * torch.rsqrt(dot(v, v) + 1e-6)

    a1, a2 = sixd[:, :3], sixd[:, 3:]  # B 3 J
    b1 = unit(a1)
    b2 = unit(a2 - dot(b1, a2) * b1)
    (x1, y1, z1), (x2, y2, z2) = components(b1), components(b2)
    rows = (
        torch.cat((x1, x2, y1 * z2 - z1 * y2), dim=1),
        torch.cat((y1, y2, z1 * x2 - x1 * z2), dim=1),
        torch.cat((z1, z2, x1 * y2 - y1 * x2), dim=1),
    )
    B, _, J = sixd.shape
    return torch.cat(rows, dim=1).transpose(1, 2).reshape(B, J, 3, 3)


def to_translation(raw: Tensor) -> Tensor:
    """Raw (B, 3) to x, y, z of the body in the virtual camera, m. OSX main/OSX.py get_camera_trans."""
    return torch.cat((raw[:, :2], MAX_DEPTH_M * torch.sigmoid(raw[:, 2:])), dim=1)
