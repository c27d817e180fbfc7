// Frames from the buffers and images of Apple's frameworks.

import CoEvoerKit
import CoreGraphics
import CoreVideo

/// A camera's buffer, upright and BGRA, without a copy.
///
/// `@unchecked`: the buffer is only read, under Core Video's lock, and the caller must not write to it any more.
public struct PixelBufferFrame: Frame, @unchecked Sendable {
  public let buffer: CVPixelBuffer

  public init(_ buffer: CVPixelBuffer) {
    self.buffer = buffer
  }

  public var size: PixelSize {
    PixelSize(width: CVPixelBufferGetWidth(buffer), height: CVPixelBufferGetHeight(buffer))
  }

  public func withPixels<R>(_ body: (Pixels) throws -> R) throws -> R {
    guard CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_32BGRA else {
      throw CoEvoerError.usage("The frame is not BGRA; set the camera's output to kCVPixelFormatType_32BGRA.")
    }
    guard CVPixelBufferLockBaseAddress(buffer, .readOnly) == kCVReturnSuccess else {
      throw CoEvoerError.usage("The frame's pixels cannot be read; give another frame.")
    }
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    let row = CVPixelBufferGetBytesPerRow(buffer)
    let bytes = UnsafeRawBufferPointer(start: CVPixelBufferGetBaseAddress(buffer), count: row * size.height)
    return try body(Pixels(bytes: bytes, size: size, bytesPerRow: row, order: .bgra))
  }
}

extension PixelFrame {
  /// An upright image. Transparency is blended over white. Throws `CoEvoerError.usage` if the image cannot be drawn.
  public init(_ image: CGImage) throws {
    let (width, height) = (image.width, image.height)
    var bytes = [UInt8](repeating: 255, count: 4 * width * height)
    let drawn = bytes.withUnsafeMutableBytes { buffer in
      let context = CGContext(
        data: buffer.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
        space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
      context?.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
      return context != nil
    }
    guard drawn else { throw CoEvoerError.usage("The image of \(width) x \(height) px cannot be drawn; give another.") }
    try self.init(size: PixelSize(width: width, height: height), bytes: bytes, order: .rgba)
  }
}
