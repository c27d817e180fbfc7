// Converts camera frames to what the engine takes: upright, interleaved pixels. This file does not use JNI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "coevoer/coevoer.h"

namespace coevoer_jni {

enum class Format { rgb = COEVOER_RGB, rgba = COEVOER_RGBA, bgra = COEVOER_BGRA, yuv420 = 3 };

struct Plane {
  const std::uint8_t* pixels = nullptr;
  std::size_t size = 0;  // bytes from `pixels` on
  std::ptrdiff_t row_stride = 0, pixel_stride = 0;
};

// The picture is upright when rotated clockwise by `rotation` degrees. Chroma planes have half its size, rounded up.
struct Picture {
  Format format = Format::rgb;
  std::ptrdiff_t width = 0, height = 0;
  int rotation = 0;
  Plane planes[3];  // one, or Y, U and V
};

// Whether every sample is inside its plane and the rotation is 0, 90, 180 or 270.
bool fits(const Picture& picture);

// The same picture for the engine: unchanged if it is upright and interleaved, else converted to upright RGB in `room`.
coevoer_frame upright(const Picture& picture, std::vector<std::uint8_t>& room);

}  // namespace coevoer_jni
