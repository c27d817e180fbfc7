#include "coevoer/manifest.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "coevoer/error.hpp"

namespace coevoer {
namespace {

using Json = nlohmann::json;

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::bundle, name_ + ": " + what + ". Export the bundle again, or use the app that fits it.");
  }

  double number(const Json& table, const char* key, double least = 0) const {
    const Json& value = table.at(key);
    const double number = value.is_number() ? value.get<double>() : NAN;
    if (!(std::isfinite(number) && number >= least)) fail(std::string(key) + " is " + value.dump() + ", not a number");
    return number;
  }

  double positive(const Json& table, const char* key) const {
    const double value = number(table, key);
    if (value <= 0) fail(std::string(key) + " is 0; it must be above 0");
    return value;
  }

  void equal(const Json& table, const char* key, const Json& known) const {
    if (table.at(key) != known)
      fail(std::string(key) + " is " + table.at(key).dump() + "; this library supports " + known.dump());
  }

  std::string file(const Json& value, const char* what) const {
    const auto file = value.get<std::string>();
    if (file.empty() || file == "." || file == ".." || file.find_first_of("/\\") != std::string::npos)
      fail(std::string(what) + " " + value.dump() + " is not the name of a file in the same folder");
    return file;
  }

  FilterRule filter(const Json& table, const char* group) const {
    const Json& rule = table.at(group);
    return {positive(rule, "cutoff_hz"), number(rule, "gain"), positive(rule, "derivative_hz")};
  }

 private:
  std::string name_;
};

void read_input(const Reader& reader, const Json& table, Manifest& manifest) {
  const Json& input = table.at("input");
  manifest.input_name = input.at("name").get<std::string>();
  manifest.input_shape = input.at("shape").get<Shape>();
  reader.equal(input, "colour", "RGB");
  reader.equal(input, "layout", "NCHW");
  reader.equal(input, "value_range", {0.0, 1.0});
  const Json& crop = input.at("crop");
  reader.equal(crop, "filter", "triangle");
  reader.equal(crop, "radius", "max(1, scale)");
  reader.equal(crop, "pixel_centre", 0.5);
  reader.equal(crop, "outside", 0);
  reader.equal(crop, "first_crop", "whole_frame");
  const double width = reader.positive(crop, "width_px"), height = reader.positive(crop, "height_px");
  if (width > 4096 || height > 4096) reader.fail("the input is larger than 4096 px");
  manifest.view.input = {static_cast<int>(width), static_cast<int>(height)};
  if (manifest.input_shape != Shape{1, 3, manifest.view.input.height, manifest.view.input.width})
    reader.fail("the input's shape " + to_string(manifest.input_shape) + " is not 1, 3, height and width of its crop");
  manifest.next_crop_scale = reader.positive(crop, "next_crop_scale");
  for (const auto& name : crop.at("next_crop_joints"))
    manifest.next_crop_joints.push_back(manifest.joint(name.get<std::string>()));
  if (manifest.next_crop_joints.empty()) reader.fail("next_crop_joints is empty");

  const Json& camera = table.at("camera");
  const auto centre = camera.at("principal_point_px").get<std::vector<double>>();
  if (centre.size() != 2) reader.fail("camera.principal_point_px must be x and y");
  manifest.view.camera = {reader.positive(camera, "focal_px"), Vec2(centre[0], centre[1])};
}

void read_outputs(const Reader& reader, const Json& table, Manifest& manifest) {
  for (const auto& output : table.at("outputs")) {
    manifest.outputs.push_back({output.at("name").get<std::string>(), output.at("shape").get<Shape>()});
    if (output.at("name") == kPartBoxes) manifest.part_names = output.at("rows").get<std::vector<std::string>>();
    if (output.at("name") != kVisibility) continue;
    const auto columns = output.at("columns").get<std::vector<std::string>>();
    const auto person = std::find(columns.begin(), columns.end(), "person");
    if (person == columns.end()) reader.fail("visibility has no column person");
    manifest.person = static_cast<std::size_t>(person - columns.begin());
    if (output.at("shape").get<Shape>() != Shape{1, static_cast<std::int64_t>(columns.size())})
      reader.fail("visibility has another number of columns than its shape");
  }
  // Checks the shape of an output; a size of 0 in `form` stands for any number from 1 to 999.
  const auto check = [&](std::string_view name, const Shape& form) {
    const Shape& shape = manifest.shape(name);
    bool fits = shape.size() == form.size();
    for (std::size_t i = 0; fits && i < form.size(); ++i)
      fits = form[i] > 0 ? shape[i] == form[i] : shape[i] > 0 && shape[i] < 1000;
    if (!fits)
      reader.fail("output " + std::string(name) + " has shape " + to_string(shape) + ", which is not supported");
    return shape.size() > 1 ? shape[1] : 0;
  };
  std::int64_t joints = kEyes;
  for (const auto name : {kGlobalOrient, kJawPose}) joints += check(name, {1, 1, 3, 3});
  for (const auto name : {kBodyPose, kLeftHandPose, kRightHandPose}) joints += check(name, {1, 0, 3, 3});
  for (const auto name : {kBetas, kExpression, kVisibility}) check(name, {1, 0});
  check(kCamera, {1, 3});
  check(kPartBoxes, {1, static_cast<std::int64_t>(manifest.part_names.size()), 4});
  if (manifest.outputs.size() != 10)
    reader.fail("there are " + std::to_string(manifest.outputs.size()) + " outputs, not 10");
  const auto body = static_cast<std::size_t>(manifest.shape(kGlobalOrient)[1] + manifest.shape(kBodyPose)[1]);
  for (const std::size_t k : manifest.next_crop_joints)
    if (k < body) manifest.posture_joints.push_back(k);
  if (manifest.posture_joints.empty()) reader.fail("next_crop_joints has no joint of the body");
  if (joints != static_cast<std::int64_t>(manifest.joint_names.size()))
    reader.fail("the rotations are of " + std::to_string(joints) + " joints, but joint_names has " +
                std::to_string(manifest.joint_names.size()));
}

