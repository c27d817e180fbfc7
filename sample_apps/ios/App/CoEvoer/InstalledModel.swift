// The model inside the app. App/install-model.sh puts exported bundles into App/Model, which is copied into the app
// unchanged: if Xcode compiled the model, it would no longer match its digests.

import CoEvoerCoreML
import CoEvoerKit
import Foundation

enum InstalledModel {
  /// Opens and verifies the bundle, and the smaller one where there is one. Throws `CoEvoerError.bundle`.
  static func open() throws -> Estimator {
    guard let folder = Foundation.Bundle.main.resourceURL?.appendingPathComponent("Model") else {
      throw CoEvoerError.bundle("The app has no resources; build it again.")
    }
    let larger = folder.appendingPathComponent("bundle")
    let smaller = folder.appendingPathComponent("smaller")
    guard FileManager.default.fileExists(atPath: larger.path) else {
      throw CoEvoerError.bundle(
        "The app was built without a bundle; run App/install-model.sh BUNDLE and build it again.")
    }
    let support = try FileManager.default.url(
      for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
    let cache = CompiledModelCache(folder: support.appendingPathComponent("CompiledModels"))
    let estimator = try Estimator(
      EstimatorOptions(
        bundle: larger, smallerBundle: FileManager.default.fileExists(atPath: smaller.path) ? smaller : nil,
        loader: CoreMLLoader(cache: cache), mode: .liveStream()))
    try cache.clean(keeping: estimator.bundles)
    return estimator
  }
}
