// The posed mesh, in addition to the kit: compared with a plain computation, with pose correctives, and misuse.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class BodyTests: XCTestCase {
  private var random = Seeded(state: 11)

  private func somebody(_ manifest: Manifest) throws -> Parameters {
    let rotations = { (output: String) in
      try (0..<manifest.shape(output)[1]).map { _ in
        rotationExp(Vector3((0..<3).map { _ in Double.random(in: -0.5...0.5, using: &self.random) }))
      }
    }
    let numbers = { (output: String) in
      try (0..<manifest.shape(output)[1]).map { _ in Double.random(in: -2...2, using: &self.random) }
    }
    return Parameters(
      globalOrient: try rotations(OutputName.globalOrient)[0], bodyPose: try rotations(OutputName.bodyPose),
      leftHandPose: try rotations(OutputName.leftHandPose), rightHandPose: try rotations(OutputName.rightHandPose),
      jawPose: try rotations(OutputName.jawPose)[0], betas: try numbers(OutputName.betas),
      expression: try numbers(OutputName.expression))
  }

  /// A literal implementation of section 5 of docs/pipeline.md, in float64.
  private func plainly(_ p: Parameters, _ file: Safetensors, _ v: Int) throws -> Vector3 {
    let tensor = { (name: String) in try file.numbers(name) }
    let (template, shapes) = (try tensor("v_template"), try tensor("shapedirs"))
    let (joints, directions) = (try tensor("joint_template"), try tensor("joint_directions"))
    let parents = try tensor("parents")
    let (c, J, V) = (p.coefficients, p.rotations.count, template.count / 3)
    func shaped(_ base: [Double], _ directions: [Double], _ count: Int, _ at: Int) -> Vector3 {
      var point = Vector3.zero
      for i in 0..<3 {
        point[i] = base[3 * at + i]
        for k in c.indices { point[i] += c[k] * directions[3 * (k * count + at) + i] }
      }
      return point
    }
    var rest = shaped(template, shapes, V, v)
    if file.entries["posedirs"] != nil {
      let correctives = try tensor("posedirs")
      let features = p.rotations.dropFirst().flatMap { zip($0.rowMajor, Matrix3.identity.rowMajor).map { $0 - $1 } }
      for (entry, feature) in features.enumerated() {
        for i in 0..<3 { rest[i] += feature * correctives[3 * (entry * V + v) + i] }
      }
    }
    let restJoints = (0..<J).map { shaped(joints, directions, J, $0) }
    func posed(_ k: Int, _ point: Vector3) -> Vector3 {
      let turned = restJoints[k] + p.rotations[k] * (point - restJoints[k])
      return k == 0 ? turned : posed(Int(parents[k]), turned)
    }
    let (skinJoints, weights) = (try tensor("skin_joints"), try tensor("skin_weights"))
    return (8 * v..<8 * v + 8).reduce(Vector3.zero) { $0 + weights[$1] * posed(Int(skinJoints[$1]), rest) }
  }

  func testAgreesWithAPlainComputation() throws {
    let bundle = try Shared.bundle.get()
    let (body, file) = (try Shared.body.get(), try Safetensors(file: bundle.body))
    let parameters = try somebody(bundle.manifest)
    let translation = Vector3(0.1, -0.2, 3)
    var vertices: [Float] = []
    try body.vertices(parameters, translation: translation, into: &vertices)
    XCTAssertEqual(vertices.count, 3 * body.numVertices)
    for v in [0, 1, 6927, body.numVertices - 2, body.numVertices - 1] {
      let expected = try plainly(parameters, file, v) + translation
      for i in 0..<3 { XCTAssertEqual(Double(vertices[3 * v + i]), expected[i], accuracy: 2e-6) }
    }
  }

  func testPoseCorrectivesOfAUsersOwnModel() throws {
    let bundle = try Shared.bundle.get()
    let (V, J) = (try Shared.body.get().numVertices, bundle.manifest.jointNames.count)
    let file = try withPoseCorrectives(bundle.body, vertices: V, entries: 9 * (J - 1))
    let body = try Body(file: file, manifest: bundle.manifest)
    let parameters = try somebody(bundle.manifest)
    var (with, without): ([Float], [Float]) = ([], [])
    try body.vertices(parameters, into: &with)
    try Shared.body.get().vertices(parameters, into: &without)
    XCTAssertNotEqual(with, without)
    for v in [0, 77, V - 1] {
      let expected = try plainly(parameters, file, v)
      for i in 0..<3 { XCTAssertEqual(Double(with[3 * v + i]), expected[i], accuracy: 1e-5) }
    }
  }

  /// The body's file with `posedirs` of a few hundredths of a millimetre added: some for every vertex and entry.
  private func withPoseCorrectives(_ body: URL, vertices: Int, entries: Int) throws -> Safetensors {
    let bytes = try Data(contentsOf: body)
    let length = Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    var header = String(decoding: bytes[8..<8 + length], as: UTF8.self).trimmingCharacters(in: .whitespaces)
    let payload = bytes[(8 + length)...]
    let added = [Float](unsafeUninitializedCapacity: entries * vertices * 3) { values, count in
      for i in values.indices { values[i] = Float(i % 23 - 11) * 1e-5 }
      count = values.count
    }
    let end = payload.count + 4 * added.count
    header.removeLast()
    header += ",\"posedirs\":{\"dtype\":\"F32\",\"shape\":[\(entries),\(vertices),3],"
    header += "\"data_offsets\":[\(payload.count),\(end)]}}"
    var file = withUnsafeBytes(of: UInt64(header.utf8.count)) { Data($0) } + Data(header.utf8) + payload
    added.withUnsafeBytes { file.append(contentsOf: $0) }
    return try Safetensors(data: file, name: "with correctives")
  }

  func testMisuse() throws {
    let body = try Shared.body.get()
    var parameters = try somebody(try Shared.bundle.get().manifest)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 30) { few in
      assertThrows(.usage, "the buffer holds 30") { try body.vertices(parameters, into: few) }
    }
    parameters.betas.removeLast()
    assertThrows(.usage, "different numbers of joints or coefficients") { try body.joints(parameters) }
  }
}
