#include "picture.hpp"

#include <libexif/exif-data.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "coevoer/error.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_MAX_DIMENSIONS 32768
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace {

constexpr unsigned kWhite = 255;

int orientation_of(const std::vector<std::uint8_t>& bytes) {
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(
      exif_data_new_from_data(bytes.data(), static_cast<unsigned>(bytes.size())), &exif_data_unref);
  if (!data) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace

Picture read_picture(const std::filesystem::path& path) {
  using coevoer::Error;
  using coevoer::ErrorKind;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw Error(ErrorKind::usage,
                "There is no image at " + path.string() + "; give the path of a JPEG, PNG or BMP file.");
  const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Picture picture;
  int channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> rgba(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &picture.size.width, &picture.size.height,
                            &channels, 4),
      &stbi_image_free);
  if (!rgba)
    throw Error(ErrorKind::usage, path.string() + " cannot be read as an image (" + stbi_failure_reason() +
                                      "); give a JPEG, PNG or BMP file.");
  const std::size_t count =
      static_cast<std::size_t>(picture.size.width) * static_cast<std::size_t>(picture.size.height);
  picture.pixels.resize(3 * count);
  for (std::size_t n = 0; n < count; ++n) {
    const unsigned alpha = rgba.get()[4 * n + 3];
    for (std::size_t rgb = 0; rgb < 3; ++rgb)
      picture.pixels[3 * n + rgb] =
          static_cast<std::uint8_t>((rgba.get()[4 * n + rgb] * alpha + kWhite * (255 - alpha) + 127) / 255);
  }
  return upright(picture, orientation_of(bytes));
}

Picture upright(const Picture& picture, int orientation) {
  if (orientation == 1) return picture;
  // The steps, in this order: exchange rows and columns, mirror across, mirror down.
  const bool exchange = orientation >= 5;
  const bool across = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const coevoer::Size from = picture.size;
  Picture turned{std::vector<std::uint8_t>(picture.pixels.size()),
                 exchange ? coevoer::Size{from.height, from.width} : from};
  for (int y = 0; y < turned.size.height; ++y) {
    for (int x = 0; x < turned.size.width; ++x) {
      const int u = across ? turned.size.width - 1 - x : x, v = down ? turned.size.height - 1 - y : y;
      const int column = exchange ? v : u, row = exchange ? u : v;
      const auto source =
          3 * (static_cast<std::size_t>(row) * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(column));
      const auto target =
          3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(turned.size.width) + static_cast<std::size_t>(x));
      for (std::size_t rgb = 0; rgb < 3; ++rgb) turned.pixels[target + rgb] = picture.pixels[source + rgb];
    }
  }
  return turned;
}
