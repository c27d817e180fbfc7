// Reads image files as upright RGB pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "coevoer/frame.hpp"

struct Picture {
  std::vector<std::uint8_t> pixels;  // H W 3
  coevoer::Size size;

  coevoer::Frame frame() const { return {pixels.data(), size}; }
};

// Reads a JPEG, PNG or BMP, applies its EXIF orientation and lays transparent pixels over white. Raises
// coevoer::Error(usage).
Picture read_picture(const std::filesystem::path& path);

// Turns a picture upright by its EXIF orientation, 1 to 8.
Picture upright(const Picture& picture, int orientation);
