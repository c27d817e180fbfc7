// One loaded Core ML model. In: a crop as an image. Out: the manifest's outputs.

import CoEvoerKit
import CoreML
import CoreVideo

/// `@unchecked`: the model is not changed after `init`, and Core ML predicts from any thread.
final class CoreMLNetwork: Network, @unchecked Sendable {
  private let model: MLModel
  private let manifest: Manifest

  /// Throws `CoEvoerError.bundle` if the model's description does not match the manifest.
  init(_ model: MLModel, manifest: Manifest) throws {
    self.model = model
    self.manifest = manifest
    let description = model.modelDescription
    let size = manifest.view.size
    let image = description.inputDescriptionsByName[manifest.inputName]?.imageConstraint
    guard description.inputDescriptionsByName.count == 1, let image, image.pixelsWide == size.width,
      image.pixelsHigh == size.height
    else {
      throw CoreMLNetwork.differs("input \(manifest.inputName)", "an image of \(size.width) x \(size.height) px")
    }
    guard description.outputDescriptionsByName.count == manifest.outputs.count else {
      throw CoreMLNetwork.differs(
        "the number of outputs, \(description.outputDescriptionsByName.count),", "\(manifest.outputs.count)")
    }
    for output in manifest.outputs {
      let array = description.outputDescriptionsByName[output.name]?.multiArrayConstraint
      guard let array, array.dataType == .float32, array.shape.map(\.intValue) == output.shape else {
        throw CoreMLNetwork.differs("output \(output.name)", "float32 \(output.shape)")
      }
    }
  }

  func run(_ crop: CropImage) async throws -> NetworkOutputs {
    let image = MLFeatureValue(pixelBuffer: try pixelBuffer(of: crop))
    let given: any MLFeatureProvider
    do {
      let input = try MLDictionaryFeatureProvider(dictionary: [manifest.inputName: image])
      given = try await model.prediction(from: input)
    } catch {
      throw CoEvoerError.network("Core ML failed on \(manifest.artifact) (\(error)); try again.")
    }
    var outputs: NetworkOutputs = [:]
    for output in manifest.outputs {
      guard let array = given.featureValue(for: output.name)?.multiArrayValue else { continue }  // see `Decoded`
      let values = MLShapedArray<Float>(converting: array)
      outputs[output.name] = Tensor(shape: values.shape, values: values.scalars)
    }
    return outputs
  }

  private static func differs(_ what: String, _ expected: String) -> CoEvoerError {
    .bundle("The Core ML model's \(what) does not match the manifest, which says \(expected). Export the bundle again.")
  }
}

/// The crop in Core ML's image format.
private func pixelBuffer(of crop: CropImage) throws -> CVPixelBuffer {
  let (width, height) = (crop.size.width, crop.size.height)
  var made: CVPixelBuffer?
  let status = CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, nil, &made)
  guard status == kCVReturnSuccess, let buffer = made, CVPixelBufferLockBaseAddress(buffer, []) == kCVReturnSuccess
  else { throw CoEvoerError.memory("There is not enough memory for a crop (status \(status)); free some.") }
  defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
  guard let base = CVPixelBufferGetBaseAddress(buffer) else {
    throw CoEvoerError.memory("The pixels of a crop cannot be accessed; free some memory.")
  }
  let bytesPerRow = CVPixelBufferGetBytesPerRow(buffer)
  crop.rgb.withUnsafeBufferPointer { rgb in
    for y in 0..<height {
      let row = (base + y * bytesPerRow).assumingMemoryBound(to: UInt8.self)
      for x in 0..<width {
        let from = 3 * (y * width + x)
        row[4 * x] = rgb[from + 2]
        row[4 * x + 1] = rgb[from + 1]
        row[4 * x + 2] = rgb[from]
        row[4 * x + 3] = 255
      }
    }
  }
  return buffer
}
