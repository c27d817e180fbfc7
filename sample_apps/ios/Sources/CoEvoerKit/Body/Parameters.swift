// SMPL-X parameters of one person.

/// Every rotation maps the joint's frame to its parent's.
public struct Parameters: Equatable, Sendable {
  static let eyes = 2  // they have no rotation of their own

  public var globalOrient: Matrix3
  public var bodyPose: [Matrix3]
  public var leftHandPose: [Matrix3]
  public var rightHandPose: [Matrix3]
  public var jawPose: Matrix3
  public var betas: [Double]
  public var expression: [Double]

  public init(
    globalOrient: Matrix3, bodyPose: [Matrix3], leftHandPose: [Matrix3], rightHandPose: [Matrix3], jawPose: Matrix3,
    betas: [Double], expression: [Double]
  ) {
    self.globalOrient = globalOrient
    self.bodyPose = bodyPose
    self.leftHandPose = leftHandPose
    self.rightHandPose = rightHandPose
    self.jawPose = jawPose
    self.betas = betas
    self.expression = expression
  }

  /// In the order of the joints: root, body, jaw, two eyes at rest, left hand, right hand.
  public var rotations: [Matrix3] {
    [globalOrient] + bodyPose + [jawPose] + Array(repeating: .identity, count: Parameters.eyes) + leftHandPose
      + rightHandPose
  }

  /// Betas, then expression.
  public var coefficients: [Double] { betas + expression }
}
