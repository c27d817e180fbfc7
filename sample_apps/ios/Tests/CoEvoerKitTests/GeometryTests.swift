// Rotations and crops: there and back, orthonormal, degenerate input.

import TestSupport
import XCTest

@testable import CoEvoerKit

struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {  // splitmix64
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

final class GeometryTests: XCTestCase {
  private var random = Seeded(state: 7)

  private func vector(_ length: Double = 1) -> Vector3 {
    Vector3((0..<3).map { _ in Double.random(in: -length...length, using: &random) })
  }

  private func distance(_ a: Matrix3, _ b: Matrix3) -> Double {
    zip(a.rowMajor, b.rowMajor).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }

  private func determinant(_ m: Matrix3) -> Double { dot(m.x, cross(m.y, m.z)) }

  func testExpAndLogAreInverse() {
    for _ in 0..<500 {
      let v = vector(1.8)
      XCTAssertLessThan((rotationLog(rotationExp(v)) - v).length, 1e-12)
    }
    for angle in [0, 1e-300, 1e-13, 1e-9, 1e-4, 3.14159, Double.pi - 1e-9] {
      let v = Vector3(0.6, 0, -0.8) * angle
      XCTAssertLessThan((rotationLog(rotationExp(v)) - v).length, 1e-9 * max(angle, 1e-3))
    }
    XCTAssertEqual(rotationLog(rotationExp([0, .pi, 0])).length, .pi, accuracy: 1e-12)
    XCTAssertEqual(rotationLog(.identity), .zero)
  }

  func testNearestRotationLeavesRotationsAndUndoesStretching() {
    for _ in 0..<500 {
      let r = rotationExp(vector(1.8))
      XCTAssertLessThan(distance(nearestRotation(r), r), 1e-14)
      // R times a symmetric positive matrix: the polar decomposition gives R back.
      let q = rotationExp(vector(1.8))
      let scales = Matrix3(x: [2, 0, 0], y: [0, 0.7, 0], z: [0, 0, 0.1])
      XCTAssertLessThan(distance(nearestRotation(r * (q * scales * q.transpose)), r), 1e-13)
    }
  }

  func testNearestRotationIsOneAndNoOtherIsNearer() {
    for i in 0..<300 {
      var m = Matrix3(x: vector(), y: vector(), z: vector())
      if i % 3 == 1 { m.z = m.x + m.y }  // rank 2
      if i % 3 == 2 { (m.x, m.y) = (m.y, m.x) }  // the other sign of the determinant
      let r = nearestRotation(m)
      XCTAssertLessThan(distance(r * r.transpose, .identity), 1e-13)
      XCTAssertEqual(determinant(r), 1, accuracy: 1e-13)
      for _ in 0..<20 {
        XCTAssertLessThanOrEqual(distance(r, m), distance(r * rotationExp(vector(0.3)), m) + 1e-12)
      }
    }
  }

  func testNearestRotationOfLittle() {
    let zero = Matrix3(x: .zero, y: .zero, z: .zero)
    XCTAssertEqual(nearestRotation(zero), .identity)
    let rank1 = nearestRotation(Matrix3(x: [1, 2, 3], y: [2, 4, 6], z: .zero))
    XCTAssertLessThan(distance(rank1 * rank1.transpose, .identity), 1e-13)
    XCTAssertEqual(determinant(rank1), 1, accuracy: 1e-13)
    let mirrored = nearestRotation(Matrix3(x: [-1, 0, 0], y: [0, -1, 0], z: [0, 0, -1]))
    XCTAssertEqual(determinant(mirrored), 1, accuracy: 1e-13)
  }

  func testTheCropsCameraIsTheSameCamera() throws {
    let view = try Shared.bundle.get().manifest.view
    let crop = Crop(x0: 100, y0: -40, width: 300, height: 400)
    let point = Vector3(0.3, -0.2, 21)
    let inCrop = crop.toFrame(view.camera.project(point), in: view)
    XCTAssertLessThan((crop.camera(in: view).project(point) - inCrop).length, 1e-9)
    let other = frameCamera(PixelSize(width: 1280, height: 720), in: view)
    let there = convertTranslation(point, from: crop.camera(in: view), to: other)
    XCTAssertLessThan((other.project(there) - crop.camera(in: view).project(point)).length, 1e-9)
    XCTAssertLessThan((convertTranslation(there, from: other, to: crop.camera(in: view)) - point).length, 1e-9)
  }

  func testOrdersOfPixelsAndPaddedRowsGiveTheSameCrop() throws {
    let view = try Shared.bundle.get().manifest.view
    let size = PixelSize(width: 33, height: 21)
    let rgb = (0..<3 * 33 * 21).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let crop = Crop(x0: -3.2, y0: 1.7, width: 30, height: 40)
    let expected = try extractCrop(PixelFrame(size: size, bytes: rgb), crop, in: view)
    for order in [PixelOrder.rgba, .bgra] {
      var bytes = [UInt8](repeating: 255, count: (4 * 33 + 12) * 21)
      for y in 0..<21 {
        for x in 0..<33 {
          let (r, g, b) = order.rgb
          for (c, at) in [r, g, b].enumerated() {
            bytes[y * (4 * 33 + 12) + 4 * x + at] = rgb[3 * (y * 33 + x) + c]
          }
        }
      }
      let frame = try PixelFrame(size: size, bytes: bytes, order: order, bytesPerRow: 4 * 33 + 12)
      XCTAssertEqual(try extractCrop(frame, crop, in: view), expected)
    }
  }

  func testBadFramesAndCrops() throws {
    let view = try Shared.bundle.get().manifest.view
    let frame = { (w: Int, h: Int, count: Int, row: Int?) in
      try PixelFrame(size: PixelSize(width: w, height: h), bytes: [UInt8](repeating: 0, count: count), bytesPerRow: row)
    }
    assertThrows(.usage, "The frame is 0 x 4 px") { try frame(0, 4, 0, nil) }
    assertThrows(.usage, "from 1 to 32768 px") { try frame(40000, 1, 120_000, nil) }
    assertThrows(.usage, "has 11 bytes; it needs 12") { try frame(2, 2, 11, nil) }
    assertThrows(.usage, "5 bytes per row; a row of 2 x 2 px has 6") { try frame(2, 2, 12, 5) }
    let words = "is empty, not finite, far away or wider"
    for crop in [
      Crop(x0: .nan, y0: 0, width: 3, height: 4), Crop(x0: 0, y0: 0, width: 0, height: 4),
      Crop(x0: 0, y0: 0, width: 1e9, height: 1e9), Crop(x0: 1e12, y0: 0, width: 3, height: 4),
      Crop(x0: 0, y0: 0, width: .infinity, height: 4),
    ] { assertThrows(.usage, words) { try extractCrop(grey(4, 4), crop, in: view) } }
  }

  func testPlanes() throws {
    let image = CropImage(size: PixelSize(width: 2, height: 1), rgb: [0, 51, 255, 102, 0, 0])
    XCTAssertEqual(image.planes(), [0, 0.4, 0.2, 0, 1, 0])
  }
}
