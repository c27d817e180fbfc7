// An untrusted file: every kind of damage is refused with a message, and nothing damaged is read.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bundles.hpp"
#include "coevoer/body.hpp"
#include "coevoer/safetensors.hpp"

using coevoer::Error;
using coevoer::ErrorKind;
using coevoer::Safetensors;

namespace {

std::vector<std::uint8_t> file(const std::string& header, const std::vector<std::uint8_t>& data) {
  std::vector<std::uint8_t> bytes(8 + header.size() + data.size());
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::copy(header.begin(), header.end(), bytes.begin() + 8);
  std::copy(data.begin(), data.end(), bytes.end() - static_cast<std::ptrdiff_t>(data.size()));
  return bytes;
}

std::string refused(const std::vector<std::uint8_t>& bytes) {
  return error_of(ErrorKind::bundle, [&] { Safetensors::parse(bytes, "it"); });
}

const std::string kGood = R"({"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2,3],"data_offsets":[0,6]}})";

}  // namespace

TEST_CASE("safetensors: values, shapes and metadata") {
  const auto good = Safetensors::parse(file(kGood, {1, 2, 3, 4, 5, 6}), "it");
  CHECK(good.get<std::uint8_t>("x", {2, 3}) == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  CHECK(good.get<std::uint8_t>("x", {-1, 3}).size() == 6);
  CHECK(good.numbers("x")[5] == 6);
  CHECK(good.metadata().at("a") == "b");
  CHECK(contains(error_of(ErrorKind::bundle, [&] { good.get<float>("x", {2, 3}); }), "it must be F32 (2, 3)"));
  CHECK(contains(error_of(ErrorKind::bundle, [&] { good.get<std::uint8_t>("x", {3, 2}); }), "x as U8 (2, 3)"));
  CHECK(contains(error_of(ErrorKind::bundle, [&] { good.get<std::uint8_t>("y", {1}); }), "has no y"));
}

TEST_CASE("safetensors: a wrong header is refused") {
  const auto header = [](const std::string& entry) { return refused(file(entry, {1, 2, 3, 4, 5, 6})); };
  CHECK(contains(refused({1, 2, 3}), "has 3 bytes"));
  CHECK(contains(refused({255, 255, 255, 255, 255, 255, 255, 255, 0}), "announces a header"));
  CHECK(contains(header("[]"), "not a JSON object"));
  CHECK(contains(header("{"), "cannot be read"));
  CHECK(contains(header(R"({"x":{"dtype":"U9","shape":[6],"data_offsets":[0,6]}})"), "unknown"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[5],"data_offsets":[0,6]}})"), "takes 5"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}})"), "outside the file"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[6],"data_offsets":[6,0]}})"), "outside the file"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[-6],"data_offsets":[0,6]}})"), "larger than the file"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,6]}})"), "larger"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[6],"data_offsets":[0]}})"), "data_offsets"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"), "belong to no array"));
  CHECK(contains(header(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                            "y":{"dtype":"U8","shape":[3],"data_offsets":[3,6]}})"),
                 "overlap"));
}

TEST_CASE("safetensors: the real body, cut short anywhere or with any byte of its header changed, is never misread") {
  const auto& bundle = bundle_under_test();
  TemporaryBundle copy;
  const std::string text = copy.read(bundle.manifest.body_file);
  const std::vector<std::uint8_t> whole(text.begin(), text.end());
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  for (std::size_t length = 0; length < whole.size(); length += length < 8 + header ? 41 : 299993)
    CHECK(refused({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}) != "");
  int refusals = 0;
  auto bytes = whole;
  for (std::size_t place = 0; place < 8 + header; place += 17) {
    bytes[place] ^= 0x15;
    // With a changed name or metadata the file may still be valid; then the body lacks a tensor, or is the same.
    refusals +=
        error_of(ErrorKind::bundle, [&] { coevoer::Body(Safetensors::parse(bytes, "it"), bundle.manifest); }) != "";
    bytes[place] = whole[place];
  }
  CHECK(refusals > 20);
}
