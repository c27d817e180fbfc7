// The state machine: every state with every event, and the network that follows it.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class ModelLifecycleTests: XCTestCase {
  private typealias Event = ModelLifecycle.Event
  private typealias Step = ModelLifecycle.Step

  private let events: [Event] = [.prewarm, .load, .unload, .finished, .failed("bad")]

  /// Each state, events that lead to it, and what each of `events` does in it; nil: refused.
  private let table: [(ModelState, [Event], [(ModelState, Step)?])] = [
    (
      .unloaded, [],
      [(.prewarming, .startPrewarming), (.loading, .startLoading), (.unloaded, .nothing), nil, nil]
    ),
    (
      .prewarming, [.prewarm],
      [
        (.prewarming, .wait), (.prewarming, .wait), (.abandoning, .nothing), (.prewarmed, .nothing),
        (.failed("bad"), .nothing),
      ]
    ),
    (
      .prewarmed, [.prewarm, .finished],
      [(.prewarmed, .nothing), (.loading, .startLoading), (.prewarmed, .nothing), nil, nil]
    ),
    (
      .loading, [.load],
      [(.loading, .wait), (.loading, .wait), (.abandoning, .nothing), (.ready, .keep), (.failed("bad"), .nothing)]
    ),
    (
      .ready, [.load, .finished],
      [(.ready, .nothing), (.ready, .nothing), (.prewarmed, .release), nil, nil]
    ),
    (
      .abandoning, [.load, .unload],
      [
        (.abandoning, .wait), (.abandoning, .wait), (.abandoning, .nothing), (.prewarmed, .release),
        (.unloaded, .nothing),
      ]
    ),
    (
      .failed("no"), [.load, .failed("no")],
      [(.prewarming, .startPrewarming), (.loading, .startLoading), (.unloaded, .nothing), nil, nil]
    ),
  ]

  func testEveryStateWithEveryEvent() throws {
    for (state, way, row) in table {
      for (event, expected) in zip(events, row) {
        var lifecycle = ModelLifecycle()
        for earlier in way { _ = try lifecycle.handle(earlier) }
        XCTAssertEqual(lifecycle.state, state)
        guard let (next, step) = expected else {
          assertThrows(.usage, "nothing was in progress") { try lifecycle.handle(event) }
          XCTAssertEqual(lifecycle.state, state)
          continue
        }
        XCTAssertEqual(try lifecycle.handle(event), step, "\(state), \(event)")
        XCTAssertEqual(lifecycle.state, next, "\(state), \(event)")
      }
    }
  }
}

/// A loader that finishes when the test tells it to.
private final class SlowLoader: NetworkLoader {
  let prewarmed = Shelf(0)
  let loaded = Shelf(0)
  let work: @Sendable () async throws -> Void

  init(_ work: @escaping @Sendable () async throws -> Void = {}) { self.work = work }

  func prewarm(_ bundle: ModelBundle) async throws {
    prewarmed.change { $0 += 1 }
    try await work()
  }

  func load(_ bundle: ModelBundle) async throws -> any Network {
    loaded.change { $0 += 1 }
    try await work()
    return FakeNetwork { seeBright($0, bundle.manifest) }
  }
}

final class ManagedNetworkTests: XCTestCase {
  private func crop() throws -> CropImage {
    let size = try Shared.bundle.get().manifest.view.size
    return CropImage(size: size, rgb: [UInt8](repeating: 9, count: 3 * size.width * size.height))
  }

  private func wait(_ network: ManagedNetwork, for state: ModelState) async throws {
    for _ in 0..<500 {
      if await network.state == state { return }
      try await Task.sleep(for: .milliseconds(2))
    }
    let now = await network.state
    XCTFail("the network is \(now), not \(state)")
  }

  func testPrewarmLoadRunUnload() async throws {
    let loader = SlowLoader()
    let network = ManagedNetwork(try Shared.bundle.get(), loader: loader)
    var states = [await network.state]
    try await network.prewarm()
    states.append(await network.state)
    try await network.load()
    states.append(await network.state)
    _ = try await network.run(crop())
    try await network.unload()
    states.append(await network.state)
    XCTAssertEqual(states, [.unloaded, .prewarmed, .ready, .prewarmed])
    _ = try await network.run(crop())  // loads by itself
    XCTAssertEqual(loader.loaded.value, 2)
    XCTAssertEqual(loader.prewarmed.value, 1)
  }

  func testLoadsAtTheSameTimeAreOne() async throws {
    let loader = SlowLoader { try await Task.sleep(for: .milliseconds(20)) }
    let network = ManagedNetwork(try Shared.bundle.get(), loader: loader)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<5 { group.addTask { try await network.load() } }
      try await group.waitForAll()
    }
    XCTAssertEqual(loader.loaded.value, 1)
    let state = await network.state
    XCTAssertEqual(state, .ready)
  }

  func testALoadWaitsForPrewarming() async throws {
    let loader = SlowLoader { try await Task.sleep(for: .milliseconds(20)) }
    let network = ManagedNetwork(try Shared.bundle.get(), loader: loader)
    let prewarming = Task { try await network.prewarm() }
    try await wait(network, for: .prewarming)
    try await network.load()
    try await prewarming.value
    XCTAssertEqual(loader.prewarmed.value, 1)
    XCTAssertEqual(loader.loaded.value, 1)
    let state = await network.state
    XCTAssertEqual(state, .ready)
  }

  func testUnloadedWhileItLoads() async throws {
    let loader = SlowLoader { try await Task.sleep(for: .milliseconds(30)) }
    let network = ManagedNetwork(try Shared.bundle.get(), loader: loader)
    let loading = Task { try await network.load() }
    try await wait(network, for: .loading)
    try await network.unload()
    await assertThrows(.usage, "unloaded while it was being loaded") { try await loading.value }
    let state = await network.state
    XCTAssertEqual(state, .prewarmed)
    try await network.load()  // and again
    XCTAssertEqual(loader.loaded.value, 2)
  }

  func testAFailureIsToldAndTriedAgain() async throws {
    struct Broken: Error {}
    let tries = Shelf(0)
    let loader = SlowLoader {
      if tries.increment() == 1 { throw Broken() }
    }
    let network = ManagedNetwork(try Shared.bundle.get(), loader: loader)
    await assertThrows(.bundle, "cannot be loaded (Broken())") { try await network.load() }
    guard case .failed(let reason) = await network.state else { return XCTFail("not failed") }
    XCTAssert(reason.contains("Broken()"))
    try await network.load()
    let state = await network.state
    XCTAssertEqual(state, .ready)
  }
}
