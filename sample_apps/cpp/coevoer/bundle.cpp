#include "coevoer/bundle.hpp"

#include <fstream>
#include <vector>

#include "coevoer/error.hpp"
#include "coevoer/sha256.hpp"

namespace coevoer {
namespace {

constexpr const char* kManifest = "manifest.json";
constexpr const char* kSums = "SHA256SUMS";

std::map<std::string, std::string> stated(const std::filesystem::path& sums) {
  std::map<std::string, std::string> digests;
  std::ifstream file(sums);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.size() < 67 || line.substr(64, 2) != "  ")
      throw Error(ErrorKind::bundle, sums.string() + " is not a list of digests; export the bundle again.");
    digests[line.substr(66)] = line.substr(0, 64);
  }
  return digests;
}

std::map<std::string, std::string> found(const std::filesystem::path& folder) {
  std::map<std::string, std::string> digests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto name = entry.path().lexically_relative(folder).generic_string();
    if (entry.is_regular_file() && name != kSums) digests[name] = sha256_file(entry.path());
  }
  return digests;
}

}  // namespace

Bundle Bundle::open(const std::filesystem::path& folder) {
  const std::string name = folder.string();
  std::error_code unreadable;
  if (!std::filesystem::is_directory(folder, unreadable))
    throw Error(ErrorKind::bundle, "There is no bundle folder " + name +
                                       "; `python -m coevoer_edge.export --target executorch` writes one.");
  for (const char* file : {kManifest, kSums})
    if (!std::filesystem::is_regular_file(folder / file, unreadable))
      throw Error(ErrorKind::bundle, name + " is not a bundle: it has no " + file + ". Export it again.");
  try {
    Bundle bundle{folder, {}, found(folder)};
    const auto listed = stated(folder / kSums);
    std::string faults;
    for (const auto& [file, digest] : listed) {
      const auto here = bundle.digests.find(file);
      if (here == bundle.digests.end())
        faults += "; " + file + " is missing";
      else if (here->second != digest)
        faults += "; " + file + " was altered";
    }
    for (const auto& [file, digest] : bundle.digests)
      if (!listed.contains(file)) faults += "; " + file + " is not listed";
    if (!faults.empty())
      throw Error(ErrorKind::bundle, name + " does not match its " + kSums + ": " + faults.substr(2) +
                                         ". Export it again or copy it whole.");
    bundle.manifest = Manifest::read(folder / kManifest);
    const Manifest& manifest = bundle.manifest;
    for (const auto& file : {manifest.body_file, manifest.conformance_file})
      if (!listed.contains(file))
        throw Error(ErrorKind::bundle, name + ": the manifest names " + file + ", which is missing; export it again.");
    if (!std::filesystem::exists(bundle.artifact()))
      throw Error(ErrorKind::bundle,
                  name + ": the manifest names " + manifest.artifact + ", which is missing; export it again.");
    return bundle;
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(ErrorKind::bundle, name + " cannot be read (" + error.what() + "); copy it again.");
  }
}

}  // namespace coevoer
