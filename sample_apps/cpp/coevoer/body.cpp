#include "coevoer/body.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "coevoer/error.hpp"

namespace coevoer {
namespace {

constexpr std::int64_t kInfluences = 8;
constexpr std::size_t kBlock = 3072;  // floats of the mesh that are processed at a time, to stay in the L1 cache

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::bundle, "The body " + what + "; export the bundle again.");
}

std::vector<float> finite(const Safetensors& file, const std::string& name, const Shape& shape) {
  auto values = file.get<float>(name, shape);
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
    fail("has values in " + name + " that are not finite");
  return values;
}

}  // namespace

std::vector<Mat3> Parameters::rotations() const {
  std::vector<Mat3> all = {global_orient};
  all.insert(all.end(), body_pose.begin(), body_pose.end());
  all.push_back(jaw_pose);
  all.insert(all.end(), kEyes, Mat3::Identity());
  all.insert(all.end(), left_hand_pose.begin(), left_hand_pose.end());
  all.insert(all.end(), right_hand_pose.begin(), right_hand_pose.end());
  return all;
}

Eigen::VectorXd Parameters::coefficients() const {
  Eigen::VectorXd c(betas.size() + expression.size());
  c << betas, expression;
  return c;
}

Body::Body(const Safetensors& file, const Manifest& manifest)
    : betas_(static_cast<std::size_t>(manifest.shape(kBetas)[1])),
      expression_(static_cast<std::size_t>(manifest.shape(kExpression)[1])),
      body_(static_cast<std::size_t>(manifest.shape(kBodyPose)[1])),
      hand_(static_cast<std::size_t>(manifest.shape(kLeftHandPose)[1])) {
  const auto J = static_cast<std::int64_t>(manifest.joint_names.size());
  const auto C = static_cast<std::int64_t>(betas_ + expression_);
  template_ = finite(file, "v_template", {-1, 3});
  const std::int64_t V = file.shape("v_template")[0];
  const auto rows = [](const std::vector<float>& values, std::int64_t n) {
    return Eigen::Map<const decltype(shapes_)>(values.data(), n, static_cast<Eigen::Index>(values.size()) / n);
  };
  shapes_ = rows(finite(file, "shapedirs", {C, V, 3}), C);
  if (file.has("posedirs")) pose_directions_ = rows(finite(file, "posedirs", {9 * (J - 1), V, 3}), 9 * (J - 1));
  const auto joint_template = finite(file, "joint_template", {J, 3});
  joint_template_ = Eigen::Map<const Eigen::VectorXf>(joint_template.data(), 3 * J).cast<double>();
  joint_directions_ = rows(finite(file, "joint_directions", {C, J, 3}), C).transpose().cast<double>();

  parents_ = file.get<std::int32_t>("parents", {J});
  for (std::int64_t k = 0; k < J; ++k)
    if (parents_[static_cast<std::size_t>(k)] >= k || parents_[static_cast<std::size_t>(k)] < (k ? 0 : -1))
      fail("has parents that do not come before their children");
  faces_ = file.get<std::int32_t>("faces", {-1, 3});
  if (std::any_of(faces_.begin(), faces_.end(), [V](std::int32_t v) { return v < 0 || v >= V; }))
    fail("has faces with vertices that do not exist");

  const auto joints = file.get<std::uint8_t>("skin_joints", {V, kInfluences});
  const auto weights = finite(file, "skin_weights", {V, kInfluences});
  for (std::size_t v = 0; v < static_cast<std::size_t>(V); ++v) {
    const auto first = static_cast<std::uint32_t>(influences_.size());
    double sum = 0;
    for (std::size_t i = v * kInfluences; i < (v + 1) * kInfluences; ++i) {
      if (joints[i] >= J || weights[i] < 0) fail("is skinned to joints that do not exist or with negative weights");
      if (weights[i] > 0) influences_.push_back({joints[i], weights[i]});
      sum += weights[i];
    }
    if (std::abs(sum - 1) > 0.05) fail("has skinning weights that do not sum to 1");
    skin_.push_back({first, static_cast<std::uint32_t>(influences_.size()) - first});
  }
}

