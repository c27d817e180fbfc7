// Measures everything but the network, in release mode: coevoer-bench BUNDLE [--limit-mesh-ms MS]
//
// Each time is the median of 200 runs after a warm-up. Exit code 1: the mesh takes longer than the limit.

import CoEvoerKit
import Foundation

func median(_ count: Int = 200, _ work: () throws -> Void) rethrows -> Double {
  var times: [Double] = []
  for _ in 0..<count + 20 {
    let start = ContinuousClock.now
    try work()
    times.append((ContinuousClock.now - start) / .milliseconds(1))
  }
  return times.dropFirst(20).sorted()[count / 2]
}

func run(_ arguments: [String]) throws {
  guard let path = arguments.first else {
    throw CoEvoerError.usage("Usage: coevoer-bench BUNDLE [--limit-mesh-ms MS]")
  }
  let start = ContinuousClock.now
  let bundle = try ModelBundle(folder: URL(fileURLWithPath: path))
  let opened = (ContinuousClock.now - start) / .milliseconds(1)
  let manifest = bundle.manifest
  let body = try Body(file: Safetensors(file: bundle.body), manifest: manifest)
  print(String(format: "bundle: digests and contract checked in %.0f ms", opened))

  let kit = try Safetensors(file: bundle.conformance)
  let outputs = try Dictionary(
    uniqueKeysWithValues: manifest.outputs.map { spec in
      let values = try kit.numbers("decode.0.\(spec.name)").map { Float($0) }
      return (spec.name, Tensor(shape: spec.shape, values: values))
    })
  let whole = Crop.wholeFrame(PixelSize(width: 1280, height: 720), in: manifest.view)
  let decoded = try Decoded(outputs, crop: whole, manifest: manifest)
  var vertices: [Float] = []
  let mesh = try median { try body.vertices(decoded.parameters, translation: decoded.translation, into: &vertices) }
  print(String(format: "mesh, %d vertices: %.2f ms", body.numVertices, mesh))
  let decode = try median {
    _ = try body.joints(Decoded(outputs, crop: whole, manifest: manifest).parameters)
  }
  print(String(format: "decode (nearest rotations, joints): %.2f ms", decode))
  for (width, height) in [(640, 480), (1280, 720), (1920, 1080)] {
    let size = PixelSize(width: width, height: height)
    let bytes = (0..<4 * width * height).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let frame = try PixelFrame(size: size, bytes: bytes, order: .bgra)
    let crop = Crop.wholeFrame(size, in: manifest.view)
    let time = try median { _ = try extractCrop(frame, crop, in: manifest.view) }
    print(String(format: "crop, the whole frame of %d x %d: %.2f ms", width, height, time))
  }

  guard let place = arguments.firstIndex(of: "--limit-mesh-ms") else { return }
  guard arguments.count > place + 1, let limit = Double(arguments[place + 1]) else {
    throw CoEvoerError.usage("--limit-mesh-ms takes a number of milliseconds.")
  }
  if mesh > limit { throw CoEvoerError.usage("The mesh took \(mesh) ms, the limit is \(limit) ms.") }
}

do {
  try run(Array(CommandLine.arguments.dropFirst()))
} catch {
  FileHandle.standardError.write(Data("coevoer-bench: \(error)\n".utf8))
  exit(1)
}
