// Crops and cameras (docs/pipeline.md, sections 2 and 4). Pixels: x right, y down; the centre of the top left pixel is
// (0.5, 0.5). Camera frame: x right, y down, z into the scene, m.
#pragma once

#include <Eigen/Core>
#include <vector>

namespace coevoer {

using Vec2 = Eigen::Vector2d;
using Vec3 = Eigen::Vector3d;
using Mat3 = Eigen::Matrix3d;

struct Size {
  int width = 0, height = 0;  // px
  bool operator==(const Size&) const = default;
};

// A camera without distortion and with square pixels.
struct PinholeCamera {
  double focal_px = 0;
  Vec2 principal_point_px = Vec2::Zero();

  // Meaningless for points with z <= 0.
  Vec2 project(const Vec3& point_cam) const {
    return focal_px * point_cam.head<2>() / point_cam.z() + principal_point_px;
  }
};

// The network's input and its camera, from the manifest.
struct View {
  Size input;            // px, 192 x 256
  PinholeCamera camera;  // in px of the input

  double aspect() const { return static_cast<double>(input.width) / input.height; }
};

struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;  // px
};

// An upright rectangle of the frame, px, with the input's proportions; it may extend outside the frame.
struct Crop {
  double x0 = 0, y0 = 0, width = 0, height = 0;

  // The box, extended to the input's proportions about its centre, then multiplied by `scale`.
  static Crop around(const Box& box, double scale, const View& view);
  // The smallest crop that holds the frame, centred on it.
  static Crop whole_frame(Size frame, const View& view);

  // Pixels of the frame per pixel of the input.
  double scale(const View& view) const { return width / view.input.width; }
  // Converts pixels of the input to pixels of the frame.
  Vec2 to_frame(const Vec2& point_px, const View& view) const { return point_px * scale(view) + Vec2(x0, y0); }
  // The view's camera in pixels of the frame; the conversion is exact and leaves the translation unchanged.
  PinholeCamera camera(const View& view) const;
};

// The single camera of a stream, which is that of the crop around the whole frame.
PinholeCamera frame_camera(Size frame, const View& view);

// The translation, m, under another camera, such that the body keeps its place and size in the image: weak
// perspective, exact at the depth of the body's origin (Li et al. 2022, arXiv:2208.00571).
Vec3 convert_translation(const Vec3& translation, const PinholeCamera& from, const PinholeCamera& to);

// One round of the search: the whole frame, then tiles along its longer direction, from the middle outwards.
std::vector<Crop> search_crops(Size frame, double tile_step, const View& view);

}  // namespace coevoer
