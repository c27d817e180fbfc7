// Networks that need no weights: they return what a test defines.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "coevoer/frame.hpp"
#include "coevoer/network.hpp"

// Outputs of an upright body in the rest pose, `height_px` high, with its pelvis at `pelvis_px` of the 192 x 256 px
// crop.
coevoer::Outputs standing(const coevoer::Manifest& manifest, double visibility, coevoer::Vec2 pelvis_px = {96, 150},
                          double height_px = 200);

class FakeNetwork final : public coevoer::Network {
 public:
  using Answer = std::function<coevoer::Outputs(const std::vector<float>&)>;
  explicit FakeNetwork(Answer answer) : answer_(std::move(answer)) {}
  coevoer::Outputs run(const std::vector<float>& image) override { return answer_(image); }

 private:
  Answer answer_;
};

// A loader of such networks.
coevoer::NetworkLoader fake(FakeNetwork::Answer answer);

// A network that sees a person where the crop is bright, as high as the bright part, and nobody in a dark crop.
coevoer::Outputs see_bright(const std::vector<float>& image);
coevoer::NetworkLoader sees_bright();

// W x H grey pixels.
struct Grey {
  std::vector<std::uint8_t> pixels;
  coevoer::Size size;
  Grey(int width, int height, std::uint8_t value = 128)
      : pixels(static_cast<std::size_t>(3 * width * height), value), size{width, height} {}
  coevoer::Frame frame() const { return {pixels.data(), size}; }
};

// A dark frame with a bright upright bar in its middle, for `sees_bright`.
Grey somebody(int width, int height);
inline Grey nobody(int width, int height) { return {width, height, 0}; }
