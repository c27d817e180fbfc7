// One-Euro smoothing of a person's parameters (docs/pipeline.md, section 7; Casiez et al. 2012). Rotations stay
// rotations. The translation is smoothed as image position and depth.

import Foundation

/// The weight of a new value in one step of a low-pass filter: 1 / (1 + 1 / (2 pi f dt)).
func shareOfStep(_ cutoffHz: Double, _ dt: Double) -> Double {
  let turn = 2 * Double.pi * cutoffHz * dt
  return turn / (turn + 1)
}

/// A One-Euro filter for a vector, with a single cutoff from the norm of its speed.
struct VectorFilter {
  let rule: FilterRule
  private var last: [Double]?  // raw
  private var smoothed: [Double] = []
  private var speed: [Double] = []

  init(_ rule: FilterRule) {
    self.rule = rule
  }

  /// The first value passes unchanged.
  mutating func callAsFunction(_ value: [Double], _ dt: Double) -> [Double] {
    defer { last = value }
    guard let last else {
      (smoothed, speed) = (value, value.map { _ in 0 })
      return value
    }
    let share = shareOfStep(rule.derivativeHz, dt)
    for i in value.indices { speed[i] += share * ((value[i] - last[i]) / dt - speed[i]) }
    let norm = speed.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let step = shareOfStep(rule.cutoffHz + rule.gain * norm, dt)
    for i in value.indices { smoothed[i] += step * (value[i] - smoothed[i]) }
    return smoothed
  }
}

/// One-Euro filters for rotations, one each, on the manifold. The speed is the rotation vector per second.
struct RotationFilter {
  private struct Memory {
    var last: Matrix3  // raw
    var smoothed: Matrix3
    var speed = Vector3.zero
  }

  let rule: FilterRule
  private var memories: [Memory] = []

  init(_ rule: FilterRule) {
    self.rule = rule
  }

  mutating func callAsFunction(_ values: [Matrix3], _ dt: Double) -> [Matrix3] {
    guard !memories.isEmpty else {
      memories = values.map { Memory(last: $0, smoothed: $0) }
      return values
    }
    let share = shareOfStep(rule.derivativeHz, dt)
    for (i, value) in values.enumerated() {
      var m = memories[i]
      m.speed += share * (rotationLog(m.last.transpose * value) / dt - m.speed)
      let step = shareOfStep(rule.cutoffHz + rule.gain * m.speed.length, dt)
      m.smoothed = m.smoothed * rotationExp(step * rotationLog(m.smoothed.transpose * value))
      m.last = value
      memories[i] = m
    }
    return memories.map(\.smoothed)
  }
}

/// The filters of one person in a stream. The next person gets new ones, whose first frame passes unchanged.
struct Smoother {
  private var lastMs: Double?
  private var root, body, leftHand, rightHand, jaw: RotationFilter
  private var betas, expression, place, depth: VectorFilter

  init(_ rules: PipelineRules.Smoothing) {
    root = RotationFilter(rules.root)
    body = RotationFilter(rules.body)
    leftHand = RotationFilter(rules.hands)
    rightHand = RotationFilter(rules.hands)
    jaw = RotationFilter(rules.jaw)
    betas = VectorFilter(rules.betas)
    expression = VectorFilter(rules.expression)
    place = VectorFilter(rules.place)
    depth = VectorFilter(rules.depth)
  }

  /// Smooths one accepted frame. The translation is in the frame camera, z > 0; `focalInHeights` is that camera's focal
  /// length over the frame's height.
  mutating func callAsFunction(
    _ p: Parameters, translation t: Vector3, at timestampMs: Double, focalInHeights: Double
  ) -> (Parameters, Vector3) {
    let dt = lastMs.map { (timestampMs - $0) / 1000 } ?? 0  // unused by the first frame
    lastMs = timestampMs
    let smoothed = Parameters(
      globalOrient: root([p.globalOrient], dt)[0], bodyPose: body(p.bodyPose, dt),
      leftHandPose: leftHand(p.leftHandPose, dt), rightHandPose: rightHand(p.rightHandPose, dt),
      jawPose: jaw([p.jawPose], dt)[0], betas: betas(p.betas, dt), expression: expression(p.expression, dt))
    let across = place([t.x / t.z * focalInHeights, t.y / t.z * focalInHeights], dt)
    let z = exp(depth([log(t.z)], dt)[0])
    return (smoothed, Vector3(across[0] / focalInHeights * z, across[1] / focalInHeights * z, z))
  }
}
