"""What the network is trained in: itself, and a head on its patch tokens that exists in training only.

In: image (B, 3, 256, 192). Out: the network's outputs and dense logits; loss terms on the latter.

The dense terms stand in for the ViTPose pretraining from which published networks (OSX, CoEvoer) start: each patch
token learns which part of the body it shows, and which keypoint lies in it. Shipped weights are
without their head.
"""

from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.keypoints import NUM_KEYPOINTS
from coevoer_edge.body.layer import KeypointLayer
from coevoer_edge.data.record import BODY_PARTS, UNKNOWN, Record
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.model.embedding import GRID, PATCH_PX
from coevoer_edge.training.losses import Average, CoEvoerLoss, Term, alone, combine, weighted
from coevoer_edge.training.recipe import TrainingRecipe


class Predictions(NamedTuple):
    """What a training step gets from one image batch."""

    outputs: CoEvoerOutputs
    dense: Tensor | None  # B 192 9+K logits: part classes, then keypoints


class Trainee(nn.Module):
    """The network with its dense head, as one module: what Fabric wraps and a checkpoint holds.

    The last Linear of each head computes in float32 under autocast: bf16 would round rotations to 0.2 degrees, and a
    confident visibility to 1, where no gradient is left.
    """

    def __init__(self, network: CoEvoer, *, dense: bool) -> None:
        super().__init__()
        self.network = network
        self.dense = dense_head(network) if dense else None
        self._seen: dict[str, Any] = {}
        network.encoder.register_forward_hook(self._see)
        for last in last_linears(network):
            last.register_forward_hook(in_float32)

    def _see(self, module: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        self._seen["patches"] = output[0]

    def forward(self, image: Tensor) -> Predictions:
        """Image (B, 3, 256, 192), RGB in [0, 1]. Channels last: convolutions on a CPU take half the time so."""
        outputs = self.network(image.contiguous(memory_format=torch.channels_last))
        patches = self._seen.pop("patches")
        return Predictions(outputs, None if self.dense is None else self.dense(patches))


def dense_head(network: CoEvoer) -> nn.Linear:
    """A Linear from a patch token to part classes and keypoints, initialised as ViT's, seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(network.encoder.norm.weight.shape[0], len(BODY_PARTS) + NUM_KEYPOINTS)
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
    return head


def last_linears(network: CoEvoer) -> list[nn.Linear]:
    """The Linear that ends each head, BoxNet and the visibility head."""
    heads = (network.body_head, network.face_head, network.left_hand_head, network.right_hand_head)
    ends = (network.box_net.mlp[-1], network.visibility_head[-1])
    return [*(head.out for head in heads), *(end for end in ends if isinstance(end, nn.Linear))]


def in_float32(module: nn.Linear, args: tuple[Tensor], output: Tensor) -> Tensor:
    """Forward hook: where autocast computed a Linear in half precision, compute it again in float32."""
    if output.dtype == torch.float32:
        return output
    with torch.autocast(output.device.type, enabled=False):
        return F.linear(args[0].float(), module.weight.float(), module.bias.float())


def dense_terms(logits: Tensor, record: Record) -> dict[str, Term]:
    """Cross-entropies of dense logits (B, 192, 9+K), float32."""
    classes, keypoints = logits[..., : len(BODY_PARTS)], logits[..., len(BODY_PARTS) :]
    shares, known = class_shares(record.labels)
    splats, inside = keypoint_splats(record.keypoints_2d)
    over_patches = F.log_softmax(keypoints, dim=1)  # B 192 K
    return {
        "dense_labels": weighted(-(shares * F.log_softmax(classes, dim=-1)).sum(-1), known),
        "dense_keypoints": weighted(-(splats * over_patches).sum(1), inside * record.keypoints_2d_weight),
    }


def class_shares(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each class among a patch's known pixels (B, 192, 9), and the share that is known (B, 192)."""
    H, W = GRID
    cells = labels.view(-1, H, PATCH_PX, W, PATCH_PX)
    counts = torch.stack([(cells == i).float().mean((2, 4)) for i in range(len(BODY_PARTS))], dim=-1)  # B H W 9
    known = 1 - (cells == UNKNOWN).float().mean((2, 4))  # B H W
    return (counts / known.clamp_min(1e-6)[..., None]).flatten(1, 2), known.flatten(1)


def keypoint_splats(keypoints_2d: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear weights (B, 192, K) of keypoints (B, K, 2), px, on the grid of patches; which are inside (B, K)."""
    size = keypoints_2d.new_tensor((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    inside = ((keypoints_2d >= 0) & (keypoints_2d < size)).all(-1)
    place = keypoints_2d / PATCH_PX - 0.5  # in cells; cell i's centre is i
    x, y = (
        F.relu(1 - (place[..., axis : axis + 1].clamp(0, n - 1) - torch.arange(n, device=place.device)).abs())
        for axis, n in ((0, GRID[1]), (1, GRID[0]))
    )  # B K 12, B K 16
    return torch.einsum("bkh,bkw->bhwk", y, x).flatten(1, 2), inside.float()


class TrainingLoss(nn.Module):
    """Equation (4), visibility and the dense terms, as a recipe weighs them."""

    def __init__(self, keypoints: KeypointLayer, recipe: TrainingRecipe, average: Average = alone) -> None:
        super().__init__()
        self.loss = CoEvoerLoss(keypoints, recipe.loss, average)
        self.weights = asdict(recipe.loss) | {
            "dense_labels": recipe.dense.labels,
            "dense_keypoints": recipe.dense.keypoints,
        }
        self.average = average

    def forward(self, predictions: Predictions, record: Record, indices: list[int]) -> dict[str, Tensor]:
        """Named terms and `total`."""
        with torch.autocast(record.camera.device.type, enabled=False):
            terms = self.loss.terms(CoEvoerOutputs(*(output.float() for output in predictions.outputs)), record)
            if predictions.dense is not None:
                terms |= dense_terms(predictions.dense.float(), record)
            return combine(terms, self.weights, self.average)
