// Rotation matrices and rotation vectors (axis times angle in rad), float64.
#pragma once

#include <Eigen/Core>

#include "coevoer/geometry.hpp"

namespace coevoer {

// The nearest rotation in the Frobenius norm: U V^T of the SVD, with determinant +1. The matrix must be finite.
Mat3 nearest_rotation(const Mat3& matrix);

// Rodrigues' formula, which is smooth at zero.
Mat3 rotation_exp(const Vec3& vector);

// The angle is in [0, pi] and accurate at both ends; at exactly pi, both signs are right and one of them is returned.
Vec3 rotation_log(const Mat3& rotation);

}  // namespace coevoer
