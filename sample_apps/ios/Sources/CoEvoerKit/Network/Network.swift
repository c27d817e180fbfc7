// The network behind one protocol: Core ML on Apple systems, another runtime, an oracle in tests.

public struct Tensor: Equatable, Sendable {
  public var shape: [Int]
  public var values: [Float]  // row-major

  public init(shape: [Int], values: [Float]) {
    self.shape = shape
    self.values = values
  }
}

/// By name, batch 1.
public typealias NetworkOutputs = [String: Tensor]

public protocol Network: Sendable {
  /// One crop. Throws `CoEvoerError.network` or `.memory`.
  func run(_ crop: CropImage) async throws -> NetworkOutputs
}

/// Makes the network of a bundle that was verified.
public protocol NetworkLoader: Sendable {
  /// Whatever makes a later `load` quick and is kept on disk. Nothing stays in memory.
  func prewarm(_ bundle: ModelBundle) async throws

  /// Throws `CoEvoerError.bundle` for an artifact that cannot be loaded or whose inputs and outputs are not the
  /// manifest's, `.memory` for too little memory.
  func load(_ bundle: ModelBundle) async throws -> any Network
}

extension NetworkLoader {
  public func prewarm(_ bundle: ModelBundle) async throws {}
}
