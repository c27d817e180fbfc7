// Extracts the network's input from a frame (docs/pipeline.md, section 2).

/// The network's input: 8-bit RGB.
public struct CropImage: Equatable, Sendable {
  public let size: PixelSize
  public let rgb: [UInt8]  // H W 3

  public init(size: PixelSize, rgb: [UInt8]) {
    precondition(rgb.count == 3 * size.width * size.height)
    self.size = size
    self.rgb = rgb
  }

  /// (3, H, W) in [0, 1], for runtimes that take floats.
  public func planes() -> [Float] {
    let count = size.width * size.height
    return [Float](unsafeUninitializedCapacity: 3 * count) { planes, initialized in
      for channel in 0..<3 {
        for n in 0..<count { planes[channel * count + n] = Float(rgb[3 * n + channel]) / 255 }
      }
      initialized = 3 * count
    }
  }
}

private let widestCropPx = Double(1 << 17)  // bounds the work, far above any camera
private let farthestPx = 1e8

/// Extracts the crop. Each pixel is the mean of the frame's pixels, weighted by a triangle of radius max(1, scale).
/// Pixels outside the frame count as black. Throws `CoEvoerError.usage` for a crop that is empty, not finite, far away
/// or too wide.
public func extractCrop(_ frame: any Frame, _ crop: Crop, in view: InputView) throws -> CropImage {
  guard crop.x0.isFinite, crop.y0.isFinite, crop.width > 0, crop.height > 0, crop.width <= widestCropPx,
    crop.height <= widestCropPx, abs(crop.x0) <= farthestPx, abs(crop.y0) <= farthestPx
  else {
    throw CoEvoerError.usage(
      "The crop (\(crop.x0), \(crop.y0), \(crop.width), \(crop.height)) is empty, not finite, far away or wider than "
        + "\(Int(widestCropPx)) px.")
  }
  return try frame.withPixels { resample($0, crop, in: view) }
}

private func resample(_ pixels: Pixels, _ crop: Crop, in view: InputView) -> CropImage {
  let (W, H) = (view.size.width, view.size.height)
  let scale = crop.scale(in: view)
  let across = Taps(start: crop.x0, scale: scale, outputs: W, inputs: pixels.size.width)
  let down = Taps(start: crop.y0, scale: scale, outputs: H, inputs: pixels.size.height)
  var rgb = [UInt8](repeating: 0, count: 3 * W * H)
  guard !across.read.isEmpty, !down.read.isEmpty else { return CropImage(size: view.size, rgb: rgb) }

  let channels = pixels.order.channels
  let (r, g, b) = pixels.order.rgb
  let length = channels * across.read.count
  // Each row of the output is resampled vertically first, in all columns that are read, and then horizontally.
  withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { row in
    rgb.withUnsafeMutableBufferPointer { out in
      for j in 0..<H where down.ends[j] > down.ends(before: j) {
        row.initialize(repeating: 0)
        for k in down.ends(before: j)..<down.ends[j] {
          let y = down.first[j] + (k - down.ends(before: j))
          let start = y * pixels.bytesPerRow + channels * across.read.lowerBound
          let from = UnsafeRawBufferPointer(rebasing: pixels.bytes[start..<start + length])
          let weight = down.weights[k]
          for n in 0..<length { row[n] += weight * Float(from[n]) }
        }
        for i in 0..<W where across.ends[i] > across.ends(before: i) {
          var at = channels * (across.first[i] - across.read.lowerBound)
          var sum = SIMD4<Float>(repeating: 0)
          for k in across.ends(before: i)..<across.ends[i] {
            sum += across.weights[k] * SIMD4(row[at + r], row[at + g], row[at + b], 0)
            at += channels
          }
          let rounded = pointwiseMin(sum + 0.5, SIMD4(repeating: 255))
          for c in 0..<3 { out[3 * (j * W + i) + c] = UInt8(rounded[c]) }
        }
      }
    }
  }
  return CropImage(size: view.size, rgb: rgb)
}

/// The weights of one axis. Pixels outside the frame are black: they have no entry, but they count in the sum of
/// weights.
private struct Taps {
  var first: [Int] = []  // input of the first entry, by output
  var ends: [Int] = []  // where each output's entries end
  var weights: [Float] = []
  var read = 0..<0  // all inputs that are read

  func ends(before i: Int) -> Int { i == 0 ? 0 : ends[i - 1] }

  init(start: Double, scale: Double, outputs: Int, inputs: Int) {
    let radius = max(1, scale)
    var (lowest, highest) = (inputs, 0)
    for i in 0..<outputs {
      let centre = start + (Double(i) + 0.5) * scale
      let low = Int((centre - radius - 0.5).rounded(.down)) + 1
      let high = Int((centre + radius - 0.5).rounded(.up))  // not reached
      let inside = min(max(low, 0), inputs)..<max(min(max(low, 0), inputs), min(max(high, 0), inputs))
      if !inside.isEmpty {
        let weight = { (n: Int) in max(0, 1 - abs(Double(n) + 0.5 - centre) / radius) }
        let sum = (low..<high).reduce(0) { $0 + weight($1) }
        weights += inside.map { Float(weight($0) / sum) }
        (lowest, highest) = (min(lowest, inside.lowerBound), max(highest, inside.upperBound))
      }
      first.append(inside.lowerBound)
      ends.append(weights.count)
    }
    if lowest < highest { read = lowest..<highest }
  }
}
