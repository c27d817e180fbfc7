// Rotation matrices and rotation vectors (axis times angle in rad), float64.

import Foundation

private let tiny = 1e-12  // below this length the direction of a vector is noise

/// A 3 x 3 matrix of three columns. A rotation maps column vectors, child frame to parent frame.
public struct Matrix3: Equatable, Sendable {
  public var x: Vector3
  public var y: Vector3
  public var z: Vector3

  public static let identity = Matrix3(x: [1, 0, 0], y: [0, 1, 0], z: [0, 0, 1])

  public init(x: Vector3, y: Vector3, z: Vector3) {
    self.x = x
    self.y = y
    self.z = z
  }

  /// Nine values, row by row.
  init(rowMajor v: some RandomAccessCollection<Double>) {
    precondition(v.count == 9)
    let v = Array(v)
    self.init(x: [v[0], v[3], v[6]], y: [v[1], v[4], v[7]], z: [v[2], v[5], v[8]])
  }

  /// Row by row.
  public var rowMajor: [Double] { [x.x, y.x, z.x, x.y, y.y, z.y, x.z, y.z, z.z] }

  var transpose: Matrix3 { Matrix3(x: [x.x, y.x, z.x], y: [x.y, y.y, z.y], z: [x.z, y.z, z.z]) }

  static func * (m: Matrix3, v: Vector3) -> Vector3 { m.x * v.x + m.y * v.y + m.z * v.z }

  static func * (a: Matrix3, b: Matrix3) -> Matrix3 { Matrix3(x: a * b.x, y: a * b.y, z: a * b.z) }
}

func dot(_ a: Vector3, _ b: Vector3) -> Double { (a * b).sum() }

func cross(_ a: Vector3, _ b: Vector3) -> Vector3 {
  Vector3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

/// The rotation nearest in the Frobenius norm. The matrix has to be finite.
///
/// SVD by one-sided Jacobi: columns are turned against each other until they are orthogonal, A V = U S. The third
/// columns of U and V are the products of the first two, so both are rotations, which turns the column of the least
/// singular value around exactly where the determinant of A is negative.
public func nearestRotation(_ matrix: Matrix3) -> Matrix3 {
  var us = [matrix.x, matrix.y, matrix.z]
  var v = [Matrix3.identity.x, Matrix3.identity.y, Matrix3.identity.z]
  for _ in 0..<16 {  // converges quadratically; 3 or 4 sweeps are the rule
    var turned = false
    for (p, q) in [(0, 1), (0, 2), (1, 2)] {
      let (a, b, c) = (dot(us[p], us[p]), dot(us[q], us[q]), dot(us[p], us[q]))
      if abs(c) <= 1e-16 * (a * b).squareRoot() { continue }
      turned = true
      let theta = (b - a) / (2 * c)
      let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
      let cosine = 1 / (t * t + 1).squareRoot()
      let sine = cosine * t
      (us[p], us[q]) = (cosine * us[p] - sine * us[q], sine * us[p] + cosine * us[q])
      (v[p], v[q]) = (cosine * v[p] - sine * v[q], sine * v[p] + cosine * v[q])
    }
    if !turned { break }
  }
  let order = [0, 1, 2].sorted { us[$0].length > us[$1].length }
  let (first, second) = (order[0], order[1])
  let largest = us[first].length
  guard largest > 0 else { return .identity }  // all rotations are equally near
  let u1 = us[first] / largest
  // If only one singular value is not zero, any perpendicular direction is valid.
  let across = us[second].length > tiny * largest ? us[second] : cross(u1, abs(u1.x) < 0.5 ? [1, 0, 0] : [0, 1, 0])
  let u2 = across / across.length
  let u = Matrix3(x: u1, y: u2, z: cross(u1, u2))
  return u * Matrix3(x: v[first], y: v[second], z: cross(v[first], v[second])).transpose
}

/// Rodrigues' formula, smooth through zero.
public func rotationExp(_ v: Vector3) -> Matrix3 {
  let angle = v.length
  let s = angle > tiny ? sin(angle) / angle : 1
  let half = angle > tiny ? sin(angle / 2) / (angle / 2) : 1
  let c = half * half / 2  // (1 - cos) / angle^2
  let d = 1 - c * angle * angle
  return Matrix3(
    x: [d + c * v.x * v.x, c * v.x * v.y + s * v.z, c * v.x * v.z - s * v.y],
    y: [c * v.x * v.y - s * v.z, d + c * v.y * v.y, c * v.y * v.z + s * v.x],
    z: [c * v.x * v.z + s * v.y, c * v.y * v.z - s * v.x, d + c * v.z * v.z])
}

/// Angle in [0, pi], accurate at both ends; at exactly pi both signs are right and one is returned.
public func rotationLog(_ r: Matrix3) -> Vector3 {
  // The quaternion by its largest component (Shepperd 1978), up to a factor.
  let trace = r.x.x + r.y.y + r.z.z
  let largest = max(trace, r.x.x, r.y.y, r.z.z)
  let odd = Vector3(r.y.z - r.z.y, r.z.x - r.x.z, r.x.y - r.y.x)
  var (w, q): (Double, Vector3)
  if largest == trace {
    (w, q) = (1 + trace, odd)
  } else if largest == r.x.x {
    (w, q) = (odd.x, [1 + 2 * r.x.x - trace, r.x.y + r.y.x, r.x.z + r.z.x])
  } else if largest == r.y.y {
    (w, q) = (odd.y, [r.x.y + r.y.x, 1 + 2 * r.y.y - trace, r.y.z + r.z.y])
  } else {
    (w, q) = (odd.z, [r.x.z + r.z.x, r.y.z + r.z.y, 1 + 2 * r.z.z - trace])
  }
  let norm = (w * w + dot(q, q)).squareRoot() * (w < 0 ? -1 : 1)
  w /= norm
  q /= norm
  let sine = q.length  // of half the angle
  return q * (sine > tiny ? 2 * atan2(sine, w) / sine : 2)
}
