#include "coevoer/smoother.hpp"

#include <cmath>
#include <numbers>

#include "coevoer/rotations.hpp"

namespace coevoer {
namespace {

// Uses one filter per rotation, created on the person's first frame.
void smooth(std::vector<RotationFilter>& filters, const FilterRule& rule, std::vector<Mat3>& values, double dt) {
  if (filters.empty()) filters.assign(values.size(), RotationFilter(rule));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = filters[i](values[i], dt);
}

void smooth(std::vector<RotationFilter>& filters, const FilterRule& rule, Mat3& value, double dt) {
  std::vector<Mat3> one = {value};
  smooth(filters, rule, one, dt);
  value = one[0];
}

}  // namespace

double share_of_step(double cutoff_hz, double dt_s) {
  const double turn = 2 * std::numbers::pi * cutoff_hz * dt_s;
  return turn / (turn + 1);
}

Eigen::VectorXd VectorFilter::operator()(const Eigen::VectorXd& value, double dt_s) {
  if (!raw_) {
    raw_ = smoothed_ = value;
    speed_ = Eigen::VectorXd::Zero(value.size());
    return value;
  }
  speed_ += share_of_step(rule_.derivative_hz, dt_s) * ((value - *raw_) / dt_s - speed_);
  const double cutoff = rule_.cutoff_hz + rule_.gain * speed_.norm();
  smoothed_ += share_of_step(cutoff, dt_s) * (value - smoothed_);
  raw_ = value;
  return smoothed_;
}

Mat3 RotationFilter::operator()(const Mat3& value, double dt_s) {
  if (!raw_) {
    raw_ = smoothed_ = value;
    return value;
  }
  speed_ += share_of_step(rule_.derivative_hz, dt_s) * (rotation_log(raw_->transpose() * value) / dt_s - speed_);
  const double cutoff = rule_.cutoff_hz + rule_.gain * speed_.norm();
  smoothed_ *= rotation_exp(share_of_step(cutoff, dt_s) * rotation_log(smoothed_.transpose() * value));
  raw_ = value;
  return smoothed_;
}

void Smoother::reset() {
  last_ms_.reset();
  for (auto* filters : {&root_, &body_, &left_hand_, &right_hand_, &jaw_}) filters->clear();
  vectors_ = {VectorFilter(rules_.betas), VectorFilter(rules_.expression), VectorFilter(rules_.place),
              VectorFilter(rules_.depth)};
}

void Smoother::operator()(double timestamp_ms, Parameters& parameters, Vec3& translation, double focal_in_heights) {
  const double dt = last_ms_ ? (timestamp_ms - *last_ms_) / 1000 : 0;  // unused by the first frame
  last_ms_ = timestamp_ms;
  smooth(root_, rules_.root, parameters.global_orient, dt);
  smooth(body_, rules_.body, parameters.body_pose, dt);
  smooth(left_hand_, rules_.hands, parameters.left_hand_pose, dt);
  smooth(right_hand_, rules_.hands, parameters.right_hand_pose, dt);
  smooth(jaw_, rules_.jaw, parameters.jaw_pose, dt);
  parameters.betas = vectors_[0](parameters.betas, dt);
  parameters.expression = vectors_[1](parameters.expression, dt);
  const Vec2 slope = vectors_[2](translation.head<2>() / translation.z() * focal_in_heights, dt) / focal_in_heights;
  const Eigen::VectorXd log_depth = Eigen::VectorXd::Constant(1, std::log(translation.z()));
  const double depth = std::exp(vectors_[3](log_depth, dt)[0]);
  translation = {slope.x() * depth, slope.y() * depth, depth};
}

}  // namespace coevoer
