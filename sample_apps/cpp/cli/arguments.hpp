// The arguments of the command line.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct Arguments {
  std::filesystem::path bundle;
  std::vector<std::filesystem::path> images;
  std::optional<std::filesystem::path> output_dir, smaller;
  std::optional<double> fps;             // the images are the frames of a stream
  int repeat = 1;
  bool raw = false, help = false;

  // Raises coevoer::Error(usage).
  static Arguments parse(const std::vector<std::string>& words);
};

extern const char* const kUsage;
