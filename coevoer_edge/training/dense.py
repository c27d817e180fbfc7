"""The trained module: the network, and heads on the encoder's tokens that exist only in training.

In: image (B, 3, 256, 192). Out: the network's outputs and the predictions of the heads; loss terms on the latter.

The dense terms replace the ViTPose pretraining that published networks (OSX, CoEvoer) start from. Each patch token is
trained to predict which part of the body it shows, which keypoint is inside it and at what depth. Each task token of a
joint is trained to predict the joint's position and its orientation in the camera frame, which is easier to see than
its rotation relative to the parent. Shipped weights do not contain these heads.
"""

from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.body.keypoints import NUM_KEYPOINTS
from coevoer_edge.body.layer import BodyLayer, KeypointLayer, all_coefficients, all_rotations
from coevoer_edge.data.record import BODY_PARTS, UNKNOWN, Record
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.model.embedding import GRID, PATCH_PX
from coevoer_edge.training.losses import Average, CoEvoerLoss, Term, alone, combine, l1, weighted
from coevoer_edge.training.recipe import TrainingRecipe

_JOINTS = len(BODY_JOINT_NAMES)  # the task tokens of joints come first


class DenseOutputs(NamedTuple):
    """Predictions of the training heads from the tokens."""

    labels: Tensor  # B 192 9, logits
    keypoints: Tensor  # B 192 K, logits over the patches
    depths: Tensor  # B 192 K, m, depth of a keypoint inside this patch, relative to the pelvis
    positions: Tensor  # B 22 3, m, relative to the pelvis, camera frame
    orientations: Tensor  # B 22 3 3, in the camera frame


class Predictions(NamedTuple):
    """Predictions for one image batch in a training step."""

    outputs: CoEvoerOutputs
    dense: DenseOutputs | None


