// The mesh over its frame: projected vertices surround the projected joints. COEVOER_PICTURE names a picture to write.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class PictureTests: XCTestCase {
  /// A person of the kit, tracked for some frames, of which the tenth is rendered.
  func testTheMeshLiesOnItsJointsInThePicture() async throws {
    let manifest = try Shared.bundle.get().manifest
    let walk = try XCTUnwrap(Kit.shared.get().cases("track").first)
    let times = try walk.numbers("timestamps_ms")
    let answers = try times.indices.map { try walk.outputs(manifest, frame: $0, of: times.count) }
    let shown = Shelf(0)
    let estimator = try Estimator(
      EstimatorOptions(bundle: bundleFolder(), loader: FakeLoader { _, _ in answers[shown.value] }, mode: .video))
    let size = try walk.size("frame_sizes")
    let frame = try grey(size.width, size.height, 60)
    var result: EstimatorResult?
    for i in 0..<10 {
      shown.change { $0 = i }
      result = try await estimator.detect(videoFrame: frame, timestampMs: times[i])
    }
    let person = try XCTUnwrap(result?.person)
    var vertices: [Float] = []
    try estimator.mesh(person, into: &vertices)
    let projected = stride(from: 0, to: vertices.count, by: 3).map {
      person.camera.project([Double(vertices[$0]), Double(vertices[$0 + 1]), Double(vertices[$0 + 2])])
    }
    // Joints are inside the body, so the skin is near each of them in the picture, and fingers are thin.
    let metre = person.camera.focalPx / person.translation.z
    for (name, joint) in zip(manifest.jointNames, person.jointsPx) {
      let nearest = try XCTUnwrap(projected.map { ($0 - joint).length }.min())
      let isFinger = ["index", "middle", "ring", "pinky"].contains { name.contains($0) }
      XCTAssertLessThan(nearest, (isFinger ? 0.02 : 0.08) * metre, name)
    }
    guard let path = ProcessInfo.processInfo.environment["COEVOER_PICTURE"] else { return }
    try draw(projected, person.jointsPx, over: frame, scale: 2).write(to: URL(fileURLWithPath: path))
  }
}

/// Vertices as points and joints as crosses over the frame, enlarged.
private func draw(_ vertices: [Vector2], _ joints: [Vector2], over frame: PixelFrame, scale: Int) throws -> Data {
  let (width, height) = (frame.size.width * scale, frame.size.height * scale)
  var rgb = [UInt8](repeating: 0, count: 3 * width * height)
  for y in 0..<height {
    for x in 0..<width {
      let from = 3 * (y / scale * frame.size.width + x / scale)
      for c in 0..<3 { rgb[3 * (y * width + x) + c] = frame.bytes[from + c] / 2 }
    }
  }
  let dot = { (x: Int, y: Int, colour: [UInt8]) in
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    rgb.replaceSubrange(3 * (y * width + x)..<3 * (y * width + x) + 3, with: colour)
  }
  let places = { (points: [Vector2]) in
    points.map { (Int(($0.x * Double(scale)).rounded(.down)), Int(($0.y * Double(scale)).rounded(.down))) }
  }
  for (x, y) in places(vertices) { dot(x, y, [120, 200, 255]) }
  for (x, y) in places(joints) {
    for d in -2...2 {
      dot(x + d, y, [255, 60, 30])
      dot(x, y + d, [255, 60, 30])
    }
  }
  return Data("P6 \(width) \(height) 255\n".utf8) + Data(rgb)
}
