// The body (docs/pipeline.md, section 5). In: SMPL-X parameters. Out: joints in float64, vertices in float32, m.

public final class Body: Sendable {
  public let faces: [Int32]  // 3 a face, counterclockwise from outside
  public let numVertices: Int

  private let betas, expression, bodyJoints, handJoints: Int  // how many each
  private let parents: [Int]
  private let jointTemplate: [Vector3]
  private let jointDirections: [[Vector3]]  // by coefficient
  private let skin: Skin

  /// Throws `CoEvoerError.bundle` if a tensor is missing, has another shape or type, or contains an invalid index or
  /// number.
  public init(file: Safetensors, manifest: Manifest) throws {
    betas = try manifest.shape(OutputName.betas)[1]
    expression = try manifest.shape(OutputName.expression)[1]
    bodyJoints = try manifest.shape(OutputName.bodyPose)[1]
    handJoints = try manifest.shape(OutputName.leftHandPose)[1]
    let (J, C) = (manifest.jointNames.count, betas + expression)
    jointTemplate = points(try finite(file, "joint_template", [J, 3]))
    let directions = points(try finite(file, "joint_directions", [C, J, 3]))
    jointDirections = (0..<C).map { Array(directions[$0 * J..<($0 + 1) * J]) }
    parents = try file.values("parents", [J], as: Int32.self).map(Int.init)
    guard zip(parents, 0...).allSatisfy({ $1 == 0 ? $0 == -1 : (0..<$1).contains($0) }) else {
      throw broken("has parents that do not come before their children")
    }
    skin = try Skin(file: file, joints: J, coefficients: C)
    numVertices = skin.numVertices
    faces = try file.values("faces", [nil, 3])
    let vertices = 0..<Int32(numVertices)
    guard faces.allSatisfy(vertices.contains) else { throw broken("has faces with vertices that do not exist") }
  }

  /// (J) m. The root rotates about the pelvis, and nothing is translated. Throws `CoEvoerError.usage` if the number of
  /// rotations or coefficients is not the manifest's.
  public func joints(_ parameters: Parameters) throws -> [Vector3] {
    try pose(parameters).joints
  }

  /// (V, 3) m, with `translation` added. `vertices` is resized if necessary.
  public func vertices(_ parameters: Parameters, translation: Vector3 = .zero, into vertices: inout [Float]) throws {
    if vertices.count != 3 * numVertices { vertices = [Float](repeating: 0, count: 3 * numVertices) }
    try vertices.withUnsafeMutableBufferPointer { try self.vertices(parameters, translation: translation, into: $0) }
  }

  /// Writes the same into the caller's memory of at least 3 V floats, for example a vertex buffer.
  public func vertices(
    _ parameters: Parameters, translation: Vector3 = .zero, into vertices: UnsafeMutableBufferPointer<Float>
  ) throws {
    guard vertices.count >= 3 * numVertices else {
      throw CoEvoerError.usage(
        "The mesh has \(3 * numVertices) floats, but the buffer holds \(vertices.count); give a larger one.")
    }
    let posed = try pose(parameters)
    let transforms = zip(posed.turns, zip(posed.joints, posed.rest)).map { turn, places in
      Skin.Transform(turn: turn, shift: places.0 + translation - turn * places.1)
    }
    skin.apply(
      transforms, coefficients: parameters.coefficients.map(Float.init), rotations: posed.rotations, to: vertices)
  }

  private struct Posed {
    var rotations: [Matrix3]
    var turns: [Matrix3] = []  // G_k
    var rest: [Vector3]  // j_k
    var joints: [Vector3] = []  // p_k
  }

  private func pose(_ p: Parameters) throws -> Posed {
    guard p.betas.count == betas, p.expression.count == expression, p.bodyPose.count == bodyJoints,
      p.leftHandPose.count == handJoints, p.rightHandPose.count == handJoints
    else {
      throw CoEvoerError.usage("The parameters have different numbers of joints or coefficients than the manifest.")
    }
    var posed = Posed(rotations: p.rotations, rest: jointTemplate)
    for (c, directions) in zip(p.coefficients, jointDirections) {
      for k in posed.rest.indices { posed.rest[k] += c * directions[k] }
    }
    for (k, rotation) in posed.rotations.enumerated() {
      guard k > 0 else {
        posed.turns.append(rotation)
        posed.joints.append(posed.rest[0])
        continue
      }
      let parent = parents[k]
      posed.turns.append(posed.turns[parent] * rotation)
      posed.joints.append(posed.joints[parent] + posed.turns[parent] * (posed.rest[k] - posed.rest[parent]))
    }
    return posed
  }
}

func broken(_ what: String) -> CoEvoerError { .bundle("The body \(what); export the bundle again.") }

func finite(_ file: Safetensors, _ name: String, _ shape: [Int?]) throws -> [Float] {
  let values: [Float] = try file.values(name, shape)
  guard values.allSatisfy(\.isFinite) else { throw broken("has values in \(name) that are not finite") }
  return values
}

private func points(_ values: [Float]) -> [Vector3] {
  stride(from: 0, to: values.count, by: 3).map {
    Vector3(Double(values[$0]), Double(values[$0 + 1]), Double(values[$0 + 2]))
  }
}
