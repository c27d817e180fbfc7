// Every case of the conformance kit (docs/pipeline.md, section 9), through the code that runs in apps.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "bundles.hpp"
#include "coevoer/engine.hpp"
#include "coevoer/resample.hpp"
#include "coevoer/values.hpp"
#include "people.hpp"

using namespace coevoer;
using Json = nlohmann::json;

namespace {

constexpr std::string_view kParameters[] = {"global_orient", "body_pose", "left_hand_pose", "right_hand_pose",
                                            "jaw_pose",      "betas",     "expression"};

const Safetensors& kit() {
  static const Safetensors file = Safetensors::open(bundle_under_test().conformance());
  return file;
}

const Body& body() {
  static const Body it(Safetensors::open(bundle_under_test().body()), bundle_under_test().manifest);
  return it;
}

const Manifest& manifest() { return bundle_under_test().manifest; }

// One case, with its tensors by the last part of their names.
struct Case {
  std::string prefix;

  bool has(const std::string& name) const { return kit().has(prefix + name); }
  std::vector<double> numbers(const std::string& name) const { return kit().numbers(prefix + name); }
  const Shape& shape(const std::string& name) const { return kit().shape(prefix + name); }
  Size size(const std::string& name = "frame_size", std::size_t frame = 0) const {
    const auto values = numbers(name);
    return {static_cast<int>(values[2 * frame]), static_cast<int>(values[2 * frame + 1])};
  }
  Crop crop() const {
    const auto c = numbers("crop");
    return {c[0], c[1], c[2], c[3]};
  }
  // One frame of a tensor.
  std::vector<double> part(const std::string& name, std::size_t frame, std::size_t frames) const {
    const auto all = numbers(name);
    const std::size_t n = all.size() / frames;
    return {all.begin() + static_cast<std::ptrdiff_t>(frame * n),
            all.begin() + static_cast<std::ptrdiff_t>((frame + 1) * n)};
  }

  // The outputs as they are in the kit, or those of one frame, with a batch axis.
  Outputs outputs() const {
    Outputs found;
    for (const auto& spec : manifest().outputs)
      if (has(spec.name)) {
        const auto values = numbers(spec.name);
        found[spec.name] = {shape(spec.name), {values.begin(), values.end()}};
      }
    return found;
  }
  Outputs outputs(std::size_t frame, std::size_t frames) const {
    Outputs found;
    for (const auto& spec : manifest().outputs) {
      const auto values = part(spec.name, frame, frames);
      Shape with_batch = shape(spec.name);
      with_batch[0] = 1;
      found[spec.name] = {with_batch, {values.begin(), values.end()}};
    }
    return found;
  }

  Parameters parameters(std::size_t frame = 0, std::size_t frames = 1) const {
    const auto rotations = [&](std::string_view name) {
      const auto values = part(std::string(name), frame, frames);
      std::vector<Mat3> all;
      for (std::size_t i = 0; i < values.size(); i += 9)
        all.push_back(Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(values.data() + i));
      return all;
    };
    const auto vector = [&](std::string_view name) -> Eigen::VectorXd {
      const auto values = part(std::string(name), frame, frames);
      return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
    };
    return {rotations(kGlobalOrient)[0], rotations(kBodyPose), rotations(kLeftHandPose), rotations(kRightHandPose),
            rotations(kJawPose)[0],      vector(kBetas),       vector(kExpression)};
  }

  // |given - expected| <= absolute + relative |expected|, with the tolerances of the kit's metadata for this name.
  void check(const std::string& name, const std::vector<double>& given) const {
    static const Json tolerances = Json::parse(kit().metadata().at("tolerances"));
    const double absolute = tolerances.at(name)[0], relative = tolerances.at(name)[1];
    const auto expected = numbers(name);
    REQUIRE_MESSAGE(given.size() == expected.size(), prefix << name);
    double worst = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const double share = std::abs(given[i] - expected[i]) - relative * std::abs(expected[i]);
      worst = std::max(worst, std::isnan(given[i]) ? INFINITY : share);
    }
    CHECK_MESSAGE(worst <= absolute, prefix << name << " is off by " << worst << ", allowed: " << absolute);
  }
};

std::vector<Case> cases(const std::string& kind) {
  std::vector<Case> found;
  for (int n = 0;; ++n) {
    Case next{kind + "." + std::to_string(n) + "."};
    const auto at = kit().entries().lower_bound(next.prefix);
    if (at == kit().entries().end() || !at->first.starts_with(next.prefix)) break;
    found.push_back(next);
  }
  REQUIRE(!found.empty());
  return found;
}

Person with(const Parameters& parameters) {
  Person person;
  person.parameters = parameters;
  return person;
}

void append(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

std::vector<double> numbers(const Crop& c) { return {c.x0, c.y0, c.width, c.height}; }

}  // namespace

TEST_CASE("kit: it was made with the constants of this bundle, and every kind of case is known") {
  const Json table = Json::parse(TemporaryBundle().read("manifest.json"));
  CHECK(Json::parse(kit().metadata().at("pipeline")) == table.at("pipeline"));
  std::set<std::string> kinds;
  for (const auto& [name, entry] : kit().entries()) kinds.insert(name.substr(0, name.find('.')));
  CHECK(kinds == std::set<std::string>{"crop", "decode", "detect", "pose", "refuse", "search", "smooth", "track"});
}

TEST_CASE("kit: crop") {
  for (const Case& c : cases("crop")) {
    const auto shape = c.shape("frame");
    const auto pixels = kit().get<std::uint8_t>(c.prefix + "frame", {-1, -1, 3});
    const Frame frame{pixels.data(), {static_cast<int>(shape[1]), static_cast<int>(shape[0])}};
    const auto tensor = extract_crop(frame, c.crop(), manifest().view);
    c.check("tensor", {tensor.begin(), tensor.end()});
  }
}

