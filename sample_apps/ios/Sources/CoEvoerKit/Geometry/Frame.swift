// A frame: upright 8-bit pixels.

/// The order of the bytes of a pixel. Alpha is not read.
public enum PixelOrder: Sendable {
  case rgb
  case rgba
  case bgra

  var channels: Int { self == .rgb ? 3 : 4 }
  var rgb: (Int, Int, Int) { self == .bgra ? (2, 1, 0) : (0, 1, 2) }
}

/// The pixels of a frame, valid only while `Frame.withPixels` runs.
public struct Pixels {
  public static let largestSide = 1 << 15

  public let bytes: UnsafeRawBufferPointer
  public let size: PixelSize
  public let bytesPerRow: Int
  public let order: PixelOrder

  /// Throws `CoEvoerError.usage` for a side below 1 or above 32768 px, rows shorter than their pixels, or too few
  /// bytes.
  public init(bytes: UnsafeRawBufferPointer, size: PixelSize, bytesPerRow: Int, order: PixelOrder) throws {
    let given = "\(size.width) x \(size.height) px"
    let sides = 1...Pixels.largestSide
    guard sides.contains(size.width), sides.contains(size.height) else {
      throw CoEvoerError.usage("The frame is \(given); both sides must be from 1 to \(Pixels.largestSide) px.")
    }
    let row = order.channels * size.width
    guard bytesPerRow >= row else {
      throw CoEvoerError.usage("The frame has \(bytesPerRow) bytes per row; a row of \(given) has \(row).")
    }
    let least = bytesPerRow * (size.height - 1) + row
    guard bytes.count >= least else {
      throw CoEvoerError.usage("The frame of \(given) has \(bytes.count) bytes; it needs \(least).")
    }
    self.bytes = bytes
    self.size = size
    self.bytesPerRow = bytesPerRow
    self.order = order
  }
}

/// Anything that has upright pixels: an array (`PixelFrame`), a camera's buffer.
public protocol Frame: Sendable {
  var size: PixelSize { get }

  /// Throws `CoEvoerError.usage` for pixels that cannot be read, and what `body` throws.
  func withPixels<R>(_ body: (Pixels) throws -> R) throws -> R
}

/// A frame in memory of its own.
public struct PixelFrame: Frame {
  public let size: PixelSize
  public let bytes: [UInt8]
  public let order: PixelOrder
  public let bytesPerRow: Int

  /// Rows have no padding unless `bytesPerRow` says otherwise. Throws what `Pixels.init` throws.
  public init(size: PixelSize, bytes: [UInt8], order: PixelOrder = .rgb, bytesPerRow: Int? = nil) throws {
    self.size = size
    self.bytes = bytes
    self.order = order
    self.bytesPerRow = bytesPerRow ?? order.channels * size.width
    try withPixels { _ in }
  }

  public func withPixels<R>(_ body: (Pixels) throws -> R) throws -> R {
    try bytes.withUnsafeBytes {
      try body(Pixels(bytes: $0, size: size, bytesPerRow: bytesPerRow, order: order))
    }
  }
}
