"""Rotation matrices as unit quaternions, x y z w, as glTF and VRM write them.

In and out: numpy arrays batched over any leading axes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coevoer_edge.body.rotations import matrix_to_axis_angle


def matrix_to_quaternion(matrix: ArrayLike) -> NDArray[np.float64]:
    """(..., 3, 3) rotations to (..., 4), x y z w with w >= 0."""
    axis_angle = matrix_to_axis_angle(matrix)
    half = np.linalg.norm(axis_angle, axis=-1, keepdims=True) / 2
    return np.concatenate((axis_angle * np.sinc(half / np.pi) / 2, np.cos(half)), axis=-1)


def continuous(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, ..., 4) with signs chosen so that neighbours along N interpolate the short way."""
    turned = np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True) < 0
    signs = np.cumprod(np.where(turned, -1.0, 1.0), axis=0)
    return np.concatenate((quaternions[:1], quaternions[1:] * signs))
