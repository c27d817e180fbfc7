// The protocol of a network: Core ML on Apple systems, another runtime, or a fake in tests.

public struct Tensor: Equatable, Sendable {
  public var shape: [Int]
  public var values: [Float]  // row-major

  public init(shape: [Int], values: [Float]) {
    self.shape = shape
    self.values = values
  }
}

/// The outputs by name, batch 1.
public typealias NetworkOutputs = [String: Tensor]

public protocol Network: Sendable {
  /// Runs the network on one crop. Throws `CoEvoerError.network` or `.memory`.
  func run(_ crop: CropImage) async throws -> NetworkOutputs
}

/// Loads the network of a verified bundle.
public protocol NetworkLoader: Sendable {
  /// Prepares on disk what makes a later `load` quick. Nothing stays in memory.
  func prewarm(_ bundle: ModelBundle) async throws

  /// Throws `CoEvoerError.bundle` for an artifact that cannot be loaded or whose inputs and outputs are not the
  /// manifest's, `.memory` for too little memory.
  func load(_ bundle: ModelBundle) async throws -> any Network
}

extension NetworkLoader {
  public func prewarm(_ bundle: ModelBundle) async throws {}
}
