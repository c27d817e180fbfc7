// Frames per second and latency during the last second, for the screen.

public struct RateMeter: Equatable, Sendable {
  private static let windowS = 1.0
  private var frames: [Frame] = []

  private struct Frame: Equatable {
    let timeS: Double
    let latencyMs: Double
  }

  public init() {}

  /// Adds a result that came at `time`, with its latency since the frame.
  public mutating func add(atS time: Double, latencyMs: Double) {
    frames.append(Frame(timeS: time, latencyMs: latencyMs))
    frames.removeAll { time - $0.timeS > RateMeter.windowS }
  }

  /// nil until two frames have come.
  public var ratePerS: Double? {
    guard let first = frames.first, let last = frames.last, last.timeS > first.timeS else { return nil }
    return Double(frames.count - 1) / (last.timeS - first.timeS)
  }

  /// The median.
  public var latencyMs: Double? {
    frames.isEmpty ? nil : frames.map(\.latencyMs).sorted()[frames.count / 2]
  }
}
