// Reads safetensors: a little-endian length, a JSON header, raw little-endian arrays. In: an untrusted file or bytes.
// Out: arrays by name, with shape and type checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace coevoer {

using Shape = std::vector<std::int64_t>;

std::string to_string(const Shape& shape);  // "(55, 3)"

class Safetensors {
 public:
  struct Entry {
    std::string dtype;  // as in the file: "F32", "U8", ...
    Shape shape;
    std::size_t begin = 0, bytes = 0;  // in the data
  };

  // Raises Error(bundle) if the file cannot be read or is cut short, if its header is not JSON, or if arrays are
  // outside the file, overlap, leave holes or have other sizes than their shapes.
  static Safetensors open(const std::filesystem::path& path);
  static Safetensors parse(std::vector<std::uint8_t> bytes, const std::string& name);

  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  bool has(const std::string& tensor) const { return entries_.contains(tensor); }

  // The shape of a tensor. Raises Error(bundle) if there is none of that name.
  const Shape& shape(const std::string& tensor) const { return entry(tensor).shape; }

  // The values, row-major. T is float, double, uint8_t, int32_t or int64_t and must be the type in the file. A size of
  // -1 in `shape` stands for any. Raises Error(bundle) for another name, type or shape.
  template <class T>
  std::vector<T> get(const std::string& tensor, const Shape& shape) const;

  // The values as double, for any of these types and bool.
  std::vector<double> numbers(const std::string& tensor) const;

 private:
  const Entry& entry(const std::string& tensor) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string name_;
  std::vector<std::uint8_t> bytes_;
  std::size_t data_ = 0;  // where the arrays begin
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace coevoer
