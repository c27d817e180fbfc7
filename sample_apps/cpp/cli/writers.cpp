#include "writers.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "coevoer/values.hpp"

namespace {

using Json = nlohmann::ordered_json;

Json rows(const std::vector<double>& values, std::size_t row) {
  if (row == 0) return values;
  Json all = Json::array();
  for (std::size_t i = 0; i < values.size(); i += row) {
    if (row != 9) {
      all.push_back(std::vector<double>(values.begin() + static_cast<std::ptrdiff_t>(i),
                                        values.begin() + static_cast<std::ptrdiff_t>(i + row)));
      continue;
    }
    Json matrix = Json::array();
    for (std::size_t k = i; k < i + 9; k += 3) matrix.push_back({values[k], values[k + 1], values[k + 2]});
    all.push_back(std::move(matrix));
  }
  return all;
}

}  // namespace

std::string to_json(const coevoer::EstimatorResult& result, double mesh_ms, const std::string& image,
                    const coevoer::Manifest& manifest) {
  Json json;
  json["image"] = image;
  json["frame_px"] = {result.frame.width, result.frame.height};
  json["model"] = manifest.model;
  json["trained"] = result.trained;
  json["timestamp_ms"] = result.timestamp_ms;
  json["state"] = result.state == coevoer::State::tracking ? "tracking" : "searching";
  json["crop_px"] = {result.crop.x0, result.crop.y0, result.crop.width, result.crop.height};
  json["person_visibility"] = result.person_visibility;
  json["person"] = nullptr;
  if (result.person)
    for (const auto name : coevoer::kValueNames)
      json["person"][std::string(name)] = rows(coevoer::values_of(*result.person, name), coevoer::row_size(name));
  json["joint_names"] = manifest.joint_names;
  json["part_names"] = manifest.part_names;
  json["body"] = {{"name", manifest.body_name}, {"licence", manifest.body_licence}};
  const coevoer::Timings& t = result.timings;
  json["ms"] = {{"crop", t.crop_ms}, {"network", t.network_ms}, {"decode", t.decode_ms}, {"mesh", mesh_ms}};
  return json.dump(1) + "\n";
}

std::string to_obj(const std::vector<float>& vertices, const std::vector<std::int32_t>& faces,
                   const coevoer::Manifest& manifest) {
  std::string text = "# " + manifest.body_name + ", " + manifest.body_licence + "; m, y up, z towards the viewer\n";
  std::array<char, 96> line;
  for (std::size_t i = 0; i < vertices.size(); i += 3) {
    std::snprintf(line.data(), line.size(), "v %.6f %.6f %.6f\n", vertices[i], -vertices[i + 1], -vertices[i + 2]);
    text += line.data();
  }
  for (std::size_t i = 0; i < faces.size(); i += 3) {
    std::snprintf(line.data(), line.size(), "f %d %d %d\n", faces[i] + 1, faces[i + 1] + 1, faces[i + 2] + 1);
    text += line.data();
  }
  return text;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    throw coevoer::Error(coevoer::ErrorKind::usage, path.string() + " cannot be written; give another --output-dir.");
}
