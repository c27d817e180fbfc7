#include "frames.hpp"

#include <algorithm>

namespace coevoer_jni {
namespace {

constexpr std::ptrdiff_t kMaxSide = 32768;  // the engine's own limit, so that nothing below overflows

bool fits(const Plane& plane, std::ptrdiff_t width, std::ptrdiff_t height, std::ptrdiff_t sample) {
  const std::ptrdiff_t row = (width - 1) * plane.pixel_stride + sample;
  return plane.pixels != nullptr && plane.pixel_stride >= sample && plane.row_stride >= row &&
         static_cast<std::size_t>((height - 1) * plane.row_stride + row) <= plane.size;
}

std::uint8_t clamp(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

// Where the source's pixels are written: dst = first + x * right + y * down.
struct Path {
  std::ptrdiff_t first, right, down;
};

Path path(std::ptrdiff_t w, std::ptrdiff_t h, int rotation) {
  switch (rotation) {
    case 90:
      return {3 * (h - 1), 3 * h, -3};
    case 180:
      return {3 * (w * h - 1), -3, -3 * w};
    case 270:
      return {3 * (w - 1) * h, -3 * h, 3};
    default:
      return {0, 3, 3 * w};
  }
}

void from_interleaved(const Picture& p, const Path& to, std::uint8_t* out) {
  const Plane& plane = p.planes[0];
  const int red = p.format == Format::bgra ? 2 : 0, blue = 2 - red;
  for (std::ptrdiff_t y = 0; y < p.height; ++y) {
    const std::uint8_t* in = plane.pixels + y * plane.row_stride;
    std::uint8_t* at = out + to.first + y * to.down;
    for (std::ptrdiff_t x = 0; x < p.width; ++x, in += plane.pixel_stride, at += to.right)
      at[0] = in[red], at[1] = in[1], at[2] = in[blue];
  }
}

// BT.601 over the full range, as in JFIF, in 1/65536.
void from_yuv(const Picture& p, const Path& to, std::uint8_t* out) {
  const Plane &luma = p.planes[0], &cb = p.planes[1], &cr = p.planes[2];
  for (std::ptrdiff_t y = 0; y < p.height; ++y) {
    const std::uint8_t* in = luma.pixels + y * luma.row_stride;
    const std::uint8_t* u = cb.pixels + (y / 2) * cb.row_stride;
    const std::uint8_t* v = cr.pixels + (y / 2) * cr.row_stride;
    std::uint8_t* at = out + to.first + y * to.down;
    for (std::ptrdiff_t x = 0; x < p.width;) {
      const int b = *u - 128, r = *v - 128;
      const int red = 91881 * r + 32768, green = -22554 * b - 46802 * r + 32768, blue = 116130 * b + 32768;
      for (const std::ptrdiff_t end = std::min(x + 2, p.width); x < end; ++x, in += luma.pixel_stride, at += to.right) {
        const int grey = *in << 16;
        at[0] = clamp((grey + red) >> 16), at[1] = clamp((grey + green) >> 16), at[2] = clamp((grey + blue) >> 16);
      }
      u += cb.pixel_stride, v += cr.pixel_stride;
    }
  }
}

}  // namespace

bool fits(const Picture& p) {
  if (p.width < 1 || p.height < 1 || p.width > kMaxSide || p.height > kMaxSide) return false;
  if (p.rotation % 90 != 0 || p.rotation < 0 || p.rotation > 270) return false;
  if (p.format != Format::yuv420) return fits(p.planes[0], p.width, p.height, p.format == Format::rgb ? 3 : 4);
  const std::ptrdiff_t w = (p.width + 1) / 2, h = (p.height + 1) / 2;
  return fits(p.planes[0], p.width, p.height, 1) && fits(p.planes[1], w, h, 1) && fits(p.planes[2], w, h, 1);
}

coevoer_frame upright(const Picture& p, std::vector<std::uint8_t>& room) {
  const Plane& first = p.planes[0];
  const auto w = static_cast<std::int32_t>(p.width), h = static_cast<std::int32_t>(p.height);
  const bool close = first.pixel_stride == (p.format == Format::rgb ? 3 : 4);
  if (p.format != Format::yuv420 && p.rotation == 0 && close)
    return {first.pixels, w, h, static_cast<std::size_t>(first.row_stride), static_cast<std::int32_t>(p.format)};
  room.resize(static_cast<std::size_t>(3 * p.width * p.height));
  const Path to = path(p.width, p.height, p.rotation);
  p.format == Format::yuv420 ? from_yuv(p, to, room.data()) : from_interleaved(p, to, room.data());
  const bool turned = p.rotation % 180 != 0;
  return {room.data(), turned ? h : w, turned ? w : h, 0, COEVOER_RGB};
}

}  // namespace coevoer_jni
