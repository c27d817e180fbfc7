// NIST's example vectors (FIPS 180-4 examples and the CAVS long message of a million letters).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "coevoer/sha256.hpp"

namespace {

std::string hex(const std::string& text) {
  return coevoer::sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace

TEST_CASE("SHA-256 of NIST's examples") {
  CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnop"
          "qrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes are split") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i % 26);
  for (std::size_t length = 0; length <= 300; length += 7) {
    const std::string part = text.substr(0, length);
    for (const std::size_t piece : {1u, 3u, 63u, 64u, 65u, 200u}) {
      coevoer::Sha256 sum;
      for (std::size_t i = 0; i < length; i += piece) {
        const std::string next = part.substr(i, piece);
        sum.update({reinterpret_cast<const std::uint8_t*>(next.data()), next.size()});
      }
      CHECK(sum.hex() == hex(part));
    }
  }
}
