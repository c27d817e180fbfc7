// Invariants of crops, cameras and rotations. The kit has the values.
#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "bundles.hpp"
#include "coevoer/geometry.hpp"
#include "coevoer/resample.hpp"
#include "coevoer/rotations.hpp"
#include "people.hpp"

using namespace coevoer;

namespace {

const View& view() { return bundle_under_test().manifest.view; }

Mat3 some_rotation(std::mt19937& random) {
  std::normal_distribution<double> normal;
  return rotation_exp(Vec3(normal(random), normal(random), normal(random)));
}

}  // namespace

TEST_CASE("rotations: exp and log invert each other, also at zero and at pi") {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 200; ++i) {
    const Vec3 direction = Vec3(normal(random), normal(random), normal(random)).normalized();
    for (const double angle : {0.0, 1e-13, 1e-9, 1e-4, 0.5, 2.0, 3.0, std::numbers::pi - 1e-6}) {
      const Mat3 rotation = rotation_exp(direction * angle);
      CHECK((rotation.transpose() * rotation - Mat3::Identity()).norm() < 1e-12);
      CHECK((rotation_log(rotation) - direction * angle).norm() < 1e-9);
    }
    const Mat3 half = rotation_exp(direction * std::numbers::pi);
    CHECK((rotation_exp(rotation_log(half)) - half).norm() < 1e-9);
  }
}

TEST_CASE("rotations: the nearest rotation is a rotation, is itself for a rotation, and no other is nearer") {
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 100; ++i) {
    const Mat3 rotation = some_rotation(random);
    CHECK((nearest_rotation(rotation) - rotation).norm() < 1e-12);
    Mat3 matrix;
    for (Eigen::Index k = 0; k < 9; ++k) matrix(k) = normal(random);
    const Mat3 nearest = nearest_rotation(matrix);
    CHECK((nearest.transpose() * nearest - Mat3::Identity()).norm() < 1e-12);
    CHECK(nearest.determinant() == doctest::Approx(1));
    for (int n = 0; n < 20; ++n) {
      const Mat3 other = nearest * rotation_exp(0.1 * rotation_log(some_rotation(random)));
      CHECK((matrix - nearest).norm() <= (matrix - other).norm() + 1e-12);
    }
  }
}

TEST_CASE("crops: a crop at whole pixels is the frame itself, in every pixel format") {
  std::mt19937 random(3);
  const Size size = view().input;
  const auto count = static_cast<std::size_t>(size.width * size.height);
  std::vector<std::uint8_t> rgb(3 * count), rgba(4 * count), bgra(4 * count);
  for (auto& value : rgb) value = static_cast<std::uint8_t>(random());
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t c = 0; c < 3; ++c) rgba[4 * n + c] = bgra[4 * n + 2 - c] = rgb[3 * n + c];
  const Crop whole = Crop::whole_frame(size, view());
  CHECK(extract_crop({rgb.data(), size}, whole, view()) == rgb);
  CHECK(extract_crop({rgba.data(), size, 0, PixelFormat::rgba}, whole, view()) == rgb);
  CHECK(extract_crop({bgra.data(), size, 0, PixelFormat::bgra}, whole, view()) == rgb);
}

TEST_CASE("crops: a grey frame stays grey inside, and is black outside") {
  const Grey grey(500, 300, 200);
  const auto inside = extract_crop(grey.frame(), Crop::around({100, 100, 160, 180}, 1, view()), view());
  CHECK(std::all_of(inside.begin(), inside.end(), [](std::uint8_t v) { return v == 200; }));
  const auto outside = extract_crop(grey.frame(), Crop::around({-900, 100, -800, 180}, 1, view()), view());
  CHECK(std::all_of(outside.begin(), outside.end(), [](std::uint8_t v) { return v == 0; }));
  const auto large = extract_crop(grey.frame(), {-50000, -60000, 98304, 131072}, view());  // the frame: a pixel
  CHECK(std::count_if(large.begin(), large.end(), [](std::uint8_t v) { return v > 0; }) <= 3 * 9);
}

TEST_CASE("crops and frames that cannot be cut are refused") {
  const Grey grey(50, 30);
  const auto refused = [&](const Frame& frame, const Crop& crop) {
    return error_of(ErrorKind::usage, [&] { extract_crop(frame, crop, view()); });
  };
  CHECK(contains(refused(grey.frame(), {0, 0, 0, 0}), "is empty"));
  CHECK(contains(refused(grey.frame(), {NAN, 0, 192, 256}), "not finite"));
  CHECK(contains(refused(grey.frame(), {0, 0, 1e9, 1e9}), "wider than 131072 px"));
  const Crop crop{0, 0, 192, 256};
  CHECK(contains(refused({nullptr, {50, 30}}, crop), "has no pixels"));
  CHECK(contains(refused({grey.pixels.data(), {0, 30}}, crop), "The frame is 0 x 30 px"));
  CHECK(contains(refused({grey.pixels.data(), {50, 40000}}, crop), "from 1 to 32768"));
  CHECK(contains(refused({grey.pixels.data(), {50, 30}, 149}, crop), "stride is 149 bytes"));
}

TEST_CASE("cameras: a crop's camera in pixels of the frame agrees with the network's, and a body keeps its place") {
  const Crop crop{37.5, -12, 96, 128};
  const Vec3 point(0.3, -0.2, 31);
  CHECK((crop.camera(view()).project(point) - crop.to_frame(view().camera.project(point), view())).norm() < 1e-9);
  const PinholeCamera from = crop.camera(view()), to = frame_camera({1280, 720}, view());
  const Vec3 moved = convert_translation(point, from, to);
  CHECK((from.project(point) - to.project(moved)).norm() < 1e-9);
  CHECK((convert_translation(moved, to, from) - point).norm() < 1e-9);
  CHECK(from.focal_px / point.z() == doctest::Approx(to.focal_px / moved.z()));  // its size too
}

TEST_CASE("search: every tile is inside the frame, and together they cover its longer direction") {
  for (const Size size : {Size{1920, 1080}, Size{1080, 1920}, Size{192, 256}, Size{640, 640}, Size{4000, 10}}) {
    const auto crops = search_crops(size, 0.5, view());
    double reached = 0;
    for (std::size_t i = 1; i < crops.size(); ++i) {
      const Crop& tile = crops[i];
      CHECK(tile.x0 >= -1e-9);
      CHECK(tile.y0 >= -1e-9);
      CHECK(tile.x0 + tile.width <= size.width + 1e-9);
      CHECK(tile.y0 + tile.height <= size.height + 1e-9);
      reached = std::max(reached, tile.x0 + tile.width);
    }
    if (size.width > size.height) CHECK(reached == doctest::Approx(size.width));
  }
}
