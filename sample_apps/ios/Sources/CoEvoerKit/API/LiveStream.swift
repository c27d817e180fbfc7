// Takes frames as they come and gives results one at a time. While a frame is processed, only the newest new one waits.

import Synchronization

final class LiveStream: Sendable {
  typealias Process = @Sendable (any Frame, Double) async throws -> EstimatorResult

  private struct Waiting: Sendable {
    let frame: any Frame
    let timestampMs: Double
    let number: Int  // counts all frames that came
  }

  private struct State {
    var lastMs: Double?
    var frames = 0
    var rate = RateLimit()
    var isClosed = false
  }

  private let state = Mutex(State())
  private let queue: AsyncStream<Waiting>.Continuation
  private let worker: Task<Void, Never>

  /// `deliver` is called for one frame at a time, in order, and never after `close` has returned.
  init(process: @escaping Process, deliver: @escaping @Sendable (LiveResult) -> Void) {
    let (waiting, queue) = AsyncStream.makeStream(of: Waiting.self, bufferingPolicy: .bufferingNewest(1))
    self.queue = queue
    worker = Task(priority: .userInitiated) {
      var looked = 0
      for await next in waiting {
        let outcome: Result<EstimatorResult, CoEvoerError>
        do {
          outcome = .success(try await process(next.frame, next.timestampMs))
        } catch {
          outcome = .failure(error as? CoEvoerError ?? .network("This frame failed: \(error)."))
        }
        let dropped = next.number - looked - 1
        looked = next.number
        deliver(LiveResult(frame: next.frame, timestampMs: next.timestampMs, dropped: dropped, outcome: outcome))
      }
    }
  }

  deinit {
    queue.finish()
  }

  /// Returns at once. A frame that still waits is dropped, as is one that comes before `leastIntervalMs` has passed
  /// since the last accepted one. Throws `CoEvoerError.usage`, and nothing changes, for a bad frame, for a timestamp
  /// that does not increase, and when the stream is closed.
  func push(_ frame: any Frame, timestampMs: Double, leastIntervalMs: Double) throws {
    try frame.withPixels { _ in }
    try state.withLock { state in
      guard !state.isClosed else { throw CoEvoerError.usage("The live stream is closed; open another.") }
      try requireGrowing(timestampMs, after: state.lastMs)
      state.lastMs = timestampMs
      state.frames += 1
      guard state.rate.admits(timestampMs, leastIntervalMs: leastIntervalMs) else { return }
      queue.yield(Waiting(frame: frame, timestampMs: timestampMs, number: state.frames))
    }
  }

  /// Finishes the frame in progress and the one that waits. Closing twice is harmless.
  func close() async {
    state.withLock { $0.isClosed = true }
    queue.finish()
    await worker.value
  }
}
