#include "coevoer/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "coevoer/error.hpp"

namespace coevoer {
namespace {

static_assert(std::endian::native == std::endian::little, "The arrays of the file are read without swapping bytes.");

template <class T>
constexpr const char* kType = nullptr;
template <>
constexpr const char* kType<float> = "F32";
template <>
constexpr const char* kType<double> = "F64";
template <>
constexpr const char* kType<std::uint8_t> = "U8";
template <>
constexpr const char* kType<std::int32_t> = "I32";
template <>
constexpr const char* kType<std::int64_t> = "I64";

std::size_t bytes_of(const std::string& dtype) {
  static const std::map<std::string, std::size_t, std::less<>> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2}, {"F16", 2}, {"BF16", 2},
      {"U32", 4},  {"I32", 4}, {"F32", 4}, {"U64", 8}, {"I64", 8}, {"F64", 8}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

template <class T, class Source>
std::vector<T> convert(const std::uint8_t* from, std::size_t count) {
  std::vector<Source> raw(count);
  if (count > 0) std::memcpy(raw.data(), from, count * sizeof(Source));
  return std::vector<T>(raw.begin(), raw.end());
}

}  // namespace

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

Safetensors Safetensors::open(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  std::vector<std::uint8_t> bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
  file.seekg(0);
  if (size < 0 || !file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    throw Error(ErrorKind::bundle, path.string() + " cannot be read; copy the bundle again.");
  return parse(std::move(bytes), path.string());
}

Safetensors Safetensors::parse(std::vector<std::uint8_t> bytes, const std::string& name) {
  Safetensors file;
  file.name_ = name;
  file.bytes_ = std::move(bytes);
  const std::size_t total = file.bytes_.size();
  if (total < 8) file.fail("has " + std::to_string(total) + " bytes, fewer than the 8 of its length field");
  std::uint64_t header = 0;
  std::memcpy(&header, file.bytes_.data(), 8);
  if (header > total - 8)
    file.fail("announces a header of " + std::to_string(header) + " bytes but has only " + std::to_string(total - 8));
  file.data_ = 8 + static_cast<std::size_t>(header);

  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  try {
    const auto* text = reinterpret_cast<const char*>(file.bytes_.data()) + 8;
    const auto table = nlohmann::json::parse(text, text + header);
    if (!table.is_object()) file.fail("has a header that is not a JSON object");
    for (const auto& [key, value] : table.items()) {
      if (key == "__metadata__") {
        for (const auto& [k, v] : value.items()) file.metadata_[k] = v.get<std::string>();
        continue;
      }
      Entry entry{value.at("dtype").get<std::string>(), {}, 0, 0};
      std::uint64_t bytes_wanted = bytes_of(entry.dtype);
      if (bytes_wanted == 0) file.fail("has " + key + " of the unknown type " + entry.dtype);
      for (const auto& size : value.at("shape")) {
        const auto n = size.get<std::uint64_t>();
        if (!size.is_number_unsigned() || (n != 0 && bytes_wanted > total / n))
          file.fail("has " + key + ", which is larger than the file");
        bytes_wanted *= n;
        entry.shape.push_back(static_cast<std::int64_t>(n));
      }
      const auto& offsets = value.at("data_offsets");
      if (offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
        file.fail("has " + key + " without data_offsets [begin, end]");
      const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
      if (begin > end || end > total - file.data_) file.fail("has " + key + " outside the file");
      if (end - begin != bytes_wanted)
        file.fail("has " + key + " with " + std::to_string(end - begin) + " bytes, but " + entry.dtype + " " +
                  to_string(entry.shape) + " takes " + std::to_string(bytes_wanted));
      entry.begin = static_cast<std::size_t>(begin);
      entry.bytes = static_cast<std::size_t>(bytes_wanted);
      ranges.emplace_back(entry.begin, entry.begin + entry.bytes);
      file.entries_.emplace(key, std::move(entry));
    }
  } catch (const nlohmann::json::exception& error) {
    file.fail(std::string("has a header that cannot be read (") + error.what() + ")");
  }
  std::sort(ranges.begin(), ranges.end());
  std::size_t reached = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != reached) file.fail("has arrays that overlap or leave holes");
    reached = end;
  }
  if (reached != total - file.data_) file.fail("has bytes that belong to no array");
  return file;
}

template <class T>
std::vector<T> Safetensors::get(const std::string& tensor, const Shape& shape) const {
  const Entry& found = entry(tensor);
  bool fits = found.dtype == kType<T> && found.shape.size() == shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || shape[i] == found.shape[i];
  if (!fits)
    fail("has " + tensor + " as " + found.dtype + " " + to_string(found.shape) + ", but it must be " + kType<T> + " " +
         to_string(shape));
  std::vector<T> values(found.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes_.data() + data_ + found.begin, found.bytes);
  return values;
}

template std::vector<float> Safetensors::get(const std::string&, const Shape&) const;
template std::vector<double> Safetensors::get(const std::string&, const Shape&) const;
template std::vector<std::uint8_t> Safetensors::get(const std::string&, const Shape&) const;
template std::vector<std::int32_t> Safetensors::get(const std::string&, const Shape&) const;
template std::vector<std::int64_t> Safetensors::get(const std::string&, const Shape&) const;

std::vector<double> Safetensors::numbers(const std::string& tensor) const {
  const Entry& found = entry(tensor);
  const std::uint8_t* from = bytes_.data() + data_ + found.begin;
  const std::size_t count = found.bytes / bytes_of(found.dtype);
  if (found.dtype == "F32") return convert<double, float>(from, count);
  if (found.dtype == "F64") return convert<double, double>(from, count);
  if (found.dtype == "I32") return convert<double, std::int32_t>(from, count);
  if (found.dtype == "I64") return convert<double, std::int64_t>(from, count);
  if (found.dtype == "U8" || found.dtype == "BOOL") return convert<double, std::uint8_t>(from, count);
  fail("has " + tensor + " as " + found.dtype + ", but only F32, F64, I32, I64, U8 and BOOL can be read");
}

const Safetensors::Entry& Safetensors::entry(const std::string& tensor) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) fail("has no " + tensor);
  return found->second;
}

void Safetensors::fail(const std::string& what) const {
  throw Error(ErrorKind::bundle, name_ + " " + what + "; export the bundle again or copy it whole.");
}

}  // namespace coevoer
