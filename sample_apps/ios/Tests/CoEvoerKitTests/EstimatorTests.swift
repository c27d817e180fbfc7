// The estimator: modes, misuse, empty frames, failing networks, bad streams, close. The networks are fakes.

import TestSupport
import XCTest

@testable import CoEvoerKit

private func open(_ mode: RunningMode, _ loader: any NetworkLoader = FakeLoader()) throws -> Estimator {
  try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: loader, mode: mode))
}

final class EstimatorTests: XCTestCase {
  func testAnImageWithSomebodyAndOneWithNobody() async throws {
    let estimator = try open(.image)
    let seen = try await estimator.detect(image: somebody())
    let person = try XCTUnwrap(seen.person)
    XCTAssertEqual(person.jointsPx.count, estimator.manifest.jointNames.count)
    let whole = Crop.wholeFrame(PixelSize(width: 640, height: 480), in: estimator.manifest.view)
    XCTAssertLessThan(seen.crop.width, whole.width)  // the second look
    let dark = try await estimator.detect(image: nobody())
    XCTAssertEqual(dark.personVisibility, 0.1, accuracy: 1e-6)  // the last output is always returned
    XCTAssertNotNil(dark.person)
    // Image mode keeps nothing: the same image gives the same person.
    let again = try await estimator.detect(image: somebody())
    XCTAssertEqual(again.person?.jointsPx, person.jointsPx)
  }

  /// The root rotates about the pelvis: if the body points away from the camera, only its origin is behind it.
  func testAnImageWhoseBodyHasItsOriginBehindTheCameraGetsNoSecondLook() async throws {
    let bundle = try TemporaryBundle()
    // The body is so near that little of its box lies in the image.
    try bundle.editManifest("\"smallest_overlap\": 0.1", "\"smallest_overlap\": 1e-12")
    try bundle.editManifest("\"smallest_crop\": 0.0625", "\"smallest_crop\": 1e-12")
    for (depth, looksAgain) in [(Float(0.005), true), (0, false), (-0.005, false)] {
      let loader = FakeLoader { _, manifest in
        var outputs = standing(manifest, visibility: 0.9)
        outputs[OutputName.globalOrient]?.values = [1, 0, 0, 0, 0, -1, 0, 1, 0]  // y up becomes z into the scene
        outputs[OutputName.camera]?.values = [0, 0.38, depth]
        return outputs
      }
      let estimator = try Estimator(EstimatorOptions(bundle: bundle.folder, loader: loader))
      let result = try await estimator.detect(image: grey(640, 480))
      let joints = try XCTUnwrap(result.person).jointsCam
      XCTAssert(estimator.manifest.nextCropJoints.allSatisfy { joints[$0].z > 0 })
      let whole = Crop.wholeFrame(PixelSize(width: 640, height: 480), in: estimator.manifest.view)
      XCTAssertEqual(result.crop != whole, looksAgain, "\(depth) m")
    }
  }

  func testTheMeshLiesAboutItsJoints() async throws {
    let estimator = try open(.image)
    let result = try await estimator.detect(image: somebody())
    let person = try XCTUnwrap(result.person)
    var vertices: [Float] = []
    try estimator.mesh(person, into: &vertices)
    for joint in person.jointsCam {
      let nearest = stride(from: 0, to: vertices.count, by: 3).map {
        (Vector3(Double(vertices[$0]), Double(vertices[$0 + 1]), Double(vertices[$0 + 2])) - joint).length
      }.min()
      XCTAssertLessThan(try XCTUnwrap(nearest), 0.2)  // m: no joint is further than that below the skin
    }
  }

  func testAStreamFindsLosesAndFindsAgain() async throws {
    let estimator = try open(.video)
    let (dark, bright) = (try nobody(), try somebody())
    var time = 0.0
    func show(_ isThere: Bool) async throws -> EstimatorResult {
      time += 50
      return try await estimator.detect(videoFrame: isThere ? bright : dark, timestampMs: time)
    }
    let first = try await show(false)
    XCTAssertEqual(first.state, .searching)
    XCTAssertNil(first.person)
    let found = try await show(true)
    XCTAssertEqual(found.state, .tracking)
    XCTAssertEqual(found.timestampMs, 100)
    let camera = frameCamera(PixelSize(width: 640, height: 480), in: estimator.manifest.view)
    XCTAssertEqual(found.person?.camera, camera)
    let covered = try await show(false)
    XCTAssertNil(covered.person)
    XCTAssertEqual(covered.state, .tracking)  // missed, not yet lost
    for _ in 0..<7 { _ = try await show(false) }
    let lost = try await show(false)
    XCTAssertEqual(lost.state, .searching)
    let again = try await show(true)
    XCTAssertNotNil(again.person)
  }

  func testBlackFramesGoThroughTheSearch() async throws {
    let estimator = try open(.video)
    let manifest = estimator.manifest
    let round = searchCrops(
      PixelSize(width: 640, height: 480), tileStep: manifest.rules.tileStep, in: manifest.view)
    for i in 0..<2 * round.count {
      let result = try await estimator.detect(videoFrame: nobody(), timestampMs: Double(i) * 33)
      XCTAssertNil(result.person)
      XCTAssertEqual(result.crop, round[i % round.count])
    }
  }

