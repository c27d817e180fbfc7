// Compiled forms of artifacts, one folder each, kept under the artifact's own digest: another model, or the same one
// altered, is compiled anew.

import Foundation

public struct CompiledModelCache: Sendable {
  public let folder: URL

  /// The folder is made where there is none; nothing else may lie in it.
  public init(folder: URL) {
    self.folder = folder
  }

  /// Where the compiled artifact of a bundle lies, made by `compile` where it is not there yet: that gets the artifact
  /// and gives a folder of its own, which is moved. Throws what `compile` does, and `CoEvoerError.bundle` where the
  /// folder cannot be written.
  public func compiled(_ bundle: ModelBundle, compile: (URL) async throws -> URL) async throws -> URL {
    let place = place(of: bundle)
    if FileManager.default.fileExists(atPath: place.path) { return place }
    let made = try await compile(bundle.artifact)
    return try written {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      // One move, so that a folder is whole or not there; another call may have been quicker.
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
