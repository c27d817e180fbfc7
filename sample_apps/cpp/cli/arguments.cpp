#include "arguments.hpp"

#include <cmath>
#include <map>
#include <sstream>

#include "coevoer/error.hpp"

const char* const kUsage =
    "usage: coevoer BUNDLE IMAGE... [options]\n"
    "\n"
    "Finds the person in each image (JPEG, PNG, BMP): SMPL-X parameters, mesh, and how long it took.\n"
    "BUNDLE is a folder written by `python -m coevoer_edge.export --target executorch`.\n"
    "\n"
    "  -o, --output-dir DIR   write NAME.json (parameters, joints) and NAME.obj (mesh) for each image\n"
    "  --fps N                take the images as frames of a stream, N a second: track and smooth\n"
    "  --raw                  do not smooth a stream\n"
    "  --smaller BUNDLE       run this smaller model, as under heat or low memory\n"
    "  --repeat N             run each image N times and print the medians\n"
    "  -h, --help\n";

namespace {

using coevoer::Error;
using coevoer::ErrorKind;

double number(const std::string& name, const std::string& text, double least, double most) {
  std::size_t used = 0;
  double value = NAN;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  if (used != text.size() || !(value >= least && value <= most)) {
    std::ostringstream message;
    message << name << " is " << text << "; give a number from " << least << " to " << most << ".";
    throw Error(ErrorKind::usage, message.str());
  }
  return value;
}

}  // namespace

Arguments Arguments::parse(const std::vector<std::string>& words) {
  Arguments a;
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 >= words.size()) throw Error(ErrorKind::usage, word + " has no value; see coevoer --help.");
      return words[++i];
    };
    if (word == "-h" || word == "--help")
      a.help = true;
    else if (word == "-o" || word == "--output-dir")
      a.output_dir = value();
    else if (word == "--smaller")
      a.smaller = value();
    else if (word == "--fps")
      a.fps = number(word, value(), 0.1, 1000);
    else if (word == "--repeat")
      a.repeat = static_cast<int>(number(word, value(), 1, 100000));
    else if (word == "--raw")
      a.raw = true;
    else if (word.size() > 1 && word[0] == '-')
      throw Error(ErrorKind::usage, "Unknown option " + word + "; see coevoer --help.");
    else
      plain.push_back(word);
  }
  if (a.help) return a;
  if (plain.size() < 2) throw Error(ErrorKind::usage, "Give a bundle and at least one image; see coevoer --help.");
  if (a.raw && !a.fps) throw Error(ErrorKind::usage, "--raw is for streams; add --fps N, or leave it out.");
  if (a.fps && a.repeat > 1)
    throw Error(ErrorKind::usage, "--repeat is for single images; leave out --fps or --repeat.");
  a.bundle = plain[0];
  a.images.assign(plain.begin() + 1, plain.end());
  std::map<std::filesystem::path, std::filesystem::path> stems;
  for (const auto& image : a.images) {
    const auto [other, is_new] = stems.emplace(image.stem(), image);
    if (a.output_dir && !is_new)
      throw Error(ErrorKind::usage, other->second.string() + " and " + image.string() +
                                        " would be written to the same files in " + a.output_dir->string() +
                                        "; rename one of them.");
  }
  return a;
}
