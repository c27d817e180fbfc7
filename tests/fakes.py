"""Stand-ins for a runtime and a bundle, with a body that stands where the test puts it."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from coevoer_edge import contract
from coevoer_edge.body.rotations import axis_angle_to_matrix

FACING = axis_angle_to_matrix((np.pi, 0, 0))
"""SMPL-X root (y up) to camera (y down): upright, facing the camera."""


def outputs_of(translation_m=(0.0, 0.0, 40.0), noise: float = 0.0) -> dict[str, np.ndarray]:
    """The contract's outputs for a T-pose facing the camera; `noise` is added to everything but the camera."""
    rng = np.random.default_rng(0)
    values = {}
    for output in contract.OUTPUTS:
        value = np.broadcast_to(np.eye(3), output.shape) if output.shape[-2:] == (3, 3) else np.zeros(output.shape)
        values[output.name] = value + noise * rng.normal(size=output.shape)
    values["global_orient"] = FACING @ values["global_orient"]
    values["camera"] = np.array([translation_m])
    values["part_boxes"] = np.array([[[0.25, 0.5, 0.75, 1.0], [0, 0, 0.1, 0.1], [-0.1, 0, 1.1, 1.0]]])
    values["visibility"] = np.array([[0.9, 0.8, 0.2, 0.1]])
    return {name: value.astype(np.float32) for name, value in values.items()}


@dataclass
class FakeRuntime:
    """Answers with the given outputs in turn, the last one for ever, and keeps the crops it saw."""

    answers: list[dict[str, np.ndarray]] = field(default_factory=lambda: [outputs_of()])
    name: str = "fake"
    seen: list[np.ndarray] = field(default_factory=list)
    closed: int = 0

    def __call__(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        assert crop.shape == (256, 192, 3)
        assert crop.dtype == np.uint8
        self.seen.append(crop)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]

    def close(self) -> None:
        self.closed += 1


def fake_bundle(path: Path, trained: bool = False) -> SimpleNamespace:
    manifest = SimpleNamespace(model="coevoer-t", trained=trained, target="onnx", precision="w8a8")
    return SimpleNamespace(manifest=manifest, artifact=Path(path) / "coevoer-t-onnx-w8a8.onnx")
