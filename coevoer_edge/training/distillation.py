"""Distillation: train a small network to match the outputs and intermediate features of a large one.

In: student, frozen teacher, a batch. Out: named terms and `total`.

Outputs are compared as rotations, keypoints, projected keypoints, vertices, boxes and visibility: the loss of equation
(4) with the teacher's outputs as labels, plus the distance between vertices. Features are the tokens of the encoder and
of the enhancer. A Linear projects the student's features to the teacher's width and is discarded after training. Both
features are normalised per token first, so that their distance has no unit.
"""

from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.body.layer import PELVIS, BodyLayer, KeypointLayer, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.record import Record
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.training.dense import channels_last, end_in_float32
from coevoer_edge.training.losses import Average, CoEvoerLoss, Term, alone, combine, project_for_loss, weighted
from coevoer_edge.training.recipe import Distillation, LossWeights
from coevoer_edge.training.teacher_cache import Answer, AnswerCache

_EVERY_VERTEX = 8  # a mesh of 10 000 vertices is smooth, so every eighth vertex describes its shape


class Seen(NamedTuple):
    """Outputs and features of a network for a batch."""

    outputs: CoEvoerOutputs
    encoder: Tensor  # B 220 C: patches, body tasks, part tasks
    enhancer: Tensor  # B 240 d: parts, then segments


