// The bundle under test, and copies of it that tests may damage.
#pragma once

#include <filesystem>
#include <string>

#include "coevoer/bundle.hpp"
#include "coevoer/error.hpp"

// The folder that COEVOER_BUNDLE names. Throws if it is not set.
std::filesystem::path bundle_folder();
const coevoer::Bundle& bundle_under_test();  // opened once

// A bundle in a temporary folder, which is deleted with this object. It has the body, the kit and the manifest of the
// bundle under test, and an artifact of a few bytes, which a fake network never reads.
class TemporaryBundle {
 public:
  TemporaryBundle();
  ~TemporaryBundle();
  TemporaryBundle(const TemporaryBundle&) = delete;
  TemporaryBundle& operator=(const TemporaryBundle&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::string read(const std::string& file) const;
  void write(const std::string& file, const std::string& bytes) const;
  void sign() const;  // writes SHA256SUMS again
  // Replaces the first `from` in the manifest, and signs.
  void edit_manifest(const std::string& from, const std::string& to) const;

 private:
  std::filesystem::path folder_;
};

// The message of the error that a call throws, or "" if it throws none. "another kind: " precedes it for another kind.
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
