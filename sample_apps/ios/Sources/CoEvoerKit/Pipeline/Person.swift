// Turns the network's outputs for one crop into a person (docs/pipeline.md, sections 3 to 5).

/// The decoded outputs, in the frame's pixels and the camera of the crop, without a body yet.
public struct Decoded: Sendable {
  public let parameters: Parameters  // rotations made orthonormal
  public let translation: Vector3  // in the camera of the crop, m
  public let crop: Crop
  public let partBoxesPx: [Box]  // of the manifest's part names
  public let visibility: [Double]
  public let personVisibility: Double

  /// Throws `CoEvoerError.network` if an output is missing, has another shape or is not finite.
  public init(_ outputs: NetworkOutputs, crop: Crop, manifest: Manifest) throws {
    try Decoded.check(outputs, manifest)
    let numbers = { (name: String) in outputs[name]!.values.map(Double.init) }
    let rotations = { (name: String) in
      let values = numbers(name)
      return stride(from: 0, to: values.count, by: 9).map {
        nearestRotation(Matrix3(rowMajor: values[$0..<$0 + 9]))
      }
    }
    parameters = Parameters(
      globalOrient: rotations(OutputName.globalOrient)[0], bodyPose: rotations(OutputName.bodyPose),
      leftHandPose: rotations(OutputName.leftHandPose), rightHandPose: rotations(OutputName.rightHandPose),
      jawPose: rotations(OutputName.jawPose)[0], betas: numbers(OutputName.betas),
      expression: numbers(OutputName.expression))
    let camera = numbers(OutputName.camera)
    translation = Vector3(camera[0], camera[1], camera[2])
    self.crop = crop
    let size = Vector2(Double(manifest.view.size.width), Double(manifest.view.size.height))
    let boxes = numbers(OutputName.partBoxes)
    partBoxesPx = stride(from: 0, to: boxes.count, by: 4).map { i in
      let low = crop.toFrame(Vector2(boxes[i], boxes[i + 1]) * size, in: manifest.view)
      let high = crop.toFrame(Vector2(boxes[i + 2], boxes[i + 3]) * size, in: manifest.view)
      return Box(x1: low.x, y1: low.y, x2: high.x, y2: high.y)
    }
    visibility = numbers(OutputName.visibility)
    personVisibility = visibility[manifest.personIndex]
  }

  private static func check(_ outputs: NetworkOutputs, _ manifest: Manifest) throws {
    for spec in manifest.outputs {
      let count = spec.shape.reduce(1, *)
      guard let output = outputs[spec.name], output.shape == spec.shape, output.values.count == count else {
        let given = outputs[spec.name].map { "\(spec.name) \($0.shape)" } ?? "no \(spec.name)"
        throw CoEvoerError.network(
          "The network gave \(given); the manifest says \(spec.shape). Export the bundle again.")
      }
      guard output.values.allSatisfy(\.isFinite) else {
        throw CoEvoerError.network(
          "The network gave values in \(spec.name) that are not finite. Check the bundle with `coevoer-edge parity`, "
            + "or export it with --precision fp32.")
      }
    }
  }
}

/// One person in the frame.
public struct Person: Sendable {
  public let parameters: Parameters
  public let translation: Vector3  // m, camera frame: SMPL-X's transl
  public let camera: PinholeCamera
  public let jointsCam: [Vector3]  // m, in the order of the manifest's joint names
  public let jointsPx: [Vector2]
  public let partBoxesPx: [Box]  // may reach outside the frame
  public let visibility: [Double]  // probabilities, in the manifest's order
  public let personVisibility: Double

  /// The person in the camera of the crop, not smoothed.
  init(_ decoded: Decoded, body: Body, manifest: Manifest) throws {
    try self.init(
      decoded, body: body, parameters: decoded.parameters, translation: decoded.translation,
      camera: decoded.crop.camera(in: manifest.view))
  }

  /// The person with other parameters, translation and camera than the decoded ones.
  init(_ decoded: Decoded, body: Body, parameters: Parameters, translation: Vector3, camera: PinholeCamera) throws {
    self.parameters = parameters
    self.translation = translation
    self.camera = camera
    jointsCam = try body.joints(parameters).map { $0 + translation }
    jointsPx = jointsCam.map(camera.project)
    partBoxesPx = decoded.partBoxesPx
    visibility = decoded.visibility
    personVisibility = decoded.personVisibility
  }
}
