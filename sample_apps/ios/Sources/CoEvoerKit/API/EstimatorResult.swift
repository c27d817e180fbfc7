// The result of a frame.

public struct Timings: Equatable, Sendable {
  public var cropMs = 0.0  // of all crops
  public var networkMs = 0.0  // includes loading, if it was necessary
  public var decodeMs = 0.0  // with tracking and smoothing
}

public struct EstimatorResult: Sendable {
  public internal(set) var timestampMs = 0.0  // 0 for an image
  public internal(set) var state = TrackingState.searching  // after the frame of a stream
  public let frameSize: PixelSize
  public internal(set) var crop: Crop  // the network's input
  /// In a stream: smoothed, in the frame camera, or none. For an image: in the camera of its crop.
  public internal(set) var person: Person?
  public internal(set) var personVisibility = 0.0  // the network's probability of a person, reported or not
  public internal(set) var isTrained = false  // false: the weights are random, and so is the person
  public internal(set) var isSmallerModel = false
  public internal(set) var timings = Timings()
}

/// One frame of a live stream.
public struct LiveResult: Sendable {
  public let frame: any Frame  // the frame that was processed, for rendering over it
  public let timestampMs: Double
  public let dropped: Int  // frames dropped since the last one that was processed
  public let outcome: Result<EstimatorResult, CoEvoerError>
}
