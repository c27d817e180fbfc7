// The real network, by ExecuTorch, through the Swift pipeline: golden images, the C++ command line, broken artifacts.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class ExecuTorchTests: XCTestCase {
  func testNoFurtherFromFloatThanTheQuantizedProgramTimesItsLimit() async throws {
    try await assertNoFurtherFromFloat(ExecuTorchNetwork(Shared.bundle.get()), manifest: Shared.bundle.get().manifest)
  }

  /// COEVOER_FRAMES contains the frames, which linux/frames.py wrote, and the C++ command line's output for them.
  func testAgreesWithTheCommandLine() async throws {
    let folder = try environment("COEVOER_FRAMES")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let names = files.filter { $0.hasSuffix(".bmp") }.sorted()
    XCTAssertGreaterThan(names.count, 2)
    let estimator = try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: ExecuTorchLoader()))
    for name in names {
      let frame = try readBitmap(folder.appendingPathComponent(name))
      let file = folder.appendingPathComponent(name.replacingOccurrences(of: ".bmp", with: ".json"))
      let expected = try JSONDecoder().decode(CommandLineResult.self, from: Data(contentsOf: file))
      let result = try await estimator.detect(image: frame)
      let person = try XCTUnwrap(result.person)
      let crop = [result.crop.x0, result.crop.y0, result.crop.width, result.crop.height]
      let errors = [
        "crop, px": worst(crop, expected.crop_px),
        "joints, px": worst(person.jointsPx.flatMap { [$0.x, $0.y] }, expected.person.joints_px.flatMap { $0 }),
        "joints, m": worst(person.jointsCam.flatMap { [$0.x, $0.y, $0.z] }, expected.person.joints_cam.flatMap { $0 }),
        "left hand": worst(
          person.parameters.leftHandPose.flatMap(\.rowMajor),
          expected.person.left_hand_pose.flatMap { $0.flatMap { $0 } }),
        "expression": worst(person.parameters.expression, expected.person.expression),
        "visibility": worst(person.visibility, expected.person.visibility),
      ]
      print("  \(name): \(errors.sorted { $0.key < $1.key }.map { String(format: "%@ %.2g", $0.key, $0.value) })")
      // Equal to 1e-12 if both compilers round in the same way. If not (fused multiply-add on ARM), pixels of the crop
      // may differ by 1 of 255, which the network's rounding to INT8 amplifies to about these limits.
      let limits = [
        "crop, px": 0.2, "joints, px": 0.2, "joints, m": 0.02, "left hand": 0.005, "expression": 0.005,
        "visibility": 0.002,
      ]
      for (what, limit) in limits { XCTAssertLessThanOrEqual(errors[what]!, limit, "\(name): \(what)") }
    }
  }

  /// Nothing is asserted about times: the machine may be busy. README.md quotes what is printed.
  func testTimesOfAStream() async throws {
    let estimator = try Estimator(
      EstimatorOptions(bundle: bundleFolder(), loader: ExecuTorchLoader(), mode: .video))
    try await estimator.load()
    let frame = try grey(1280, 720)
    var times: [Timings] = []
    for i in 0..<60 {
      times.append(try await estimator.detect(videoFrame: frame, timestampMs: Double(i) * 33).timings)
    }
    let median = { (part: (Timings) -> Double) in times.map(part).sorted()[times.count / 2] }
    print(
      String(
        format: "  a frame of 1280 x 720: crop %.2f ms, network %.1f ms, decode and tracking %.2f ms",
        median(\.cropMs), median(\.networkMs), median(\.decodeMs)))
    XCTAssert(times.allSatisfy { $0.networkMs > 0 })
  }

  func testALiveStreamRunsThroughIt() async throws {
    let heard = Shelf([LiveResult]())
    let estimator = try Estimator(
      EstimatorOptions(
        bundle: bundleFolder(), loader: ExecuTorchLoader(),
        mode: .liveStream { result in heard.change { $0.append(result) } }))
    try await estimator.prewarm()
    for i in 0..<6 {
      try estimator.detectAsync(videoFrame: grey(640, 480), timestampMs: Double(i) * 33)
      try await Task.sleep(for: .milliseconds(10))
    }
    await estimator.close()
    XCTAssertFalse(heard.value.isEmpty)
    for result in heard.value {
      let outcome = try result.outcome.get()
      XCTAssert(outcome.personVisibility.isFinite)
      XCTAssertEqual(outcome.isTrained, estimator.manifest.isTrained)
    }
  }

  func testAnArtifactThatIsNoneOrCutShortIsRefusedThoughItsDigestIsRight() async throws {
    let bundle = try Shared.bundle.get()
    let whole = try Data(contentsOf: bundle.artifact)
    for bytes in [Data(), Data("no network".utf8), whole.prefix(4096), whole.prefix(whole.count / 2)] {
      let copy = try TemporaryBundle()
      try copy.write(bundle.manifest.artifact, bytes)
      try copy.sign()
      let estimator = try Estimator(EstimatorOptions(bundle: copy.folder, loader: ExecuTorchLoader()))
      await assertThrows(.bundle, "ExecuTorch cannot load") { try await estimator.load() }
      guard case .failed = await estimator.modelState else { return XCTFail("the model has not failed") }
    }
  }
}

private struct CommandLineResult: Decodable {
  struct Person: Decodable {
    let joints_px, joints_cam: [[Double]]
    let left_hand_pose: [[[Double]]]
    let expression, visibility: [Double]
  }
  let crop_px: [Double]
  let person: Person
}

private func worst(_ a: [Double], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}
