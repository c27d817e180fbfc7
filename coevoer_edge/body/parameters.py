"""SMPL-X parameters of one person, as the network outputs them.

In: the network's outputs. Out: `SmplxParameters`, which the body layers, the estimator and the writers take.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.arrays import FloatArray

_SHAPES = {output.name: output.shape[1:] for output in contract.OUTPUTS}  # without the batch axis
ROTATIONS = tuple(name for name, shape in _SHAPES.items() if shape[-2:] == (3, 3))
"""The parameters that are rotations, in the contract's order."""
_ROWS = dict(zip(ROTATIONS, pairwise(accumulate((_SHAPES[name][0] for name in ROTATIONS), initial=0)), strict=True))


@dataclass(frozen=True, repr=False)
class SmplxParameters:
    """Pose, shape and expression of one body; rotations are matrices from each joint's frame to its parent's.

    Shapes are those of `contract.OUTPUTS` without the batch axis. Hand rotations are absolute, as `smplx.SMPLXLayer`
    expects them, with no mean pose added (the `flat_hand_mean=True` convention).
    """

    global_orient: FloatArray  # 1 3 3
    body_pose: FloatArray  # 21 3 3
    left_hand_pose: FloatArray  # 15 3 3
    right_hand_pose: FloatArray  # 15 3 3
    jaw_pose: FloatArray  # 1 3 3
    betas: FloatArray  # 10
    expression: FloatArray  # 10

    def __repr__(self) -> str:
        shapes = ", ".join(f"{field.name} {getattr(self, field.name).shape}" for field in fields(self))
        return f"<SmplxParameters: {shapes}>"

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, FloatArray]) -> "SmplxParameters":
        """Remove the batch axis (size 1) from the network's outputs."""
        return cls(**{field.name: np.asarray(outputs[field.name][0], np.float64) for field in fields(cls)})

    @classmethod
    def from_rotations(cls, rotations: FloatArray, betas: FloatArray, expression: FloatArray) -> Self:
        """From all rotations in one array (53, 3, 3), in the order of `ROTATIONS`; the array is shared, not copied."""
        parts = {name: rotations[start:end] for name, (start, end) in _ROWS.items()}
        return cls(**parts, betas=betas, expression=expression)

    def rotations(self) -> NDArray[np.float64]:
        """All rotations in one new array (53, 3, 3), in the order of `ROTATIONS`."""
        return np.concatenate([getattr(self, name) for name in ROTATIONS], dtype=np.float64)

    @classmethod
    def rest(cls) -> "SmplxParameters":
        """The T-pose of the mean shape: identity rotations, zero coefficients."""
        return cls(**{f.name: _rest(_SHAPES[f.name]) for f in fields(cls)})


def _rest(shape: tuple[int, ...]) -> FloatArray:
    is_rotation = shape[-2:] == (3, 3)
    return np.broadcast_to(np.eye(3), shape).copy() if is_rotation else np.zeros(shape)
