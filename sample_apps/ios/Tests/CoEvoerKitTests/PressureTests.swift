// Heat and low memory: first a lower rate, then the smaller model. Only one model is in memory, and the person is kept.

import TestSupport
import XCTest

@testable import CoEvoerKit

/// Counts the networks in memory, and records which were loaded.
private struct CountingLoader: NetworkLoader {
  struct Record: Sendable {
    var loaded: [String] = []
    var alive = 0
    var most = 0
  }

  final class Counted: Network {
    let manifest: Manifest
    let record: Shelf<Record>

    init(_ manifest: Manifest, _ record: Shelf<Record>) {
      (self.manifest, self.record) = (manifest, record)
      record.change {
        $0.alive += 1
        $0.most = max($0.most, $0.alive)
      }
    }

    deinit { record.change { $0.alive -= 1 } }

    func run(_ crop: CropImage) async throws -> NetworkOutputs { seeBright(crop, manifest) }
  }

  let record = Shelf(Record())
  var fails: @Sendable (Int) -> Bool = { _ in false }

  func load(_ bundle: ModelBundle) async throws -> any Network {
    let count = record.change { record in
      record.loaded.append(bundle.folder.path)
      return record.loaded.count
    }
    if fails(count) { throw CoEvoerError.memory("too little memory for the model") }
    return Counted(bundle.manifest, record)
  }
}

final class PressureTests: XCTestCase {
  func testDemand() {
    let demand = { (thermal: Thermal) in Demand(thermal: thermal, lowMemory: false) }
    XCTAssertEqual(demand(.nominal).leastIntervalMs, 0)
    XCTAssertEqual(demand(.fair).leastIntervalMs, 1000 / 15, accuracy: 1e-9)
    XCTAssertFalse(demand(.fair).smallerModel)  // first the rate, then the model
    XCTAssert(demand(.serious).smallerModel)
    XCTAssertEqual(demand(.critical).leastIntervalMs, 200)
    XCTAssert(Demand(thermal: .nominal, lowMemory: true).smallerModel)
  }

  func testRates() {
    let admitted = { (thermal: Thermal, cameraHz: Double) in
      var limit = RateLimit()
      let interval = Demand(thermal: thermal, lowMemory: false).leastIntervalMs
      let count = (0..<300).filter { i in
        limit.admits(1000 * Double(i) / cameraHz + Double(i % 3) - 1, leastIntervalMs: interval)
      }.count
      return Double(count) / (300 / cameraHz)
    }
    XCTAssertEqual(admitted(.nominal, 30), 30)
    XCTAssertEqual(admitted(.fair, 30), 15, accuracy: 0.3)
    XCTAssertEqual(admitted(.serious, 60), 15, accuracy: 1)
    XCTAssertEqual(admitted(.critical, 30), 5, accuracy: 0.1)
    XCTAssertEqual(admitted(.critical, 2), 2)  // slow cameras are not slowed further
  }

  func testTheSmallerModelAndBack() async throws {
    let (smaller, loader) = (try TemporaryBundle(), CountingLoader())
    let estimator = try Estimator(
      EstimatorOptions(bundle: bundleFolder(), smallerBundle: smaller.folder, loader: loader, mode: .video))
    var time = 0.0
    func show(_ thermal: Thermal, _ lowMemory: Bool) async throws -> EstimatorResult {
      estimator.setPressure(thermal: thermal, lowMemory: lowMemory)
      time += 33
      return try await estimator.detect(videoFrame: somebody(), timestampMs: time)
    }
    let steps: [(Thermal, Bool, Bool)] = [
      (.nominal, false, false), (.fair, false, false), (.serious, false, true), (.critical, false, true),
      (.nominal, true, true), (.nominal, false, false),
    ]
    for (thermal, lowMemory, isSmaller) in steps {
      let result = try await show(thermal, lowMemory)
      XCTAssertEqual(result.isSmallerModel, isSmaller)
      XCTAssertEqual(result.state, .tracking)
      XCTAssertNotNil(result.person)  // the person is kept
    }
    let record = loader.record.value
    XCTAssertEqual(record.loaded, try [bundleFolder().path, smaller.folder.path, bundleFolder().path])
    XCTAssertEqual(record.most, 1)
    await estimator.close()
    XCTAssertEqual(loader.record.value.alive, 0)
  }

  func testASmallerModelThatCannotBeLoadedIsAnErrorAndTriedAgain() async throws {
    let smaller = try TemporaryBundle()
    let loader = CountingLoader { $0 == 2 }
    let estimator = try Estimator(
      EstimatorOptions(bundle: bundleFolder(), smallerBundle: smaller.folder, loader: loader, mode: .video))
    let frame = try somebody()
    _ = try await estimator.detect(videoFrame: frame, timestampMs: 0)
    estimator.setPressure(thermal: .serious, lowMemory: false)
    await assertThrows(.memory, "too little memory") {
      try await estimator.detect(videoFrame: frame, timestampMs: 33)
    }
    let result = try await estimator.detect(videoFrame: frame, timestampMs: 66)
    XCTAssert(result.isSmallerModel)
    XCTAssertNotNil(result.person)
  }

  func testWithoutASmallerModelOnlyTheRateIsLowered() async throws {
    let estimator = try Estimator(EstimatorOptions(bundle: bundleFolder(), loader: FakeLoader()))
    estimator.setPressure(thermal: .critical, lowMemory: true)
    let result = try await estimator.detect(image: somebody(64, 48))
    XCTAssertFalse(result.isSmallerModel)
  }

  func testAnotherBodyIsNotExchangeable() throws {
    let other = try TemporaryBundle()
    let file = try Shared.bundle.get().manifest.bodyFile
    var bytes = try other.read(file)
    bytes[bytes.count - 1] ^= 1
    try other.write(file, bytes)
    try other.sign()
    assertThrows(.bundle, "another input, body or outputs") {
      try Estimator(
        EstimatorOptions(bundle: bundleFolder(), smallerBundle: other.folder, loader: FakeLoader()))
    }
  }
}
