// A bundle: the folder that `python -m coevoer_edge.export` writes and an app embeds.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "coevoer/manifest.hpp"

namespace coevoer {

struct Bundle {
  std::filesystem::path folder;
  Manifest manifest;
  std::map<std::string, std::string> digests;  // SHA-256 by path inside the folder

  // Checks every digest, then the contract, before any tensor is read. Raises Error(bundle) if the bundle is missing,
  // incomplete or altered, contains files that are not listed, or has another contract.
  static Bundle open(const std::filesystem::path& folder);

  std::filesystem::path artifact() const { return folder / manifest.artifact; }
  std::filesystem::path body() const { return folder / manifest.body_file; }
  std::filesystem::path conformance() const { return folder / manifest.conformance_file; }
};

}  // namespace coevoer
