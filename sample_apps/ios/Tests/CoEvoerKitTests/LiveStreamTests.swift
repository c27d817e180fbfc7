// Frames and tasks: which frames are dropped, in which order, after which call. The machine's speed does not matter:
// the worker waits for the test.

import TestSupport
import XCTest

@testable import CoEvoerKit

/// Lets the worker begin a frame and blocks it until the test opens the gate.
private actor Gate {
  private var isOpen = false
  private var entered = 0
  private var held: [CheckedContinuation<Void, Never>] = []
  private var watching: [(Int, CheckedContinuation<Void, Never>)] = []

  func enter() async {
    entered += 1
    for (count, watcher) in watching where entered >= count { watcher.resume() }
    watching.removeAll { entered >= $0.0 }
    if !isOpen { await withCheckedContinuation { held.append($0) } }
  }

  func untilEntered(_ count: Int) async {
    if entered < count { await withCheckedContinuation { watching.append((count, $0)) } }
  }

  func open() {
    isOpen = true
    for continuation in held { continuation.resume() }
    held = []
  }
}

private func echo(_ frame: any Frame, _ timestampMs: Double) -> EstimatorResult {
  var result = EstimatorResult(frameSize: frame.size, crop: Crop(x0: 0, y0: 0, width: 3, height: 4))
  result.timestampMs = timestampMs
  return result
}

final class LiveStreamTests: XCTestCase {
  func testTheNewestFrameWaitsTheOthersAreDroppedAndCountedCloseFinishesBoth() async throws {
    let (gate, heard) = (Gate(), Shelf([LiveResult]()))
    let stream = LiveStream {
      await gate.enter()
      return echo($0, $1)
    } deliver: { result in
      heard.change { $0.append(result) }
    }
    for i in 0..<5 {
      try stream.push(grey(8 + i, 6), timestampMs: Double(10 * i), leastIntervalMs: 0)
      if i == 0 { await gate.untilEntered(1) }
    }
    await gate.open()
    await stream.close()
    let results = heard.value
    XCTAssertEqual(results.map(\.timestampMs), [0, 40])
    XCTAssertEqual(results.map(\.dropped), [0, 3])
    XCTAssertEqual(try results[1].outcome.get().frameSize, PixelSize(width: 12, height: 6))
    XCTAssertEqual(results[1].frame.size, PixelSize(width: 12, height: 6))
    await stream.close()  // harmless
    assertThrows(.usage, "is closed") { try stream.push(grey(8, 6), timestampMs: 50, leastIntervalMs: 0) }
    XCTAssertEqual(heard.value.count, 2)
  }

  func testTimesThatDoNotGrowAndBadFramesAreRefusedAndNothingChanges() async throws {
    let heard = Shelf([LiveResult]())
    let stream = LiveStream {
      echo($0, $1)
    } deliver: { result in
      heard.change { $0.append(result) }
    }
    try stream.push(grey(8, 6), timestampMs: 100, leastIntervalMs: 0)
    for (bad, words) in [(100.0, "is 100.0 ms, the last one was 100.0 ms"), (90, "is 90.0 ms"), (.nan, "finite")] {
      assertThrows(.usage, words) { try stream.push(grey(8, 6), timestampMs: bad, leastIntervalMs: 0) }
    }
    struct Unreadable: Frame {
      let size = PixelSize(width: 8, height: 6)
      func withPixels<R>(_ body: (Pixels) throws -> R) throws -> R { throw CoEvoerError.usage("not BGRA") }
    }
    assertThrows(.usage, "not BGRA") { try stream.push(Unreadable(), timestampMs: 110, leastIntervalMs: 0) }
    try stream.push(grey(8, 6), timestampMs: 101, leastIntervalMs: 0)
    await stream.close()
    XCTAssertEqual(heard.value.last?.timestampMs, 101)
  }

