// What a live app shows its user, as a state without side effects. In: events of the camera, the model and the frames.
// Out: at most one notice, its remedy, and whether the mesh is shown.

import CoEvoerKit

public struct LiveStatus: Equatable, Sendable {
  public enum Event: Equatable, Sendable {
    case cameraDenied  // by the user, or by a restriction of the device
    case cameraMissing
    case cameraRunning
    case cameraInterrupted  // another app, a call, the split screen
    case modelPreparing
    case modelReady(isTrained: Bool)
    case modelFailed(String)
    case frame(hasPerson: Bool, isSmallerModel: Bool)
    case frameFailed(String)
    case pressure(thermal: Thermal, lowMemory: Bool)
  }

  public enum Remedy: Equatable, Sendable {
    case openSettings
    case tryAgain
  }

  private enum Camera { case unknown, denied, missing, running, interrupted }
  private enum Model: Equatable {
    case preparing
    case ready
    case failed(String)
  }

  /// The number of consecutive failures before the user sees a notice: a single one would vanish before it could be
  /// read.
  static let patience = 3

  private var camera = Camera.unknown
  private var model = Model.preparing
  private var failures: [String] = []
  private var thermal = Thermal.nominal
  private var lowMemory = false
  private var isSmallerModel = false
  private var isTrained = true
  public private(set) var hasPerson = false

  public init() {}

  public mutating func handle(_ event: Event) {
    switch event {
    case .cameraDenied: camera = .denied
    case .cameraMissing: camera = .missing
    case .cameraRunning: camera = .running
    case .cameraInterrupted: camera = .interrupted
    case .modelPreparing: model = .preparing
    case .modelReady(let isTrained): (model, self.isTrained) = (.ready, isTrained)
    case .modelFailed(let reason): model = .failed(reason)
    case .frame(let hasPerson, let isSmallerModel):
      (self.hasPerson, self.isSmallerModel) = (hasPerson, isSmallerModel)
      failures = []
    case .frameFailed(let reason): failures.append(reason)
    case .pressure(let thermal, let lowMemory): (self.thermal, self.lowMemory) = (thermal, lowMemory)
    }
    if camera != .running || model != .ready || isFailing { hasPerson = false }
  }

  private var isFailing: Bool { failures.count >= LiveStatus.patience }

  /// The most serious problem. nil while a person is seen.
  public var notice: String? {
    if camera == .denied { return "The app has no access to the camera. Allow it in Settings." }
    if camera == .missing { return "This device has no camera that can be used." }
    if case .failed(let reason) = model { return "The model cannot be used: \(reason)" }
    if camera == .interrupted { return "The camera is in use elsewhere. The picture returns when it is free." }
    if model == .preparing { return "Preparing the model. This takes longest the first time." }
    if isFailing, let last = failures.last { return "The model failed: \(last)" }
    if camera == .running, !hasPerson { return "Nobody is in view." }
    return nil
  }

  public var remedy: Remedy? {
    if camera == .denied { return .openSettings }
    if camera == .missing { return nil }
    if case .failed = model { return .tryAgain }
    return nil
  }

  /// Remarks that are always shown beside the picture.
  public var remarks: [String] {
    var remarks: [String] = []
    if !isTrained { remarks.append("Untrained weights: the pose is random") }
    if thermal != .nominal { remarks.append("The device is warm (\(thermal)): fewer frames") }
    if lowMemory { remarks.append("Memory is low") }
    if isSmallerModel { remarks.append("The smaller model is in use") }
    return remarks
  }
}