void read_pipeline(const Reader& reader, const Json& table, Manifest& manifest) {
  const Json& rules = table.at("pipeline");
  TrackingRules& t = manifest.tracking;
  t.acquire_visibility = reader.number(rules, "acquire_visibility");
  t.keep_visibility = reader.number(rules, "keep_visibility");
  t.smallest_overlap = reader.number(rules, "smallest_overlap");
  t.smallest_crop = reader.number(rules, "smallest_crop");
  t.tile_step = reader.positive(rules, "tile_step");
  if (t.tile_step < 0.01) reader.fail("tile_step is below 0.01, which would give thousands of tiles");
  t.max_missed_ms = reader.positive(rules, "max_missed_ms");
  t.max_gap_ms = reader.positive(rules, "max_gap_ms");
  t.same_person_slack = reader.number(rules, "same_person_slack");
  t.same_person_speed = reader.number(rules, "same_person_speed");
  t.same_person_growth = reader.number(rules, "same_person_growth");
  t.same_person_growth_speed = reader.number(rules, "same_person_growth_speed");
  t.same_person_posture_m = reader.number(rules, "same_person_posture_m");
  t.same_person_posture_m_s = reader.number(rules, "same_person_posture_m_s");
  t.motion_hz = reader.positive(rules, "motion_hz");
  const Json& groups = rules.at("smoothing");
  manifest.smoothing = {reader.filter(groups, "root"),  reader.filter(groups, "body"),
                        reader.filter(groups, "hands"), reader.filter(groups, "jaw"),
                        reader.filter(groups, "place"), reader.filter(groups, "depth"),
                        reader.filter(groups, "betas"), reader.filter(groups, "expression")};
  manifest.conformance_file = reader.file(rules.at("conformance"), "pipeline.conformance");
}

}  // namespace

Manifest Manifest::read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    throw Error(ErrorKind::bundle, path.string() + " cannot be read; copy the bundle again.");
  return parse(text.str(), path.string());
}

Manifest Manifest::parse(const std::string& text, const std::string& name) {
  const Reader reader(name);
  try {
    const Json table = Json::parse(text);
    reader.equal(table, "schema_version", kSchemaVersion);
    Manifest manifest;
    manifest.model = table.at("model").get<std::string>();
    manifest.target = table.at("target").get<std::string>();
    manifest.precision = table.at("precision").get<std::string>();
    manifest.licence = table.at("licence").get<std::string>();
    manifest.trained = table.at("trained").get<bool>();
    manifest.artifact = reader.file(table.at("artifact"), "artifact");
    manifest.joint_names = table.at("joint_names").get<std::vector<std::string>>();
    const Json& body = table.at("body_model");
    manifest.body_name = body.at("name").get<std::string>();
    manifest.body_licence = body.at("licence").get<std::string>();
    manifest.body_file = reader.file(body.at("file"), "body_model.file");
    read_input(reader, table, manifest);
    read_outputs(reader, table, manifest);
    read_pipeline(reader, table, manifest);
    manifest.joint("pelvis"), manifest.joint("neck");  // the tracker measures the torso
    return manifest;
  } catch (const Json::exception& error) {
    reader.fail(std::string("it cannot be read (") + error.what() + ")");
  }
}

const Shape& Manifest::shape(std::string_view output) const {
  for (const auto& spec : outputs)
    if (spec.name == output) return spec.shape;
  throw Error(ErrorKind::bundle, "The manifest has no output " + std::string(output) + "; export the bundle again.");
}

std::size_t Manifest::joint(std::string_view name) const {
  const auto found = std::find(joint_names.begin(), joint_names.end(), name);
  if (found == joint_names.end())
    throw Error(ErrorKind::bundle, "The manifest has no joint " + std::string(name) + "; export the bundle again.");
  return static_cast<std::size_t>(found - joint_names.begin());
}

}  // namespace coevoer
