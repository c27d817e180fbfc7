// One-Euro filters compared with their closed forms; the kit has the values of whole people.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <random>

#include "bundles.hpp"
#include "coevoer/rotations.hpp"
#include "coevoer/smoother.hpp"
#include "people.hpp"

using namespace coevoer;

namespace {

constexpr FilterRule kRule{1.5, 0.7, 1.0};
constexpr double kDt = 1.0 / 30;

Eigen::VectorXd one(double value) { return Eigen::VectorXd::Constant(1, value); }

}  // namespace

TEST_CASE("smoothing: the first value passes unchanged, a constant stays, a step is approached without overshoot") {
  VectorFilter filter(kRule);
  CHECK(filter(one(2), 0)[0] == 2);
  for (int i = 0; i < 5; ++i) CHECK(filter(one(2), kDt)[0] == 2);
  double last = 2;
  for (int i = 0; i < 60; ++i) {
    const double next = filter(one(3), kDt)[0];
    CHECK(next > last);
    CHECK(next <= 3);
    last = next;
  }
  CHECK(last == doctest::Approx(3).epsilon(1e-3));
}

TEST_CASE("smoothing: without gain it is the exponential low-pass filter of its cutoff") {
  VectorFilter filter({1.5, 0, 1.0});
  filter(one(0), 0);
  const double keep = 1 / (1 + 2 * std::numbers::pi * 1.5 * kDt);
  CHECK(1 - share_of_step(1.5, kDt) == doctest::Approx(keep));
  for (int n = 1; n < 20; ++n) CHECK(filter(one(1), kDt)[0] == doctest::Approx(1 - std::pow(keep, n)));
}

TEST_CASE("smoothing: a rotation about one axis is smoothed as its angle is") {
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  const Vec3 axis = Vec3(1, -2, 0.5).normalized();
  VectorFilter angles(kRule);
  RotationFilter rotations(kRule);
  double angle = 0.3;
  for (int i = 0; i < 200; ++i) {
    angle += 0.1 * normal(random);
    const double expected = angles(one(angle), kDt)[0];
    const Mat3 smoothed = rotations(rotation_exp(angle * axis), kDt);
    CHECK((smoothed - rotation_exp(expected * axis)).norm() < 1e-9);
    CHECK((smoothed.transpose() * smoothed - Mat3::Identity()).norm() < 1e-12);
  }
}

TEST_CASE("smoothing: noise in the depth does not move a person across the image, and reset forgets") {
  const Manifest& manifest = bundle_under_test().manifest;
  Smoother smoother(manifest.smoothing);
  const Decoded decoded = decode(standing(manifest, 1), Crop::whole_frame({640, 480}, manifest.view), manifest);
  const Vec2 slope(0.02, -0.01);
  for (int i = 0; i < 20; ++i) {
    const double z = 30 * std::exp(i % 2 ? 0.05 : -0.05);
    Parameters parameters = decoded.parameters;
    Vec3 translation(slope.x() * z, slope.y() * z, z);
    smoother(33.0 * i, parameters, translation, 10);
    CHECK((translation.head<2>() / translation.z() - slope).norm() < 1e-12);
    CHECK(translation.z() <= 30 * std::exp(0.05));
  }
  smoother.reset();
  Parameters parameters = decoded.parameters;
  Vec3 translation(9, 9, 9);
  smoother(0, parameters, translation, 10);  // an earlier time is allowed, for another person
  CHECK((translation - Vec3(9, 9, 9)).norm() < 1e-12);
}
