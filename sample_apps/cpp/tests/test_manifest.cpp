// The contract is checked before a tensor is read.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "bundles.hpp"

using coevoer::ErrorKind;
using coevoer::Manifest;
using Json = nlohmann::json;

namespace {

const Json& good() {
  static const Json table = Json::parse(TemporaryBundle().read("manifest.json"));
  return table;
}

std::string refused(const Json& table) {
  return error_of(ErrorKind::bundle, [&] { Manifest::parse(table.dump(), "it"); });
}

}  // namespace

TEST_CASE("manifest: names, sizes and rules come from the file") {
  const Manifest manifest = Manifest::parse(good().dump(), "it");
  CHECK(manifest.joint_names.size() == 55);
  CHECK(manifest.view.input == coevoer::Size{192, 256});
  CHECK(manifest.outputs.size() == 10);
  CHECK(manifest.tracking.max_missed_ms == good()["pipeline"]["max_missed_ms"]);
  CHECK(manifest.smoothing.depth.gain == good()["pipeline"]["smoothing"]["depth"]["gain"]);
}

TEST_CASE("manifest: every key that is read must be present and have the right type") {
  for (const char* path :
       {"/schema_version", "/artifact", "/trained", "/target", "/joint_names", "/body_model/file", "/input/shape",
        "/input/crop/filter", "/input/crop/next_crop_joints", "/camera/focal_px", "/outputs/5/shape",
        "/outputs/9/columns", "/pipeline/acquire_visibility", "/pipeline/max_gap_ms", "/pipeline/motion_hz",
        "/pipeline/smoothing/hands/gain", "/pipeline/conformance"}) {
    CAPTURE(path);
    const Json::json_pointer pointer(path);
    Json missing = good();
    missing[pointer.parent_pointer()].erase(pointer.back());
    CHECK(refused(missing) != "");
    for (const Json& wrong : {Json(nullptr), Json("?"), Json::array({-1}), Json::object()}) {
      Json other = good();
      other[pointer] = wrong;
      if (std::string(path) == "/artifact" && wrong == "?") continue;  // a valid name
      if (std::string(path) == "/target" && wrong == "?") continue;
      if (std::string(path) == "/body_model/file" && wrong == "?") continue;
      if (std::string(path) == "/pipeline/conformance" && wrong == "?") continue;
      CAPTURE(wrong.dump());
      CHECK(refused(other) != "");
    }
  }
}

TEST_CASE("manifest: what this library does not support is refused by name") {
  const auto with = [](const char* path, const Json& value) {
    Json table = good();
    table[Json::json_pointer(path)] = value;
    return refused(table);
  };
  CHECK(contains(with("/schema_version", 1), "schema_version is 1; this library supports 2. Export"));
  CHECK(contains(with("/input/colour", "BGR"), "colour is \"BGR\""));
  CHECK(contains(with("/input/crop/filter", "lanczos"), "filter is \"lanczos\""));
  CHECK(contains(with("/input/shape", {1, 3, 192, 256}), "the input's shape"));
  CHECK(contains(with("/artifact", "../other.pte"), "not the name of a file in the same folder"));
  CHECK(contains(with("/body_model/file", "a/b"), "not the name of a file in the same folder"));
  CHECK(contains(with("/outputs/1/shape", {1, 20, 3, 3}), "54 joints"));
  CHECK(contains(with("/outputs/1/shape", {1, 21, 3, 4}), "body_pose has shape"));
  CHECK(contains(with("/outputs/1/name", "pose"), "no output body_pose"));
  CHECK(contains(with("/pipeline/tile_step", 0), "tile_step is 0"));
  CHECK(contains(with("/input/crop/next_crop_joints/0", "tail"), "no joint tail"));
}
