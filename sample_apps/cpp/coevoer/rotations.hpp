// Rotation matrices and rotation vectors (axis times angle in rad), float64.
#pragma once

#include <Eigen/Core>

#include "coevoer/geometry.hpp"

namespace coevoer {

// The rotation nearest in the Frobenius norm: U V^T of the SVD, determinant +1. The matrix has to be finite.
Mat3 nearest_rotation(const Mat3& matrix);

// Rodrigues' formula, smooth through zero.
Mat3 rotation_exp(const Vec3& vector);

// Angle in [0, pi], accurate at both ends; at exactly pi both signs are right and one is returned.
Vec3 rotation_log(const Mat3& rotation);

}  // namespace coevoer
