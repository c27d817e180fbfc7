// The life of a model as a state machine without side effects. In: what is asked for and what happened. Out: the next
// state, and what has to be done. README.md has it as a diagram.

public enum ModelState: Equatable, Sendable {
  case unloaded  // nothing is known of it
  case prewarming
  case prewarmed  // prepared on disk, nothing in memory
  case loading
  case ready
  case abandoning  // unloaded while it was prewarming or loading: what comes of that is thrown away
  case failed(String)
}

struct ModelLifecycle: Equatable {
  enum Event: Equatable {
    case prewarm, load, unload  // asked for
    case finished  // prewarming or loading came to its end
    case failed(String)
  }

  enum Step: Equatable {
    case nothing
    case startPrewarming
    case startLoading
    case keep  // what was loaded
    case release  // what was loaded
    case wait  // until the state changes, then ask again
  }

  private(set) var state: ModelState = .unloaded

  /// What has to be done now. Throws `CoEvoerError.usage`, and nothing changes, where nothing was in work that could
  /// have ended.
  mutating func handle(_ event: Event) throws -> Step {
    let (next, step) = try transition(event)
    state = next
    return step
  }

  private func transition(_ event: Event) throws -> (ModelState, Step) {
    switch (state, event) {
    case (.unloaded, .prewarm), (.failed, .prewarm): (.prewarming, .startPrewarming)
    case (.unloaded, .load), (.failed, .load), (.prewarmed, .load): (.loading, .startLoading)
    case (.unloaded, .unload), (.failed, .unload): (.unloaded, .nothing)
    case (.prewarmed, .prewarm), (.prewarmed, .unload): (.prewarmed, .nothing)
    case (.ready, .prewarm), (.ready, .load): (.ready, .nothing)
    case (.ready, .unload): (.prewarmed, .release)

    case (.prewarming, .finished): (.prewarmed, .nothing)
    case (.loading, .finished): (.ready, .keep)
    case (.prewarming, .unload), (.loading, .unload), (.abandoning, .unload): (.abandoning, .nothing)
    case (.abandoning, .finished): (.prewarmed, .release)
    case (.abandoning, .failed): (.unloaded, .nothing)
    case (.prewarming, .failed(let reason)), (.loading, .failed(let reason)): (.failed(reason), .nothing)
    case (.prewarming, _), (.loading, _), (.abandoning, _): (state, .wait)

    case (.unloaded, _), (.prewarmed, _), (.ready, _), (.failed, _):
      throw CoEvoerError.usage("The model is \(state); nothing was in work that could end with \(event).")
    }
  }
}
