// The contents of manifest.json, and the checks that `Manifest` makes.

import Foundation

/// The keys that are read; names are the file's, converted from snake case.
struct ManifestTable: Decodable {
  struct Input: Decodable {
    struct CropRule: Decodable {
      let widthPx, heightPx: Int
      let filter, radius, firstCrop: String
      let pixelCentre, outside: Double
      let nextCropJoints: [String]
      let nextCropScale: Double
    }
    let name, colour, layout: String
    let shape: [Int]
    let valueRange: [Double]
    let crop: CropRule
  }
  struct Output: Decodable {
    let name: String
    let shape: [Int]
    let rows, columns: [String]?
  }
  struct Camera: Decodable {
    let focalPx: Double
    let principalPointPx: [Double]
  }
  struct BodyModel: Decodable {
    let name, licence, file: String
  }
  let schemaVersion: Int
  let model, target, precision, artifact, licence: String
  let trained: Bool
  let input: Input
  let outputs: [Output]
  let camera: Camera
  let jointNames: [String]
  let pipeline: PipelineRules
  let bodyModel: BodyModel
}

struct ManifestCheck {
  let name: String

  func failed(_ what: String) -> CoEvoerError {
    .bundle("\(name): \(what); export the bundle again, or use the app that fits it.")
  }

  func decode(_ json: Data) throws -> ManifestTable {
    struct Version: Decodable { let schemaVersion: Int }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      // This is checked first, so that another version is reported as such, whatever else differs.
      let version = try decoder.decode(Version.self, from: json).schemaVersion
      try equal(version, "schema_version", Manifest.schemaVersion)
      return try decoder.decode(ManifestTable.self, from: json)
    } catch let error as DecodingError {
      throw failed("cannot be read (\(words(error)))")
    }
  }

  func fileName(_ file: String, _ key: String) throws -> String {
    guard !["", ".", ".."].contains(file), !file.contains(where: { "/\\".contains($0) }) else {
      throw failed("\(key) \"\(file)\" is not the name of a file beside it")
    }
    return file
  }

  func view(_ table: ManifestTable) throws -> InputView {
    let (input, crop) = (table.input, table.input.crop)
    try equal(input.colour, "input.colour", "RGB")
    try equal(input.layout, "input.layout", "NCHW")
    try equal(input.valueRange, "input.value_range", [0, 1])
    try equal(crop.filter, "input.crop.filter", "triangle")
    try equal(crop.radius, "input.crop.radius", "max(1, scale)")
    try equal(crop.pixelCentre, "input.crop.pixel_centre", 0.5)
    try equal(crop.outside, "input.crop.outside", 0)
    try equal(crop.firstCrop, "input.crop.first_crop", "whole_frame")
    guard (1...4096).contains(crop.widthPx), (1...4096).contains(crop.heightPx) else {
      throw failed("the input is \(crop.widthPx) x \(crop.heightPx) px; sides have to be from 1 to 4096")
    }
    guard input.shape == [1, 3, crop.heightPx, crop.widthPx] else {
      throw failed("the input's shape \(input.shape) is not 1, 3, height and width of its crop")
    }
    guard !crop.nextCropJoints.isEmpty else { throw failed("next_crop_joints is empty") }
    try positive(crop.nextCropScale, "input.crop.next_crop_scale")
    try positive(table.camera.focalPx, "camera.focal_px")
    let centre = table.camera.principalPointPx
    guard centre.count == 2 else { throw failed("camera.principal_point_px has to be x and y") }
    return InputView(
      size: PixelSize(width: crop.widthPx, height: crop.heightPx),
      camera: PinholeCamera(focalPx: table.camera.focalPx, principalPointPx: Vector2(centre[0], centre[1])))
  }

  /// Every output in its own form; `nil` is any number above 0. Joints have to be as many as `joint_names`.
  func outputs(_ table: ManifestTable) throws -> (parts: [String], visibility: [String], person: Int, bodyJoints: Int) {
    let parts = table.outputs.first { $0.name == OutputName.partBoxes }?.rows ?? []
    let visibility = table.outputs.first { $0.name == OutputName.visibility }?.columns ?? []
    let rotations = [1, nil, 3, 3]
    let forms: [(String, [Int?])] = [
      (OutputName.globalOrient, [1, 1, 3, 3]), (OutputName.bodyPose, rotations), (OutputName.jawPose, [1, 1, 3, 3]),
      (OutputName.leftHandPose, rotations), (OutputName.rightHandPose, rotations), (OutputName.betas, [1, nil]),
      (OutputName.expression, [1, nil]), (OutputName.camera, [1, 3]), (OutputName.partBoxes, [1, parts.count, 4]),
      (OutputName.visibility, [1, visibility.count]),
    ]
    guard Set(table.outputs.map(\.name)) == Set(forms.map(\.0)), table.outputs.count == forms.count else {
      throw failed("its outputs are \(table.outputs.map(\.name)); this library knows \(forms.map(\.0))")
    }
    var joints = Parameters.eyes
    var body = 0
    for (output, form) in forms {
      guard let shape = table.outputs.first(where: { $0.name == output })?.shape, shape.count == form.count,
        zip(shape, form).allSatisfy({ (1..<1000).contains($0) && ($1 == nil || $0 == $1) })
      else { throw failed("output \(output) has another shape than \(form.map { $0.map(String.init) ?? "any" })") }
      if shape.count == 4 { joints += shape[1] }
      if [OutputName.globalOrient, OutputName.bodyPose].contains(output) { body += shape[1] }
    }
    guard joints == table.jointNames.count else {
      throw failed("the rotations are of \(joints) joints, joint_names has \(table.jointNames.count)")
    }
    guard let person = visibility.firstIndex(of: "person") else { throw failed("visibility has no column person") }
    return (parts, visibility, person, body)
  }

  func rules(_ r: PipelineRules) throws {
    try positive(r.maxMissedMs, "max_missed_ms")
    try positive(r.maxGapMs, "max_gap_ms")
    try positive(r.motionHz, "motion_hz")
    guard r.tileStep >= 0.01 else { throw failed("tile_step is \(r.tileStep); below 0.01 there are too many tiles") }
    let numbers = [
      r.acquireVisibility, r.keepVisibility, r.smallestOverlap, r.smallestCrop, r.samePersonSlack, r.samePersonSpeed,
      r.samePersonGrowth, r.samePersonGrowthSpeed, r.samePersonPostureM, r.samePersonPostureMS,
    ]
    guard numbers.allSatisfy({ $0 >= 0 }) else { throw failed("a constant of the pipeline is negative") }
    let s = r.smoothing
    for filter in [s.root, s.body, s.hands, s.jaw, s.place, s.depth, s.betas, s.expression] {
      try positive(filter.cutoffHz, "cutoff_hz")
      try positive(filter.derivativeHz, "derivative_hz")
      guard filter.gain >= 0 else { throw failed("a gain of smoothing is negative") }
    }
  }

  private func equal<T: Equatable>(_ value: T, _ key: String, _ known: T) throws {
    if value != known { throw failed("\(key) is \(value); this library knows \(known)") }
  }

  private func positive(_ value: Double, _ key: String) throws {
    guard value > 0, value.isFinite else { throw failed("\(key) is \(value); it has to be above 0") }
  }

  private func words(_ error: DecodingError) -> String {
    let at = { (path: [any CodingKey]) in path.map(\.stringValue).joined(separator: ".") }
    switch error {
    case .keyNotFound(let key, let context): return "no \(at(context.codingPath + [key]))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return "\(at(context.codingPath)): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
