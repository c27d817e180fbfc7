// A bundle that is incomplete, altered or of another contract is not opened.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class BundleTests: XCTestCase {
  func testTheOneUnderTestOpens() throws {
    let bundle = try Shared.bundle.get()
    XCTAssertEqual(bundle.manifest.outputs.count, 10)
    XCTAssertEqual(bundle.manifest.jointNames.count, 55)
    XCTAssertEqual(bundle.manifest.view.size, PixelSize(width: 192, height: 256))
  }

  func testMissingFilesAreNamed() throws {
    assertThrows(.bundle, "no bundle folder /nowhere") { try ModelBundle(folder: URL(fileURLWithPath: "/nowhere")) }
    for file in [ModelBundle.sumsFile, ModelBundle.manifestFile] {
      let copy = try TemporaryBundle()
      try copy.remove(file)
      assertThrows(.bundle, "it has no \(file)") { try ModelBundle(folder: copy.folder) }
    }
    let manifest = try Shared.bundle.get().manifest
    for file in [manifest.artifact, manifest.bodyFile, manifest.conformanceFile] {
      let copy = try TemporaryBundle()
      try copy.remove(file)
      assertThrows(.bundle, "\(file) is missing") { try ModelBundle(folder: copy.folder) }
      try copy.sign()  // a valid list of the remaining files; then the manifest names a missing one
      assertThrows(.bundle, "the manifest names \(file)") { try ModelBundle(folder: copy.folder) }
    }
  }

  func testOneAlteredByteIsFound() throws {
    let manifest = try Shared.bundle.get().manifest
    for file in [manifest.artifact, manifest.bodyFile, manifest.conformanceFile] {
      let copy = try TemporaryBundle()
      let bytes = try copy.read(file)
      for place in [0, bytes.count / 3, bytes.count - 1] {
        var altered = bytes
        altered[place] ^= 1
        try copy.write(file, altered)
        assertThrows(.bundle, "\(file) was altered") { try ModelBundle(folder: copy.folder) }
      }
      try copy.write(file, bytes.prefix(bytes.count / 2))
      assertThrows(.bundle, "\(file) was altered") { try ModelBundle(folder: copy.folder) }
    }
  }

  func testFilesBesideThoseListed() throws {
    let copy = try TemporaryBundle()
    try copy.write("more.txt", Data("more".utf8))
    assertThrows(.bundle, "more.txt is not listed") { try ModelBundle(folder: copy.folder) }
    try copy.write(ModelBundle.sumsFile, Data("these are no digests\n".utf8))
    assertThrows(.bundle, "not a list of digests") { try ModelBundle(folder: copy.folder) }
  }

  func testAnArtifactThatIsAFolder() throws {
    let copy = try TemporaryBundle()
    let artifact = try Shared.bundle.get().manifest.artifact
    try copy.remove(artifact)
    let inside = copy.url(artifact).appendingPathComponent("Data")
    try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
    try Data("weights".utf8).write(to: inside.appendingPathComponent("weight.bin"))
    try copy.sign()
    let first = try ModelBundle(folder: copy.folder)
    XCTAssertEqual(first.digests["\(artifact)/Data/weight.bin"], SHA256.hex(Data("weights".utf8)))
    try Data("others".utf8).write(to: inside.appendingPathComponent("weight.bin"))
    assertThrows(.bundle, "\(artifact)/Data/weight.bin was altered") { try ModelBundle(folder: copy.folder) }
    try copy.sign()
    XCTAssertNotEqual(try ModelBundle(folder: copy.folder).artifactDigest, first.artifactDigest)
  }

  func testBodyTensorsThatDoNotFitAreRefusedThoughTheirDigestIsRight() throws {
    let file = try Shared.bundle.get().manifest.bodyFile
    let damaged = { (old: String, new: String, words: String) in
      let copy = try TemporaryBundle()
      try copy.replace(Data(old.utf8), by: Data(new.utf8), in: file)
      let bundle = try ModelBundle(folder: copy.folder)
      assertThrows(.bundle, words) { try Body(file: Safetensors(file: bundle.body), manifest: bundle.manifest) }
    }
    try damaged("\"shapedirs\":{", "\"shapedirZ\":{", "has no shapedirs")
    try damaged("\"parents\":{\"dtype\":\"I32\"", "\"parents\":{\"dtype\":\"F32\"", "holds parents as F32")
    try damaged("\"shape\":[55,3]", "\"shape\":[5,33]", "it has to be F32 [55, 3]")

    let copy = try TemporaryBundle()
    let root = Data([255, 255, 255, 255] + [UInt8](repeating: 0, count: 12))  // parents: -1 0 0 0
    let loop = Data([255, 255, 255, 255, 7] + [UInt8](repeating: 0, count: 11))  // the first joint's is the seventh
    try copy.replace(root, by: loop, in: file)
    let bundle = try ModelBundle(folder: copy.folder)
    assertThrows(.bundle, "parents that do not come before") {
      try Body(file: Safetensors(file: bundle.body), manifest: bundle.manifest)
    }
  }
}
