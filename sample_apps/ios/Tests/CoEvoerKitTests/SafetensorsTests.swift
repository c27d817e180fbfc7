// Untrusted files: truncated, overlapping, with impossible sizes.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class SafetensorsTests: XCTestCase {
  private func file(_ header: String, _ data: [UInt8] = []) -> Data {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8) + Data(data)
  }

  private func refused(_ bytes: Data, _ words: String, line: UInt = #line) {
    assertThrows(.bundle, words, line: line) { try Safetensors(data: bytes, name: "f") }
  }

  func testReads() throws {
    let header = """
      {"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]},\
      "y":{"dtype":"I32","shape":[1],"data_offsets":[2,6]},"none":{"dtype":"F32","shape":[0],"data_offsets":[6,6]}}
      """
    let read = try Safetensors(data: file(header, [7, 8, 1, 1, 0, 0]), name: "f")
    XCTAssertEqual(read.metadata, ["a": "b"])
    XCTAssertEqual(try read.values("x", [2, nil], as: UInt8.self), [7, 8])
    XCTAssertEqual(try read.values("y", [1], as: Int32.self), [257])  // its offset is not a multiple of 4
    XCTAssertEqual(try read.numbers("y"), [257])
    XCTAssertEqual(try read.numbers("none"), [])
    assertThrows(.bundle, "has no z") { try read.numbers("z") }
    assertThrows(.bundle, "holds x as U8 [2, 1]; it has to be F32 [any]") {
      try read.values("x", [nil], as: Float.self)
    }
    assertThrows(.bundle, "it has to be U8 [3, 1]") { try read.values("x", [3, 1], as: UInt8.self) }
  }

  func testASliceOfOtherDataIsReadToo() throws {
    let whole = Data([9, 9, 9]) + file("{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", [5])
    XCTAssertEqual(try Safetensors(data: whole[3...], name: "f").numbers("x"), [5])
  }

  func testCutShort() {
    refused(Data(), "has 0 bytes")
    refused(Data([1, 2, 3]), "has 3 bytes")
    refused(file("{}").prefix(9), "announces a header of 2 bytes and has 1")
    refused(Data([255, 255, 255, 255, 255, 255, 255, 255, 1]), "announces a header")
    refused(file("[]"), "cannot be read")
    refused(file("{nonsense"), "cannot be read")
  }

  func testPlacesAndSizes() {
    let one = { (dtype: String, shape: String, offsets: String) in
      "{\"x\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
    }
    refused(file(one("U8", "[4]", "[0,4]"), [1, 2]), "x lies outside")
    refused(file(one("U8", "[2]", "[2,0]"), [1, 2]), "x lies outside")
    refused(file(one("U8", "[2]", "[-2,0]"), [1, 2]), "x lies outside")
    refused(file(one("U8", "[2]", "[0]"), [1, 2]), "x lies outside")
    refused(file(one("F32", "[2]", "[0,2]"), [1, 2]), "2 bytes of x; F32 [2] takes 8")
    refused(file(one("U8", "[-1,-2]", "[0,2]"), [1, 2]), "which cannot be")
    refused(file(one("F64", "[4611686018427387904,4]", "[0,2]"), [1, 2]), "which cannot be")
    refused(file(one("Q7", "[2]", "[0,2]"), [1, 2]), "x as Q7, which is unknown")
    refused(file(one("U8", "[1]", "[0,1]"), [1, 2]), "belong to no array")
    refused(file(one("U8", "[1]", "[1,2]"), [1, 2]), "overlap or leave holes")
  }

  func testEveryPrefixOfTheRealBodyIsRefused() throws {
    let bytes = try Data(contentsOf: try Shared.bundle.get().body)
    for length in [8, 100, 1000, bytes.count / 2, bytes.count - 1] { refused(bytes.prefix(length), "f ") }
  }
}
