// Renders a frame and the mesh over it with Metal: one vertex buffer, one index buffer, two draw calls. Skinning writes
// directly into the vertex buffer.

import CoEvoerKit
import CoEvoerLive
import MetalKit

final class MeshCanvas: MTKView {
  private let commands: any MTLCommandQueue
  private let picturePipeline: any MTLRenderPipelineState
  private let meshPipeline: any MTLRenderPipelineState
  private let nearerWins: any MTLDepthStencilState
  private let textures: CVMetalTextureCache
  private var indices: (any MTLBuffer)?
  private var pictures: [CVMetalTexture] = []  // the last is shown; the GPU may still read those before it
  private var frameSize = PixelSize(width: 1, height: 1)
  private var mesh: (vertices: any MTLBuffer, person: Person)?

  /// nil if the device has no Metal or the app has no shaders.
  init?(on device: (any MTLDevice)? = MTLCreateSystemDefaultDevice()) {
    var cache: CVMetalTextureCache?
    guard let device, let commands = device.makeCommandQueue(),
      let library = device.makeDefaultLibrary(),
      CVMetalTextureCacheCreate(nil, nil, device, nil, &cache) == kCVReturnSuccess, let cache,
      let picture = MeshCanvas.pipeline(device, library, "picture"),
      let mesh = MeshCanvas.pipeline(device, library, "mesh")
    else { return nil }
    let depth = MTLDepthStencilDescriptor()
    depth.depthCompareFunction = .less
    depth.isDepthWriteEnabled = true
    guard let nearerWins = device.makeDepthStencilState(descriptor: depth) else { return nil }
    (self.commands, textures, self.nearerWins) = (commands, cache, nearerWins)
    (picturePipeline, meshPipeline) = (picture, mesh)
    super.init(frame: .zero, device: device)
    colorPixelFormat = .bgra8Unorm
    depthStencilPixelFormat = .depth32Float
    isPaused = true  // rendered when a result comes, not by a timer
    enableSetNeedsDisplay = true
  }

  required init(coder: NSCoder) {
    fatalError("MeshCanvas is created in code only.")
  }

  /// Shows a frame, with the mesh of the person that was found in it.
  func show(_ frame: CameraFrame, person: Person?, body: Body) {
    var texture: CVMetalTexture?
    CVMetalTextureCacheCreateTextureFromImage(
      nil, textures, frame.pixels.buffer, nil, .bgra8Unorm, frame.size.width, frame.size.height, 0, &texture)
    guard let texture else { return }
    pictures = (pictures + [texture]).suffix(3)
    frameSize = frame.size
    mesh = person.flatMap { person in posed(person, body).map { ($0, person) } }
    setNeedsDisplay()
  }

  private func posed(_ person: Person, _ body: Body) -> (any MTLBuffer)? {
    let count = 3 * body.numVertices
    if indices == nil {
      indices = device?.makeBuffer(bytes: body.faces, length: 4 * body.faces.count, options: [])
    }
    // Each mesh gets a new buffer, because the GPU may still read the last one.
    guard let buffer = device?.makeBuffer(length: 4 * count, options: .storageModeShared) else { return nil }
    let floats = UnsafeMutableBufferPointer(
      start: buffer.contents().assumingMemoryBound(to: Float.self), count: count)
    do {
      try body.vertices(person.parameters, translation: person.translation, into: floats)
      return buffer
    } catch {
      return nil  // the parameters belong to another body, so there is nothing to render
    }
  }

  override func draw(_ rect: CGRect) {
    guard let pass = currentRenderPassDescriptor, let drawable = currentDrawable,
      let buffer = commands.makeCommandBuffer(),
      let encoder = buffer.makeRenderCommandEncoder(descriptor: pass)
    else { return }
    let (width, height) = (Double(drawableSize.width), Double(drawableSize.height))
    if let picture = pictures.last, let texture = CVMetalTextureGetTexture(picture) {
      var fit = ClipTransform.fit(frameSize, viewWidth: width, viewHeight: height, mirrored: true)
      encoder.setRenderPipelineState(picturePipeline)
      encoder.setVertexBytes(&fit, length: MemoryLayout.size(ofValue: fit), index: 0)
      encoder.setFragmentTexture(texture, index: 0)
      encoder.drawPrimitives(type: .triangleStrip, vertexStart: 0, vertexCount: 4)
    }
    if let mesh, let indices {
      var clip = ClipTransform(
        camera: mesh.person.camera, frame: frameSize, viewWidth: width, viewHeight: height, mirrored: true,
        distanceM: mesh.person.translation.z)
      encoder.setRenderPipelineState(meshPipeline)
      encoder.setDepthStencilState(nearerWins)
      encoder.setVertexBuffer(mesh.vertices, offset: 0, index: 0)
      encoder.setVertexBytes(&clip, length: MemoryLayout.size(ofValue: clip), index: 1)
      encoder.drawIndexedPrimitives(
        type: .triangle, indexCount: indices.length / 4, indexType: .uint32, indexBuffer: indices, indexBufferOffset: 0)
    }
    encoder.endEncoding()
    buffer.present(drawable)
    buffer.commit()
  }

  private static func pipeline(
    _ device: any MTLDevice, _ library: any MTLLibrary, _ name: String
  ) -> (any MTLRenderPipelineState)? {
    let descriptor = MTLRenderPipelineDescriptor()
    descriptor.vertexFunction = library.makeFunction(name: "\(name)_vertex")
    descriptor.fragmentFunction = library.makeFunction(name: "\(name)_fragment")
    descriptor.colorAttachments[0].pixelFormat = .bgra8Unorm
    descriptor.depthAttachmentPixelFormat = .depth32Float
    return try? device.makeRenderPipelineState(descriptor: descriptor)
  }
}
