// Declarations without code, for type-checking off Apple systems.

@_exported import CoreVideo

public struct CMTime: Sendable {
  public var seconds: Double { fatalError() }
}

public final class CMSampleBuffer {}

public func CMSampleBufferGetImageBuffer(_ buffer: CMSampleBuffer) -> CVImageBuffer? { fatalError() }
public func CMSampleBufferGetPresentationTimeStamp(_ buffer: CMSampleBuffer) -> CMTime { fatalError() }
