#include "coevoer/person.hpp"

#include <algorithm>
#include <cmath>

#include "coevoer/error.hpp"
#include "coevoer/rotations.hpp"

namespace coevoer {
namespace {

std::vector<Mat3> rotations(const Tensor& tensor) {
  std::vector<Mat3> all;
  for (std::size_t i = 0; i < tensor.values.size(); i += 9) {
    const Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>> matrix(tensor.values.data() + i);
    all.push_back(nearest_rotation(matrix.cast<double>()));
  }
  return all;
}

Eigen::VectorXd vector(const Tensor& tensor) {
  return Eigen::Map<const Eigen::VectorXf>(tensor.values.data(), static_cast<Eigen::Index>(tensor.values.size()))
      .cast<double>();
}

}  // namespace

void check_outputs(const Outputs& outputs, const Manifest& manifest) {
  for (const auto& spec : manifest.outputs) {
    const auto found = outputs.find(spec.name);
    std::int64_t count = 1;
    for (const std::int64_t size : spec.shape) count *= size;
    if (found == outputs.end() || found->second.shape != spec.shape ||
        static_cast<std::int64_t>(found->second.values.size()) != count)
      throw Error(ErrorKind::network,
                  "The network returned " +
                      (found == outputs.end() ? "no " + spec.name : spec.name + " " + to_string(found->second.shape)) +
                      "; the manifest requires " + to_string(spec.shape) + ". Export the bundle again.");
    const auto& values = found->second.values;
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      throw Error(ErrorKind::network, "The network returned values in " + spec.name +
                                          " that are not finite. Check the bundle with `coevoer-edge parity`, or "
                                          "export it with --precision fp32.");
  }
}

Decoded decode(const Outputs& outputs, const Crop& crop, const Manifest& manifest) {
  check_outputs(outputs, manifest);
  const auto get = [&](std::string_view name) -> const Tensor& { return outputs.find(name)->second; };
  Decoded d;
  d.parameters.global_orient = rotations(get(kGlobalOrient))[0];
  d.parameters.body_pose = rotations(get(kBodyPose));
  d.parameters.left_hand_pose = rotations(get(kLeftHandPose));
  d.parameters.right_hand_pose = rotations(get(kRightHandPose));
  d.parameters.jaw_pose = rotations(get(kJawPose))[0];
  d.parameters.betas = vector(get(kBetas));
  d.parameters.expression = vector(get(kExpression));
  d.translation = vector(get(kCamera));
  d.crop = crop;
  const View& view = manifest.view;
  const Eigen::VectorXd boxes = vector(get(kPartBoxes));
  for (Eigen::Index i = 0; i + 3 < boxes.size(); i += 4) {
    const Vec2 size(view.input.width, view.input.height);
    const Vec2 low = crop.to_frame(boxes.segment<2>(i).cwiseProduct(size), view);
    const Vec2 high = crop.to_frame(boxes.segment<2>(i + 2).cwiseProduct(size), view);
    d.part_boxes_px.push_back({low.x(), low.y(), high.x(), high.y()});
  }
  const auto& visibility = get(kVisibility).values;
  d.visibility.assign(visibility.begin(), visibility.end());
  d.person_visibility = d.visibility[manifest.person];
  return d;
}

Person embody(const Decoded& decoded, const Body& body, const Manifest& manifest) {
  return embody(decoded, body, decoded.parameters, decoded.translation, decoded.crop.camera(manifest.view));
}

Person embody(const Decoded& decoded, const Body& body, const Parameters& parameters, const Vec3& translation,
              const PinholeCamera& camera) {
  Person person{parameters,
                translation,
                camera,
                body.joints(parameters),
                {},
                decoded.part_boxes_px,
                decoded.visibility,
                decoded.person_visibility};
  for (Vec3& joint : person.joints_cam) {
    joint += translation;
    person.joints_px.push_back(camera.project(joint));
  }
  return person;
}

}  // namespace coevoer
