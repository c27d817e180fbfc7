// The whole pipeline (docs/pipeline.md). In: a frame. Out: a result. Calls wait for each other in the order in which
// they came, so that a stream's frames stay in order while the network runs elsewhere.

actor Engine {
  nonisolated let manifest: Manifest
  nonisolated let body: Body
  private let smooth: Bool
  private let larger: Model
  private let smaller: Model?
  private var inUse: Model
  private var tracker: Tracker
  private var smoother: Smoother
  private var isClosed = false
  private var isBusy = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  private struct Model: Sendable {
    let bundle: ModelBundle
    let network: ManagedNetwork
    let isSmaller: Bool
  }

  /// Opens and verifies the bundles and reads the body. Throws `CoEvoerError.bundle`.
  init(_ options: EstimatorOptions) throws {
    let model = { (folder, isSmaller) in
      let bundle = try ModelBundle(folder: folder)
      return Model(
        bundle: bundle, network: ManagedNetwork(bundle, loader: options.loader), isSmaller: isSmaller)
    }
    larger = try model(options.bundle, false)
    smaller = try options.smallerBundle.map { try model($0, true) }
    if let smaller { try requireExchangeable(larger.bundle, smaller.bundle) }
    inUse = larger
    manifest = larger.bundle.manifest
    body = try Body(file: Safetensors(file: larger.bundle.body), manifest: manifest)
    tracker = Tracker(manifest: manifest)
    smoother = Smoother(manifest.rules.smoothing)
    smooth = options.smooth
  }

  nonisolated var bundles: [ModelBundle] { [larger.bundle] + (smaller.map { [$0.bundle] } ?? []) }

  func prewarm() async throws {
    try await larger.network.prewarm()
    try await smaller?.network.prewarm()
  }

  func load() async throws {
    try await alone { try await inUse.network.load() }
  }

  var modelState: ModelState {
    get async { await inUse.network.state }
  }

  /// Looks twice: at the whole frame, then at the crop computed from the body found there. If no crop can be computed
  /// from it, the first look is the result. Streams are not affected.
  func image(_ frame: any Frame, demand: Demand) async throws -> EstimatorResult {
    try await alone {
      try await use(smallerModel: demand.smallerModel)
      var result = begin(frame, Crop.wholeFrame(frame.size, in: manifest.view))
      for isLast in [false, true] {
        let decoded = try await look(at: frame, &result)
        let person = try timed(&result.timings.decodeMs) { try Person(decoded, body: body, manifest: manifest) }
        result.person = person
        result.personVisibility = person.personVisibility
        guard !isLast, let crop = nextCrop(person, frame: frame.size, manifest: manifest) else { break }
        result.crop = crop
      }
      return result
    }
  }

  /// The next frame of the stream. Throws `CoEvoerError.usage` for a bad frame or a timestamp that does not
  /// increase, and then nothing changes; `.network` where the network breaks its contract, and then the frame
  /// counts as neither seen nor missed.
  func video(_ frame: any Frame, timestampMs: Double, demand: Demand) async throws -> EstimatorResult {
    try await alone {
      try frame.withPixels { _ in }  // before the stream's time moves on
      var result = begin(frame, try tracker.look(timestampMs, frame: frame.size))
      if tracker.state == .searching { smoother = Smoother(manifest.rules.smoothing) }
      result.timestampMs = timestampMs
      try await use(smallerModel: demand.smallerModel)
      (result.isTrained, result.isSmallerModel) = (inUse.bundle.manifest.isTrained, inUse.isSmaller)
      let decoded = try await look(at: frame, &result)
      result.personVisibility = decoded.personVisibility
      let start = ContinuousClock.now
      if try tracker.judge(Person(decoded, body: body, manifest: manifest)) {
        result.person = try report(decoded, frame: frame.size, timestampMs: timestampMs)
      }
      result.timings.decodeMs += milliseconds(since: start)
      result.state = tracker.state
      return result
    }
  }

  /// Releases the networks after the waiting calls. Closing twice is harmless.
  func close() async {
    await enter()
    defer { leave() }
    isClosed = true
    for model in [larger, smaller].compactMap({ $0 }) {
      // Unloading is allowed in every state.
      try? await model.network.unload()
    }
  }

  private func report(_ decoded: Decoded, frame: PixelSize, timestampMs: Double) throws -> Person {
    let camera = frameCamera(frame, in: manifest.view)
    var parameters = decoded.parameters
    var translation = convertTranslation(
      decoded.translation, from: decoded.crop.camera(in: manifest.view), to: camera)
    if smooth {
      (parameters, translation) = smoother(
        parameters, translation: translation, at: timestampMs, focalInHeights: camera.focalPx / Double(frame.height))
    }
    return try Person(decoded, body: body, parameters: parameters, translation: translation, camera: camera)
  }

  private func begin(_ frame: any Frame, _ crop: Crop) -> EstimatorResult {
    var result = EstimatorResult(frameSize: frame.size, crop: crop)
    (result.isTrained, result.isSmallerModel) = (inUse.bundle.manifest.isTrained, inUse.isSmaller)
    return result
  }

  private func look(at frame: any Frame, _ result: inout EstimatorResult) async throws -> Decoded {
    let crop = result.crop
    let image = try timed(&result.timings.cropMs) { try extractCrop(frame, crop, in: manifest.view) }
    let start = ContinuousClock.now
    let outputs = try await inUse.network.run(image)
    result.timings.networkMs += milliseconds(since: start)
    return try timed(&result.timings.decodeMs) { try Decoded(outputs, crop: crop, manifest: manifest) }
  }

  /// The model in use is released before the other one is loaded, so that both are never in memory.
  private func use(smallerModel: Bool) async throws {
    let wanted = smallerModel ? smaller ?? larger : larger
    guard wanted.isSmaller != inUse.isSmaller else { return }
    try await inUse.network.unload()
    inUse = wanted
    try await wanted.network.load()
  }

  private func alone<R: Sendable>(_ work: () async throws -> R) async throws -> R {
    await enter()
    defer { leave() }
    guard !isClosed else { throw CoEvoerError.usage("This estimator is closed; open another.") }
    return try await work()
  }

  private func enter() async {
    if isBusy {
      await withCheckedContinuation { waiting.append($0) }
    } else {
      isBusy = true
    }
  }

  private func leave() {
    if waiting.isEmpty {
      isBusy = false
    } else {
      waiting.removeFirst().resume()  // it stays busy, for the resumed call
    }
  }
}

/// Checks that either model can replace the other in the middle of a stream.
private func requireExchangeable(_ one: ModelBundle, _ other: ModelBundle) throws {
  let (a, b) = (one.manifest, other.manifest)
  let same =
    a.inputShape == b.inputShape && a.jointNames == b.jointNames && a.outputs.count == b.outputs.count
    && a.outputs.allSatisfy { (try? b.shape($0.name)) == $0.shape }
    && one.digests[a.bodyFile] == other.digests[b.bodyFile]
  guard same else {
    throw CoEvoerError.bundle(
      "\(other.folder.path) has another input, body or outputs than \(one.folder.path); export both with the same "
        + "version.")
  }
}

private func timed<R>(_ total: inout Double, _ work: () throws -> R) rethrows -> R {
  let start = ContinuousClock.now
  defer { total += milliseconds(since: start) }
  return try work()
}

private func milliseconds(since start: ContinuousClock.Instant) -> Double {
  (ContinuousClock.now - start) / .milliseconds(1)
}
