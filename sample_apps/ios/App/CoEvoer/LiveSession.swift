// Connects the camera, the estimator and the screen. The decisions are made in CoEvoerLive, where they are tested.

import CoEvoerKit
import CoEvoerLive
import Foundation
import Observation
import UIKit

@MainActor @Observable
final class LiveSession {
  private(set) var status = LiveStatus()
  private(set) var readings = ""
  @ObservationIgnored let canvas = MeshCanvas()
  @ObservationIgnored private var camera: Camera?
  @ObservationIgnored private var estimator: Estimator?
  @ObservationIgnored private var pressure = PressureMonitor()
  @ObservationIgnored private var rate = RateMeter()
  @ObservationIgnored private var isListening = false

  /// Runs until the stream of results ends. Another call tries again what failed.
  func start() async {
    listen()
    do {
      let estimator = try await readyEstimator()
      status.handle(.modelReady(isTrained: estimator.manifest.isTrained))
      await startCamera(estimator)
      for await result in estimator.results { show(result, estimator.body) }
    } catch {
      status.handle(.modelFailed((error as? CoEvoerError)?.message ?? error.localizedDescription))
    }
  }

  /// In the background there is no camera, and the system may release the model.
  func setVisible(_ isVisible: Bool) {
    if isVisible { camera?.resume() } else { camera?.pause() }
  }

  private func readyEstimator() async throws -> Estimator {
    if let estimator { return estimator }
    status.handle(.modelPreparing)
    guard canvas != nil else { throw CoEvoerError.bundle("This device has no Metal; the app cannot run on it.") }
    // Checking the digests takes some tenths of a second, so it does not run on the main thread.
    let opened = try await Task.detached { try InstalledModel.open() }.value
    try await opened.load()
    estimator = opened
    return opened
  }

  private func startCamera(_ estimator: Estimator) async {
    if camera != nil { return }
    let camera = Camera { frame in
      // A frame whose timestamp does not increase is dropped, as the pipeline requires of readers of cameras.
      try? estimator.detectAsync(videoFrame: frame, timestampMs: frame.timestampMs)
    } onEvent: { [weak self] event in
      Task { @MainActor in self?.status.handle(event) }
    }
    self.camera = camera
    status.handle(await camera.start())
  }

  private func show(_ live: LiveResult, _ body: Body) {
    let time = ProcessInfo.processInfo.systemUptime
    applyPressure(atS: time)
    switch live.outcome {
    case .failure(let error): status.handle(.frameFailed(error.message))
    case .success(let result):
      status.handle(.frame(hasPerson: result.person != nil, isSmallerModel: result.isSmallerModel))
      guard let frame = live.frame as? CameraFrame else { return }
      rate.add(atS: time, latencyMs: (time - frame.arrivalS) * 1000)
      canvas?.show(frame, person: status.hasPerson ? result.person : nil, body: body)
      let network = result.timings.networkMs.formatted(.number.precision(.fractionLength(1)))
      let latency = (rate.latencyMs ?? 0).formatted(.number.precision(.fractionLength(0)))
      let perSecond = (rate.ratePerS ?? 0).formatted(.number.precision(.fractionLength(1)))
      readings = "\(perSecond) frames/s, \(latency) ms; network \(network) ms"
    }
  }

  private func listen() {
    if isListening { return }
    isListening = true
    pressure.report(Thermal(ProcessInfo.processInfo.thermalState))
    let center = NotificationCenter.default
    _ = center.addObserver(
      forName: ProcessInfo.thermalStateDidChangeNotification, object: nil, queue: nil
    ) { [weak self] _ in
      let thermal = Thermal(ProcessInfo.processInfo.thermalState)
      Task { @MainActor in self?.pressure.report(thermal) }
    }
    _ = center.addObserver(
      forName: UIApplication.didReceiveMemoryWarningNotification, object: nil, queue: nil
    ) { [weak self] _ in
      let time = ProcessInfo.processInfo.systemUptime
      Task { @MainActor in self?.pressure.warnOfMemory(atS: time) }
    }
  }

  /// Called with each result, so that a warning ends without another event.
  private func applyPressure(atS time: Double) {
    let (thermal, lowMemory) = pressure.pressure(atS: time)
    estimator?.setPressure(thermal: thermal, lowMemory: lowMemory)
    status.handle(.pressure(thermal: thermal, lowMemory: lowMemory))
  }
}

extension Thermal {
  init(_ state: ProcessInfo.ThermalState) {
    switch state {
    case .nominal: self = .nominal
    case .fair: self = .fair
    case .serious: self = .serious
    case .critical: self = .critical
    @unknown default: self = .serious
    }
  }
}
