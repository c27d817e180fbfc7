// Networks that need no weights: they say what a test wants them to say.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "coevoer/frame.hpp"
#include "coevoer/network.hpp"

// Outputs of a body in the rest pose, upright, its pelvis at `pelvis_px` of the crop's 192 x 256 px, `height_px` high.
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

// What it answers to a crop: a person who stands where the crop is bright, as high as that, or nobody in the dark.
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
