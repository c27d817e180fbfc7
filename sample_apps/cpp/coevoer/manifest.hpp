// The manifest of a bundle (docs/pipeline.md). In: manifest.json. Out: `Manifest`, checked against what this library
// supports. The library takes every name, size and constant of the network from here.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "coevoer/geometry.hpp"
#include "coevoer/safetensors.hpp"

namespace coevoer {

inline constexpr int kSchemaVersion = 2;

struct OutputSpec {
  std::string name;
  Shape shape;  // batch 1 first
};

// A One-Euro filter (Casiez et al. 2012, doi:10.1145/2207676.2208639).
struct FilterRule {
  double cutoff_hz = 0;      // of a quantity at rest
  double gain = 0;           // Hz per unit of speed
  double derivative_hz = 0;  // cutoff of the speed itself
};

struct SmoothingRules {
  FilterRule root, body, hands, jaw, place, depth, betas, expression;
};

// docs/pipeline.md, section 6, gives the reason for each.
struct TrackingRules {
  double acquire_visibility = 0, keep_visibility = 0;
  double smallest_overlap = 0, smallest_crop = 0, tile_step = 0;
  double max_missed_ms = 0, max_gap_ms = 0;
  double same_person_slack = 0, same_person_speed = 0;
  double same_person_growth = 0, same_person_growth_speed = 0;
  double same_person_posture_m = 0, same_person_posture_m_s = 0;
  double motion_hz = 0;
};

struct Manifest {
  std::string model, target, precision, artifact, licence;
  bool trained = false;  // false: random weights, and so are all results
  std::string input_name;
  Shape input_shape;  // 1 3 H W
  View view;
  std::vector<OutputSpec> outputs;      // in the artifact's order
  std::size_t person = 0;               // index of the person in `visibility`
  std::vector<std::string> part_names;  // of part_boxes
  std::vector<std::string> joint_names;
  std::vector<std::size_t> next_crop_joints;
  std::vector<std::size_t> posture_joints;  // those of them that belong to the body: neither hands nor face
  double next_crop_scale = 0;
  TrackingRules tracking;
  SmoothingRules smoothing;
  std::string body_name, body_licence, body_file, conformance_file;

  // Raises Error(bundle) if it is not JSON, has another schema version, lacks something, or has a value, a rule for
  // crops or a set of outputs that this library does not support.
  static Manifest read(const std::filesystem::path& path);
  static Manifest parse(const std::string& text, const std::string& name);

  // The shape of an output by its name. Raises Error(bundle) if there is none.
  const Shape& shape(std::string_view output) const;
  std::size_t joint(std::string_view name) const;
};

// The names of the outputs. In the order of the joints, two eyes without a rotation come after the jaw.
inline constexpr std::string_view kGlobalOrient = "global_orient", kBodyPose = "body_pose", kJawPose = "jaw_pose",
                                  kLeftHandPose = "left_hand_pose", kRightHandPose = "right_hand_pose",
                                  kBetas = "betas", kExpression = "expression", kCamera = "camera",
                                  kPartBoxes = "part_boxes", kVisibility = "visibility";
inline constexpr std::size_t kEyes = 2;

}  // namespace coevoer
