#include "bundles.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "coevoer/sha256.hpp"

namespace fs = std::filesystem;

fs::path bundle_folder() {
  const char* folder = std::getenv("COEVOER_BUNDLE");
  if (folder == nullptr) throw std::runtime_error("Set COEVOER_BUNDLE to an ExecuTorch bundle, as build.sh does.");
  return folder;
}

const coevoer::Bundle& bundle_under_test() {
  static const coevoer::Bundle bundle = coevoer::Bundle::open(bundle_folder());
  return bundle;
}

TemporaryBundle::TemporaryBundle() {
  static std::atomic<int> count = 0;
  folder_ = fs::temp_directory_path() / ("coevoer-" + std::to_string(getpid()) + "-" + std::to_string(count++));
  fs::create_directories(folder_);
  const coevoer::Bundle& whole = bundle_under_test();
  for (const auto& file : {whole.manifest.body_file, whole.manifest.conformance_file, std::string("manifest.json")})
    fs::copy(whole.folder / file, folder_ / file);
  write(whole.manifest.artifact, "no network");
  sign();
}

TemporaryBundle::~TemporaryBundle() { fs::remove_all(folder_); }

std::string TemporaryBundle::read(const std::string& file) const {
  std::ifstream stream(folder_ / file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void TemporaryBundle::write(const std::string& file, const std::string& bytes) const {
  std::ofstream(folder_ / file, std::ios::binary) << bytes;
}

void TemporaryBundle::sign() const {
  std::string sums;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().filename() != "SHA256SUMS")
      sums += coevoer::sha256_file(entry.path()) + "  " + entry.path().filename().string() + "\n";
  write("SHA256SUMS", sums);
}

void TemporaryBundle::edit_manifest(const std::string& from, const std::string& to) const {
  std::string text = read("manifest.json");
  const auto place = text.find(from);
  if (place == std::string::npos) throw std::runtime_error("The manifest has no " + from + ".");
  write("manifest.json", text.replace(place, from.size(), to));
  sign();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
