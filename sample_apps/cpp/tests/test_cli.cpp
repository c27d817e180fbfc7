// The parts of the command line: arguments, pictures, files.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "arguments.hpp"
#include "bundles.hpp"
#include "people.hpp"
#include "picture.hpp"
#include "writers.hpp"

using coevoer::ErrorKind;

namespace {

std::string refused(const std::vector<std::string>& words) {
  return error_of(ErrorKind::usage, [&] { Arguments::parse(words); });
}

std::uint8_t at(const Picture& picture, int x, int y) {
  return picture.pixels[static_cast<std::size_t>(3 * (y * picture.size.width + x))];
}

// A PNG of 2 x 2 pixels: red, green; blue, transparent.
const std::vector<std::uint8_t> kPng = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00,
    0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x06, 0x00, 0x00, 0x00, 0x72, 0xb6, 0x0d, 0x24, 0x00, 0x00, 0x00,
    0x1d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x01, 0x01, 0x12, 0x00, 0xed, 0xff, 0x00, 0xff, 0x00, 0x00, 0xff, 0x00,
    0xff, 0x00, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x3f, 0xd2, 0x05, 0xfb, 0xcd, 0x90,
    0xac, 0x4c, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

}  // namespace

TEST_CASE("arguments: missing, unknown and contradictory ones are refused by name") {
  const Arguments good = Arguments::parse({"bundle", "a.jpg", "b.jpg", "--fps", "25", "-o", "out"});
  CHECK(good.images.size() == 2);
  CHECK(good.fps == 25);
  CHECK(Arguments::parse({"--help"}).help);
  CHECK(contains(refused({"bundle"}), "Give a bundle and at least one image"));
  CHECK(contains(refused({"bundle", "a.jpg", "--fast"}), "Unknown option --fast"));
  CHECK(contains(refused({"bundle", "a.jpg", "--fps"}), "--fps has no value"));
  CHECK(contains(refused({"bundle", "a.jpg", "--fps", "30x"}), "--fps is 30x; give a number from 0.1 to 1000."));
  CHECK(contains(refused({"bundle", "a.jpg", "--repeat", "0"}), "--repeat is 0; give a number from 1 to 100000."));
  CHECK(contains(refused({"bundle", "a.jpg", "--fps", "nan"}), "--fps is nan"));
  CHECK(contains(refused({"bundle", "a.jpg", "--raw"}), "add --fps"));
  CHECK(contains(refused({"bundle", "a.jpg", "--fps", "30", "--repeat", "2"}), "single images"));
  CHECK(contains(refused({"bundle", "x/a.jpg", "a.png", "-o", "out"}), "the same files"));
}

TEST_CASE("pictures: each EXIF orientation puts the right corner at the top left, and can be undone") {
  Picture stored{std::vector<std::uint8_t>(3 * 2 * 3), {2, 3}};
  for (std::size_t n = 0; n < stored.pixels.size(); ++n) stored.pixels[n] = static_cast<std::uint8_t>(n / 3);
  // Where the first stored pixel appears: top left, top right, bottom right, bottom left; then with rows as columns.
  const int right[] = {0, 1, 1, 0, 0, 1, 1, 0}, bottom[] = {0, 0, 1, 1, 0, 0, 1, 1};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const Picture seen = upright(stored, orientation);
    CHECK(seen.size == (orientation < 5 ? coevoer::Size{2, 3} : coevoer::Size{3, 2}));
    const auto corner = [&](bool r, bool b) {
      return at(seen, r ? seen.size.width - 1 : 0, b ? seen.size.height - 1 : 0);
    };
    CHECK(corner(right[orientation - 1], bottom[orientation - 1]) == at(stored, 0, 0));
    CHECK(corner(!right[orientation - 1], !bottom[orientation - 1]) == at(stored, 1, 2));
    const int undo = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
    CHECK(upright(seen, undo).pixels == stored.pixels);
  }
}

TEST_CASE("pictures: a PNG is laid over white, and a file that is not a picture is refused") {
  const auto folder = std::filesystem::temp_directory_path() / "coevoer-pictures";
  std::filesystem::create_directories(folder);
  write_file(folder / "small.png", {kPng.begin(), kPng.end()});
  const Picture picture = read_picture(folder / "small.png");
  CHECK(picture.size == coevoer::Size{2, 2});
  CHECK(picture.pixels == std::vector<std::uint8_t>{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255});
  write_file(folder / "text.png", "no picture");
  CHECK(contains(error_of(ErrorKind::usage, [&] { read_picture(folder / "text.png"); }), "cannot be read as an image"));
  CHECK(contains(error_of(ErrorKind::usage, [&] { read_picture(folder / "none.png"); }), "no image at"));
  CHECK(contains(error_of(ErrorKind::usage, [&] { read_picture(folder); }), "no image at"));
  CHECK(contains(error_of(ErrorKind::usage, [&] { write_file(folder / "no" / "x", ""); }), "cannot be written"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("writers: JSON contains the person in rows, OBJ the mesh with y up") {
  coevoer::EstimatorOptions options;
  options.engine.bundle = bundle_folder();
  options.engine.loader = sees_bright();
  coevoer::Estimator estimator(options);
  const coevoer::Manifest& manifest = estimator.manifest();
  const auto result = estimator.detect(somebody(64, 48).frame());
  const auto json = nlohmann::json::parse(to_json(result, 0.5, "a.jpg", manifest));
  CHECK(json["person"]["body_pose"].size() == 21);
  CHECK(json["person"]["body_pose"][0].size() == 3);
  CHECK(json["person"]["joints_px"].size() == json["joint_names"].size());
  CHECK(json["person"]["joints_cam"][0][2] == result.person->joints_cam[0].z());
  CHECK(json["trained"] == manifest.trained);
  const auto empty = nlohmann::json::parse(to_json(coevoer::EstimatorResult{}, 0, "b", manifest));
  CHECK(empty["person"].is_null());

  CHECK(contains(
      to_obj({1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 1, 2}, manifest),
      "v 1.000000 -2.000000 -3.000000\nv 4.000000 -5.000000 -6.000000\nv 7.000000 -8.000000 -9.000000\nf 1 2 3\n"));
}
