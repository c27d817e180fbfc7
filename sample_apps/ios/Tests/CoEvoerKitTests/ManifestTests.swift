// A manifest that this library does not support is refused with the name of the key.

import Foundation
import TestSupport
import XCTest

@testable import CoEvoerKit

final class ManifestTests: XCTestCase {
  private func text() throws -> String {
    let bundle = try Shared.bundle.get()
    return try String(contentsOf: bundle.folder.appendingPathComponent(ModelBundle.manifestFile), encoding: .utf8)
  }

  private func refused(_ old: String, _ new: String, _ words: String, line: UInt = #line) throws {
    let text = try text()
    XCTAssert(text.contains(old), "the manifest has no \(old)", line: line)
    let place = try XCTUnwrap(text.range(of: old))
    let edited = Data(text.replacingCharacters(in: place, with: new).utf8)
    assertThrows(.bundle, words, line: line) { try Manifest(json: edited, name: "manifest.json") }
  }

  func testNoJsonAndNoManifest() {
    assertThrows(.bundle, "cannot be read") { try Manifest(json: Data("{".utf8), name: "m") }
    assertThrows(.bundle, "no schemaVersion") { try Manifest(json: Data("{}".utf8), name: "m") }
    assertThrows(.bundle, "m: cannot be read") { try Manifest(json: Data("[1]".utf8), name: "m") }
  }

  func testAnotherContract() throws {
    try refused("\"schema_version\": 2", "\"schema_version\": 3", "schema_version is 3; this library knows 2")
    try refused("\"layout\": \"NCHW\"", "\"layout\": \"NHWC\"", "input.layout is NHWC")
    try refused("\"filter\": \"triangle\"", "\"filter\": \"box\"", "filter is box; this library knows triangle")
    try refused("\"pixel_centre\": 0.5", "\"pixel_centre\": 0", "pixel_centre is 0.0")
    try refused("\"name\": \"betas\"", "\"name\": \"gammas\"", "its outputs are")
    try refused("\"width_px\": 192", "\"width_px\": 200", "input's shape [1, 3, 256, 192]")
    try refused("\"tile_step\": 0.5", "\"tile_step\": 0.0001", "too many tiles")
    try refused("\"max_missed_ms\": 300.0", "\"max_missed_ms\": 0", "max_missed_ms is 0.0")
    try refused("\"same_person_slack\": 0.35", "\"same_person_slack\": \"a lot\"", "samePersonSlack")
    try refused("\"focal_px\": 5000.0", "\"focal_px\": -1", "camera.focal_px is -1.0")
  }

  func testJoints() throws {
    try refused("\"joint_names\": [\n    \"pelvis\"", "\"joint_names\": [\n    \"hip\"", "no joint pelvis")
  }

  func testFilesOutsideTheBundle() throws {
    let artifact = try Shared.bundle.get().manifest.artifact
    try refused(
      "\"artifact\": \"\(artifact)\"", "\"artifact\": \"../x\"", "artifact \"../x\" is not the name of a file")
    try refused("\"file\": \"body.safetensors\"", "\"file\": \"..\"", "body_model.file")
  }
}
