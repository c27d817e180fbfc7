// Runs every case of the conformance kit (docs/pipeline.md, section 9) with the code that runs in apps.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

private let parameterNames = [
  OutputName.globalOrient, OutputName.bodyPose, OutputName.leftHandPose, OutputName.rightHandPose, OutputName.jawPose,
  OutputName.betas, OutputName.expression,
]

final class ConformanceTests: XCTestCase {
  private func kit() throws -> Kit { try Kit.shared.get() }
  private func manifest() throws -> Manifest { try Shared.bundle.get().manifest }
  private func body() throws -> Body { try Shared.body.get() }

  private func cases(_ kind: String) throws -> [Case] {
    let found = try kit().cases(kind)
    XCTAssertFalse(found.isEmpty)
    return found
  }

  func testEveryKindOfCaseIsKnown() throws {
    let kinds = Set(try kit().names.map { String($0.prefix { $0 != "." }) })
    XCTAssertEqual(kinds, ["crop", "decode", "detect", "pose", "search", "track", "smooth", "refuse"])
    XCTAssertEqual(try kit().names.count, 50)
  }

  func testMadeWithTheConstantsOfThisBundle() throws {
    XCTAssertEqual(try kit().rules, try manifest().rules)
  }

  func testCrop() throws {
    for c in try cases("crop") {
      let shape = try c.shape("frame")
      let pixels = try c.file.values("\(c.name).frame", [nil, nil, 3], as: UInt8.self)
      let frame = try PixelFrame(size: PixelSize(width: shape[1], height: shape[0]), bytes: pixels)
      let image = try extractCrop(frame, c.crop(), in: manifest().view)
      try c.check("tensor", image.rgb.map(Double.init))
    }
  }

  func testDecode() throws {
    let (manifest, body) = (try manifest(), try body())
    for c in try cases("decode") {
      let decoded = try Decoded(c.outputs(manifest), crop: c.crop(), manifest: manifest)
      let person = try Person(decoded, body: body, manifest: manifest)
      for name in parameterNames { try c.check("decoded_\(name)", numbers(person.parameters, name)) }
      let inFrame = convertTranslation(
        decoded.translation, from: decoded.crop.camera(in: manifest.view),
        to: frameCamera(try c.size(), in: manifest.view))
      try c.check("translation_crop", flat([person.translation]))
      try c.check("translation_frame", flat([inFrame]))
      try c.check("boxes_px", person.partBoxesPx.flatMap { [$0.x1, $0.y1, $0.x2, $0.y2] })
      try c.check("joints_cam", flat(person.jointsCam))
      try c.check("joints_px", person.jointsPx.flatMap { [$0.x, $0.y] })
    }
  }

  func testPose() throws {
    let body = try body()
    var vertices: [Float] = []
    for c in try cases("pose") {
      let parameters = try c.parameters()
      try c.check("joints", flat(try body.joints(parameters)))
      try body.vertices(parameters, into: &vertices)
      let some = stride(from: 0, to: body.numVertices, by: 50).flatMap { vertices[3 * $0..<3 * $0 + 3] }
      try c.check("vertices", some.map(Double.init))
    }
  }

  func testSearch() throws {
    let manifest = try manifest()
    for c in try cases("search") {
      let crops = searchCrops(try c.size(), tileStep: manifest.rules.tileStep, in: manifest.view)
      try c.check("crops", crops.flatMap(flat))
    }
  }

