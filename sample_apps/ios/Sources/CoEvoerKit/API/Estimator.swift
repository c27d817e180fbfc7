// The library's main class, in MediaPipe's form: images, video with timestamps, live stream with a listener.
//
//   let estimator = try Estimator(EstimatorOptions(bundle: folder, loader: CoreMLLoader(), mode: .video))
//   let result = try await estimator.detect(videoFrame: frame, timestampMs: time)
//   if let person = result.person { try estimator.mesh(person, into: &vertices) }

import Foundation
import Synchronization

public enum RunningMode: Sendable {
  case image
  case video
  /// The listener is called one frame at a time, in order, on a thread of the library.
  case liveStream(listener: (@Sendable (LiveResult) -> Void)? = nil)

  var name: String {
    switch self {
    case .image: "image"
    case .video: "video"
    case .liveStream: "live stream"
    }
  }
}

public struct EstimatorOptions: Sendable {
  public var bundle: URL
  public var smallerBundle: URL?  // for heat and low memory; the same body and contract
  public var loader: any NetworkLoader
  public var mode: RunningMode
  public var smooth: Bool

  public init(
    bundle: URL, smallerBundle: URL? = nil, loader: any NetworkLoader, mode: RunningMode = .image, smooth: Bool = true
  ) {
    self.bundle = bundle
    self.smallerBundle = smallerBundle
    self.loader = loader
    self.mode = mode
    self.smooth = smooth
  }
}

/// Calls may come from any thread; they wait for each other.
public final class Estimator: Sendable {
  public let mode: RunningMode
  /// The results of a live stream. A slow reader gets only the newest one. The stream ends with `close`.
  public let results: AsyncStream<LiveResult>
  private let engine: Engine
  private let stream: LiveStream?
  private let demand: DemandBox
  private let resultsEnd: AsyncStream<LiveResult>.Continuation

  /// Opens and verifies the bundles and reads the body, which takes some tenths of a second, so do not call it on the
  /// main thread. The network is loaded by `load` or with the first frame. Throws `CoEvoerError.bundle`.
  public init(_ options: EstimatorOptions) throws {
    mode = options.mode
    let engine = try Engine(options)
    let demand = DemandBox()
    let (results, send) = AsyncStream.makeStream(of: LiveResult.self, bufferingPolicy: .bufferingNewest(1))
    (self.engine, self.demand, self.results, resultsEnd) = (engine, demand, results, send)
    guard case .liveStream(let listener) = options.mode else {
      stream = nil
      send.finish()
      return
    }
    stream = LiveStream {
      try await engine.video($0, timestampMs: $1, demand: demand.now)
    } deliver: {
      listener?($0)
      send.yield($0)
    }
  }

  public var manifest: Manifest { engine.manifest }
  public var body: Body { engine.body }

  /// The bundle, and the smaller one where there is one.
  public var bundles: [ModelBundle] { engine.bundles }

  /// The state of the model in use.
  public var modelState: ModelState {
    get async { await engine.modelState }
  }

  /// Prepares the models on this device, once after installation. Loading is quick after that. Nothing stays in memory.
  public func prewarm() async throws { try await engine.prewarm() }

  public func load() async throws { try await engine.load() }

  /// Processes a single image. The result is always the network's last output, with its visibility; the caller decides.
  public func detect(image: any Frame) async throws -> EstimatorResult {
    guard case .image = mode else { throw misused("detect(image:)", "image") }
    return try await engine.image(image, demand: demand.now)
  }

  /// Processes the next frame of a stream. Timestamps must increase.
  public func detect(videoFrame: any Frame, timestampMs: Double) async throws -> EstimatorResult {
    guard case .video = mode else { throw misused("detect(videoFrame:timestampMs:)", "video") }
    return try await engine.video(videoFrame, timestampMs: timestampMs, demand: demand.now)
  }

  /// Takes the next frame of a live stream and returns at once. While a frame is processed, only the newest of those
  /// that arrive waits. Throws `CoEvoerError.usage`, and nothing changes, for a bad frame, for a timestamp that does
  /// not increase, and after `close`.
  public func detectAsync(videoFrame: any Frame, timestampMs: Double) throws {
    guard let stream else { throw misused("detectAsync(videoFrame:timestampMs:)", "live stream") }
    try stream.push(videoFrame, timestampMs: timestampMs, leastIntervalMs: demand.now.leastIntervalMs)
  }

  /// Sets the device's pressure, from the next frame on. Rates are lowered only in live streams, where frames may be
  /// dropped. Models are changed in every mode, if the app gave a smaller one.
  public func setPressure(thermal: Thermal, lowMemory: Bool) {
    demand.now = Demand(thermal: thermal, lowMemory: lowMemory)
  }

  /// Writes (V, 3) vertices in the camera frame, m. It works after `close` too.
  public func mesh(_ person: Person, into vertices: inout [Float]) throws {
    try body.vertices(person.parameters, translation: person.translation, into: &vertices)
  }

  /// Finishes a live stream's frames, then releases the network. Closing twice is harmless.
  public func close() async {
    await stream?.close()
    await engine.close()
    resultsEnd.finish()
  }

  private func misused(_ call: String, _ right: String) -> CoEvoerError {
    .usage("\(call) is for mode \(right); this estimator was opened for \(mode.name).")
  }
}

/// The present demand, which one thread sets and others read.
private final class DemandBox: Sendable {
  private let value = Mutex(Demand(thermal: .nominal, lowMemory: false))

  var now: Demand {
    get { value.withLock { $0 } }
    set { value.withLock { $0 = newValue } }
  }
}