TEST_CASE("kit: decode") {
  for (const Case& c : cases("decode")) {
    const Decoded decoded = decode(c.outputs(), c.crop(), manifest());
    const Person person = embody(decoded, body(), manifest());
    for (const auto name : kParameters) c.check("decoded_" + std::string(name), values_of(person, name));
    const Vec3 in_frame = convert_translation(decoded.translation, decoded.crop.camera(manifest().view),
                                              frame_camera(c.size(), manifest().view));
    c.check("translation_crop", values_of(person, "translation"));
    c.check("translation_frame", {in_frame.begin(), in_frame.end()});
    c.check("boxes_px", values_of(person, "part_boxes_px"));
    c.check("joints_cam", values_of(person, "joints_cam"));
    c.check("joints_px", values_of(person, "joints_px"));
  }
}

TEST_CASE("kit: pose") {
  for (const Case& c : cases("pose")) {
    Person person = with(c.parameters());
    person.joints_cam = body().joints(person.parameters);
    c.check("joints", values_of(person, "joints_cam"));
    std::vector<float> vertices;
    body().vertices(person.parameters, Vec3::Zero(), vertices);
    std::vector<double> some;
    for (std::size_t v = 0; v < body().num_vertices(); v += 50)
      some.insert(some.end(), vertices.begin() + static_cast<std::ptrdiff_t>(3 * v),
                  vertices.begin() + static_cast<std::ptrdiff_t>(3 * v + 3));
    c.check("vertices", some);
  }
}

TEST_CASE("kit: search") {
  for (const Case& c : cases("search")) {
    std::vector<double> all;
    for (const Crop& crop : search_crops(c.size(), manifest().tracking.tile_step, manifest().view))
      append(all, numbers(crop));
    c.check("crops", all);
  }
}

TEST_CASE("kit: track") {
  for (const Case& c : cases("track")) {
    const auto times = c.numbers("timestamps_ms");
    std::size_t frame = 0;
    Engine engine({.bundle = bundle_folder(),
                   .smaller_bundle = {},
                   .loader = fake([&](const std::vector<float>&) { return c.outputs(frame, times.size()); }),
                   .smooth = true});
    std::vector<double> crops, states, accepted, orient, translation, joints;
    for (; frame < times.size(); ++frame) {
      const Size size = c.size("frame_sizes", frame);
      const EstimatorResult result = engine.video(Grey(size.width, size.height, 0).frame(), times[frame]);
      append(crops, numbers(result.crop));
      states.push_back(static_cast<double>(result.state));
      accepted.push_back(result.person.has_value());
      const auto report = [&](std::vector<double>& all, std::string_view name, std::size_t count) {
        append(all, result.person ? values_of(*result.person, name) : std::vector<double>(count, 0.0));
      };
      report(orient, "global_orient", 9);
      report(translation, "translation", 3);
      report(joints, "joints_px", 2 * manifest().joint_names.size());
    }
    c.check("crops", crops);
    c.check("states", states);
    c.check("accepted", accepted);
    c.check("person_global_orient", orient);
    c.check("person_translation", translation);
    c.check("person_joints_px", joints);
  }
}

// Each row of the outputs belongs to one look; a third look would get the second row again.
TEST_CASE("kit: detect") {
  for (const Case& c : cases("detect")) {
    std::size_t looks = 0;
    Engine engine({.bundle = bundle_folder(),
                   .smaller_bundle = {},
                   .loader = fake([&](const std::vector<float>&) { return c.outputs(looks++ == 0 ? 0 : 1, 2); }),
                   .smooth = true});
    const Size size = c.size();
    const EstimatorResult result = engine.image(Grey(size.width, size.height, 0).frame());
    REQUIRE(result.person.has_value());
    c.check("looks", {static_cast<double>(looks)});
    c.check("last_crop", numbers(result.crop));
    c.check("translation_crop", values_of(*result.person, "translation"));
    c.check("joints_px", values_of(*result.person, "joints_px"));
  }
}

TEST_CASE("kit: smooth") {
  for (const Case& c : cases("smooth")) {
    const auto times = c.numbers("timestamps_ms");
    const Size size = c.size();
    Smoother smoother(manifest().smoothing);
    std::map<std::string, std::vector<double>> all;
    for (std::size_t i = 0; i < times.size(); ++i) {
      Person person = with(c.parameters(i, times.size()));
      const auto t = c.part("translation", i, times.size());
      person.translation = {t[0], t[1], t[2]};
      smoother(times[i], person.parameters, person.translation,
               frame_camera(size, manifest().view).focal_px / size.height);
      for (const auto name : kParameters) append(all[std::string(name)], values_of(person, name));
      append(all["translation"], values_of(person, "translation"));
    }
    for (const auto& [name, values] : all) c.check("smoothed_" + name, values);
  }
}

TEST_CASE("kit: refuse") {
  for (const Case& c : cases("refuse")) {
    CAPTURE(c.prefix);
    if (!c.has("timestamps_ms")) {
      CHECK(error_of(ErrorKind::network, [&] { decode(c.outputs(), c.crop(), manifest()); }) != "");
      continue;
    }
    const auto times = c.numbers("timestamps_ms");
    Tracker tracker(manifest());
    for (std::size_t i = 0; i + 1 < times.size(); ++i) tracker.look(times[i], {640, 480});
    CHECK(error_of(ErrorKind::usage, [&] { tracker.look(times.back(), {640, 480}); }) != "");
  }
}
