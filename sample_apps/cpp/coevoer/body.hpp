// The body (docs/pipeline.md, section 5). In: SMPL-X parameters. Out: joints in float64, vertices in float32, m.
#pragma once

#include <Eigen/Core>
#include <array>
#include <cstdint>
#include <vector>

#include "coevoer/geometry.hpp"
#include "coevoer/manifest.hpp"
#include "coevoer/safetensors.hpp"

namespace coevoer {

// SMPL-X parameters of one person; each rotation maps the joint's frame to its parent's.
struct Parameters {
  Mat3 global_orient = Mat3::Identity();
  std::vector<Mat3> body_pose, left_hand_pose, right_hand_pose;
  Mat3 jaw_pose = Mat3::Identity();
  Eigen::VectorXd betas, expression;

  // In the order of the joints: root, body, jaw, two eyes at rest, left hand, right hand.
  std::vector<Mat3> rotations() const;
  Eigen::VectorXd coefficients() const;  // betas, then expression
};

class Body {
 public:
  // Raises Error(bundle) if a tensor is missing, has another shape or type, or contains an impossible index or number.
  Body(const Safetensors& file, const Manifest& manifest);

  std::size_t num_vertices() const { return skin_.size(); }
  const std::vector<std::int32_t>& faces() const { return faces_; }  // 3 a face, counterclockwise from outside

  // The root rotates about the pelvis, without a translation. Raises Error(usage) if the number of rotations or
  // coefficients is not the manifest's.
  std::vector<Vec3> joints(const Parameters& parameters) const;

  // Writes (V, 3) to `vertices`, which is resized, with `translation` added.
  void vertices(const Parameters& parameters, const Vec3& translation, std::vector<float>& vertices) const;

 private:
  struct Posed {
    std::vector<Mat3> turn;         // G_k
    std::vector<Vec3> rest, joint;  // j_k at rest, p_k
  };
  struct Influence {
    std::uint8_t joint;
    float weight;
  };
  struct Skin {
    std::uint32_t first, count;  // in influences_
  };
  Posed pose(const Parameters& parameters) const;
  void rest_vertices(const Parameters& parameters, std::vector<float>& rest) const;

  std::size_t betas_, expression_, body_, hand_;  // the number of each
  std::vector<std::int32_t> parents_, faces_;
  Eigen::VectorXd joint_template_;                                                                  // 3J
  Eigen::MatrixXd joint_directions_;                                                                // 3J 20
  std::vector<float> template_;                                                                     // 3V
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> shapes_, pose_directions_;  // n 3V
  std::vector<Influence> influences_;
  std::vector<Skin> skin_;
};

}  // namespace coevoer
