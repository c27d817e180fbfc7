// The manifest of a bundle (docs/pipeline.md). In: manifest.json. Out: `Manifest`, checked against what this library
// supports. No name, size or constant of the network is repeated in this library.

import Foundation

public struct OutputSpec: Equatable, Sendable {
  public let name: String
  public let shape: [Int]  // batch 1 first

  public init(name: String, shape: [Int]) {
    self.name = name
    self.shape = shape
  }
}

/// A One-Euro filter (Casiez et al. 2012, doi:10.1145/2207676.2208639).
public struct FilterRule: Decodable, Equatable, Sendable {
  let cutoffHz: Double  // of a quantity at rest
  let gain: Double  // Hz for each unit of speed
  let derivativeHz: Double  // cutoff of the speed itself
}

/// docs/pipeline.md, sections 6 and 7, gives the reason for each. The names are the manifest's, in Swift's spelling.
public struct PipelineRules: Decodable, Equatable, Sendable {
  public struct Smoothing: Decodable, Equatable, Sendable {
    let root, body, hands, jaw, place, depth, betas, expression: FilterRule
  }
  let acquireVisibility, keepVisibility: Double
  let smallestOverlap, smallestCrop, tileStep: Double
  let maxMissedMs, maxGapMs: Double
  let samePersonSlack, samePersonSpeed: Double
  let samePersonGrowth, samePersonGrowthSpeed: Double
  let samePersonPostureM, samePersonPostureMS: Double
  let motionHz: Double
  let smoothing: Smoothing
  let conformance: String
}

/// The names of the outputs that this library turns into a person.
public enum OutputName {
  public static let globalOrient = "global_orient"
  public static let bodyPose = "body_pose"
  public static let leftHandPose = "left_hand_pose"
  public static let rightHandPose = "right_hand_pose"
  public static let jawPose = "jaw_pose"
  public static let betas = "betas"
  public static let expression = "expression"
  public static let camera = "camera"
  public static let partBoxes = "part_boxes"
  public static let visibility = "visibility"
}

public struct Manifest: Sendable {
  public static let schemaVersion = 2

  public let model: String
  public let target: String
  public let precision: String
  public let artifact: String
  public let licence: String
  public let isTrained: Bool  // false: random weights, and so are all results
  public let inputName: String
  public let inputShape: [Int]  // 1 3 H W
  public let view: InputView
  public internal(set) var outputs: [OutputSpec]  // in the artifact's order
  public let partNames: [String]  // of part_boxes
  public let visibilityNames: [String]
  public let jointNames: [String]
  public let bodyName: String
  public let bodyLicence: String
  public let bodyFile: String
  public let rules: PipelineRules
  let personIndex: Int  // the person's place in `visibility`
  let nextCropJoints: [Int]
  let postureJoints: [Int]  // those of them that belong to the body: neither hands nor face
  let nextCropScale: Double
  let pelvis: Int
  let neck: Int

  public var conformanceFile: String { rules.conformance }

  /// Throws `CoEvoerError.bundle` if the text is not JSON, the schema version differs, a key is missing or has another
  /// form, or the library does not support the crop rule or the set of outputs.
  public init(json: Data, name: String) throws {
    let check = ManifestCheck(name: name)
    let table = try check.decode(json)
    (model, target, precision) = (table.model, table.target, table.precision)
    (licence, isTrained, rules) = (table.licence, table.trained, table.pipeline)
    artifact = try check.fileName(table.artifact, "artifact")
    (bodyName, bodyLicence) = (table.bodyModel.name, table.bodyModel.licence)
    bodyFile = try check.fileName(table.bodyModel.file, "body_model.file")
    _ = try check.fileName(table.pipeline.conformance, "pipeline.conformance")
    try check.rules(table.pipeline)
    (inputName, inputShape) = (table.input.name, table.input.shape)
    view = try check.view(table)
    nextCropScale = table.input.crop.nextCropScale
    jointNames = table.jointNames
    let joint = { (name: String) in
      guard let index = table.jointNames.firstIndex(of: name) else { throw check.failed("there is no joint \(name)") }
      return index
    }
    nextCropJoints = try table.input.crop.nextCropJoints.map(joint)
    pelvis = try joint("pelvis")  // the tracker measures the torso
    neck = try joint("neck")
    outputs = table.outputs.map { OutputSpec(name: $0.name, shape: $0.shape) }
    let named = try check.outputs(table)
    (partNames, visibilityNames, personIndex) = (named.parts, named.visibility, named.person)
    postureJoints = nextCropJoints.filter { $0 < named.bodyJoints }
    guard !postureJoints.isEmpty else { throw check.failed("next_crop_joints has no joint of the body") }
  }

  /// Throws `CoEvoerError.bundle` where there is no output of that name.
  public func shape(_ output: String) throws -> [Int] {
    guard let spec = outputs.first(where: { $0.name == output }) else {
      throw CoEvoerError.bundle("The manifest has no output \(output); export the bundle again.")
    }
    return spec.shape
  }
}
