// ExecuTorch's runtime as a `Network`, for tests on Linux.

import CExecuTorchNetwork
import CoEvoerKit
import Synchronization

struct ExecuTorchLoader: NetworkLoader {
  func load(_ bundle: ModelBundle) async throws -> any Network { try ExecuTorchNetwork(bundle) }
}

final class ExecuTorchNetwork: Network {
  /// The lock lets only one thread at a time use the handle.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private let handle: Mutex<Handle>
  private let outputs: [OutputSpec]

  init(_ bundle: ModelBundle) throws {
    var pointer: OpaquePointer?
    try check(coevoer_network_open(bundle.folder.path, &pointer))
    guard let pointer else { throw CoEvoerError.network("the library gave no network") }
    handle = Mutex(Handle(pointer: pointer))
    outputs = bundle.manifest.outputs
  }

  deinit {
    handle.withLock { coevoer_network_free($0.pointer) }
  }

  func run(_ crop: CropImage) async throws -> NetworkOutputs {
    let counts = outputs.map { $0.shape.reduce(1, *) }
    var values = [Float](repeating: 0, count: counts.reduce(0, +))
    try handle.withLock { handle in
      try values.withUnsafeMutableBufferPointer { values in
        var starts: [UnsafeMutablePointer<Float>?] = []
        var at = values.baseAddress
        for count in counts {
          starts.append(at)
          at = at?.advanced(by: count)
        }
        try check(coevoer_network_run(handle.pointer, crop.planes(), &starts))
      }
    }
    var given: NetworkOutputs = [:]
    var start = 0
    for (spec, count) in zip(outputs, counts) {
      given[spec.name] = Tensor(shape: spec.shape, values: Array(values[start..<start + count]))
      start += count
    }
    return given
  }
}

private func check(_ status: Int32) throws {
  guard status != 0 else { return }
  let message = String(cString: coevoer_network_error())
  throw switch status {
  case 2: CoEvoerError.bundle(message)
  case 4: CoEvoerError.memory(message)
  default: CoEvoerError.network(message)
  }
}
