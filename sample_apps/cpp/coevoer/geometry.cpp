#include "coevoer/geometry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace coevoer {
namespace {

constexpr double kRounding = 1e-6;  // where tiles fit exactly, a rounding error must not add one

}  // namespace

Crop Crop::around(const Box& box, double scale, const View& view) {
  const double width = std::max(box.x2 - box.x1, (box.y2 - box.y1) * view.aspect()) * scale;
  const double height = width / view.aspect();
  return {(box.x1 + box.x2 - width) / 2, (box.y1 + box.y2 - height) / 2, width, height};
}

Crop Crop::whole_frame(Size frame, const View& view) {
  return around({0, 0, static_cast<double>(frame.width), static_cast<double>(frame.height)}, 1, view);
}

PinholeCamera Crop::camera(const View& view) const {
  return {view.camera.focal_px * scale(view), to_frame(view.camera.principal_point_px, view)};
}

PinholeCamera frame_camera(Size frame, const View& view) { return Crop::whole_frame(frame, view).camera(view); }

Vec3 convert_translation(const Vec3& translation, const PinholeCamera& from, const PinholeCamera& to) {
  const Vec2 shift = (from.principal_point_px - to.principal_point_px) * (translation.z() / from.focal_px);
  return {translation.x() + shift.x(), translation.y() + shift.y(), translation.z() * to.focal_px / from.focal_px};
}

std::vector<Crop> search_crops(Size frame, double tile_step, const View& view) {
  const double width = std::min<double>(frame.width, frame.height * view.aspect());  // of the largest crop inside
  const double height = width / view.aspect();
  const double spare_x = frame.width - width, spare_y = frame.height - height;
  const auto [spare, length] = spare_x >= spare_y ? std::pair(spare_x, width) : std::pair(spare_y, height);
  const int count = static_cast<int>(std::ceil(spare / (length * tile_step) - kRounding)) + 1;

  std::vector<int> order(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) order[static_cast<std::size_t>(i)] = i;
  std::stable_sort(order.begin(), order.end(),
                   [count](int a, int b) { return std::abs(2 * a - (count - 1)) < std::abs(2 * b - (count - 1)); });
  std::vector<Crop> crops = {Crop::whole_frame(frame, view)};
  for (const int i : order) {
    const double share = count > 1 ? static_cast<double>(i) / (count - 1) : 0.5;
    crops.push_back({spare_x * share, spare_y * share, width, height});
  }
  return crops;
}

}  // namespace coevoer
