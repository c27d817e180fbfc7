/**
 * Rotations as 3 x 3 matrices, row-major, in flat arrays: `a[at]` to `a[at + 8]`. They map column vectors, child frame
 * to parent frame. Everything is float64.
 */

type Matrix = Float64Array;
type Reading = ArrayLike<number>;

const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1] as const;
const TINY = 1e-12; // below this length the direction of a vector is noise
const SWEEPS = 12; // Jacobi on 4 x 4 converges quadratically; 5 or 6 are usual

/** Writes the product a b to `out[at..]`; `out` must be neither a nor b. */
export function multiply(out: Matrix, at: number, a: Reading, atA: number, b: Reading, atB: number): void {
  for (let i = 0; i < 9; i += 3) {
    const [x, y, z] = [a[atA + i]!, a[atA + i + 1]!, a[atA + i + 2]!];
    out[at + i] = x * b[atB]! + y * b[atB + 3]! + z * b[atB + 6]!;
    out[at + i + 1] = x * b[atB + 1]! + y * b[atB + 4]! + z * b[atB + 7]!;
    out[at + i + 2] = x * b[atB + 2]! + y * b[atB + 5]! + z * b[atB + 8]!;
  }
}

/** a transposed, times b: the rotation from a to b when both are rotations. */
export function between(a: Reading, atA: number, b: Reading, atB: number): Matrix {
  const out = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      out[3 * i + j] = a[atA + i]! * b[atB + j]! + a[atA + 3 + i]! * b[atB + 3 + j]! + a[atA + 6 + i]! * b[atB + 6 + j]!;
    }
  }
  return out;
}

/** Converts axis times angle (rad) to a matrix by Rodrigues' formula, which is smooth at zero. */
export function axisAngleToMatrix(v: Reading): Matrix {
  const [x, y, z] = [v[0]!, v[1]!, v[2]!];
  const angle = Math.hypot(x, y, z);
  const s = angle > TINY ? Math.sin(angle) / angle : 1;
  const half = angle > TINY ? Math.sin(angle / 2) / (angle / 2) : 1;
  const c = 0.5 * half * half; // (1 - cos a) / a^2
  const [xx, yy, zz] = [x * x, y * y, z * z];
  return Float64Array.of(
    1 - c * (yy + zz), c * x * y - s * z, c * x * z + s * y,
    c * x * y + s * z, 1 - c * (xx + zz), c * y * z - s * x,
    c * x * z - s * y, c * y * z + s * x, 1 - c * (xx + yy),
  );
}

/** Converts a matrix to axis times angle in [0, pi] rad, by the quaternion's largest component (Shepperd 1978). */
export function matrixToAxisAngle(R: Reading, at = 0): Matrix {
  const r = (i: number): number => R[at + i]!;
  const trace = r(0) + r(4) + r(8);
  const diagonal = [trace, r(0), r(4), r(8)];
  const largest = diagonal.indexOf(Math.max(...diagonal));
  let w: number, x: number, y: number, z: number;
  if (largest === 0) [w, x, y, z] = [1 + trace, r(7) - r(5), r(2) - r(6), r(3) - r(1)];
  else if (largest === 1) [w, x, y, z] = [r(7) - r(5), 1 + 2 * r(0) - trace, r(1) + r(3), r(2) + r(6)];
  else if (largest === 2) [w, x, y, z] = [r(2) - r(6), r(1) + r(3), 1 + 2 * r(4) - trace, r(5) + r(7)];
  else [w, x, y, z] = [r(3) - r(1), r(2) + r(6), r(5) + r(7), 1 + 2 * r(8) - trace];
  const norm = Math.hypot(w, x, y, z) * (w < 0 ? -1 : 1);
  const sine = Math.hypot(x, y, z) / Math.abs(norm); // of half the angle
  const factor = (sine > TINY ? (2 * Math.atan2(sine, w / norm)) / sine : 2) / norm;
  return Float64Array.of(factor * x, factor * y, factor * z);
}

