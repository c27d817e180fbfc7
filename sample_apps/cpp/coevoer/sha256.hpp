// SHA-256 (FIPS 180-4). In: bytes. Out: 64 lower-case hex digits.
//
// The library has its own code for this, because the Android NDK has no cryptographic library, and one for this alone
// would have to be built for every ABI. tests/test_sha256.cpp checks it against NIST's example vectors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace coevoer {

class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::uint8_t> bytes);
  // Finishes the digest; the object cannot be used afterwards.
  std::string hex();

 private:
  void block(const std::uint8_t* bytes);

  std::array<std::uint32_t, 8> state_;
  std::array<std::uint8_t, 64> waiting_{};
  std::uint64_t length_ = 0;  // bytes so far
};

std::string sha256_hex(std::span<const std::uint8_t> bytes);

// Reads in pieces of 64 KiB. Raises Error(bundle) for a file that cannot be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace coevoer
