// Turns the network's outputs on one crop into a person (docs/pipeline.md, sections 3 to 5).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coevoer/body.hpp"
#include "coevoer/geometry.hpp"
#include "coevoer/manifest.hpp"

namespace coevoer {

struct Tensor {
  Shape shape;
  std::vector<float> values;
};
using Outputs = std::map<std::string, Tensor, std::less<>>;  // by name, batch 1

// Raises Error(network) if an output is missing, has another shape or is not finite.
void check_outputs(const Outputs& outputs, const Manifest& manifest);

// The decoded outputs, in pixels of the frame and in the camera of the crop, without a body.
struct Decoded {
  Parameters parameters;            // rotations made orthonormal
  Vec3 translation = Vec3::Zero();  // under crop.camera(), m
  Crop crop;
  std::vector<Box> part_boxes_px;  // of the manifest's part_names
  std::vector<double> visibility;
  double person_visibility = 0;
};

// Checks, then decodes.
Decoded decode(const Outputs& outputs, const Crop& crop, const Manifest& manifest);

// One person in the frame.
struct Person {
  Parameters parameters;
  Vec3 translation = Vec3::Zero();  // m, camera frame: SMPL-X's transl
  PinholeCamera camera;
  std::vector<Vec3> joints_cam;  // m, in the order of joint_names
  std::vector<Vec2> joints_px;
  std::vector<Box> part_boxes_px;  // may extend outside the frame
  std::vector<double> visibility;  // probabilities, in the manifest's order
  double person_visibility = 0;
};

// Poses the joints, with the decoded parameters, translation and camera, or with the given ones.
Person embody(const Decoded& decoded, const Body& body, const Manifest& manifest);
Person embody(const Decoded& decoded, const Body& body, const Parameters& parameters, const Vec3& translation,
              const PinholeCamera& camera);

}  // namespace coevoer