class Tapped(nn.Module):
    """A network that also returns the features of its encoder and its enhancer."""

    def __init__(self, network: CoEvoer) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Seen:
        """Image (B, 3, 256, 192), RGB in [0, 1]."""
        kept: dict[str, Tensor] = {}

        def encoder(module: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
            kept["encoder"] = torch.cat(output, dim=1)

        def enhancer(module: nn.Module, args: tuple[Any, ...], output: tuple[list[Tensor], list[Tensor]]) -> None:
            kept["enhancer"] = torch.cat([*output[0], *output[1]], dim=1)

        hooks = (
            self.network.encoder.register_forward_hook(encoder),
            self.network.enhancer.register_forward_hook(enhancer),
        )
        try:
            outputs = self.network(image)
        finally:
            for hook in hooks:
                hook.remove()
        return Seen(outputs, kept["encoder"], kept["enhancer"])


class Student(nn.Module):
    """The student network with the projections of its features.

    Args:
        network: the student.
        teacher: the network whose feature widths are projected to.
        prepared: the same network as a graph with fake quantization, which shares the network's parameters.
    """

    def __init__(self, network: CoEvoer, teacher: CoEvoer, prepared: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network
        self.prepared = prepared
        self._tapped = [Tapped(network)]  # in a list, so that the network's parameters are not registered twice
        (c, d), (c_teacher, d_teacher) = widths(network), widths(teacher)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.encoder_projection = nn.Linear(c, c_teacher)
            self.enhancer_projection = nn.Linear(d, d_teacher)
        end_in_float32(network)

    def forward(self, image: Tensor) -> Seen:
        """Outputs, and features projected to the teacher's width."""
        if self.prepared is None:
            seen: Seen = self._tapped[0](channels_last(image))
        else:
            flat = self.prepared(image)
            seen = flat if isinstance(flat, Seen) else Seen(CoEvoerOutputs(*flat[0]), *flat[1:])
        return Seen(seen.outputs, self.encoder_projection(seen.encoder), self.enhancer_projection(seen.enhancer))


def widths(network: CoEvoer) -> tuple[int, int]:
    """Widths of the encoder's and the enhancer's tokens."""
    return network.encoder.norm.weight.shape[0], network.body_tokens.weight.shape[0]


class Teacher(nn.Module):
    """A frozen network that is evaluated on the fly, or once per sample if there is a cache.

    Args:
        network: the teacher with its weights.
        cache: outputs by sample index. Valid only if the same index always gives the same image.
        bf16: compute in bf16, as the student does if its recipe uses that precision.
    """

    def __init__(self, network: CoEvoer, cache: AnswerCache | None = None, *, bf16: bool = False) -> None:
        super().__init__()
        self.tapped = Tapped(network.eval()).requires_grad_(False)
        self.cache = cache
        self.bf16 = bf16
        end_in_float32(network)

    @torch.no_grad()
    def forward(self, image: Tensor, indices: list[int]) -> Seen:
        """The teacher's outputs and features for images (B, 3, 256, 192)."""
        if self.cache is None:
            return self._ask(image)
        known = [self.cache.read(index) for index in indices]
        missing = [i for i, answer in enumerate(known) if answer is None]
        if missing:
            answers = _unstack(self._ask(image[missing]))
            for i, answer in zip(missing, answers, strict=True):
                self.cache.write(indices[i], answer)
                known[i] = answer
        return _stack([answer for answer in known if answer is not None], image.device)

    def _ask(self, image: Tensor) -> Seen:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bf16):
            seen: Seen = self.tapped(channels_last(image))
        return Seen(CoEvoerOutputs(*(output.float() for output in seen.outputs)), *(f.float() for f in seen[1:]))


class TeacherLabels(nn.Module):
    """Converts the teacher's outputs to a record for the student's loss."""

    def __init__(self, keypoints: KeypointLayer) -> None:
        super().__init__()
        self.keypoints = keypoints

    def forward(self, taught: CoEvoerOutputs, record: Record) -> Record:
        """Labels (B, ...) for the batch; a part's box is weighted by the teacher's visibility of the part."""
        points = self.keypoints(all_rotations(taught), all_coefficients(taught))
        ones = points.new_ones(points.shape[:2])
        values = taught._asdict()
        return record._replace(
            **values,
            known=points.new_ones(len(points), 4),
            keypoints_3d=points - points[:, PELVIS : PELVIS + 1],
            keypoints_3d_weight=ones,
            keypoints_2d=project_for_loss(points + taught.camera[:, None]),
            keypoints_2d_weight=ones,
            part_boxes_weight=taught.visibility[:, 1:],
            visibility_weight=torch.ones_like(taught.visibility),
        )


class DistillationLoss(nn.Module):
    """Distance between a student and its teacher, and to the dataset's labels if the recipe weights them."""

    def __init__(
        self,
        body: BodyModel,
        teacher: Teacher,
        weights: Distillation,
        labels: LossWeights,
        average: Average = alone,
    ) -> None:
        super().__init__()
        keypoints = KeypointLayer(body)
        self.loss = CoEvoerLoss(keypoints, weights.outputs, average)
        self.teacher = teacher
        self.teacher_labels = TeacherLabels(keypoints)
        self.vertices = BodyLayer(body, np.arange(0, body.num_vertices, _EVERY_VERTEX))
        self.average = average
        self.use_labels = weights.labels > 0
        self.use_features = weights.features.on
        self.weights = (
            asdict(weights.outputs)
            | {f"label_{name}": weight * weights.labels for name, weight in asdict(labels).items()}
            | {"vertices": weights.vertices}
            | {"encoder": weights.features.encoder, "enhancer": weights.features.enhancer}
        )

    def forward(self, seen: Seen, record: Record, indices: list[int]) -> dict[str, Tensor]:
        """Named terms and `total`; `record.image` is the input of both student and teacher."""
        taught = self.teacher(record.image, indices)
        with torch.autocast(record.camera.device.type, enabled=False):
            mine, theirs = (CoEvoerOutputs(*(output.float() for output in s.outputs)) for s in (seen, taught))
            terms = self.loss.terms(mine, self.teacher_labels(theirs, record))
            terms["vertices"] = self._vertex_term(mine, theirs)
            if self.use_labels:
                terms |= {f"label_{name}": term for name, term in self.loss.terms(mine, record).items()}
            if self.use_features:
                terms["encoder"] = _feature_term(seen.encoder, taught.encoder)
                terms["enhancer"] = _feature_term(seen.enhancer, taught.enhancer)
            return combine(terms, self.weights, self.average)

    def _vertex_term(self, mine: CoEvoerOutputs, theirs: CoEvoerOutputs) -> Term:
        """Mean distance between vertices after aligning the pelvis, m, as MPVPE measures it."""
        centred = []
        for outputs in (mine, theirs):
            vertices, joints = self.vertices(all_rotations(outputs), all_coefficients(outputs))
            centred.append(vertices - joints[:, PELVIS : PELVIS + 1])
        distance = (centred[0] - centred[1]).square().sum(-1).add(1e-12).sqrt().mean(1)  # B
        return weighted(distance, torch.ones_like(distance))


def _feature_term(student: Tensor, teacher: Tensor) -> Term:
    """Mean squared difference of normalised tokens (B, N, C)."""
    a, b = (F.layer_norm(tokens.float(), tokens.shape[-1:]) for tokens in (student, teacher))
    error = (a - b).square().mean((1, 2))  # B
    return weighted(error, torch.ones_like(error))


def _unstack(seen: Seen) -> list[Answer]:
    """The answers for each sample of a batch, without the batch axis."""
    named = {**seen.outputs._asdict(), "encoder": seen.encoder, "enhancer": seen.enhancer}
    return [{name: value[i] for name, value in named.items()} for i in range(len(seen.encoder))]


def _stack(answers: list[Answer], device: torch.device) -> Seen:
    def stacked(name: str) -> Tensor:
        return torch.stack([answer[name].to(device) for answer in answers])

    outputs = CoEvoerOutputs(*(stacked(name) for name in CoEvoerOutputs._fields))
    return Seen(outputs, stacked("encoder"), stacked("enhancer"))
