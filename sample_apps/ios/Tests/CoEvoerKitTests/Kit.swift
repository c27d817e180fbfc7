// Reads the conformance kit: its cases, and what is allowed for each expected tensor.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

struct Kit: Sendable {
  static let shared = Result { try Kit(file: Safetensors(file: Shared.bundle.get().conformance)) }

  let file: Safetensors
  let names: [String]  // of the cases: "crop.0"
  let rules: PipelineRules  // that it was made with
  let tolerances: [String: [Double]]  // absolute, relative

  init(file: Safetensors) throws {
    self.file = file
    let metadata = { (key: String) in Data(try XCTUnwrap(file.metadata[key]).utf8) }
    let decoder = JSONDecoder()
    names = try decoder.decode([String: String].self, from: metadata("cases")).keys.sorted()
    tolerances = try decoder.decode([String: [Double]].self, from: metadata("tolerances"))
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    rules = try decoder.decode(PipelineRules.self, from: metadata("pipeline"))
  }

  func cases(_ kind: String) -> [Case] {
    names.filter { $0.hasPrefix("\(kind).") }.map { Case(name: $0, file: file, tolerances: tolerances) }
  }
}

/// One case: its tensors by their last name.
struct Case {
  let name: String
  let file: Safetensors
  let tolerances: [String: [Double]]

  func has(_ tensor: String) -> Bool { file.entries["\(name).\(tensor)"] != nil }
  func numbers(_ tensor: String) throws -> [Double] { try file.numbers("\(name).\(tensor)") }
  func shape(_ tensor: String) throws -> [Int] { try file.entry("\(name).\(tensor)").shape }

  func size(_ tensor: String = "frame_size", frame: Int = 0) throws -> PixelSize {
    let values = try numbers(tensor)
    return PixelSize(width: Int(values[2 * frame]), height: Int(values[2 * frame + 1]))
  }

  func crop() throws -> Crop {
    let c = try numbers("crop")
    return Crop(x0: c[0], y0: c[1], width: c[2], height: c[3])
  }

  /// One frame of a tensor.
  func part(_ tensor: String, _ frame: Int, _ frames: Int) throws -> [Double] {
    let all = try numbers(tensor)
    let n = all.count / frames
    return Array(all[frame * n..<(frame + 1) * n])
  }

  /// As they lie in the kit.
  func outputs(_ manifest: Manifest) throws -> NetworkOutputs {
    var outputs: NetworkOutputs = [:]
    for spec in manifest.outputs where has(spec.name) {
      outputs[spec.name] = Tensor(shape: try shape(spec.name), values: try numbers(spec.name).map { Float($0) })
    }
    return outputs
  }

  /// One frame of a stream; the batch axis is added.
  func outputs(_ manifest: Manifest, frame: Int, of frames: Int) throws -> NetworkOutputs {
    var outputs: NetworkOutputs = [:]
    for spec in manifest.outputs {
      let values = try part(spec.name, frame, frames).map { Float($0) }
      outputs[spec.name] = Tensor(shape: [1] + (try shape(spec.name)).dropFirst(), values: values)
    }
    return outputs
  }

  func parameters(frame: Int = 0, of frames: Int = 1) throws -> Parameters {
    let values = { (name: String) in try part(name, frame, frames) }
    let rotations = { (name: String) in
      let all = try values(name)
      return stride(from: 0, to: all.count, by: 9).map { Matrix3(rowMajor: all[$0..<$0 + 9]) }
    }
    return Parameters(
      globalOrient: try rotations(OutputName.globalOrient)[0], bodyPose: try rotations(OutputName.bodyPose),
      leftHandPose: try rotations(OutputName.leftHandPose), rightHandPose: try rotations(OutputName.rightHandPose),
      jawPose: try rotations(OutputName.jawPose)[0], betas: try values(OutputName.betas),
      expression: try values(OutputName.expression))
  }

  /// |given - expected| <= absolute + relative |expected|, as the kit says for this name.
  func check(_ tensor: String, _ given: [Double], sourceFile: StaticString = #filePath, line: UInt = #line) throws {
    let expected = try numbers(tensor)
    let allowed = try XCTUnwrap(tolerances[tensor], "the kit has no tolerance for \(tensor)")
    guard given.count == expected.count else {
      return XCTFail("\(name).\(tensor): \(given.count) numbers, not \(expected.count)", file: sourceFile, line: line)
    }
    let worst =
      zip(given, expected).map { g, e in
        g.isFinite ? abs(g - e) - allowed[1] * abs(e) : .infinity
      }.max() ?? 0
    XCTAssertLessThanOrEqual(worst, allowed[0], "\(name).\(tensor)", file: sourceFile, line: line)
  }
}
