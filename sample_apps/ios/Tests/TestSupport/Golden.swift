// Golden images through a real network, against the float network's outputs.

import Foundation
import XCTest

@testable import CoEvoerKit

/// A file or folder that build.sh names in the environment.
public func environment(_ name: String) throws -> URL {
  URL(fileURLWithPath: try XCTUnwrap(ProcessInfo.processInfo.environment[name], "set \(name); build.sh does"))
}

/// No further from float than 1.1 times the quantized program, all outputs together: eight images are too few to hold
/// single ones to that (rounding of two INT8 runtimes decorrelates). COEVOER_GOLDEN is golden.npz as safetensors.
public func assertNoFurtherFromFloat(_ network: any Network, manifest: Manifest) async throws {
  let golden = try Safetensors(file: environment("COEVOER_GOLDEN"))
  var given: [String: [Double]] = [:]
  for image in try images(golden) {
    let outputs = try await network.run(image)
    _ = try Decoded(outputs, crop: Crop(x0: 0, y0: 0, width: 192, height: 256), manifest: manifest)  // checks them
    for (name, tensor) in outputs { given[name, default: []] += tensor.values.map(Double.init) }
  }
  var squares = 0.0
  for (name, values) in given.sorted(by: { $0.key < $1.key }) {
    let exact = try golden.numbers("float_\(name)")
    let (error, allowed) = (rms(values, exact), rms(try golden.numbers("quantized_\(name)"), exact))
    print(String(format: "  %@: error %.3g, quantized program %.3g, ratio %.3f", name, error, allowed, error / allowed))
    XCTAssertLessThanOrEqual(error, 1.5 * allowed, name)
    squares += error / allowed * (error / allowed)
  }
  let together = (squares / Double(given.count)).squareRoot()
  print(String(format: "  together: ratio %.3f", together))
  XCTAssertEqual(given.count, manifest.outputs.count)
  XCTAssertLessThanOrEqual(together, 1.1)
}

private func rms(_ a: [Double], _ b: [Double]) -> Double {
  (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(a.count)).squareRoot()
}

private func images(_ golden: Safetensors) throws -> [CropImage] {
  let pixels = try golden.values("image", [nil, nil, nil, 3], as: UInt8.self)
  let shape = try golden.entry("image").shape
  let size = PixelSize(width: shape[2], height: shape[1])
  let count = 3 * size.width * size.height
  return (0..<shape[0]).map { CropImage(size: size, rgb: Array(pixels[$0 * count..<($0 + 1) * count])) }
}
