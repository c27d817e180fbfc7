// App/CoEvoer.xcodeproj was written by hand: it must be a property list whose references resolve, and it must contain
// what the app needs. Whether Xcode builds it can be seen only on a Mac.

import Foundation
import XCTest

final class ProjectTests: XCTestCase {
  private let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func objects() throws -> [String: [String: Any]] {
    let file = package.appendingPathComponent("App/CoEvoer.xcodeproj/project.pbxproj")
    let list = try PropertyListSerialization.propertyList(from: Data(contentsOf: file), format: nil)
    let project = try XCTUnwrap(list as? [String: Any])
    let objects = try XCTUnwrap(project["objects"] as? [String: [String: Any]])
    let root = try XCTUnwrap(project["rootObject"] as? String)
    XCTAssertEqual(objects[root]?["isa"] as? String, "PBXProject")
    return objects
  }

  private func references(_ value: Any) -> [String] {
    switch value {
    case let text as String: text.count == 24 && text.hasPrefix("C0E0") ? [text] : []
    case let list as [Any]: list.flatMap(references)
    case let table as [String: Any]: table.values.flatMap(references)
    default: []
    }
  }

  func testEveryReferenceResolvesAndEveryObjectIsUsed() throws {
    let objects = try objects()
    let used = Set(objects.values.flatMap(references))
    XCTAssertEqual(used.subtracting(objects.keys), [])
    let unused = Set(objects.keys).subtracting(used)
    XCTAssertEqual(unused.compactMap { objects[$0]?["isa"] as? String }, ["PBXProject"])
  }

  func testWhatTheAppNeeds() throws {
    let objects = try objects()
    let products = objects.values.filter { $0["isa"] as? String == "XCSwiftPackageProductDependency" }
    XCTAssertEqual(
      Set(products.compactMap { $0["productName"] as? String }), ["CoEvoerCoreML", "CoEvoerKit", "CoEvoerLive"])
    let local = objects.values.first { $0["isa"] as? String == "XCLocalSwiftPackageReference" }
    XCTAssertEqual(local?["relativePath"] as? String, "..")
    // A folder reference is copied as it is; a group would have Xcode compile the model, which then fails its digest.
    let model = objects.values.first { $0["path"] as? String == "Model" }
    XCTAssertEqual(model?["lastKnownFileType"] as? String, "folder")
    let settings = objects.values.compactMap { $0["buildSettings"] as? [String: Any] }
    let camera = settings.compactMap { $0["INFOPLIST_KEY_NSCameraUsageDescription"] as? String }
    XCTAssertEqual(camera.count, 2)
    for path in ["App/CoEvoer/CoEvoerApp.swift", "App/CoEvoer/Shaders.metal", "App/Model/.gitignore"] {
      XCTAssert(FileManager.default.fileExists(atPath: package.appendingPathComponent(path).path), path)
    }
  }
}
