// A bundle is only opened if it is complete and unaltered and has this contract.
#include <doctest/doctest.h>

#include <fstream>

#include "bundles.hpp"
#include "coevoer/body.hpp"

using coevoer::Bundle;
using coevoer::ErrorKind;

namespace {

std::string refused(const std::filesystem::path& folder) {
  return error_of(ErrorKind::bundle, [&] { Bundle::open(folder); });
}

}  // namespace

TEST_CASE("bundle: the one under test opens") { CHECK(bundle_under_test().manifest.target == "executorch"); }

TEST_CASE("bundle: missing files and altered bytes are named") {
  CHECK(contains(refused("/nowhere"), "no bundle folder /nowhere"));
  for (const std::string file : {"SHA256SUMS", "manifest.json"}) {
    TemporaryBundle copy;
    std::filesystem::remove(copy.folder() / file);
    CHECK(contains(refused(copy.folder()), "it has no " + file));
  }
  const auto& manifest = bundle_under_test().manifest;
  for (const std::string& file : {manifest.artifact, manifest.body_file, manifest.conformance_file}) {
    CAPTURE(file);
    TemporaryBundle copy;
    const std::string bytes = copy.read(file);
    for (const std::size_t place : {std::size_t{0}, bytes.size() / 3, bytes.size() - 1}) {
      std::string altered = bytes;
      altered[place] = static_cast<char>(altered[place] ^ 1);
      copy.write(file, altered);
      CHECK(contains(refused(copy.folder()), file + " was altered"));
    }
    copy.write(file, bytes.substr(0, bytes.size() / 2));
    CHECK(contains(refused(copy.folder()), file + " was altered"));
    std::filesystem::remove(copy.folder() / file);
    CHECK(contains(refused(copy.folder()), file + " is missing"));
    copy.sign();  // now the list is complete, but the manifest names a missing file
    CHECK(contains(refused(copy.folder()), "the manifest names " + file));
  }
}

TEST_CASE("bundle: a file that is not listed, and a list without digests, are refused") {
  TemporaryBundle copy;
  copy.write("more.txt", "more");
  CHECK(contains(refused(copy.folder()), "more.txt is not listed"));
  copy.write("SHA256SUMS", "these are no digests\n");
  CHECK(contains(refused(copy.folder()), "not a list of digests"));
}

TEST_CASE("body: tensors of another shape, type or content are refused though their digest is right") {
  const auto& manifest = bundle_under_test().manifest;
  const auto damaged = [&](const std::string& from, const std::string& to) {
    TemporaryBundle copy;
    std::string bytes = copy.read(manifest.body_file);
    const auto place = bytes.find(from);
    REQUIRE(place != std::string::npos);
    REQUIRE(from.size() == to.size());
    copy.write(manifest.body_file, bytes.replace(place, from.size(), to));
    copy.sign();
    return error_of(ErrorKind::bundle, [&] {
      const Bundle bundle = Bundle::open(copy.folder());
      coevoer::Body(coevoer::Safetensors::open(bundle.body()), bundle.manifest);
    });
  };
  CHECK(contains(damaged("\"shapedirs\":{", "\"shapedirZ\":{"), "has no shapedirs"));
  CHECK(contains(damaged("\"parents\":{\"dtype\":\"I32\"", "\"parents\":{\"dtype\":\"F32\""), "parents as F32"));
  CHECK(contains(damaged("\"shape\":[55,3]", "\"shape\":[5,33]"), "it must be F32 (55, 3)"));
  const std::string root("\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 16);  // parents: -1 0 0 0
  const std::string loop("\xff\xff\xff\xff\7\0\0\0\0\0\0\0\0\0\0\0", 16);  // the first joint's parent is the seventh
  CHECK(contains(damaged(root, loop), "parents that do not come before"));
}
