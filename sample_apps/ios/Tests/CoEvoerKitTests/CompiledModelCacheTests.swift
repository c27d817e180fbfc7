// Compiled models on disk: created once, stored under their digest, deleted with their bundle.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class CompiledModelCacheTests: XCTestCase {
  private func temporary() -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent("coevoer-\(UUID().uuidString)")
  }

  /// A compiler that writes a folder with a copy of the artifact, as Core ML does in a temporary place.
  private func compiler(_ count: Shelf<Int>) -> @Sendable (URL) async throws -> URL {
    { artifact in
      count.change { $0 += 1 }
      let made = FileManager.default.temporaryDirectory.appendingPathComponent("made-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: artifact, to: made.appendingPathComponent("model"))
      return made
    }
  }

  func testCompiledOnceKeptByDigestAndOldOnesAreDeleted() async throws {
    let folder = temporary()
    defer { try? FileManager.default.removeItem(at: folder) }
    let (cache, count) = (CompiledModelCache(folder: folder), Shelf(0))
    let copy = try TemporaryBundle()
    let bundle = try ModelBundle(folder: copy.folder)
    let first = try await cache.compiled(bundle, compile: compiler(count))
    let again = try await cache.compiled(bundle, compile: compiler(count))
    XCTAssertEqual(first, again)
    XCTAssertEqual(count.value, 1)
    XCTAssertEqual(first.pathExtension, "mlmodelc")

    try copy.write(bundle.manifest.artifact, Data("another network".utf8))
    try copy.sign()
    let newer = try ModelBundle(folder: copy.folder)
    let second = try await cache.compiled(newer, compile: compiler(count))
    try cache.clean(keeping: [bundle, newer])
    XCTAssertNotEqual(first, second)
    XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path).count, 2)
    let text = try String(contentsOf: second.appendingPathComponent("model"), encoding: .utf8)
    XCTAssertEqual(text, "another network")

    try cache.clean(keeping: [newer])
    XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), [second.lastPathComponent])
  }

  func testAFolderThatCannotBeWritten() async throws {
    let file = temporary()
    try Data("a file".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let copy = try TemporaryBundle()
    let bundle = try ModelBundle(folder: copy.folder)
    let cache = CompiledModelCache(folder: file.appendingPathComponent("models"))
    await assertThrows(.bundle, "cannot be written") {
      try await cache.compiled(bundle, compile: compiler(Shelf(0)))
    }
  }

  func testACompilerThatFailsLeavesNothing() async throws {
    let folder = temporary()
    let cache = CompiledModelCache(folder: folder)
    let copy = try TemporaryBundle()
    let bundle = try ModelBundle(folder: copy.folder)
    await assertThrows(.bundle, "cannot be compiled") {
      try await cache.compiled(bundle) { _ in throw CoEvoerError.bundle("cannot be compiled") }
    }
    XCTAssertFalse(FileManager.default.fileExists(atPath: folder.path))
  }
}
