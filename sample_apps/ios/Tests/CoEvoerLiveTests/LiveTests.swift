// The pressure monitor, the rates on screen, and the transformation from the camera frame to clip space.

import CoEvoerKit
import CoEvoerLive
import XCTest

final class LiveTests: XCTestCase {
  func testAMemoryWarningHoldsForAWhile() {
    var monitor = PressureMonitor()
    XCTAssertFalse(monitor.pressure(atS: 0).lowMemory)
    monitor.warnOfMemory(atS: 100)
    monitor.report(.serious)
    XCTAssert(monitor.pressure(atS: 129).lowMemory)
    XCTAssertEqual(monitor.pressure(atS: 129).thermal, .serious)
    XCTAssertFalse(monitor.pressure(atS: 131).lowMemory)
    monitor.warnOfMemory(atS: 120)
    XCTAssert(monitor.pressure(atS: 131).lowMemory)
    monitor.report(.nominal)
    XCTAssertEqual(monitor.pressure(atS: 131).thermal, .nominal)
  }

  func testRateAndLatencyAreOfTheLastSecond() throws {
    var meter = RateMeter()
    XCTAssertNil(meter.ratePerS)
    XCTAssertNil(meter.latencyMs)
    for i in 0..<40 { meter.add(atS: Double(i) / 20, latencyMs: i == 30 ? 500 : 40) }
    XCTAssertEqual(try XCTUnwrap(meter.ratePerS), 20, accuracy: 1e-9)
    XCTAssertEqual(meter.latencyMs, 40)  // the median: one late frame does not show
    for i in 0..<10 { meter.add(atS: 3 + Double(i) / 5, latencyMs: 90) }
    XCTAssertEqual(try XCTUnwrap(meter.ratePerS), 5, accuracy: 1e-9)
    XCTAssertEqual(meter.latencyMs, 90)
  }

  func testClipSpaceIsTheCamerasOwnProjection() {
    let frame = PixelSize(width: 720, height: 1280)
    let camera = PinholeCamera(focalPx: 4321, principalPointPx: [350, 660])
    for (width, height, mirrored) in [(390.0, 844.0, false), (390, 844, true), (1024, 768, true), (720, 1280, false)] {
      let clip = ClipTransform(
        camera: camera, frame: frame, viewWidth: width, viewHeight: height, mirrored: mirrored, distanceM: 22)
      let drawn = min(width / 720, height / 1280)  // px of the view per px of the frame, which is centred in it
      for point in [Vector3(0, 0, 22), Vector3(1.2, -2, 21), Vector3(-0.7, 0.4, 23.5)] {
        let px = camera.project(point)
        let away = Vector2(px.x - 360, px.y - 640) * drawn
        let expected = Vector2(width / 2 + (mirrored ? -away.x : away.x), height / 2 + away.y)
        let z = Float(point.z)
        let ndc = (clip.scale * SIMD2(Float(point.x), Float(point.y)) + clip.shear * z) / z
        let place = Vector2((Double(ndc.x) + 1) / 2 * width, (1 - Double(ndc.y)) / 2 * height)
        XCTAssertEqual(place.x, expected.x, accuracy: 0.01)
        XCTAssertEqual(place.y, expected.y, accuracy: 0.01)
        XCTAssert(clip.depth.x < z && z < clip.depth.y)
      }
    }
  }

  func testDepthStaysInFrontOfTheCamera() {
    let camera = PinholeCamera(focalPx: 1000, principalPointPx: .zero)
    let size = PixelSize(width: 10, height: 10)
    for distance in [0.001, 0.5, 2, 100] {
      let clip = ClipTransform(
        camera: camera, frame: size, viewWidth: 10, viewHeight: 10, mirrored: false, distanceM: distance)
      XCTAssert(0 < clip.depth.x && clip.depth.x < clip.depth.y)
    }
  }
}