Body::Posed Body::pose(const Parameters& parameters) const {
  if (static_cast<std::size_t>(parameters.betas.size()) != betas_ ||
      static_cast<std::size_t>(parameters.expression.size()) != expression_ || parameters.body_pose.size() != body_ ||
      parameters.left_hand_pose.size() != hand_ || parameters.right_hand_pose.size() != hand_)
    throw Error(
        ErrorKind::usage,
        "The parameters have another number of joints or coefficients than the manifest; give those of a result.");
  const auto rotations = parameters.rotations();
  const Eigen::VectorXd rest = joint_template_ + joint_directions_ * parameters.coefficients();
  Posed posed;
  const std::size_t J = parents_.size();
  posed.turn.resize(J), posed.rest.resize(J), posed.joint.resize(J);
  for (std::size_t k = 0; k < J; ++k) {
    posed.rest[k] = rest.segment<3>(static_cast<Eigen::Index>(3 * k));
    if (k == 0) {
      posed.turn[0] = rotations[0], posed.joint[0] = posed.rest[0];
      continue;
    }
    const auto parent = static_cast<std::size_t>(parents_[k]);
    posed.turn[k] = posed.turn[parent] * rotations[k];
    posed.joint[k] = posed.joint[parent] + posed.turn[parent] * (posed.rest[k] - posed.rest[parent]);
  }
  return posed;
}

std::vector<Vec3> Body::joints(const Parameters& parameters) const { return pose(parameters).joint; }

void Body::rest_vertices(const Parameters& parameters, std::vector<float>& rest) const {
  const Eigen::VectorXf c = parameters.coefficients().cast<float>();
  rest = template_;
  for (std::size_t from = 0; from < rest.size(); from += kBlock) {
    const auto length = static_cast<Eigen::Index>(std::min(kBlock, rest.size() - from));
    Eigen::Map<Eigen::VectorXf> block(rest.data() + from, length);
    for (Eigen::Index i = 0; i < c.size(); ++i)
      block += c[i] * Eigen::Map<const Eigen::VectorXf>(shapes_.row(i).data() + from, length);
  }
  if (pose_directions_.size() == 0) return;
  const auto rotations = parameters.rotations();
  Eigen::RowVectorXf feature(pose_directions_.rows());
  for (std::size_t k = 1; k < rotations.size(); ++k)
    for (Eigen::Index i = 0; i < 9; ++i)
      feature[static_cast<Eigen::Index>(9 * (k - 1)) + i] =
          static_cast<float>(rotations[k](i / 3, i % 3) - (i % 4 == 0 ? 1.0 : 0.0));
  Eigen::Map<Eigen::RowVectorXf>(rest.data(), static_cast<Eigen::Index>(rest.size())) += feature * pose_directions_;
}

void Body::vertices(const Parameters& parameters, const Vec3& translation, std::vector<float>& vertices) const {
  const Posed posed = pose(parameters);
  // Each transform is four columns of four floats: G_k, and p_k + translation - G_k j_k.
  std::vector<Eigen::Matrix4f> transforms(parents_.size(), Eigen::Matrix4f::Zero());
  for (std::size_t k = 0; k < transforms.size(); ++k) {
    transforms[k].topLeftCorner<3, 3>() = posed.turn[k].cast<float>();
    transforms[k].topRightCorner<3, 1>() = (posed.joint[k] + translation - posed.turn[k] * posed.rest[k]).cast<float>();
  }
  rest_vertices(parameters, vertices);
  for (std::size_t v = 0; v < skin_.size(); ++v) {
    const Influence* influence = influences_.data() + skin_[v].first;
    Eigen::Matrix4f blend = influence->weight * transforms[influence->joint];
    for (std::uint32_t i = 1; i < skin_[v].count; ++i) blend += influence[i].weight * transforms[influence[i].joint];
    float* at = vertices.data() + 3 * v;
    const Eigen::Vector4f moved = blend.col(0) * at[0] + blend.col(1) * at[1] + blend.col(2) * at[2] + blend.col(3);
    at[0] = moved[0], at[1] = moved[1], at[2] = moved[2];
  }
}

}  // namespace coevoer
