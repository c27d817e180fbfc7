// Results as files: JSON and Wavefront OBJ.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "coevoer/estimator.hpp"

// One result with its times; arrays in rows as docs/pipeline.md names them.
std::string to_json(const coevoer::EstimatorResult& result, double mesh_ms, const std::string& image,
                    const coevoer::Manifest& manifest);

// (V, 3) vertices in the camera frame, m, turned half about x for viewers: y up, z towards the viewer.
std::string to_obj(const std::vector<float>& vertices, const std::vector<std::int32_t>& faces,
                   const coevoer::Manifest& manifest);

// Raises coevoer::Error(usage) where it cannot be written.
void write_file(const std::filesystem::path& path, const std::string& text);
