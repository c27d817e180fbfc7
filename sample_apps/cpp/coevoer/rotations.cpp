#include "coevoer/rotations.hpp"

#include <Eigen/Dense>
#include <cmath>

namespace coevoer {
namespace {

constexpr double kTiny = 1e-12;  // below this length the direction of a vector is noise

}  // namespace

Mat3 nearest_rotation(const Mat3& matrix) {
  const Eigen::JacobiSVD<Mat3> svd(matrix, Eigen::ComputeFullU | Eigen::ComputeFullV);
  Mat3 u = svd.matrixU();
  if ((u * svd.matrixV().transpose()).determinant() < 0) u.col(2) *= -1;  // the column of the smallest singular value
  return u * svd.matrixV().transpose();
}

Mat3 rotation_exp(const Vec3& vector) {
  const double angle = vector.norm();
  if (angle < kTiny) {
    Mat3 small = Mat3::Identity();
    small(0, 1) = -vector.z(), small(0, 2) = vector.y(), small(1, 2) = -vector.x();
    small(1, 0) = vector.z(), small(2, 0) = -vector.y(), small(2, 1) = vector.x();
    return small;
  }
  return Eigen::AngleAxisd(angle, vector / angle).toRotationMatrix();
}

Vec3 rotation_log(const Mat3& rotation) {
  Eigen::Quaterniond q(rotation);  // divides by its largest component
  q.normalize();
  if (q.w() < 0) q.coeffs() *= -1;
  const double sine = q.vec().norm();  // of half the angle
  return q.vec() * (sine > kTiny ? 2 * std::atan2(sine, q.w()) / sine : 2.0);
}

}  // namespace coevoer
