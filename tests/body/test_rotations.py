"""Invariants of the rotation maps: round trips, orthonormality, smoothness at 0, correctness at pi, naive versions."""

import math

import numpy as np
import pytest

from coevoer_edge.body import rotations as r

TOLERANCE = 1e-12


def some_axis_angles(count: int = 500) -> np.ndarray:
    """Axes in all directions, with many angles near 0 and near pi."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    near = 10.0 ** -rng.uniform(0, 16, size=count)
    angles = np.where(np.arange(count) % 2, near, math.pi - near * math.pi)
    return axes * angles[:, None]


def naive_axis_angle_to_matrix(v: np.ndarray) -> np.ndarray:
    """The exponential series of the cross-product matrix, one rotation."""
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    total, term = np.eye(3), np.eye(3)
    for n in range(1, 40):
        term = term @ K / n
        total = total + term
    return total


def test_matrices_are_rotations():
    R = r.axis_angle_to_matrix(some_axis_angles())
    np.testing.assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=TOLERANCE)


def test_fast_against_naive():
    v = some_axis_angles(50)
    np.testing.assert_allclose(
        r.axis_angle_to_matrix(v), [naive_axis_angle_to_matrix(one) for one in v], atol=TOLERANCE
    )


def test_axis_angle_there_and_back():
    v = some_axis_angles()
    back = r.matrix_to_axis_angle(r.axis_angle_to_matrix(v))
    # At pi the sign of the axis is free.
    error = np.minimum(np.abs(back - v).max(-1), np.abs(back + v).max(-1))
    at_pi = np.linalg.norm(v, axis=-1) > math.pi - 1e-6
    np.testing.assert_allclose(back[~at_pi], v[~at_pi], atol=1e-9)
    assert error.max() < 1e-9


@pytest.mark.parametrize("exponent", [-300, -20, -12, -8, -4])
def test_small_angles_keep_their_relative_precision(exponent):
    v = np.array([0.6, -0.8, 0.0]) * 10.0**exponent
    back = r.matrix_to_axis_angle(r.axis_angle_to_matrix(v))
    np.testing.assert_allclose(back, v, rtol=1e-9)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0.6, 0.8), (-0.6, 0, 0.8)])
def test_half_turn(axis):
    v = math.pi * np.array(axis)
    back = r.matrix_to_axis_angle(2 * np.outer(axis, axis) - np.eye(3))
    np.testing.assert_allclose(np.abs(back), np.abs(v), atol=TOLERANCE)
    np.testing.assert_allclose(r.axis_angle_to_matrix(back), r.axis_angle_to_matrix(v), atol=TOLERANCE)


def test_identity_is_the_zero_vector():
    np.testing.assert_array_equal(r.matrix_to_axis_angle(np.eye(3)), np.zeros(3))
    np.testing.assert_array_equal(r.axis_angle_to_matrix(np.zeros(3)), np.eye(3))


def test_sixd_there_and_back():
    R = r.axis_angle_to_matrix(some_axis_angles())
    np.testing.assert_allclose(r.sixd_to_matrix(r.matrix_to_sixd(R)), R, atol=TOLERANCE)


def test_sixd_is_orthonormal_whatever_the_lengths():
    R = r.sixd_to_matrix(np.random.default_rng(1).normal(size=(100, 6)) * 7)
    np.testing.assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=TOLERANCE)


def test_sixd_holds_columns():
    quarter_turn_z = r.axis_angle_to_matrix((0, 0, math.pi / 2))
    np.testing.assert_allclose(r.matrix_to_sixd(quarter_turn_z), [0, 1, 0, -1, 0, 0], atol=TOLERANCE)


@pytest.mark.parametrize("angle_deg", [0, 1e-7, 1, 90, 179.999999, 180])
def test_geodesic(angle_deg):
    base = r.axis_angle_to_matrix((0.3, -1, 2))
    turned = base @ r.axis_angle_to_matrix(np.radians(angle_deg) * np.array([0.6, 0, 0.8]))
    assert r.geodesic_deg(base, turned) == pytest.approx(angle_deg, abs=1e-9)
    assert r.geodesic_deg(turned, base) == pytest.approx(angle_deg, abs=1e-9)


def test_nearest_rotation():
    R = r.axis_angle_to_matrix(some_axis_angles(100))
    np.testing.assert_allclose(r.nearest_rotation(R), R, atol=TOLERANCE)
    noise = np.random.default_rng(2).normal(size=R.shape) * 0.02
    nearest = r.nearest_rotation(R + noise)
    np.testing.assert_allclose(nearest @ nearest.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.det(nearest), 1, atol=TOLERANCE)
    near = [nearest @ r.axis_angle_to_matrix(step) for step in 0.01 * np.vstack((np.eye(3), -np.eye(3)))]
    best = np.linalg.norm(nearest - R - noise, axis=(-2, -1))
    assert all((np.linalg.norm(other - R - noise, axis=(-2, -1)) >= best).all() for other in near)


def test_nearest_rotation_mends_reflections():
    assert np.linalg.det(r.nearest_rotation(np.diag([1.0, 1, -1]))) == pytest.approx(1)


def test_leading_axes():
    v = some_axis_angles(12).reshape(2, 3, 2, 3)
    R = r.axis_angle_to_matrix(v)
    assert R.shape == (2, 3, 2, 3, 3)
    assert r.matrix_to_axis_angle(R).shape == v.shape
    assert r.sixd_to_matrix(r.matrix_to_sixd(R)).shape == R.shape
    assert r.nearest_rotation(R).shape == R.shape
    assert r.geodesic_deg(R, R).shape == (2, 3, 2)
    assert r.matrix_to_axis_angle(np.empty((0, 3, 3))).shape == (0, 3)
