// A frame: upright 8-bit pixels that belong to the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "coevoer/geometry.hpp"

namespace coevoer {

enum class PixelFormat { rgb = 0, rgba = 1, bgra = 2 };  // alpha is not read

struct Frame {
  const std::uint8_t* pixels = nullptr;
  Size size;
  std::size_t stride_bytes = 0;  // from row to row; 0: no gaps between rows
  PixelFormat format = PixelFormat::rgb;

  std::size_t channels() const { return format == PixelFormat::rgb ? 3 : 4; }
  std::size_t stride() const { return stride_bytes ? stride_bytes : channels() * static_cast<std::size_t>(size.width); }
};

// Raises Error(usage) for a frame without pixels, with a side below 1 or above 32768 px, or a stride shorter than a
// row.
void check_frame(const Frame& frame);

}  // namespace coevoer
