#include "people.hpp"

#include <algorithm>

#include "coevoer/body.hpp"
#include "coevoer/safetensors.hpp"
#include "bundles.hpp"

using coevoer::Outputs;
using coevoer::Vec2;

Outputs standing(const coevoer::Manifest& manifest, double visibility, Vec2 pelvis_px, double height_px) {
  constexpr double kBodyHeight = 1.7;  // m, roughly
  Outputs outputs;
  for (const auto& spec : manifest.outputs) {
    std::size_t count = 1;
    for (const auto size : spec.shape) count *= static_cast<std::size_t>(size);
    coevoer::Tensor tensor{spec.shape, std::vector<float>(count, 0.0f)};
    if (spec.shape.size() == 4)
      for (std::size_t i = 0; i < count; i += 9) tensor.values[i] = tensor.values[i + 4] = tensor.values[i + 8] = 1;
    outputs[spec.name] = std::move(tensor);
  }
  auto& upright = outputs.find("global_orient")->second.values;  // y of the body is up, y of the camera down
  upright[4] = upright[8] = -1;
  const double z = manifest.view.camera.focal_px * kBodyHeight / height_px;
  const Vec2 xy = (pelvis_px - manifest.view.camera.principal_point_px) * z / manifest.view.camera.focal_px;
  outputs.find("camera")->second.values = {static_cast<float>(xy.x()), static_cast<float>(xy.y()),
                                           static_cast<float>(z)};
  outputs.find("visibility")->second.values[manifest.person] = static_cast<float>(visibility);
  return outputs;
}

coevoer::NetworkLoader fake(FakeNetwork::Answer answer) {
  return [answer = std::move(answer)](const coevoer::Bundle&) { return std::make_unique<FakeNetwork>(answer); };
}

Outputs see_bright(const std::vector<float>& image) {
  const coevoer::Manifest& manifest = bundle_under_test().manifest;
  const int W = manifest.view.input.width, H = manifest.view.input.height;
  Vec2 low(W, H), high(0, 0);
  for (int y = 0; y < H; ++y)
    for (int x = 0; x < W; ++x)
      if (image[static_cast<std::size_t>(y * W + x)] > 0.3f) {
        low = low.cwiseMin(Vec2(x, y));
        high = high.cwiseMax(Vec2(x + 1, y + 1));
      }
  if (low.x() > high.x()) return standing(manifest, 0.1);
  return standing(manifest, 0.9, (low + high) / 2, high.y() - low.y());
}

coevoer::NetworkLoader sees_bright() { return fake(see_bright); }

Grey somebody(int width, int height) {
  Grey grey(width, height, 0);
  for (int y = height / 5; y < height * 4 / 5; ++y)
    for (int x = width * 9 / 20; x < width * 11 / 20; ++x)
      for (int c = 0; c < 3; ++c) grey.pixels[static_cast<std::size_t>(3 * (y * width + x) + c)] = 200;
  return grey;
}
