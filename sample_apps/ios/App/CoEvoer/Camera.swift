// The front camera: upright BGRA frames, unmirrored, because left and right must remain the person's own.

import AVFoundation
import CoEvoerCoreML
import CoEvoerKit
import CoEvoerLive
import Foundation

struct CameraFrame: Frame {
  let pixels: PixelBufferFrame
  let timestampMs: Double
  let arrivalS: Double  // of the system's uptime

  var size: PixelSize { pixels.size }
  func withPixels<R>(_ body: (Pixels) throws -> R) throws -> R { try pixels.withPixels(body) }
}

/// `@unchecked`: the session is used on `queue` only, and the closures are not changed after `init`.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
  private let queue = DispatchQueue(label: "camera", qos: .userInitiated)
  private let session = AVCaptureSession()
  private let onFrame: @Sendable (CameraFrame) -> Void
  private let onEvent: @Sendable (LiveStatus.Event) -> Void

  init(
    onFrame: @escaping @Sendable (CameraFrame) -> Void, onEvent: @escaping @Sendable (LiveStatus.Event) -> Void
  ) {
    self.onFrame = onFrame
    self.onEvent = onEvent
  }

  /// Asks for permission if that was not done yet, then starts the camera. Returns the outcome.
  func start() async -> LiveStatus.Event {
    guard await AVCaptureDevice.requestAccess(for: .video) else { return .cameraDenied }
    return await withCheckedContinuation { continuation in
      queue.async {
        guard self.configure() else { return continuation.resume(returning: .cameraMissing) }
        self.session.startRunning()
        continuation.resume(returning: .cameraRunning)
      }
    }
  }

  func pause() {
    queue.async { self.session.stopRunning() }
  }

  func resume() {
    queue.async { if !self.session.inputs.isEmpty { self.session.startRunning() } }
  }

  private func configure() -> Bool {
    session.beginConfiguration()
    defer { session.commitConfiguration() }
    session.sessionPreset = .hd1280x720
    let output = AVCaptureVideoDataOutput()
    output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
    output.alwaysDiscardsLateVideoFrames = true
    output.setSampleBufferDelegate(self, queue: queue)
    guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .front),
      let input = try? AVCaptureDeviceInput(device: device), session.canAddInput(input), session.canAddOutput(output)
    else { return false }
    session.addInput(input)
    session.addOutput(output)
    let portrait = 90.0
    if let connection = output.connection(with: .video), connection.isVideoRotationAngleSupported(portrait) {
      connection.videoRotationAngle = portrait
    }
    observe(AVCaptureSession.wasInterruptedNotification, .cameraInterrupted)
    observe(AVCaptureSession.interruptionEndedNotification, .cameraRunning)
    return true
  }

  private func observe(_ name: Notification.Name, _ event: LiveStatus.Event) {
    _ = NotificationCenter.default.addObserver(forName: name, object: session, queue: nil) { [onEvent] _ in
      onEvent(event)
    }
  }

  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
  ) {
    guard let buffer = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
    let time = CMSampleBufferGetPresentationTimeStamp(sampleBuffer)
    onFrame(
      CameraFrame(
        pixels: PixelBufferFrame(buffer), timestampMs: time.seconds * 1000,
        arrivalS: ProcessInfo.processInfo.systemUptime))
  }
}
