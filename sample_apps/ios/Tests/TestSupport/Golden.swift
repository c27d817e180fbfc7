// Golden images through a real network, against the float network's outputs.

import Foundation
import XCTest

@testable import CoEvoerKit

/// A file or folder that build.sh names in the environment.
public func environment(_ name: String) throws -> URL {
  URL(fileURLWithPath: try XCTUnwrap(ProcessInfo.processInfo.environment[name], "set \(name); build.sh does"))
}

/// Asserts that the error against float is within the manifest's limit (docs/pipeline.md, section 9). COEVOER_GOLDEN is
/// golden.npz as safetensors.
public func assertNoFurtherFromFloat(_ network: any Network, manifest: Manifest) async throws {
  let golden = try Safetensors(file: environment("COEVOER_GOLDEN"))
  var given: [String: [Double]] = [:]
  let images = try images(golden)
  for image in images {
    let outputs = try await network.run(image)
    _ = try Decoded(outputs, crop: Crop(x0: 0, y0: 0, width: 192, height: 256), manifest: manifest)  // checks them
    for (name, tensor) in outputs { given[name, default: []] += tensor.values.map(Double.init) }
  }
  var together = 0.0
  for (name, values) in given.sorted(by: { $0.key < $1.key }) {
    let exact = try golden.numbers("float_\(name)")
    let error = logError(values, exact, images: images.count)
    let ratio = error - logError(try golden.numbers("quantized_\(name)"), exact, images: images.count)
    print(String(format: "  %@: error %.3g, ratio %.3f", name, exp(error), exp(ratio)))
    together += ratio / Double(given.count)
  }
  print(String(format: "  together: ratio %.3f", exp(together)))
  XCTAssertEqual(given.count, manifest.outputs.count)
  let limit = try XCTUnwrap(golden.metadata["max_self_check_ratio"].flatMap(Double.init))
  XCTAssertLessThanOrEqual(exp(together), limit)
}

/// log of the root mean square of each image's difference, mean over images.
private func logError(_ a: [Double], _ b: [Double], images: Int) -> Double {
  let size = a.count / images
  var logs = 0.0
  for start in stride(from: 0, to: a.count, by: size) {
    var sum = 0.0
    for i in start..<start + size { sum += (a[i] - b[i]) * (a[i] - b[i]) }
    logs += log(sum / Double(size)) / 2
  }
  return logs / Double(images)
}

private func images(_ golden: Safetensors) throws -> [CropImage] {
  let pixels = try golden.values("image", [nil, nil, nil, 3], as: UInt8.self)
  let shape = try golden.entry("image").shape
  let size = PixelSize(width: shape[2], height: shape[1])
  let count = 3 * size.width * size.height
  return (0..<shape[0]).map { CropImage(size: size, rgb: Array(pixels[$0 * count..<($0 + 1) * count])) }
}