  func testATimeThatDoesNotGrowIsRefusedAndNothingChanges() async throws {
    let (one, other) = (try open(.video), try open(.video))
    for i in 0..<5 {
      let time = Double(i) * 33
      let a = try await one.detect(videoFrame: somebody(), timestampMs: time)
      let b = try await other.detect(videoFrame: somebody(), timestampMs: time)
      for bad in [time, time - 40, -.infinity, .infinity, .nan] {
        await assertThrows(.usage, "timestamp") {
          try await one.detect(videoFrame: nobody(), timestampMs: bad)
        }
      }
      XCTAssertNotNil(a.person)
      XCTAssertEqual(a.person?.translation, b.person?.translation)
      XCTAssertEqual(a.crop, b.crop)
    }
  }

  func testAFrameOfAnotherSizeBeginsTheSearch() async throws {
    let estimator = try open(.video)
    for i in 0..<3 {
      let result = try await estimator.detect(videoFrame: somebody(), timestampMs: Double(i) * 33)
      XCTAssertNotNil(result.person)
    }
    let size = PixelSize(width: 480, height: 640)
    let turned = try await estimator.detect(videoFrame: somebody(480, 640), timestampMs: 120)
    XCTAssertEqual(turned.crop, Crop.wholeFrame(size, in: estimator.manifest.view))
    XCTAssertEqual(turned.person?.camera, frameCamera(size, in: estimator.manifest.view))
  }

  func testMisuseIsRefusedInWords() async throws {
    let image = try open(.image)
    await assertThrows(.usage, "detect(videoFrame:timestampMs:) is for mode video; this estimator was opened for image")
    {
      try await image.detect(videoFrame: grey(8, 8), timestampMs: 0)
    }
    assertThrows(.usage, "for mode live stream") { try image.detectAsync(videoFrame: grey(8, 8), timestampMs: 0) }
    let live = try open(.liveStream())
    await assertThrows(.usage, "for mode image; this estimator was opened for live stream") {
      try await live.detect(image: grey(8, 8))
    }
    assertThrows(.bundle, "no bundle folder") {
      try Estimator(EstimatorOptions(bundle: bundleFolder().appendingPathComponent("x"), loader: FakeLoader()))
    }
  }

  func testClosed() async throws {
    let image = try open(.image)
    let result = try await image.detect(image: somebody())
    await image.close()
    await image.close()
    await assertThrows(.usage, "is closed; open another") { try await image.detect(image: grey(8, 8)) }
    let state = await image.modelState
    XCTAssertEqual(state, .prewarmed)  // nothing in memory
    var vertices: [Float] = []
    try image.mesh(try XCTUnwrap(result.person), into: &vertices)  // the body stays
    for await _ in image.results { XCTFail("an image gave a live result") }  // ends at once
  }

  func testCallsThatWaitAreAnsweredBeforeClose() async throws {
    let estimator = try open(
      .image,
      FakeLoader { crop, manifest in
        try await Task.sleep(for: .milliseconds(20))
        return seeBright(crop, manifest)
      })
    let frame = try somebody(64, 48)
    let calls = (0..<3).map { _ in Task { try await estimator.detect(image: frame) } }
    try await Task.sleep(for: .milliseconds(30))
    await estimator.close()
    for call in calls {
      let result = try await call.value
      XCTAssertNotNil(result.person)
    }
  }

  func testCallsAtTheSameTimeDoNotMixAStream() async throws {
    let estimator = try open(
      .video,
      FakeLoader { crop, manifest in
        await Task.yield()
        return seeBright(crop, manifest)
      })
    let frame = try somebody(64, 48)
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for i in 0..<20 {
        group.addTask { (try? await estimator.detect(videoFrame: frame, timestampMs: Double(i) * 33)) != nil }
      }
      return await group.reduce(into: [Bool]()) { $0.append($1) }
    }
    XCTAssert(outcomes.contains(true))  // late frames are refused, and no result is wrong
    let after = try await estimator.detect(videoFrame: frame, timestampMs: 1000)
    XCTAssertNotNil(after.person)
  }

  func testOutputsThatBreakTheContractAreErrorsAndTheStreamSurvivesThem() async throws {
    let frame = Shelf(0)
    let estimator = try open(
      .video,
      FakeLoader { crop, manifest in
        var outputs = seeBright(crop, manifest)
        switch frame.value {
        case 1: outputs[OutputName.betas] = nil
        case 2: outputs[OutputName.camera]?.values[2] = .nan
        case 3: outputs[OutputName.bodyPose]?.shape[1] = 20
        case 4: outputs[OutputName.visibility]?.values.removeLast()
        case 5: throw CoEvoerError.network("the runtime failed")
        default: break
        }
        return outputs
      })
    let words = [
      "", "gave no betas", "camera that are not finite", "body_pose [1, 20, 3, 3]", "visibility", "failed", "",
    ]
    for (i, said) in words.enumerated() {
      frame.change { $0 = i }
      let show = { try await estimator.detect(videoFrame: somebody(64, 48), timestampMs: Double(i) * 40) }
      if said.isEmpty {
        let result = try await show()
        XCTAssertNotNil(result.person)
      } else {
        await assertThrows(.network, said) { try await show() }
      }
    }
  }

  func testTooLittleMemoryCanBeTriedAgain() async throws {
    let calls = Shelf(0)
    let estimator = try open(
      .image,
      FakeLoader { crop, manifest in
        if calls.increment() == 1 { throw CoEvoerError.memory("not enough memory for this frame") }
        return seeBright(crop, manifest)
      })
    await assertThrows(.memory, "not enough memory") { try await estimator.detect(image: somebody(64, 48)) }
    let result = try await estimator.detect(image: somebody(64, 48))
    XCTAssertNotNil(result.person)
  }
}
