// Image files to upright RGB pixels.
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

// JPEG, PNG or BMP; EXIF orientation applied, transparency laid over white. Raises coevoer::Error(usage).
Picture read_picture(const std::filesystem::path& path);

// Turn by an EXIF orientation, 1 to 8.
Picture upright(const Picture& picture, int orientation);