  func testAFrameThatFailsIsHeardOfAndTheStreamGoesOn() async throws {
    struct Strange: Error {}
    let (gate, heard, calls) = (Gate(), Shelf([LiveResult]()), Shelf(0))
    await gate.open()
    let stream = LiveStream {
      await gate.enter()
      switch calls.increment() {
      case 1: throw CoEvoerError.network("not finite")
      case 2: throw Strange()
      default: return echo($0, $1)
      }
    } deliver: { result in
      heard.change { $0.append(result) }
    }
    for i in 0..<3 {
      try stream.push(grey(8, 6), timestampMs: Double(i), leastIntervalMs: 0)
      await gate.untilEntered(i + 1)
    }
    await stream.close()
    let outcomes = heard.value.map(\.outcome)
    XCTAssertEqual(outcomes.count, 3)
    assertThrows(.network, "not finite") { try outcomes[0].get() }
    assertThrows(.network, "This frame failed: Strange()") { try outcomes[1].get() }
    XCTAssertEqual(try outcomes[2].get().timestampMs, 2)
  }

  func testHeatLowersTheRateByTheFramesOwnTimes() async throws {
    let (gate, heard) = (Gate(), Shelf([LiveResult]()))
    await gate.open()
    let stream = LiveStream {
      await gate.enter()
      return echo($0, $1)
    } deliver: { result in
      heard.change { $0.append(result) }
    }
    let interval = Demand(thermal: .critical, lowMemory: false).leastIntervalMs
    for i in 0..<30 {
      try stream.push(grey(8, 6), timestampMs: 1000 / 30 * Double(i), leastIntervalMs: interval)
      if i % 6 == 0 { await gate.untilEntered(i / 6 + 1) }
    }
    await stream.close()
    XCTAssertEqual(heard.value.map(\.dropped), [0, 5, 5, 5, 5])  // 5 of 30 in a second, the others are counted
  }

  func testManyProducersAndTwoThatClose() async throws {
    let (heard, clock) = (Shelf([Double]()), Shelf(0.0))
    let stream = LiveStream {
      echo($0, $1)
    } deliver: { result in
      heard.change { $0.append(result.timestampMs) }
    }
    let frame = try grey(64, 48)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<50 {
            clock.change { time in
              time += 1
              try? stream.push(frame, timestampMs: time, leastIntervalMs: 0)  // refused once it is closed
            }
          }
        }
      }
      for _ in 0..<2 { group.addTask { await stream.close() } }
    }
    let times = heard.value
    XCTAssertEqual(times, times.sorted())
    XCTAssertEqual(Set(times).count, times.count)
  }

  func testLiveStreamEndToEnd() async throws {
    let heard = Shelf([LiveResult]())
    let estimator = try Estimator(
      EstimatorOptions(
        bundle: bundleFolder(), loader: FakeLoader(),
        mode: .liveStream { result in heard.change { $0.append(result) } }))
    let frame = try somebody(320, 240)
    for i in 0..<30 { try estimator.detectAsync(videoFrame: frame, timestampMs: 33.3 * Double(i)) }
    await estimator.close()
    let results = heard.value
    XCTAssertEqual(results.reduce(0) { $0 + 1 + $1.dropped }, 30)
    for result in results { XCTAssertNotNil(try result.outcome.get().person) }
    XCTAssertEqual(results.last?.timestampMs, 33.3 * 29)
    var streamed: [Double] = []
    for await result in estimator.results { streamed.append(result.timestampMs) }  // the newest waits; then it ends
    XCTAssertEqual(streamed, [33.3 * 29])
    assertThrows(.usage, "is closed") { try estimator.detectAsync(videoFrame: frame, timestampMs: 1000) }
  }

  func testResultsCanBeReadAsTheyCome() async throws {
    let estimator = try Estimator(
      EstimatorOptions(bundle: bundleFolder(), loader: FakeLoader(), mode: .liveStream()))
    let frame = try somebody(320, 240)
    var results = estimator.results.makeAsyncIterator()
    for i in 0..<5 {
      try estimator.detectAsync(videoFrame: frame, timestampMs: Double(i))
      let next = await results.next()
      XCTAssertEqual(next?.timestampMs, Double(i))
    }
    await estimator.close()
    let end = await results.next()
    XCTAssertNil(end)
  }
}
