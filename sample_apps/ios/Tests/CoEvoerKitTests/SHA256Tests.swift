// FIPS 180-4's examples, and every length around a block's end.

import Foundation
import XCTest

@testable import CoEvoerKit

final class SHA256Tests: XCTestCase {
  func testExamples() {
    let examples = [
      "": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq":
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ]
    for (text, digest) in examples { XCTAssertEqual(SHA256.hex(Data(text.utf8)), digest) }
    XCTAssertEqual(
      SHA256.hex([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// The digest of the digests of 0, 1, ... 199 zeros, from Python's hashlib:
  /// sha256("".join(sha256(bytes(n)).hexdigest() for n in range(200)).encode()).hexdigest()
  func testLengthsAboutABlock() {
    let all = (0..<200).map { SHA256.hex([UInt8](repeating: 0, count: $0)) }.joined()
    XCTAssertEqual(SHA256.hex(Data(all.utf8)), "ba0e721dc998238252c8b028f0ce4ea61910d7fcb8252e56492d919297596c14")
  }

  func testAFileThatIsNotThere() {
    XCTAssertThrowsError(try SHA256.hex(file: URL(fileURLWithPath: "/nowhere")))
  }
}
