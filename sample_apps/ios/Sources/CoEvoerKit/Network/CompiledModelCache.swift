// Caches compiled artifacts, one folder each, under the digest of the artifact: another model, or an altered one, is
// compiled again.

import Foundation

public struct CompiledModelCache: Sendable {
  public let folder: URL

  /// The folder is created if it does not exist. It must contain nothing else.
  public init(folder: URL) {
    self.folder = folder
  }

  /// Returns the compiled artifact of a bundle. If there is none yet, `compile` takes the artifact and returns a new
  /// folder, which is moved here. Throws what `compile` does, and `CoEvoerError.bundle` if the folder cannot be
  /// written.
  public func compiled(_ bundle: ModelBundle, compile: (URL) async throws -> URL) async throws -> URL {
    let place = place(of: bundle)
    if FileManager.default.fileExists(atPath: place.path) { return place }
    let made = try await compile(bundle.artifact)
    return try written {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      // A single move, so that a folder is either complete or absent. Another call may have been quicker.
      if !FileManager.default.fileExists(atPath: place.path) {
        try FileManager.default.moveItem(at: made, to: place)
      }
      return place
    }
  }

  /// Deletes the compiled forms of all other bundles.
  public func clean(keeping bundles: [ModelBundle]) throws {
    let kept = Set(bundles.map { place(of: $0).lastPathComponent })
    guard FileManager.default.fileExists(atPath: folder.path) else { return }
    try written {
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !kept.contains(name) {
        try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
      }
    }
  }

  private func place(of bundle: ModelBundle) -> URL {
    folder.appendingPathComponent(bundle.artifactDigest).appendingPathExtension("mlmodelc")
  }

  private func written<R>(_ work: () throws -> R) throws -> R {
    do {
      return try work()
    } catch {
      throw CoEvoerError.bundle(
        "\(folder.path) cannot be written (\(error.localizedDescription)); free some storage and try again.")
    }
  }
}
