// Computes the mesh in float32: shape, pose correctives, skinning. The arrays are laid out once so that each frame
// reads them from start to end.

struct Skin: Sendable {
  /// Maps rest to posed vertices: three columns of the rotation, then the translation. The fourth lane is not used.
  struct Transform {
    var x, y, z, shift: SIMD4<Float>

    init(turn: Matrix3, shift: Vector3) {
      let lanes = { (v: Vector3) in SIMD4<Float>(SIMD3<Float>(v), 0) }
      (x, y, z, self.shift) = (lanes(turn.x), lanes(turn.y), lanes(turn.z), lanes(shift))
    }
  }

  private struct Influence {
    var joint: Int32
    var weight: Float
  }

  private typealias Lanes = SIMD8<Float>
  private static let influences = 8
  private static let block = 128  // number of `Lanes` processed at a time, so that they stay in the first-level cache

  let numVertices: Int
  private let coefficients: Int
  private let template: [Lanes]  // 3 V floats, filled up with zeros
  private let directions: [Lanes]  // by lanes of the template, then by coefficient
  private let poseDirections: [Lanes]?  // by entry of R - I, then by lanes of the template
  private let influences: [Influence]  // those above 0, vertex by vertex
  private let ends: [Int32]  // of each vertex's influences

  init(file: Safetensors, joints: Int, coefficients: Int) throws {
    let floats = try finite(file, "v_template", [nil, 3])
    let V = floats.count / 3
    numVertices = V
    self.coefficients = coefficients
    template = Skin.rows(floats, 1)
    let rows = Skin.rows(try finite(file, "shapedirs", [coefficients, V, 3]), coefficients)
    let count = template.count
    directions = (0..<count).flatMap { n in (0..<coefficients).map { rows[$0 * count + n] } }
    let entries = 9 * (joints - 1)
    poseDirections =
      file.entries["posedirs"] == nil ? nil : Skin.rows(try finite(file, "posedirs", [entries, V, 3]), entries)

    let skinJoints = try file.values("skin_joints", [V, Skin.influences], as: UInt8.self)
    let weights = try finite(file, "skin_weights", [V, Skin.influences])
    var influences: [Influence] = []
    var ends: [Int32] = []
    for v in 0..<V {
      var sum: Float = 0
      for i in v * Skin.influences..<(v + 1) * Skin.influences where weights[i] != 0 {
        guard skinJoints[i] < joints, weights[i] > 0 else {
          throw broken("has skinning of joints that do not exist, or negative weights")
        }
        influences.append(Influence(joint: Int32(skinJoints[i]), weight: weights[i]))
        sum += weights[i]
      }
      guard abs(sum - 1) < 0.05 else { throw broken("has skinning weights that do not sum to 1") }
      ends.append(Int32(influences.count))
    }
    (self.influences, self.ends) = (influences, ends)
  }

  /// Writes 3 V floats.
  func apply(
    _ transforms: [Transform], coefficients c: [Float], rotations: [Matrix3], to out: UnsafeMutableBufferPointer<Float>
  ) {
    withUnsafeTemporaryAllocation(of: Lanes.self, capacity: template.count) { rest in
      shape(c, rest)
      if let poseDirections { correct(rest, rotations, poseDirections) }
      UnsafeRawBufferPointer(rest).withMemoryRebound(to: Float.self) { skin($0, transforms, out) }
    }
  }

  private func shape(_ c: [Float], _ rest: UnsafeMutableBufferPointer<Lanes>) {
    directions.withUnsafeBufferPointer { directions in
      template.withUnsafeBufferPointer { template in
        c.withUnsafeBufferPointer { c in
          var d = 0
          for n in 0..<template.count {
            var sum = template[n]
            for k in 0..<coefficients { sum += c[k] * directions[d &+ k] }
            rest[n] = sum
            d &+= coefficients
          }
        }
      }
    }
  }

  /// Adds the pose correctives of a user's own SMPL-X model. The open body has none.
  private func correct(_ rest: UnsafeMutableBufferPointer<Lanes>, _ rotations: [Matrix3], _ directions: [Lanes]) {
    let features = rotations.dropFirst().flatMap { rotation in
      zip(rotation.rowMajor, Matrix3.identity.rowMajor).map { Float($0 - $1) }
    }
    directions.withUnsafeBufferPointer { directions in
      for from in stride(from: 0, to: rest.count, by: Skin.block) {
        let block = from..<min(from + Skin.block, rest.count)
        for (entry, feature) in features.enumerated() where feature != 0 {
          for n in block { rest[n] += feature * directions[entry * rest.count + n] }
        }
      }
    }
  }

  private func skin(
    _ rest: UnsafeBufferPointer<Float>, _ transforms: [Transform], _ out: UnsafeMutableBufferPointer<Float>
  ) {
    influences.withUnsafeBufferPointer { influences in
      ends.withUnsafeBufferPointer { ends in
        transforms.withUnsafeBufferPointer { transforms in
          var i = 0
          for v in 0..<numVertices {
            let end = Int(ends[v])
            var blend = Skin.scaled(transforms[Int(influences[i].joint)], influences[i].weight)
            i &+= 1
            while i < end {
              let t = transforms[Int(influences[i].joint)]
              let w = influences[i].weight
              blend.x += w * t.x
              blend.y += w * t.y
              blend.z += w * t.z
              blend.shift += w * t.shift
              i &+= 1
            }
            let at = 3 &* v
            let moved = blend.x * rest[at] + blend.y * rest[at &+ 1] + blend.z * rest[at &+ 2] + blend.shift
            out[at] = moved.x
            out[at &+ 1] = moved.y
            out[at &+ 2] = moved.z
          }
        }
      }
    }
  }

  private static func scaled(_ t: Transform, _ w: Float) -> Transform {
    var t = t
    t.x *= w
    t.y *= w
    t.z *= w
    t.shift *= w
    return t
  }

  /// `count` rows of equal length, each filled up with zeros to whole lanes.
  private static func rows(_ values: [Float], _ count: Int) -> [Lanes] {
    let length = values.count / count
    let lanes = (length + Lanes.scalarCount - 1) / Lanes.scalarCount
    var all = [Lanes](repeating: .zero, count: count * lanes)
    for row in 0..<count {
      for i in 0..<length {
        all[row * lanes + i / Lanes.scalarCount][i % Lanes.scalarCount] = values[row * length + i]
      }
    }
    return all
  }
}
