// The bundle under test, and copies of it that a test may damage.
#pragma once

#include <filesystem>
#include <string>

#include "coevoer/bundle.hpp"
#include "coevoer/error.hpp"

// The folder in COEVOER_BUNDLE. Throws without it.
std::filesystem::path bundle_folder();
const coevoer::Bundle& bundle_under_test();  // opened once

// A bundle in a temporary folder, deleted with this object: the body, the kit and the manifest of the bundle under
// test, and for an artifact a few bytes, which a fake network never reads.
class TemporaryBundle {
 public:
  TemporaryBundle();
  ~TemporaryBundle();
  TemporaryBundle(const TemporaryBundle&) = delete;
  TemporaryBundle& operator=(const TemporaryBundle&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::string read(const std::string& file) const;
  void write(const std::string& file, const std::string& bytes) const;
  void sign() const;  // write SHA256SUMS again
  // Replace the first place where `from` stands in the manifest, and sign.
  void edit_manifest(const std::string& from, const std::string& to) const;

 private:
  std::filesystem::path folder_;
};

// The message of the error that a call ends with; "" where it ends with none. Fails for another kind.
template <class Call>
std::string error_of(coevoer::ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const coevoer::Error& error) {
    return error.kind() == kind ? error.what() : std::string("another kind: ") + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part);
