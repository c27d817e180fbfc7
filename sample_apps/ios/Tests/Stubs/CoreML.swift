// Declarations without code, for type-checking off Apple systems. Nothing is Sendable that Apple does not say is.

@_exported import CoreVideo

public enum MLComputeUnits: Int, Sendable {
  case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine
}

open class MLModelConfiguration: NSObject {
  open var computeUnits: MLComputeUnits {
    get { fatalError() }
    set { fatalError() }
  }
}

open class MLModel: NSObject {
  open class func compileModel(at url: URL) throws -> URL { fatalError() }
  open class func compileModel(at url: URL) async throws -> URL { fatalError() }
  public init(contentsOf url: URL, configuration: MLModelConfiguration) throws { fatalError() }
  open class func load(
    contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
  ) async throws -> MLModel { fatalError() }
  open var modelDescription: MLModelDescription { fatalError() }
  open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }
  open func prediction(
    from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()
  ) async throws -> any MLFeatureProvider { fatalError() }
}

open class MLPredictionOptions: NSObject {}

open class MLModelDescription: NSObject {
  open var inputDescriptionsByName: [String: MLFeatureDescription] { fatalError() }
  open var outputDescriptionsByName: [String: MLFeatureDescription] { fatalError() }
}

open class MLFeatureDescription: NSObject {
  open var imageConstraint: MLImageConstraint? { fatalError() }
  open var multiArrayConstraint: MLMultiArrayConstraint? { fatalError() }
}

open class MLImageConstraint: NSObject {
  open var pixelsWide: Int { fatalError() }
  open var pixelsHigh: Int { fatalError() }
}

public enum MLMultiArrayDataType: Int, Sendable {
  case double, float64, float32, float16, float, int32
}

open class MLMultiArrayConstraint: NSObject {
  open var shape: [NSNumber] { fatalError() }
  open var dataType: MLMultiArrayDataType { fatalError() }
}

open class MLMultiArray: NSObject {}

public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
  public init(converting array: MLMultiArray) { fatalError() }
  public var shape: [Int] { fatalError() }
  public var scalars: [Scalar] { fatalError() }
}

open class MLFeatureValue: NSObject {
  public convenience init(pixelBuffer: CVPixelBuffer) { fatalError() }
  public convenience init(cgImage: CGImage, constraint: MLImageConstraint, options: [String: Any]? = nil) throws {
    fatalError()
  }
  open var multiArrayValue: MLMultiArray? { fatalError() }
}

public protocol MLFeatureProvider {
  func featureValue(for name: String) -> MLFeatureValue?
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws { fatalError() }
  public func featureValue(for name: String) -> MLFeatureValue? { fatalError() }
}
