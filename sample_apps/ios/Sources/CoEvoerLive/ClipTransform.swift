// Maps the camera frame (m) to a graphics library's clip space, so that the mesh overlays its frame, and gives the
// frame's place there. The whole frame is shown, with bars if its aspect ratio is not the view's.

import CoEvoerKit

/// clip = (a X + c Z, b Y + d Z, depth, Z) of a point (X, Y, Z); laid out as the shader reads it.
public struct ClipTransform: Equatable, Sendable {
  public let scale: SIMD2<Float>  // a, b
  public let shear: SIMD2<Float>  // c, d
  public let depth: SIMD2<Float>  // the nearest Z and the farthest, m, at depth 0 and 1
  public let fit: SIMD2<Float>  // half sides of the frame in clip space; the first is negative where it is mirrored

  /// `mirrored`: for a front camera's picture. `distanceM`: the distance of the body's origin.
  public init(
    camera: PinholeCamera, frame: PixelSize, viewWidth: Double, viewHeight: Double, mirrored: Bool, distanceM: Double
  ) {
    fit = ClipTransform.fit(frame, viewWidth: viewWidth, viewHeight: viewHeight, mirrored: mirrored)
    let (width, height) = (Double(frame.width), Double(frame.height))
    let focal = SIMD2(2 * camera.focalPx / width, -2 * camera.focalPx / height)  // y goes down in the frame
    let centre = SIMD2(2 * camera.principalPointPx.x / width - 1, 1 - 2 * camera.principalPointPx.y / height)
    scale = fit * SIMD2<Float>(focal)
    shear = fit * SIMD2<Float>(centre)
    let reach = 2.0  // m: a body with its arms stretched towards the camera and away
    depth = SIMD2(Float(max(distanceM - reach, 0.01)), Float(max(distanceM, 0.02) + reach))
  }

  public static func fit(
    _ frame: PixelSize, viewWidth: Double, viewHeight: Double, mirrored: Bool
  ) -> SIMD2<Float> {
    let ratio = Double(frame.width) / Double(frame.height) / (viewWidth / viewHeight)
    return SIMD2(Float(min(ratio, 1) * (mirrored ? -1 : 1)), Float(min(1 / ratio, 1)))
  }
}
