// Declarations without code, for type-checking off Apple systems. CGFloat, CGRect and CGSize are Foundation's.

@_exported import Foundation

public final class CGImage {
  public var width: Int { fatalError() }
  public var height: Int { fatalError() }
}

public final class CGColorSpace {}

public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { fatalError() }

public enum CGImageAlphaInfo: UInt32 {
  case noneSkipLast
}

public final class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) { fatalError() }
  public func draw(_ image: CGImage, in rect: CGRect) { fatalError() }
}