class Trainee(nn.Module):
    """The network and its dense heads as one module, which Fabric wraps and a checkpoint stores.

    The last Linear of each head computes in float32 under autocast: bf16 would round rotations to 0.2 degrees, and a
    confident visibility to 1, where the gradient vanishes.
    """

    def __init__(self, network: CoEvoer, *, dense: bool) -> None:
        super().__init__()
        self.network = network
        self.dense = DenseHeads(network) if dense else None
        self._seen: dict[str, Any] = {}
        network.encoder.register_forward_hook(self._see)
        end_in_float32(network)

    def _see(self, module: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        self._seen["tokens"] = output[:2]

    def forward(self, image: Tensor) -> Predictions:
        """Image (B, 3, 256, 192), RGB in [0, 1]."""
        outputs = self.network(channels_last(image))
        patches, tasks = self._seen.pop("tokens")
        return Predictions(outputs, None if self.dense is None else self.dense(patches, tasks))


class DenseHeads(nn.Module):
    """A Linear on the patch tokens and one on the joints' task tokens, with seeded initialisation as in ViT."""

    def __init__(self, network: CoEvoer) -> None:
        super().__init__()
        dim = network.encoder.norm.weight.shape[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.patches = nn.Linear(dim, len(BODY_PARTS) + 2 * NUM_KEYPOINTS)
            self.tasks = nn.Linear(dim, 3 + 9)
            for head in (self.patches, self.tasks):
                nn.init.trunc_normal_(head.weight, std=0.02)
                nn.init.zeros_(head.bias)

    def forward(self, patches: Tensor, tasks: Tensor) -> DenseOutputs:
        """Patch tokens (B, 192, C) and body task tokens (B, 24, C)."""
        labels, keypoints, depths = self.patches(patches).split([len(BODY_PARTS), NUM_KEYPOINTS, NUM_KEYPOINTS], dim=-1)
        positions, orientations = self.tasks(tasks[:, :_JOINTS]).split([3, 9], dim=-1)
        return DenseOutputs(labels, keypoints, depths, positions, orientations.unflatten(-1, (3, 3)))


def channels_last(image: Tensor) -> Tensor:
    """The same images (B, C, H, W) with channels last in memory, which halves the time of convolutions on a CPU."""
    return image.contiguous(memory_format=torch.channels_last)


def last_linears(network: CoEvoer) -> list[nn.Linear]:
    """The Linear that ends each head, BoxNet and the visibility head."""
    heads = (network.body_head, network.face_head, network.left_hand_head, network.right_hand_head)
    ends = (network.box_net.mlp[-1], network.visibility_head[-1])
    return [*(head.out for head in heads), *(end for end in ends if isinstance(end, nn.Linear))]


def end_in_float32(network: CoEvoer) -> None:
    """Make the last Linear of each head compute in float32 under autocast from now on."""
    for last in last_linears(network):
        last.register_forward_hook(in_float32)


def in_float32(module: nn.Linear, args: tuple[Tensor], output: Tensor) -> Tensor:
    """Forward hook: if autocast computed a Linear in half precision, compute it again in float32."""
    if output.dtype == torch.float32:
        return output
    with torch.autocast(output.device.type, enabled=False):
        return F.linear(args[0].float(), module.weight.float(), module.bias.float())


def dense_terms(dense: DenseOutputs, record: Record, body: BodyLayer) -> dict[str, Term]:
    """Cross-entropies of patch logits, and L1 distances of depths, joint positions and orientations, all float32."""
    shares, known = class_shares(record.labels)
    splats, inside = keypoint_splats(record.keypoints_2d)
    inside = inside * record.keypoints_2d_weight
    over_patches = F.log_softmax(dense.keypoints, dim=1)  # B 192 K
    depths = (splats * dense.depths).sum(1)  # B K
    turned = body.orientations(all_rotations(record), all_coefficients(record))[:, :_JOINTS]
    person = record.known[:, 0]
    return {
        "dense_labels": weighted(-(shares * F.log_softmax(dense.labels, dim=-1)).sum(-1), known),
        "dense_keypoints": weighted(-(splats * over_patches).sum(1), inside),
        "dense_depths": l1(depths, record.keypoints_3d[..., 2], inside * record.keypoints_3d_weight),
        "dense_positions": l1(
            dense.positions, record.keypoints_3d[:, :_JOINTS], record.keypoints_3d_weight[:, :_JOINTS]
        ),
        "dense_orientations": l1(dense.orientations, turned, person),
    }


def class_shares(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Share of each class among a patch's known pixels (B, 192, 9), and the share of known pixels (B, 192)."""
    H, W = GRID
    cells = labels.view(-1, H, PATCH_PX, W, PATCH_PX)
    counts = torch.stack([(cells == i).float().mean((2, 4)) for i in range(len(BODY_PARTS))], dim=-1)  # B H W 9
    known = 1 - (cells == UNKNOWN).float().mean((2, 4))  # B H W
    return (counts / known.clamp_min(1e-6)[..., None]).flatten(1, 2), known.flatten(1)


def keypoint_splats(keypoints_2d: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear weights (B, 192, K) of keypoints (B, K, 2), px, on the patch grid, and which are inside (B, K)."""
    size = keypoints_2d.new_tensor((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX))
    inside = ((keypoints_2d >= 0) & (keypoints_2d < size)).all(-1)
    place = keypoints_2d / PATCH_PX - 0.5  # in cells; cell i's centre is i
    x, y = (
        F.relu(1 - (place[..., axis : axis + 1].clamp(0, n - 1) - torch.arange(n, device=place.device)).abs())
        for axis, n in ((0, GRID[1]), (1, GRID[0]))
    )  # B K 12, B K 16
    return torch.einsum("bkh,bkw->bhwk", y, x).flatten(1, 2), inside.float()


class TrainingLoss(nn.Module):
    """Equation (4), visibility and the dense terms, with the weights of a recipe."""

    def __init__(self, keypoints: KeypointLayer, recipe: TrainingRecipe, average: Average = alone) -> None:
        super().__init__()
        self.loss = CoEvoerLoss(keypoints, recipe.loss, average)
        self.weights = asdict(recipe.loss) | {f"dense_{key}": value for key, value in asdict(recipe.dense).items()}
        self.average = average

    def forward(self, predictions: Predictions, record: Record, indices: list[int]) -> dict[str, Tensor]:
        """Named terms and `total`."""
        with torch.autocast(record.camera.device.type, enabled=False):
            terms = self.loss.terms(CoEvoerOutputs(*(output.float() for output in predictions.outputs)), record)
            if predictions.dense is not None:
                dense = DenseOutputs(*(output.float() for output in predictions.dense))
                terms |= dense_terms(dense, record, self.loss.keypoints.body)
            return combine(terms, self.weights, self.average)
