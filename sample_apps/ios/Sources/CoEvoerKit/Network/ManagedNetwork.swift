// A network that is loaded when it is needed and released when it is not, as `ModelLifecycle` decides.

public actor ManagedNetwork {
  private let bundle: ModelBundle
  private let loader: any NetworkLoader
  private var lifecycle = ModelLifecycle()
  private var network: (any Network)?
  private var waiting: [CheckedContinuation<Void, Never>] = []

  public init(_ bundle: ModelBundle, loader: any NetworkLoader) {
    self.bundle = bundle
    self.loader = loader
  }

  public var state: ModelState { lifecycle.state }

  /// Prepares the model on this device, so that `load` is quick; nothing stays in memory. Throws what the loader does.
  public func prewarm() async throws {
    while try lifecycle.handle(.prewarm) != .startPrewarming {
      guard case .prewarming = state else { return }
      await change()
    }
    try await attempt { try await loader.prewarm(bundle) }
    try settle(nil)
  }

  /// Throws what the loader does, and the next call tries again. Throws `CoEvoerError.usage` if `unload` came first.
  public func load() async throws {
    while true {
      switch try lifecycle.handle(.load) {
      case .startLoading:
        let loaded = try await attempt { try await loader.load(bundle) }
        try settle(loaded)
        guard network != nil else {
          throw CoEvoerError.usage("The model was unloaded while it was being loaded; load it again.")
        }
        return
      case .wait: await change()
      default: return
      }
    }
  }

  /// Releases the network, at once or, if it is still being loaded, as soon as that has finished.
  public func unload() throws {
    if try lifecycle.handle(.unload) == .release { network = nil }
  }

  /// Loads the network first, if necessary.
  public func run(_ crop: CropImage) async throws -> NetworkOutputs {
    try await load()
    guard let network else { throw CoEvoerError.usage("The model was unloaded; load it again.") }
    return try await network.run(crop)
  }

  private func attempt<R: Sendable>(_ work: () async throws -> R) async throws -> R {
    do {
      return try await work()
    } catch {
      let error = error as? CoEvoerError ?? .bundle("\(bundle.artifact.lastPathComponent) cannot be loaded (\(error)).")
      _ = try lifecycle.handle(.failed(error.message))
      announce()
      throw error
    }
  }

  private func settle(_ loaded: (any Network)?) throws {
    if try lifecycle.handle(.finished) == .keep { network = loaded }
    announce()
  }

  private func change() async {
    await withCheckedContinuation { waiting.append($0) }
  }

  private func announce() {
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}
