#include "coevoer/resample.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "coevoer/error.hpp"

namespace coevoer {
namespace {

constexpr int kMaxFramePx = 1 << 15;
constexpr double kMaxCropPx = 1 << 17;  // bounds the work; far above the frames of any camera

// The weights of one axis: output i is the sum of weights[i][k] * input[first[i] + k]. Pixels outside the frame are
// black and have no entry, but count in the sum that the weights are divided by.
struct Taps {
  std::vector<int> first;
  std::vector<std::vector<float>> weights;
  int low = 0, high = 0;  // the inputs that are read: [low, high)
};

Taps taps(double start, double scale, int outputs, int inputs) {
  const double radius = std::max(1.0, scale);
  Taps result;
  result.first.resize(static_cast<std::size_t>(outputs));
  result.weights.resize(static_cast<std::size_t>(outputs));
  result.low = inputs, result.high = 0;
  for (int i = 0; i < outputs; ++i) {
    const double centre = start + (i + 0.5) * scale;
    const int low = static_cast<int>(std::floor(centre - radius - 0.5)) + 1;
    const int high = static_cast<int>(std::ceil(centre + radius - 0.5));  // not reached
    const int inside = std::clamp(low, 0, inputs), end = std::clamp(high, 0, inputs);
    double sum = 0;
    const auto weight = [&](int n) { return std::max(0.0, 1 - std::abs(n + 0.5 - centre) / radius); };
    for (int n = low; n < high; ++n) sum += weight(n);
    if (inside >= end) continue;
    auto& row = result.weights[static_cast<std::size_t>(i)];
    for (int n = inside; n < end; ++n) row.push_back(static_cast<float>(weight(n) / sum));
    result.first[static_cast<std::size_t>(i)] = inside;
    result.low = std::min(result.low, inside), result.high = std::max(result.high, end);
  }
  return result;
}

}  // namespace

void check_frame(const Frame& frame) {
  const std::string given = std::to_string(frame.size.width) + " x " + std::to_string(frame.size.height) + " px";
  if (frame.size.width < 1 || frame.size.height < 1 || frame.size.width > kMaxFramePx ||
      frame.size.height > kMaxFramePx)
    throw Error(ErrorKind::usage,
                "The frame is " + given + "; both sides must be from 1 to " + std::to_string(kMaxFramePx) + " px.");
  if (frame.pixels == nullptr)
    throw Error(ErrorKind::usage, "The frame of " + given + " has no pixels (null pointer); give its pixels.");
  const std::size_t row = frame.channels() * static_cast<std::size_t>(frame.size.width);
  if (frame.stride() < row)
    throw Error(ErrorKind::usage, "The frame's stride is " + std::to_string(frame.stride_bytes) +
                                      " bytes, but a row of " + given + " has " + std::to_string(row) +
                                      "; give at least that, or 0 for no gaps between rows.");
}

std::vector<std::uint8_t> extract_crop(const Frame& frame, const Crop& crop, const View& view) {
  check_frame(frame);
  if (!(std::isfinite(crop.x0) && std::isfinite(crop.y0) && crop.width > 0 && crop.height > 0 &&
        crop.width <= kMaxCropPx && std::abs(crop.x0) <= 1e8 && std::abs(crop.y0) <= 1e8))
    throw Error(ErrorKind::usage,
                "The crop (" + std::to_string(crop.x0) + ", " + std::to_string(crop.y0) + ", " +
                    std::to_string(crop.width) + ", " + std::to_string(crop.height) +
                    ") is empty, not finite, far away or wider than 131072 px; give one in the frame.");
  const int W = view.input.width, H = view.input.height;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(W) * static_cast<std::size_t>(H) * 3, 0);
  const double scale = crop.scale(view);
  const Taps across = taps(crop.x0, scale, W, frame.size.width);
  const Taps down = taps(crop.y0, scale, H, frame.size.height);
  if (across.low >= across.high || down.low >= down.high) return out;

  const std::size_t c = frame.channels();
  const std::array<std::size_t, 3> channel =
      frame.format == PixelFormat::bgra ? std::array<std::size_t, 3>{2, 1, 0} : std::array<std::size_t, 3>{0, 1, 2};
  const std::size_t offset = c * static_cast<std::size_t>(across.low);
  const std::size_t length = c * static_cast<std::size_t>(across.high - across.low);
  std::vector<float> row(length);  // the weighted sum of the frame's rows, before it is resampled across
  for (int j = 0; j < H; ++j) {
    const auto& weights = down.weights[static_cast<std::size_t>(j)];
    if (weights.empty()) continue;
    std::fill(row.begin(), row.end(), 0.0f);
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const std::size_t y = static_cast<std::size_t>(down.first[static_cast<std::size_t>(j)]) + k;
      const std::uint8_t* from = frame.pixels + y * frame.stride() + offset;
      const float weight = weights[k];
      for (std::size_t n = 0; n < length; ++n) row[n] += weight * static_cast<float>(from[n]);
    }
    std::uint8_t* to = out.data() + static_cast<std::size_t>(j) * static_cast<std::size_t>(W) * 3;
    for (std::size_t i = 0; i < static_cast<std::size_t>(W); ++i, to += 3) {
      const auto& share = across.weights[i];
      if (share.empty()) continue;
      const float* from = row.data() + c * static_cast<std::size_t>(across.first[i] - across.low);
      std::array<float, 3> sum{};
      for (std::size_t k = 0; k < share.size(); ++k, from += c)
        for (std::size_t rgb = 0; rgb < 3; ++rgb) sum[rgb] += share[k] * from[channel[rgb]];
      for (std::size_t rgb = 0; rgb < 3; ++rgb) to[rgb] = static_cast<std::uint8_t>(std::min(sum[rgb] + 0.5f, 255.0f));
    }
  }
  return out;
}

std::vector<float> to_tensor(const std::vector<std::uint8_t>& crop, const View& view) {
  const std::size_t pixels = static_cast<std::size_t>(view.input.width) * static_cast<std::size_t>(view.input.height);
  std::vector<float> tensor(3 * pixels);
  for (std::size_t rgb = 0; rgb < 3; ++rgb)
    for (std::size_t n = 0; n < pixels; ++n) tensor[rgb * pixels + n] = static_cast<float>(crop[3 * n + rgb]) / 255.0f;
  return tensor;
}

}  // namespace coevoer
