// Declarations without code, for type-checking off Apple systems.

@_exported import Metal
@_exported import UIKit

public protocol CAMetalDrawable: MTLDrawable {}

open class MTKView: UIView {
  public init(frame: CGRect, device: (any MTLDevice)?) { fatalError() }
  public required init(coder: NSCoder) { fatalError() }
  open var device: (any MTLDevice)?
  open var colorPixelFormat = MTLPixelFormat.invalid
  open var depthStencilPixelFormat = MTLPixelFormat.invalid
  open var isPaused = false
  open var enableSetNeedsDisplay = false
  open var drawableSize: CGSize {
    get { fatalError() }
    set { fatalError() }
  }
  open var currentRenderPassDescriptor: MTLRenderPassDescriptor? { fatalError() }
  open var currentDrawable: (any CAMetalDrawable)? { fatalError() }
}
