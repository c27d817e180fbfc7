// Crops and cameras (docs/pipeline.md, sections 2 and 4). Pixels: x right, y down; the centre of the top left pixel is
// (0.5, 0.5). Camera frame: x right, y down, z into the scene, m.

public typealias Vector2 = SIMD2<Double>
public typealias Vector3 = SIMD3<Double>

public struct PixelSize: Equatable, Sendable {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// A camera without distortion and with square pixels.
public struct PinholeCamera: Equatable, Sendable {
  public var focalPx: Double
  public var principalPointPx: Vector2

  public init(focalPx: Double, principalPointPx: Vector2) {
    self.focalPx = focalPx
    self.principalPointPx = principalPointPx
  }

  /// Meaningless for points with z <= 0.
  public func project(_ point: Vector3) -> Vector2 {
    focalPx * Vector2(point.x, point.y) / point.z + principalPointPx
  }
}

/// The network's input and the camera over it, as the manifest gives them.
public struct InputView: Equatable, Sendable {
  public var size: PixelSize  // 192 x 256
  public var camera: PinholeCamera  // in px of the input

  var aspect: Double { Double(size.width) / Double(size.height) }
}

public struct Box: Equatable, Sendable {  // px
  public var x1: Double
  public var y1: Double
  public var x2: Double
  public var y2: Double
}

/// An upright rectangle of the frame in px, with the input's aspect ratio. It may extend beyond the frame.
public struct Crop: Equatable, Sendable {
  public var x0: Double
  public var y0: Double
  public var width: Double
  public var height: Double

  public init(x0: Double, y0: Double, width: Double, height: Double) {
    self.x0 = x0
    self.y0 = y0
    self.width = width
    self.height = height
  }

  /// The box, extended about its centre to the input's aspect ratio and then scaled by `scale`.
  public static func around(_ box: Box, scale: Double, in view: InputView) -> Crop {
    let width = max(box.x2 - box.x1, (box.y2 - box.y1) * view.aspect) * scale
    let height = width / view.aspect
    return Crop(x0: (box.x1 + box.x2 - width) / 2, y0: (box.y1 + box.y2 - height) / 2, width: width, height: height)
  }

  /// The smallest crop that contains the frame, centred on it.
  public static func wholeFrame(_ frame: PixelSize, in view: InputView) -> Crop {
    around(Box(x1: 0, y1: 0, x2: Double(frame.width), y2: Double(frame.height)), scale: 1, in: view)
  }

  /// Pixels of the frame per pixel of the input.
  public func scale(in view: InputView) -> Double { width / Double(view.size.width) }

  /// Pixels of the input to pixels of the frame.
  public func toFrame(_ point: Vector2, in view: InputView) -> Vector2 { point * scale(in: view) + Vector2(x0, y0) }

  /// The view's camera in pixels of the frame. This is exact, and the translation does not change.
  public func camera(in view: InputView) -> PinholeCamera {
    PinholeCamera(
      focalPx: view.camera.focalPx * scale(in: view),
      principalPointPx: toFrame(view.camera.principalPointPx, in: view))
  }
}

/// The camera of a stream, which is that of the crop that contains the whole frame.
public func frameCamera(_ frame: PixelSize, in view: InputView) -> PinholeCamera {
  Crop.wholeFrame(frame, in: view).camera(in: view)
}

/// The translation, m, under another camera, such that the body keeps its place and size in the image: weak
/// perspective, exact at the depth of the body's origin (Li et al. 2022, arXiv:2208.00571).
public func convertTranslation(_ t: Vector3, from: PinholeCamera, to: PinholeCamera) -> Vector3 {
  let shift = (from.principalPointPx - to.principalPointPx) * (t.z / from.focalPx)
  return Vector3(t.x + shift.x, t.y + shift.y, t.z * to.focalPx / from.focalPx)
}

/// One round of the search: the whole frame, then tiles along its longer side, from the middle outwards.
public func searchCrops(_ frame: PixelSize, tileStep: Double, in view: InputView) -> [Crop] {
  let rounding = 1e-6  // keeps a rounding error from adding a tile where tiles fit exactly
  let width = min(Double(frame.width), Double(frame.height) * view.aspect)  // of the largest crop inside
  let height = width / view.aspect
  let spare = Vector2(Double(frame.width) - width, Double(frame.height) - height)
  let (longest, length) = spare.x >= spare.y ? (spare.x, width) : (spare.y, height)
  let count = Int((longest / (length * tileStep) - rounding).rounded(.up)) + 1

  let order = (0..<count).sorted { a, b in
    let (near, far) = (abs(2 * a - (count - 1)), abs(2 * b - (count - 1)))
    return near == far ? a < b : near < far
  }
  let tiles = order.map { i in
    let share = count > 1 ? Double(i) / Double(count - 1) : 0.5
    return Crop(x0: spare.x * share, y0: spare.y * share, width: width, height: height)
  }
  return [Crop.wholeFrame(frame, in: view)] + tiles
}

extension SIMD where Scalar: FloatingPoint {
  var length: Scalar { (self * self).sum().squareRoot() }
}