/**
 * The rotation nearest to a 3 x 3 matrix A in the Frobenius norm: by SVD it is U V^T, with the last column of U negated
 * where the determinant would be -1.
 *
 * It maximises trace(R^T A). Over unit quaternions that is a quadratic form, so the eigenvector of its largest
 * eigenvalue is the solution (Horn 1987, doi:10.1364/JOSAA.4.000629), with determinant 1. Jacobi rotations find it to
 * rounding error.
 */
export function nearestRotation(out: Matrix, at: number, A: Reading, from: number): void {
  const a = (i: number): number => A[from + i]!;
  // The form's matrix for q = (w, x, y, z).
  const K = Float64Array.of(
    a(0) + a(4) + a(8), a(7) - a(5), a(2) - a(6), a(3) - a(1),
    a(7) - a(5), a(0) - a(4) - a(8), a(1) + a(3), a(2) + a(6),
    a(2) - a(6), a(1) + a(3), a(4) - a(0) - a(8), a(5) + a(7),
    a(3) - a(1), a(2) + a(6), a(5) + a(7), a(8) - a(0) - a(4),
  );
  const Q = jacobi4(K);
  let best = 0;
  for (let i = 1; i < 4; i++) if (K[5 * i]! > K[5 * best]!) best = i;
  let [w, x, y, z] = [Q[best]!, Q[4 + best]!, Q[8 + best]!, Q[12 + best]!];
  const norm = Math.hypot(w, x, y, z);
  [w, x, y, z] = [w / norm, x / norm, y / norm, z / norm];
  out[at] = 1 - 2 * (y * y + z * z);
  out[at + 1] = 2 * (x * y - w * z);
  out[at + 2] = 2 * (x * z + w * y);
  out[at + 3] = 2 * (x * y + w * z);
  out[at + 4] = 1 - 2 * (x * x + z * z);
  out[at + 5] = 2 * (y * z - w * x);
  out[at + 6] = 2 * (x * z - w * y);
  out[at + 7] = 2 * (y * z + w * x);
  out[at + 8] = 1 - 2 * (x * x + y * y);
}

/** n identity matrices, (n, 3, 3). */
export function identities(n: number): Matrix {
  const out = new Float64Array(9 * n);
  for (let i = 0; i < n; i++) out.set(IDENTITY, 9 * i);
  return out;
}

/** Diagonalises the symmetric 4 x 4 matrix K in place; the columns of the result are its eigenvectors. */
function jacobi4(K: Float64Array): Float64Array {
  const Q = new Float64Array(16);
  for (let i = 0; i < 4; i++) Q[5 * i] = 1;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let off = 0;
    let size = 0;
    for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) {
      const square = K[4 * i + j]! ** 2;
      size += square;
      if (i !== j) off += square;
    }
    if (off <= 1e-32 * size) break;
    for (let p = 0; p < 3; p++) for (let q = p + 1; q < 4; q++) {
      const apq = K[4 * p + q]!;
      if (apq === 0) continue;
      const theta = (K[5 * q]! - K[5 * p]!) / (2 * apq);
      const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
      const c = 1 / Math.hypot(t, 1);
      const s = t * c;
      for (let k = 0; k < 4; k++) {
        const [kp, kq] = [K[4 * k + p]!, K[4 * k + q]!];
        K[4 * k + p] = c * kp - s * kq;
        K[4 * k + q] = s * kp + c * kq;
      }
      for (let k = 0; k < 4; k++) {
        const [pk, qk] = [K[4 * p + k]!, K[4 * q + k]!];
        K[4 * p + k] = c * pk - s * qk;
        K[4 * q + k] = s * pk + c * qk;
        const [vp, vq] = [Q[4 * k + p]!, Q[4 * k + q]!];
        Q[4 * k + p] = c * vp - s * vq;
        Q[4 * k + q] = s * vp + c * vq;
      }
    }
  }
  return Q;
}
