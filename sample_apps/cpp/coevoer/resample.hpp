// Cuts a crop out of a frame for the network (docs/pipeline.md, section 2).
#pragma once

#include <cstdint>
#include <vector>

#include "coevoer/frame.hpp"
#include "coevoer/geometry.hpp"

namespace coevoer {

// The crop as (input height, input width, 3) uint8 RGB. Each pixel is the mean of the frame's pixels, weighted by a
// triangle of radius max(1, scale); pixels outside the frame count as black. Raises Error(usage) for a crop that is
// empty, not finite, far away or wider than 131072 px.
std::vector<std::uint8_t> extract_crop(const Frame& frame, const Crop& crop, const View& view);

// Converts (H, W, 3) uint8 to (3, H, W) float in [0, 1].
std::vector<float> to_tensor(const std::vector<std::uint8_t>& crop, const View& view);

}  // namespace coevoer
