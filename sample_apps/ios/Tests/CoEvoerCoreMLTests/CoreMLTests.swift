// Core ML itself, on a Mac: the golden images, the pipeline, packages that are none. Not run on Linux, where these
// lines are type-checked only. COEVOER_BUNDLE must be a Core ML bundle.

import CoEvoerCoreML
import CoEvoerKit
import CoreML
import Foundation
import TestSupport
import XCTest

final class CoreMLTests: XCTestCase {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("coevoer-\(UUID().uuidString)")

  override func tearDown() {
    try? FileManager.default.removeItem(at: folder)
  }

  private func loader(_ units: MLComputeUnits = .all) -> CoreMLLoader {
    CoreMLLoader(computeUnits: units, cache: CompiledModelCache(folder: folder))
  }

  func testNoFurtherFromFloatThanTheQuantizedProgramTimesItsLimit() async throws {
    let bundle = try Shared.bundle.get()
    for units in [MLComputeUnits.all, .cpuOnly] {
      let network = try await loader(units).load(bundle)
      try await assertNoFurtherFromFloat(network, manifest: bundle.manifest)
    }
  }

  func testThroughThePipeline() async throws {
    let estimator = try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: loader(), mode: .video))
    try await estimator.prewarm()
    var state = await estimator.modelState
    XCTAssertEqual(state, .prewarmed)
    for i in 0..<3 {
      let result = try await estimator.detect(videoFrame: grey(640, 480), timestampMs: Double(i) * 33)
      XCTAssert(result.personVisibility.isFinite)
      print("  crop \(result.timings.cropMs) ms, network \(result.timings.networkMs) ms")
    }
    await estimator.close()
    state = await estimator.modelState
    XCTAssertEqual(state, .prewarmed)
  }

  func testAPackageThatIsNoneIsRefusedThoughItsDigestIsRight() async throws {
    let copy = try TemporaryBundle()
    let estimator = try Estimator(EstimatorOptions(bundle: copy.folder, loader: loader()))
    await assertThrows(.bundle, "Core ML cannot compile") { try await estimator.load() }
  }
}
