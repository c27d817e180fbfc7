// The life cycle of a model as a state machine without side effects. In: requests and events. Out: the next state, and
// the action to take. README.md shows it as a diagram.

public enum ModelState: Equatable, Sendable {
  case unloaded  // not prepared, not in memory
  case prewarming
  case prewarmed  // prepared on disk, nothing in memory
  case loading
  case ready
  case abandoning  // unloaded while it was prewarming or loading; the result will be discarded
  case failed(String)
}

struct ModelLifecycle: Equatable {
  enum Event: Equatable {
    case prewarm, load, unload  // requests
    case finished  // prewarming or loading succeeded
    case failed(String)
  }

  enum Step: Equatable {
    case nothing
    case startPrewarming
    case startLoading
    case keep  // the loaded network
    case release  // the loaded network
    case wait  // until the state changes, then ask again
  }

  private(set) var state: ModelState = .unloaded

  /// Returns the action to take. Throws `CoEvoerError.usage`, and nothing changes, for the end of work that was not in
  /// progress.
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
      throw CoEvoerError.usage("The model is \(state); nothing was in progress that could end with \(event).")
    }
  }
}