  func testTrack() async throws {
    let manifest = try manifest()
    for c in try cases("track") {
      let times = try c.numbers("timestamps_ms")
      let answers = try times.indices.map { try c.outputs(manifest, frame: $0, of: times.count) }
      let frame = Shelf(0)
      let loader = FakeLoader { _, _ in answers[frame.value] }
      let estimator = try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: loader, mode: .video))
      var given: [String: [Double]] = [:]
      for (i, time) in times.enumerated() {
        frame.change { $0 = i }
        let size = try c.size("frame_sizes", frame: i)
        let result = try await estimator.detect(videoFrame: nobody(size.width, size.height), timestampMs: time)
        let person = result.person
        given["crops", default: []] += flat(result.crop)
        given["states", default: []].append(Double(result.state.rawValue))
        given["accepted", default: []].append(person == nil ? 0 : 1)
        given["person_global_orient", default: []] += person?.parameters.globalOrient.rowMajor ?? zeros(9)
        given["person_translation", default: []] += person.map { flat([$0.translation]) } ?? zeros(3)
        given["person_joints_px", default: []] +=
          person?.jointsPx.flatMap { [$0.x, $0.y] } ?? zeros(2 * manifest.jointNames.count)
      }
      for (name, values) in given { try c.check(name, values) }
    }
  }

  /// Each row of the outputs belongs to one look. A third look would get the second row again.
  func testDetect() async throws {
    let manifest = try manifest()
    for c in try cases("detect") {
      let answers = try (0..<2).map { try c.outputs(manifest, frame: $0, of: 2) }
      let looks = Shelf(0)
      let loader = FakeLoader { _, _ in
        looks.change { $0 += 1 }
        return answers[min(looks.value, 2) - 1]
      }
      let estimator = try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: loader))
      let size = try c.size()
      let result = try await estimator.detect(image: nobody(size.width, size.height))
      let person = try XCTUnwrap(result.person)
      try c.check("looks", [Double(looks.value)])
      try c.check("last_crop", flat(result.crop))
      try c.check("translation_crop", flat([person.translation]))
      try c.check("joints_px", person.jointsPx.flatMap { [$0.x, $0.y] })
    }
  }

  func testSmooth() throws {
    let manifest = try manifest()
    for c in try cases("smooth") {
      let times = try c.numbers("timestamps_ms")
      let size = try c.size()
      var smoother = Smoother(manifest.rules.smoothing)
      var given: [String: [Double]] = [:]
      for (i, time) in times.enumerated() {
        let t = try c.part("translation", i, times.count)
        let (parameters, translation) = smoother(
          try c.parameters(frame: i, of: times.count), translation: Vector3(t[0], t[1], t[2]), at: time,
          focalInHeights: frameCamera(size, in: manifest.view).focalPx / Double(size.height))
        for name in parameterNames { given[name, default: []] += try numbers(parameters, name) }
        given["translation", default: []] += flat([translation])
      }
      for (name, values) in given { try c.check("smoothed_\(name)", values) }
    }
  }

  func testRefuse() throws {
    let manifest = try manifest()
    for c in try cases("refuse") {
      guard c.has("timestamps_ms") else {
        assertThrows(.network, "The network gave") {
          try Decoded(c.outputs(manifest), crop: c.crop(), manifest: manifest)
        }
        continue
      }
      let times = try c.numbers("timestamps_ms")
      var tracker = Tracker(manifest: manifest)
      let size = PixelSize(width: 640, height: 480)
      for time in times.dropLast() { _ = try tracker.look(time, frame: size) }
      assertThrows(.usage, "timestamp") { try tracker.look(times.last!, frame: size) }
    }
  }
}

private func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
private func flat(_ points: [Vector3]) -> [Double] { points.flatMap { [$0.x, $0.y, $0.z] } }
private func flat(_ crop: Crop) -> [Double] { [crop.x0, crop.y0, crop.width, crop.height] }

private func numbers(_ p: Parameters, _ name: String) throws -> [Double] {
  switch name {
  case OutputName.globalOrient: p.globalOrient.rowMajor
  case OutputName.bodyPose: p.bodyPose.flatMap(\.rowMajor)
  case OutputName.leftHandPose: p.leftHandPose.flatMap(\.rowMajor)
  case OutputName.rightHandPose: p.rightHandPose.flatMap(\.rowMajor)
  case OutputName.jawPose: p.jawPose.rowMajor
  case OutputName.betas: p.betas
  case OutputName.expression: p.expression
  default: throw CoEvoerError.usage("no parameter \(name)")
  }
}
