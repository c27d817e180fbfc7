// Decides which crop to look at next, and whether the body seen there is the tracked person (docs/pipeline.md, sections
// 1, 2 and 6). It uses no pixels, so the answers are the same on every platform.

import Foundation

public enum TrackingState: Int, Sendable {
  case searching = 0
  case tracking = 1
}

/// Throws `CoEvoerError.usage` for a time that is not finite or not after the last one.
func requireGrowing(_ timestampMs: Double, after lastMs: Double?) throws {
  guard timestampMs.isFinite else {
    throw CoEvoerError.usage("The frame's timestamp is \(timestampMs) ms; give a finite number of milliseconds.")
  }
  if let lastMs, timestampMs <= lastMs {
    throw CoEvoerError.usage(
      "The frame's timestamp is \(timestampMs) ms, the last one was \(lastMs) ms; timestamps must increase. "
        + "Leave the frame out, or begin another stream.")
  }
}

/// The next crop, computed from a body in the camera of its crop. There is none if a tracked joint is not finite or not
/// in front of the camera, if too little of the box around the tracked joints is inside the frame, or if the crop is
/// too small.
func nextCrop(_ seen: Person, frame: PixelSize, manifest: Manifest) -> Crop? {
  guard seen.translation.z > 0 else { return nil }
  var low = Vector2(repeating: .infinity)
  var high = Vector2(repeating: -.infinity)
  for k in manifest.nextCropJoints {
    let point = seen.jointsPx[k]
    guard point.x.isFinite, point.y.isFinite, seen.jointsCam[k].z > 0 else { return nil }
    low = pointwiseMin(low, point)
    high = pointwiseMax(high, point)
  }
  let insideLow = pointwiseMax(low, .zero)
  let insideHigh = pointwiseMin(high, Vector2(Double(frame.width), Double(frame.height)))
  let inside = insideHigh - insideLow
  guard inside.x > 0, inside.y > 0 else { return nil }
  let share = inside / (high - low)
  guard share.x * share.y >= manifest.rules.smallestOverlap else { return nil }
  let box = Box(x1: insideLow.x, y1: insideLow.y, x2: insideHigh.x, y2: insideHigh.y)
  let crop = Crop.around(box, scale: manifest.nextCropScale, in: manifest.view)
  let whole = Crop.wholeFrame(frame, in: manifest.view)
  return crop.width >= manifest.rules.smallestCrop * whole.width ? crop : nil
}

/// Tracks one person through a stream: call `look` before the network runs and `judge` after it. A frame without a
/// `judge`, because its network failed, counts as neither seen nor missed.
struct Tracker {
  private let manifest: Manifest
  private var rules: PipelineRules { manifest.rules }
  private(set) var state = TrackingState.searching
  private var lastMs: Double?
  private var size: PixelSize?
  private var guide: Crop?  // the crop computed from the last accepted person, before it is moved
  private var sight: Sight?
  private var velocity = Vector2.zero  // px a second
  private var tried = 0

  /// The features that distinguish an accepted person from another: position, size and posture.
  private struct Sight {
    let timestampMs: Double
    let middlePx: Vector2  // between pelvis and neck
    let lengthPx: Double  // of the torso, if it were turned upright in the image
    let posture: [Vector3]  // the body's tracked joints relative to the pelvis, camera axes, m
  }

  init(manifest: Manifest) {
    self.manifest = manifest
  }

  /// The crop of the next frame. Throws `CoEvoerError.usage`, and nothing changes, for a timestamp that does not
  /// increase.
  mutating func look(_ timestampMs: Double, frame: PixelSize) throws -> Crop {
    try requireGrowing(timestampMs, after: lastMs)
    if let lastMs, timestampMs - lastMs > rules.maxGapMs { search() }
    if size != frame { search() }
    lastMs = timestampMs
    size = frame
    if let guide {
      let moved = movedPx(at: timestampMs)
      return Crop(x0: guide.x0 + moved.x, y0: guide.y0 + moved.y, width: guide.width, height: guide.height)
    }
    let crops = searchCrops(frame, tileStep: rules.tileStep, in: manifest.view)
    return crops[tried % crops.count]
  }

  /// Decides whether the body seen in the crop from `look` is the tracked person, and updates the state. `seen` is in
  /// the camera of the crop and not smoothed.
  mutating func judge(_ seen: Person) throws -> Bool {
    guard let lastMs, let size else { throw CoEvoerError.usage("Call look() before judge().") }
    let least = state == .tracking ? rules.keepVisibility : rules.acquireVisibility
    if seen.personVisibility >= least, let crop = nextCrop(seen, frame: size, manifest: manifest) {
      let now = sight(of: seen, at: lastMs)
      if sight.map({ isSame(now, as: $0) }) ?? true {
        follow(crop, now)
        return true
      }
    }
    if let sight {
      if lastMs - sight.timestampMs > rules.maxMissedMs { search() }
    } else {
      tried += 1
    }
    return false
  }

  private mutating func search() {
    state = .searching
    (guide, sight) = (nil, nil)
    velocity = .zero
    tried = 0
  }

  private mutating func follow(_ crop: Crop, _ now: Sight) {
    if let sight {
      let dt = (now.timestampMs - sight.timestampMs) / 1000
      velocity += shareOfStep(rules.motionHz, dt) * ((now.middlePx - sight.middlePx) / dt - velocity)
    }
    state = .tracking
    (guide, sight) = (crop, now)
  }

  private func sight(of seen: Person, at timestampMs: Double) -> Sight {
    let (low, high) = (seen.jointsCam[manifest.pelvis], seen.jointsCam[manifest.neck])
    return Sight(
      timestampMs: timestampMs,
      middlePx: (seen.jointsPx[manifest.pelvis] + seen.jointsPx[manifest.neck]) / 2,
      lengthPx: (high - low).length * seen.camera.focalPx / ((low.z + high.z) / 2),
      posture: manifest.postureJoints.map { seen.jointsCam[$0] - low })
  }

  private func isSame(_ now: Sight, as before: Sight) -> Bool {
    let dt = (now.timestampMs - before.timestampMs) / 1000
    let away = (now.middlePx - (before.middlePx + movedPx(at: now.timestampMs))).length
    let grown = abs(log(now.lengthPx / before.lengthPx))
    let changed = zip(now.posture, before.posture).reduce(0) { $0 + ($1.0 - $1.1).length } / Double(now.posture.count)
    return away <= (rules.samePersonSlack + rules.samePersonSpeed * dt) * max(now.lengthPx, before.lengthPx)
      && grown <= rules.samePersonGrowth + rules.samePersonGrowthSpeed * dt
      && changed <= rules.samePersonPostureM + rules.samePersonPostureMS * dt
  }

  /// The motion since the person was last seen, at the velocity that the person had.
  private func movedPx(at timestampMs: Double) -> Vector2 {
    guard let sight else { return .zero }
    return velocity * min(timestampMs - sight.timestampMs, rules.maxMissedMs) / 1000
  }
}
