// How the library reacts to heat and low memory: first with a lower rate, then with the smaller model.

/// The cases of `ProcessInfo.ThermalState`, which does not exist on Linux.
public enum Thermal: Int, Sendable {
  case nominal, fair, serious, critical
}

/// nominal: every frame. fair: 15 a second. serious: 15 a second and the smaller model. critical: 5 a second and the
/// smaller model. The intervals are far below the pipeline's max_gap_ms, so that the person is kept. Low memory: the
/// smaller model.
public struct Demand: Equatable, Sendable {
  public let leastIntervalMs: Double  // between frames of a live stream; 0: every frame
  public let smallerModel: Bool  // where the app has one

  public init(thermal: Thermal, lowMemory: Bool) {
    leastIntervalMs =
      switch thermal {
      case .nominal: 0
      case .fair, .serious: 1000.0 / 15
      case .critical: 1000.0 / 5
      }
    smallerModel = lowMemory || thermal.rawValue >= Thermal.serious.rawValue
  }
}

/// Limits the rate of frames, by their own timestamps.
struct RateLimit {
  private static let jitterMs = 5.0  // of a camera, so that 30 frames a second become 15 and not 10
  private var lastMs: Double?

  /// Whether this frame is processed.
  mutating func admits(_ timestampMs: Double, leastIntervalMs: Double) -> Bool {
    if let lastMs, timestampMs - lastMs < leastIntervalMs - RateLimit.jitterMs { return false }
    lastMs = timestampMs
    return true
  }
}
