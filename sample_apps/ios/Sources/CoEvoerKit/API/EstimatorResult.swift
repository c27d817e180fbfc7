// What a frame gave.

public struct Timings: Equatable, Sendable {
  public var cropMs = 0.0  // of all crops looked at
  public var networkMs = 0.0  // loading included, where it was due
  public var decodeMs = 0.0  // with tracking and smoothing
}

public struct EstimatorResult: Sendable {
  public internal(set) var timestampMs = 0.0  // 0 for an image
  public internal(set) var state = TrackingState.searching  // after the frame of a stream
  public let frameSize: PixelSize
  public internal(set) var crop: Crop  // what the network looked at
  /// Of a stream: in the frame camera, smoothed, or none; of an image: in the camera of its crop.
  public internal(set) var person: Person?
  public internal(set) var personVisibility = 0.0  // what the network says of the person, reported or not
  public internal(set) var isTrained = false  // false: the weights are random, and so is the person
  public internal(set) var isSmallerModel = false
  public internal(set) var timings = Timings()
}

/// One frame of a live stream.
public struct LiveResult: Sendable {
  public let frame: any Frame  // the very frame that was looked at, to draw over
  public let timestampMs: Double
  public let dropped: Int  // frames left out since the last one that was looked at
  public let outcome: Result<EstimatorResult, CoEvoerError>
}
