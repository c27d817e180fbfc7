"""A dataset of three people whose truth is known, and networks that answer with it, exactly or changed."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.body.keypoints import NUM_KEYPOINTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.record import Record
from coevoer_edge.evaluation.measuring_body import MeasuringBody
from coevoer_edge.evaluation.metrics import project
from coevoer_edge.model import CoEvoerOutputs

torch.set_num_threads(1)

Change = Callable[[dict[str, Tensor]], None]


@cache
def open_body() -> MeasuringBody:
    """The open body; do not change it."""
    return MeasuringBody(BodyModel.open())


class People:
    """A `RecordSource`; the red of an image's first pixel is the index."""

    def __init__(self, body: MeasuringBody, count: int = 3, **changes: Tensor) -> None:
        rng = np.random.default_rng(7)
        shapes = {output.name: (count, *output.shape[1:]) for output in contract.OUTPUTS}
        truth: dict[str, np.ndarray] = {}
        for name, shape in shapes.items():
            is_rotation = shape[-2:] == (3, 3)
            truth[name] = (
                axis_angle_to_matrix(rng.normal(0, 0.2, shape[:-1])) if is_rotation else rng.normal(size=shape)
            )
        truth["global_orient"] = axis_angle_to_matrix((np.pi, 0, 0)) @ truth["global_orient"]
        truth["camera"] = np.tile((0.0, 0.3, 35.0), (count, 1))
        truth["part_boxes"] = np.tile((0.2, 0.2, 0.6, 0.5), (count, 3, 1))
        truth["visibility"] = np.ones((count, 4))
        values = {name: torch.from_numpy(value).float() for name, value in truth.items()}
        image = torch.zeros(count, 3, 256, 192, dtype=torch.uint8)
        image[:, 0, 0, 0] = torch.arange(count)
        self.records = Record(
            image=image,
            **values,
            known=torch.ones(count, 4),
            keypoints_3d=torch.zeros(count, NUM_KEYPOINTS, 3),
            keypoints_3d_weight=torch.ones(count, NUM_KEYPOINTS),
            keypoints_2d=torch.zeros(count, NUM_KEYPOINTS, 2),
            keypoints_2d_weight=torch.ones(count, NUM_KEYPOINTS),
            part_boxes_weight=torch.ones(count, 3),
            visibility_weight=torch.ones(count, 4),
            labels=torch.full((count, 256, 192), 255, dtype=torch.uint8),
        )
        points = body(self.records).keypoints
        self.records = self.records._replace(
            keypoints_3d=points - points[:, :1], keypoints_2d=project(points + values["camera"][:, None])
        )._replace(**changes)
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.records.image)

    def batch(self, indices: Sequence[int]) -> Record:
        self.asked.append(list(indices))
        return Record(*(tensor[list(indices)] for tensor in self.records))


class Knowing(nn.Module):
    """Answers with the truth of `People`, after `change`."""

    def __init__(self, people: People, change: Change | None = None) -> None:
        super().__init__()
        self.people = people
        self.change = change
        self.weight = nn.Parameter(torch.zeros(1))
        self.trained_on: list[bool] = []

    def forward(self, image: Tensor) -> CoEvoerOutputs:
        assert image.dtype == torch.float32
        assert image.max() <= 1
        self.trained_on.append(self.training)
        which = (image[:, 0, 0, 0] * 255).round().long()
        values = {name: getattr(self.people.records, name)[which].clone() for name in contract.OUTPUT_NAMES}
        if self.change is not None:
            self.change(values)
        return CoEvoerOutputs(**values)


class KnowingRuntime:
    """The same as a runtime."""

    name, kind = "knowing", "runtime"

    def __init__(self, network: Knowing) -> None:
        self.network = network
        self.closed = 0

    def __call__(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        image = torch.from_numpy(crop.transpose(2, 0, 1)[None].copy()).float() / 255
        outputs = self.network(image)
        return {name: output.numpy() for name, output in zip(contract.OUTPUT_NAMES, outputs, strict=True)}

    def close(self) -> None:
        self.closed += 1
