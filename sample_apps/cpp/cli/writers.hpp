// Writes results as JSON and Wavefront OBJ files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "coevoer/estimator.hpp"

// One result with its times. Arrays are in rows, under the names of docs/pipeline.md.
std::string to_json(const coevoer::EstimatorResult& result, double mesh_ms, const std::string& image,
                    const coevoer::Manifest& manifest);

// (V, 3) vertices in the camera frame, m, rotated by 180 degrees about x for viewers: y up, z towards the viewer.
std::string to_obj(const std::vector<float>& vertices, const std::vector<std::int32_t>& faces,
                   const coevoer::Manifest& manifest);

// Raises coevoer::Error(usage) if the file cannot be written.
void write_file(const std::filesystem::path& path, const std::string& text);
