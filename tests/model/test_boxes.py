import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge.model.boxes import ROI_SIZE, BoxNet, PartFeatures, RoIAlign
from coevoer_edge.model.embedding import GRID

TOLERANCE = 1e-5  # largest difference, features of RMS 1, float32; measured 5e-6
C = 5
BOXES = {
    "inside": (0.2, 0.3, 0.7, 0.8),
    "on the border": (0.0, 0.0, 1.0, 1.0),
    "reaching outside": (-0.3, 0.4, 0.2, 1.5),
    "all outside": (1.1, -0.6, 1.4, -0.2),
    "a point": (0.37, 0.61, 0.37, 0.61),
    "less than a cell": (0.501, 0.502, 0.503, 0.504),
}


def feature_map(batch: int = 1) -> Tensor:
    return torch.randn(batch, GRID[0] * GRID[1], C, generator=torch.Generator().manual_seed(0))


def random_boxes(count: int) -> Tensor:
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.3
    return torch.cat((corners.amin(1), corners.amax(1)), dim=-1)  # N 4


def dense_reference(patches: Tensor, box: tuple[float, ...]) -> Tensor:
    """(H*W, C) and a box to (S*S, C), sample by sample, each from its four neighbours."""
    (H, W), S = GRID, ROI_SIZE
    x1, y1, x2, y2 = box
    cells = patches.view(H, W, -1)

    def neighbours(low: float, high: float, i: int, count: int) -> list[tuple[int, float]]:
        position = (low + (high - low) * (i + 0.5) / S) * count - 0.5
        position = min(max(position, 0.0), count - 1.0)
        first = min(math.floor(position), count - 2)
        return [(first, 1 - (position - first)), (first + 1, position - first)]

    samples = []
    for i in range(S):
        for j in range(S):
            sample = torch.zeros(patches.shape[-1])
            for row, wy in neighbours(y1, y2, i, H):
                for column, wx in neighbours(x1, x2, j, W):
                    sample += wy * wx * cells[row, column]
            samples.append(sample)
    return torch.stack(samples)


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_roi_align_is_the_dense_reference(box: tuple[float, ...]) -> None:
    patches = feature_map()
    torch.testing.assert_close(
        RoIAlign()(patches, torch.tensor([[box]]))[0], dense_reference(patches[0], box), rtol=0, atol=TOLERANCE
    )


def test_roi_align_is_the_dense_reference_for_random_boxes() -> None:
    boxes = random_boxes(12)
    patches = feature_map(len(boxes))
    expected = torch.stack([dense_reference(p, tuple(b.tolist())) for p, b in zip(patches, boxes, strict=True)])
    torch.testing.assert_close(RoIAlign()(patches, boxes[:, None]), expected, rtol=0, atol=TOLERANCE)


def test_roi_align_is_grid_sample_with_border_padding() -> None:
    boxes = torch.cat((random_boxes(200), torch.tensor(list(BOXES.values()))))
    patches, bins = feature_map(len(boxes)), (torch.arange(ROI_SIZE) + 0.5) / ROI_SIZE
    x = boxes[:, None, 0:1] + bins[:, None] * (boxes[:, None, 2:3] - boxes[:, None, 0:1])  # N S 1
    y = boxes[:, None, 1:2] + bins[:, None] * (boxes[:, None, 3:4] - boxes[:, None, 1:2])
    grid = torch.stack(  # N S S 2, x before y, -1 to 1 from edge to edge
        (x.transpose(1, 2).expand(-1, ROI_SIZE, -1), y.expand(-1, -1, ROI_SIZE)), dim=-1
    )
    maps = patches.transpose(1, 2).reshape(-1, C, *GRID)
    sampled = F.grid_sample(maps, grid * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False)
    expected = sampled.flatten(2).transpose(1, 2)  # N S*S C
    torch.testing.assert_close(RoIAlign()(patches, boxes[:, None]), expected, rtol=0, atol=TOLERANCE)


def test_whole_map_at_its_own_size_is_the_map() -> None:
    patches = torch.randn(2, 64, C)
    whole = torch.tensor([0.0, 0, 1, 1]).expand(2, 1, 4)
    torch.testing.assert_close(RoIAlign((8, 8), 8)(patches, whole), patches)


def test_whole_map_at_half_its_size_is_the_mean_of_four() -> None:
    patches = torch.randn(1, 256, C)
    mean = F.avg_pool2d(patches.transpose(1, 2).reshape(1, C, 16, 16), 2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(RoIAlign((16, 16), 8)(patches, torch.tensor([[[0.0, 0, 1, 1]]])), mean)


def test_weights_of_each_sample_sum_to_one() -> None:
    boxes = random_boxes(50)
    ones = torch.ones(50, GRID[0] * GRID[1], 1)
    torch.testing.assert_close(RoIAlign()(ones, boxes[:, None]), torch.ones(50, ROI_SIZE**2, 1))


def test_gradient_reaches_features_and_box() -> None:
    patches, box = feature_map().requires_grad_(), torch.tensor([[BOXES["inside"]]], requires_grad=True)
    RoIAlign()(patches, box).square().sum().backward()
    for gradient in (patches.grad, box.grad):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_roi_align_has_nothing_to_load() -> None:
    assert not RoIAlign().state_dict()


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_box_net_gives_ordered_corners_with_centres_in_the_crop(scale: float) -> None:
    boxes = BoxNet(16)(scale * torch.randn(500, 3, 16))
    assert boxes.shape == (500, 3, 4)
    assert (boxes[..., :2] <= boxes[..., 2:]).all()
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert ((centre >= -1e-6) & (centre <= 1 + 1e-6)).all()
    assert (boxes[..., 2:] - boxes[..., :2]).max() <= 1 + 1e-6


def test_part_features_cuts_each_part_with_its_own_box_and_projection() -> None:
    parts, patches = PartFeatures(C, 7), feature_map(2)
    boxes = random_boxes(6).view(2, 3, 4)
    features = parts(patches, boxes)
    assert [f.shape for f in features] == [(2, ROI_SIZE**2, 7)] * 3
    for i, feature in enumerate(features):
        expected = parts.project[i](RoIAlign()(patches, boxes[:, i : i + 1]))
        torch.testing.assert_close(feature, expected)
