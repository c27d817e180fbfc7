// Networks that need no weights: they return what a test wants them to return.

import Synchronization

@testable import CoEvoerKit

/// Outputs of a body in the rest pose, upright, its pelvis at `pelvisPx` of the crop, `heightPx` high.
public func standing(
  _ manifest: Manifest, visibility: Double, pelvisPx: Vector2 = [96, 150], heightPx: Double = 200
) -> NetworkOutputs {
  let bodyHeight = 1.7  // m, about
  var outputs: NetworkOutputs = [:]
  for spec in manifest.outputs {
    let count = spec.shape.reduce(1, *)
    var values = [Float](repeating: 0, count: count)
    if spec.shape.count == 4 {
      for i in stride(from: 0, to: count, by: 9) { for k in [0, 4, 8] { values[i + k] = 1 } }
    }
    outputs[spec.name] = Tensor(shape: spec.shape, values: values)
  }
  // y of the body is up, y of the camera down
  outputs[OutputName.globalOrient]?.values[4] = -1
  outputs[OutputName.globalOrient]?.values[8] = -1
  let camera = manifest.view.camera
  let z = camera.focalPx * bodyHeight / heightPx
  let xy = (pelvisPx - camera.principalPointPx) * z / camera.focalPx
  outputs[OutputName.camera]?.values = [Float(xy.x), Float(xy.y), Float(z)]
  outputs[OutputName.visibility]?.values[manifest.personIndex] = Float(visibility)
  return outputs
}

/// Its outputs for a crop: a person in the bright part of the crop and as high as it, or nobody in a dark crop.
public func seeBright(_ crop: CropImage, _ manifest: Manifest) -> NetworkOutputs {
  var low = Vector2(Double(crop.size.width), Double(crop.size.height))
  var high = Vector2.zero
  for y in 0..<crop.size.height {
    for x in 0..<crop.size.width where crop.rgb[3 * (y * crop.size.width + x)] > 76 {
      low = pointwiseMin(low, [Double(x), Double(y)])
      high = pointwiseMax(high, [Double(x + 1), Double(y + 1)])
    }
  }
  guard low.x < high.x else { return standing(manifest, visibility: 0.1) }
  return standing(manifest, visibility: 0.9, pelvisPx: (low + high) / 2, heightPx: high.y - low.y)
}

public struct FakeNetwork: Network {
  public let answer: @Sendable (CropImage) async throws -> NetworkOutputs

  public init(_ answer: @escaping @Sendable (CropImage) async throws -> NetworkOutputs) {
    self.answer = answer
  }

  public func run(_ crop: CropImage) async throws -> NetworkOutputs { try await answer(crop) }
}

/// Networks that return given outputs, in the form of the bundle for which they were loaded.
public struct FakeLoader: NetworkLoader {
  public let answer: @Sendable (CropImage, Manifest) async throws -> NetworkOutputs

  public init(_ answer: @escaping @Sendable (CropImage, Manifest) async throws -> NetworkOutputs = seeBright) {
    self.answer = answer
  }

  public func load(_ bundle: ModelBundle) async throws -> any Network {
    FakeNetwork { try await answer($0, bundle.manifest) }
  }
}

public func grey(_ width: Int, _ height: Int, _ value: UInt8 = 128) throws -> PixelFrame {
  let size = PixelSize(width: width, height: height)
  return try PixelFrame(size: size, bytes: [UInt8](repeating: value, count: 3 * width * height))
}

public func nobody(_ width: Int = 640, _ height: Int = 480) throws -> PixelFrame { try grey(width, height, 0) }

/// A dark frame with a bright upright bar in its middle.
public func somebody(_ width: Int = 640, _ height: Int = 480) throws -> PixelFrame {
  var bytes = [UInt8](repeating: 0, count: 3 * width * height)
  for y in height / 5..<height * 4 / 5 {
    for x in width * 9 / 20..<width * 11 / 20 { for c in 0..<3 { bytes[3 * (y * width + x) + c] = 200 } }
  }
  return try PixelFrame(size: PixelSize(width: width, height: height), bytes: bytes)
}

/// A value that several threads write.
public final class Shelf<Value: Sendable>: Sendable {
  private let content: Mutex<Value>

  public init(_ value: Value) { content = Mutex(value) }

  public var value: Value { content.withLock { $0 } }

  @discardableResult
  public func change<R: Sendable>(_ work: @Sendable (inout Value) throws -> R) rethrows -> R {
    try content.withLock { try work(&$0) }
  }
}

extension Shelf where Value == Int {
  /// Adds 1 and returns the new value.
  public func increment() -> Int {
    change {
      $0 += 1
      return $0
    }
  }
}
