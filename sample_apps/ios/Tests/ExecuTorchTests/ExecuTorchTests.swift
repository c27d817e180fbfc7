// The real network, by ExecuTorch, through the Swift pipeline: golden images, the C++ command line, broken artifacts.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

private func environment(_ name: String) throws -> URL {
  URL(fileURLWithPath: try XCTUnwrap(ProcessInfo.processInfo.environment[name], "set \(name); build.sh does"))
}

final class ExecuTorchTests: XCTestCase {
  private func golden() throws -> Safetensors { try Safetensors(file: environment("COEVOER_GOLDEN")) }

  private func images(_ golden: Safetensors) throws -> [CropImage] {
    let pixels = try golden.values("image", [nil, nil, nil, 3], as: UInt8.self)
    let shape = try golden.entry("image").shape
    let size = PixelSize(width: shape[2], height: shape[1])
    let count = 3 * size.width * size.height
    return (0..<shape[0]).map { CropImage(size: size, rgb: Array(pixels[$0 * count..<($0 + 1) * count])) }
  }

  func testNoFurtherFromFloatThanTheQuantizedProgramTimesItsLimit() async throws {
    let (golden, bundle) = (try golden(), try Shared.bundle.get())
    let network = try ExecuTorchNetwork(bundle)
    var given: [String: [Double]] = [:]
    for image in try images(golden) {
      let outputs = try await network.run(image)
      _ = try Decoded(outputs, crop: Crop(x0: 0, y0: 0, width: 192, height: 256), manifest: bundle.manifest)  // checks
      for (name, tensor) in outputs { given[name, default: []] += tensor.values.map(Double.init) }
    }
    let rms = { (a: [Double], b: [Double]) in
      (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(a.count)).squareRoot()
    }
    // Eight images are too few to hold single outputs to the limit (rounding of two INT8 runtimes decorrelates); taken
    // together the ten are steady.
    var squares = 0.0
    for (name, values) in given.sorted(by: { $0.key < $1.key }) {
      let exact = try golden.numbers("float_\(name)")
      let (error, allowed) = (rms(values, exact), rms(try golden.numbers("quantized_\(name)"), exact))
      print(String(format: "  %@: error %.3g, quantized program %.3g, ratio %.3f", name, error, allowed, error / allowed))
      XCTAssertLessThanOrEqual(error, 1.5 * allowed, name)
      squares += error / allowed * (error / allowed)
    }
    let together = (squares / Double(given.count)).squareRoot()
    print(String(format: "  together: ratio %.3f", together))
    XCTAssertEqual(given.count, 10)
    XCTAssertLessThanOrEqual(together, 1.1)
  }

  /// Frames and what the C++ command line wrote of them lie in COEVOER_FRAMES; linux/frames.py drew them.
  func testAgreesWithTheCommandLine() async throws {
    let folder = try environment("COEVOER_FRAMES")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".bmp") }.sorted()
    XCTAssertGreaterThan(names.count, 2)
    let landmarker = try BodyLandmarker(LandmarkerOptions(bundle: bundleFolder(), loader: ExecuTorchLoader()))
    for name in names {
      let frame = try readBitmap(folder.appendingPathComponent(name))
      let file = folder.appendingPathComponent(name.replacingOccurrences(of: ".bmp", with: ".json"))
      let expected = try JSONDecoder().decode(CommandLineResult.self, from: Data(contentsOf: file))
      let result = try await landmarker.detect(image: frame)
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
      // Equal to 1e-12 where both compilers round alike. Where not (fused multiply-add on ARM), pixels of the crop may
      // differ by 1 of 255, and the network's rounding to INT8 makes about these of it.
      let limits = [
        "crop, px": 0.2, "joints, px": 0.2, "joints, m": 0.02, "left hand": 0.005, "expression": 0.005,
        "visibility": 0.002,
      ]
      for (what, limit) in limits { XCTAssertLessThanOrEqual(errors[what]!, limit, "\(name): \(what)") }
    }
  }

  func testALiveStreamRunsThroughIt() async throws {
    let heard = Shelf([LiveResult]())
    let landmarker = try BodyLandmarker(
      LandmarkerOptions(
        bundle: bundleFolder(), loader: ExecuTorchLoader(),
        mode: .liveStream { result in heard.change { $0.append(result) } }))
    try await landmarker.prewarm()
    for i in 0..<6 {
      try landmarker.detectAsync(videoFrame: grey(640, 480), timestampMs: Double(i) * 33)
      try await Task.sleep(for: .milliseconds(10))
    }
    await landmarker.close()
    XCTAssertFalse(heard.value.isEmpty)
    for result in heard.value {
      let outcome = try result.outcome.get()
      XCTAssert(outcome.personVisibility.isFinite)
      XCTAssertEqual(outcome.isTrained, landmarker.manifest.isTrained)
    }
  }

  func testAnArtifactThatIsNoneOrCutShortIsRefusedThoughItsDigestIsRight() async throws {
    let bundle = try Shared.bundle.get()
    let whole = try Data(contentsOf: bundle.artifact)
    for bytes in [Data(), Data("no network".utf8), whole.prefix(4096), whole.prefix(whole.count / 2)] {
      let copy = try TemporaryBundle()
      try copy.write(bundle.manifest.artifact, bytes)
      try copy.sign()
      let landmarker = try BodyLandmarker(LandmarkerOptions(bundle: copy.folder, loader: ExecuTorchLoader()))
      await assertThrows(.bundle, "ExecuTorch cannot load") { try await landmarker.load() }
      guard case .failed = await landmarker.modelState else { return XCTFail("the model has not failed") }
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
