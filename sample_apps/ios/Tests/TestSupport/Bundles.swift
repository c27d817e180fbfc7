// The bundle under test, and copies of it that a test may damage.

import Foundation
import XCTest

@testable import CoEvoerKit

/// The folder in COEVOER_BUNDLE.
public func bundleFolder() throws -> URL {
  let folder = ProcessInfo.processInfo.environment["COEVOER_BUNDLE"]
  return URL(fileURLWithPath: try XCTUnwrap(folder, "set COEVOER_BUNDLE to an exported bundle; build.sh does"))
}

/// Opened once.
public enum Shared {
  public static let bundle = Result { try ModelBundle(folder: bundleFolder()) }
  public static let body = Result {
    let opened = try bundle.get()
    return try Body(file: Safetensors(file: opened.body), manifest: opened.manifest)
  }
}

/// A bundle in a temporary folder, deleted with this object: the body, the kit and the manifest of the bundle under
/// test, and for an artifact a few bytes, which a fake network never reads.
public final class TemporaryBundle {
  public let folder: URL

  public init() throws {
    let whole = try Shared.bundle.get()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("coevoer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let m = whole.manifest
    for file in [m.bodyFile, m.conformanceFile, ModelBundle.manifestFile] {
      try FileManager.default.copyItem(at: whole.folder.appendingPathComponent(file), to: url(file))
    }
    try Data("no network".utf8).write(to: url(m.artifact))
    try sign()
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  public func url(_ file: String) -> URL { folder.appendingPathComponent(file) }

  public func read(_ file: String) throws -> Data { try Data(contentsOf: url(file)) }

  public func write(_ file: String, _ bytes: Data) throws { try bytes.write(to: url(file)) }

  public func remove(_ file: String) throws { try FileManager.default.removeItem(at: url(file)) }

  /// Writes SHA256SUMS again.
  public func sign() throws {
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
    let lines = try files.filter { $0 != ModelBundle.sumsFile && !isFolder($0) }.map {
      "\(try SHA256.hex(file: url($0)))  \($0)\n"
    }
    try write(ModelBundle.sumsFile, Data(lines.joined().utf8))
  }

  /// Replaces the first occurrence of `old` in a file, and writes SHA256SUMS again.
  public func replace(_ old: Data, by new: Data, in file: String) throws {
    var bytes = try read(file)
    let place = try XCTUnwrap(bytes.range(of: old), "\(file) has no \(String(decoding: old, as: UTF8.self))")
    bytes.replaceSubrange(place, with: new)
    try write(file, bytes)
    try sign()
  }

  public func editManifest(_ old: String, _ new: String) throws {
    try replace(Data(old.utf8), by: Data(new.utf8), in: ModelBundle.manifestFile)
  }

  private func isFolder(_ file: String) -> Bool {
    (try? url(file).resourceValues(forKeys: [.isDirectoryKey]).isDirectory) ?? false
  }
}

public enum Kind: Sendable {
  case usage, bundle, network, memory
}

extension CoEvoerError {
  public var kind: Kind {
    switch self {
    case .usage: .usage
    case .bundle: .bundle
    case .network: .network
    case .memory: .memory
    }
  }
}

/// Asserts that the call throws an error of that kind whose message contains these words.
public func assertThrows<R>(
  _ kind: Kind, _ words: String, file: StaticString = #filePath, line: UInt = #line, _ call: () throws -> R
) {
  XCTAssertThrowsError(try call(), file: file, line: line) { check($0, kind, words, file, line) }
}

public func assertThrows<R>(
  _ kind: Kind, _ words: String, file: StaticString = #filePath, line: UInt = #line, _ call: () async throws -> R
) async {
  do {
    _ = try await call()
    XCTFail("no error; expected \(kind): \(words)", file: file, line: line)
  } catch {
    check(error, kind, words, file, line)
  }
}

private func check(_ error: any Error, _ kind: Kind, _ words: String, _ file: StaticString, _ line: UInt) {
  guard let error = error as? CoEvoerError else { return XCTFail("another error: \(error)", file: file, line: line) }
  XCTAssertEqual(error.kind, kind, error.message, file: file, line: line)
  XCTAssert(error.message.contains(words), "\"\(error.message)\" has no \"\(words)\"", file: file, line: line)
}
