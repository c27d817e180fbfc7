// Runs bundles of the target coreml with Core ML. In: a verified bundle. Out: a `Network`.

import CoEvoerKit
import CoreML
import Foundation

/// `prewarm` compiles the package once and lets the system specialise it for this device. Both results are kept, and
/// `load` is quick after that.
public struct CoreMLLoader: NetworkLoader {
  private let computeUnits: MLComputeUnits
  private let cache: CompiledModelCache

  /// `cache` must be a permanent folder of the app, for example in Application Support.
  public init(computeUnits: MLComputeUnits = .all, cache: CompiledModelCache) {
    self.computeUnits = computeUnits
    self.cache = cache
  }

  public func prewarm(_ bundle: ModelBundle) async throws {
    _ = try await open(bundle)
  }

  public func load(_ bundle: ModelBundle) async throws -> any Network {
    try await open(bundle)
  }

  private func open(_ bundle: ModelBundle) async throws -> CoreMLNetwork {
    let manifest = bundle.manifest
    guard manifest.target == "coreml" else {
      throw CoEvoerError.bundle(
        "The bundle is for \(manifest.target); this app runs those of `coevoer-edge export --target coreml`.")
    }
    let compiled = try await cache.compiled(bundle) { package in
      do {
        return try await MLModel.compileModel(at: package)
      } catch {
        throw CoEvoerError.bundle("Core ML cannot compile \(manifest.artifact) (\(error)); export the bundle again.")
      }
    }
    let configuration = MLModelConfiguration()
    configuration.computeUnits = computeUnits
    let model: MLModel
    do {
      model = try await MLModel.load(contentsOf: compiled, configuration: configuration)
    } catch {
      throw CoEvoerError.bundle(
        "Core ML cannot load \(manifest.artifact) (\(error)); it needs iOS 18 or macOS 15. Close other apps and try "
          + "again, or export the bundle again.")
    }
    return try CoreMLNetwork(model, manifest: manifest)
  }
}
