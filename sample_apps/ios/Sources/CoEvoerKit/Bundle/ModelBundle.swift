// A bundle: the folder that `python -m coevoer_edge.export` writes and an app embeds.

import Foundation

public struct ModelBundle: Sendable {
  public let folder: URL
  public let manifest: Manifest
  public let digests: [String: String]  // SHA-256 by path inside the folder

  static let manifestFile = "manifest.json"
  static let sumsFile = "SHA256SUMS"

  public var artifact: URL { folder.appendingPathComponent(manifest.artifact) }
  public var body: URL { folder.appendingPathComponent(manifest.bodyFile) }
  public var conformance: URL { folder.appendingPathComponent(manifest.conformanceFile) }

  /// A single digest of the artifact, which is a file or a folder. It is the key of the compiled artifact in the cache.
  public var artifactDigest: String {
    let own = digests.filter { $0.key == manifest.artifact || $0.key.hasPrefix(manifest.artifact + "/") }
    return SHA256.hex(Data(own.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }.joined().utf8))
  }

  /// Checks every digest and then the contract, before a tensor is read. Throws `CoEvoerError.bundle` for a bundle that
  /// is missing, incomplete or altered, that has unlisted files, or that has another contract.
  public init(folder: URL) throws {
    let name = folder.path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: name, isDirectory: &isFolder), isFolder.boolValue else {
      throw CoEvoerError.bundle(
        "There is no bundle folder \(name); `python -m coevoer_edge.export --target coreml` writes one.")
    }
    for file in [ModelBundle.manifestFile, ModelBundle.sumsFile] {
      guard FileManager.default.fileExists(atPath: folder.appendingPathComponent(file).path) else {
        throw CoEvoerError.bundle(
          "\(name) is not a bundle: it has no \(file); `python -m coevoer_edge.export` writes one.")
      }
    }
    let found = try ModelBundle.found(in: folder)
    let listed = try ModelBundle.listed(in: folder.appendingPathComponent(ModelBundle.sumsFile))
    let faults =
      listed.keys.filter { found[$0] == nil }.sorted().map { "\($0) is missing" }
      + found.keys.filter { listed[$0] == nil }.sorted().map { "\($0) is not listed" }
      + listed.filter { found[$0.key] != nil && found[$0.key] != $0.value }.keys.sorted().map { "\($0) was altered" }
    guard faults.isEmpty else {
      throw CoEvoerError.bundle(
        "\(name) does not match its \(ModelBundle.sumsFile): \(faults.joined(separator: "; ")). "
          + "Export it again or copy it whole.")
    }
    self.folder = folder
    digests = found
    let file = folder.appendingPathComponent(ModelBundle.manifestFile)
    manifest = try Manifest(json: try readable(file) { try Data(contentsOf: file) }, name: file.path)
    let paths = Set(listed.keys)
    for file in [manifest.artifact, manifest.bodyFile, manifest.conformanceFile] {
      guard paths.contains(file) || paths.contains(where: { $0.hasPrefix(file + "/") }) else {
        throw CoEvoerError.bundle("\(name): the manifest names \(file), which does not exist; export the bundle again.")
      }
    }
  }

  private static func listed(in sums: URL) throws -> [String: String] {
    let text = String(decoding: try readable(sums) { try Data(contentsOf: sums) }, as: UTF8.self)
    var digests: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let digest = line.prefix(64)
      let rest = line.dropFirst(64)
      guard digest.count == 64, digest.allSatisfy(\.isHexDigit), rest.hasPrefix("  "), rest.count > 2 else {
        throw CoEvoerError.bundle("\(sums.path) is not a list of digests; export the bundle again.")
      }
      digests[String(rest.dropFirst(2))] = String(digest)
    }
    return digests
  }

  private static func found(in folder: URL) throws -> [String: String] {
    var digests: [String: String] = [:]
    let paths = try readable(folder) { try FileManager.default.subpathsOfDirectory(atPath: folder.path) }
    for path in paths where path != sumsFile {
      let file = folder.appendingPathComponent(path)
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), isFolder.boolValue { continue }
      digests[path] = try SHA256.hex(file: file)
    }
    return digests
  }
}

/// Throws `CoEvoerError.bundle` if the file cannot be read.
func readable<R>(_ place: URL, _ read: () throws -> R) throws -> R {
  do {
    return try read()
  } catch {
    throw CoEvoerError.bundle("\(place.path) cannot be read (\(error.localizedDescription)); copy the bundle again.")
  }
}
