// One-Euro smoothing of a person's parameters (docs/pipeline.md, section 7; Casiez et al. 2012). Rotations stay
// rotations; the translation is smoothed as place and depth.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <vector>

#include "coevoer/body.hpp"
#include "coevoer/manifest.hpp"

namespace coevoer {

// The share of the distance to a new value that a low-pass filter covers in one step: 1 / (1 + 1 / (2 pi f dt)).
double share_of_step(double cutoff_hz, double dt_s);

// A One-Euro filter of a vector, with a single cutoff from the norm of its speed.
class VectorFilter {
 public:
  explicit VectorFilter(const FilterRule& rule) : rule_(rule) {}
  // The first value passes unchanged.
  Eigen::VectorXd operator()(const Eigen::VectorXd& value, double dt_s);

 private:
  FilterRule rule_;
  std::optional<Eigen::VectorXd> raw_;
  Eigen::VectorXd smoothed_, speed_;
};

// A One-Euro filter of one rotation along the manifold; speed is the rotation vector a second.
class RotationFilter {
 public:
  explicit RotationFilter(const FilterRule& rule) : rule_(rule) {}
  Mat3 operator()(const Mat3& value, double dt_s);

 private:
  FilterRule rule_;
  std::optional<Mat3> raw_;
  Mat3 smoothed_ = Mat3::Identity();
  Vec3 speed_ = Vec3::Zero();
};

// The filters of one person in a stream.
class Smoother {
 public:
  explicit Smoother(const SmoothingRules& rules) : rules_(rules) { reset(); }

  void reset();  // forgets the person: the next one passes unchanged

  // Smooths one accepted frame in place. `translation` is in the frame camera, z > 0; `focal_in_heights` is that
  // camera's focal length over the frame's height.
  void operator()(double timestamp_ms, Parameters& parameters, Vec3& translation, double focal_in_heights);

 private:
  SmoothingRules rules_;
  std::optional<double> last_ms_;
  std::vector<RotationFilter> root_, body_, left_hand_, right_hand_, jaw_;
  std::vector<VectorFilter> vectors_;  // betas, expression, place, depth
};

}  // namespace coevoer
