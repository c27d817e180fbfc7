"""Rotations in the forms that SMPL-X uses: matrix, axis-angle, 6D. No torch.

In and out: numpy arrays batched over any leading axes. A rotation matrix maps column vectors, child frame to parent
frame. All maps are computed in float64.
"""

import numpy as np
from numpy.typing import ArrayLike

from coevoer_edge.body.arrays import Float64Array

_TINY = 1e-12  # below this length the direction of a vector is noise


def axis_angle_to_matrix(axis_angle: ArrayLike) -> Float64Array:
    """Rodrigues' formula. (..., 3) axis times angle in rad, to (..., 3, 3). Smooth through zero."""
    v = np.asarray(axis_angle, np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]  # ... 1 1
    K = _cross_matrix(v)
    sin_over_angle = np.sinc(angle / np.pi)
    versine_over_square = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos a) / a^2
    result: Float64Array = np.eye(3) + sin_over_angle * K + versine_over_square * (K @ K)
    return result


def matrix_to_axis_angle(matrix: ArrayLike) -> Float64Array:
    """(..., 3, 3) rotations to (..., 3) axis times angle in rad, angle in [0, pi].

    Goes through the quaternion (Shepperd 1978: divide by its largest component), so it is accurate at 0 and at pi. At
    exactly pi both signs of the axis are correct, and one of them is returned.
    """
    R = np.asarray(matrix, np.float64)
    diagonal = np.diagonal(R, axis1=-2, axis2=-1)  # ... 3
    trace = diagonal.sum(-1, keepdims=True)  # ... 1
    # Row i is 4 q_i (w, x, y, z), for i = w, x, y, z.
    rows = np.empty((*R.shape[:-2], 4, 4))
    rows[..., 0, 0] = 1 + trace[..., 0]
    rows[..., 0, 1:] = rows[..., 1:, 0] = _vee(R)
    rows[..., 1:, 1:] = R + np.swapaxes(R, -1, -2)
    for i in range(3):
        rows[..., 1 + i, 1 + i] = 1 + 2 * diagonal[..., i] - trace[..., 0]
    largest = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    q = rows.reshape(-1, 4, 4)[np.arange(largest.size), largest.reshape(-1)].reshape(rows.shape[:-1])  # ... 4
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)  # of half the angle
    factor = np.where(sine > _TINY, 2 * np.arctan2(sine, q[..., :1]) / np.maximum(sine, _TINY), 2.0)
    result: Float64Array = factor * q[..., 1:]
    return result


def sixd_to_matrix(sixd: ArrayLike) -> Float64Array:
    """Gram-Schmidt on two columns (Zhou et al. 2019, arXiv:1812.07035).

    (..., 6): x y z of the first column, then of the second; to (..., 3, 3). The two must not be parallel or zero.
    """
    a = np.asarray(sixd, np.float64)
    first = _unit(a[..., :3])
    second = _unit(a[..., 3:] - np.sum(first * a[..., 3:], axis=-1, keepdims=True) * first)
    return np.stack((first, second, np.cross(first, second)), axis=-1)


def matrix_to_sixd(matrix: ArrayLike) -> Float64Array:
    """The first two columns, (..., 3, 3) to (..., 6), in `sixd_to_matrix`'s order."""
    R = np.asarray(matrix, np.float64)
    return np.concatenate((R[..., 0], R[..., 1]), axis=-1)


def geodesic_deg(a: ArrayLike, b: ArrayLike) -> Float64Array:
    """Angle in degrees, [0, 180], of the rotation from a to b; (..., 3, 3) each, to (...).

    It is computed from sine and cosine together, because arccos loses precision at small angles and near 180.
    """
    between = np.swapaxes(np.asarray(a, np.float64), -1, -2) @ np.asarray(b, np.float64)
    sine = np.linalg.norm(_vee(between), axis=-1) / 2
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    angle: Float64Array = np.degrees(np.arctan2(sine, cosine))
    return angle


def nearest_rotation(matrix: ArrayLike) -> Float64Array:
    """The rotation nearest to each (..., 3, 3) matrix in the Frobenius norm, by SVD with determinant +1.

    INT8 and fp16 networks output matrices that are orthonormal only up to rounding; forward kinematics would
    pass the shear and scale down the chain. Raises `numpy.linalg.LinAlgError` on values that are not finite.
    """
    u, _, vt = np.linalg.svd(np.asarray(matrix, np.float64))
    result: Float64Array = u @ vt
    mirrored = np.linalg.det(result) < 0
    if mirrored.any():
        u[mirrored, :, 2] *= -1  # flips the direction of the least singular value
        result[mirrored] = u[mirrored] @ vt[mirrored]
    return result


def _cross_matrix(v: Float64Array) -> Float64Array:
    """(..., 3) to the (..., 3, 3) matrix K with K u = v x u."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = np.zeros_like(x)
    return np.stack((zero, -z, y, z, zero, -x, -y, x, zero), axis=-1).reshape(*v.shape[:-1], 3, 3)


def _vee(R: Float64Array) -> Float64Array:
    """(..., 3, 3) to the (..., 3) axis times twice the sine of the angle."""
    pairs = (R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1])
    return np.stack(pairs, axis=-1)


def _unit(v: Float64Array) -> Float64Array:
    result: Float64Array = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return result
