// Declarations without code, for type-checking off Apple systems. Only what the app calls.

@_exported import CoreVideo

public enum MTLPixelFormat: UInt, Sendable { case invalid, bgra8Unorm, depth32Float }
public enum MTLPrimitiveType: UInt, Sendable { case triangle, triangleStrip }
public enum MTLIndexType: UInt, Sendable { case uint16, uint32 }
public enum MTLCompareFunction: UInt, Sendable { case never, less }

public struct MTLResourceOptions: OptionSet, Sendable {
  public let rawValue: UInt
  public init(rawValue: UInt) { self.rawValue = rawValue }
  public static let storageModeShared = MTLResourceOptions([])
}

public protocol MTLBuffer: NSObjectProtocol {
  var length: Int { get }
  func contents() -> UnsafeMutableRawPointer
}
public protocol MTLTexture: NSObjectProtocol {}
public protocol MTLFunction: NSObjectProtocol {}
public protocol MTLDrawable: NSObjectProtocol {}
public protocol MTLRenderPipelineState: NSObjectProtocol {}
public protocol MTLDepthStencilState: NSObjectProtocol {}
public protocol MTLLibrary: NSObjectProtocol {
  func makeFunction(name: String) -> (any MTLFunction)?
}

open class MTLDepthStencilDescriptor: NSObject {
  open var depthCompareFunction = MTLCompareFunction.never
  open var isDepthWriteEnabled = false
}

open class MTLRenderPipelineColorAttachmentDescriptor: NSObject {
  open var pixelFormat = MTLPixelFormat.invalid
}

open class MTLRenderPipelineColorAttachmentDescriptorArray: NSObject {
  open subscript(index: Int) -> MTLRenderPipelineColorAttachmentDescriptor! {
    get { fatalError() }
    set { fatalError() }
  }
}

open class MTLRenderPipelineDescriptor: NSObject {
  open var vertexFunction: (any MTLFunction)?
  open var fragmentFunction: (any MTLFunction)?
  open var colorAttachments: MTLRenderPipelineColorAttachmentDescriptorArray! { fatalError() }
  open var depthAttachmentPixelFormat = MTLPixelFormat.invalid
}

open class MTLRenderPassDescriptor: NSObject {}

public protocol MTLRenderCommandEncoder: NSObjectProtocol {
  func setRenderPipelineState(_ state: any MTLRenderPipelineState)
  func setDepthStencilState(_ state: (any MTLDepthStencilState)?)
  func setVertexBuffer(_ buffer: (any MTLBuffer)?, offset: Int, index: Int)
  func setVertexBytes(_ bytes: UnsafeRawPointer, length: Int, index: Int)
  func setFragmentTexture(_ texture: (any MTLTexture)?, index: Int)
  func drawPrimitives(type: MTLPrimitiveType, vertexStart: Int, vertexCount: Int)
  func drawIndexedPrimitives(
    type: MTLPrimitiveType, indexCount: Int, indexType: MTLIndexType, indexBuffer: any MTLBuffer,
    indexBufferOffset: Int)
  func endEncoding()
}

public protocol MTLCommandBuffer: NSObjectProtocol {
  func makeRenderCommandEncoder(descriptor: MTLRenderPassDescriptor) -> (any MTLRenderCommandEncoder)?
  func present(_ drawable: any MTLDrawable)
  func commit()
}

public protocol MTLCommandQueue: NSObjectProtocol {
  func makeCommandBuffer() -> (any MTLCommandBuffer)?
}

public protocol MTLDevice: NSObjectProtocol {
  func makeCommandQueue() -> (any MTLCommandQueue)?
  func makeDefaultLibrary() -> (any MTLLibrary)?
  func makeBuffer(length: Int, options: MTLResourceOptions) -> (any MTLBuffer)?
  func makeBuffer(bytes: UnsafeRawPointer, length: Int, options: MTLResourceOptions) -> (any MTLBuffer)?
  func makeDepthStencilState(descriptor: MTLDepthStencilDescriptor) -> (any MTLDepthStencilState)?
  func makeRenderPipelineState(descriptor: MTLRenderPipelineDescriptor) throws -> any MTLRenderPipelineState
}

public func MTLCreateSystemDefaultDevice() -> (any MTLDevice)? { fatalError() }

public final class CVMetalTexture {}
public final class CVMetalTextureCache {}
public func CVMetalTextureCacheCreate(
  _ allocator: CFAllocator?, _ attributes: CFDictionary?, _ device: any MTLDevice, _ textureAttributes: CFDictionary?,
  _ cache: UnsafeMutablePointer<CVMetalTextureCache?>
) -> CVReturn { fatalError() }
@discardableResult
public func CVMetalTextureCacheCreateTextureFromImage(
  _ allocator: CFAllocator?, _ cache: CVMetalTextureCache, _ image: CVImageBuffer, _ attributes: CFDictionary?,
  _ format: MTLPixelFormat, _ width: Int, _ height: Int, _ plane: Int,
  _ texture: UnsafeMutablePointer<CVMetalTexture?>
) -> CVReturn { fatalError() }
public func CVMetalTextureGetTexture(_ texture: CVMetalTexture) -> (any MTLTexture)? { fatalError() }
