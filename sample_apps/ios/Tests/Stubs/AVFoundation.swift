// Declarations without code, for type-checking off Apple systems. Nothing is Sendable that Apple does not say is.

@_exported import CoreMedia
import Dispatch

public struct AVMediaType: Sendable {
  public static let video = AVMediaType()
}

open class AVCaptureDevice: NSObject {
  public struct DeviceType: Sendable {
    public static let builtInWideAngleCamera = DeviceType()
  }
  public enum Position: Int, Sendable {
    case unspecified, back, front
  }
  open class func requestAccess(for type: AVMediaType) async -> Bool { fatalError() }
  open class func `default`(
    _ deviceType: DeviceType, for mediaType: AVMediaType?, position: Position
  ) -> AVCaptureDevice? { fatalError() }
}

open class AVCaptureInput: NSObject {}

open class AVCaptureDeviceInput: AVCaptureInput {
  public init(device: AVCaptureDevice) throws { fatalError() }
}

open class AVCaptureConnection: NSObject {
  open var videoRotationAngle: CGFloat {
    get { fatalError() }
    set { fatalError() }
  }
  open func isVideoRotationAngleSupported(_ angle: CGFloat) -> Bool { fatalError() }
}

open class AVCaptureOutput: NSObject {
  open func connection(with type: AVMediaType) -> AVCaptureConnection? { fatalError() }
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection)
}

open class AVCaptureVideoDataOutput: AVCaptureOutput {
  public override init() { fatalError() }
  open var videoSettings: [String: Any]! {
    get { fatalError() }
    set { fatalError() }
  }
  open var alwaysDiscardsLateVideoFrames: Bool {
    get { fatalError() }
    set { fatalError() }
  }
  open func setSampleBufferDelegate(
    _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
  ) { fatalError() }
}

open class AVCaptureSession: NSObject {
  public struct Preset: Sendable {
    public static let hd1280x720 = Preset()
  }
  public static let wasInterruptedNotification = Notification.Name("")
  public static let interruptionEndedNotification = Notification.Name("")
  open var sessionPreset: Preset {
    get { fatalError() }
    set { fatalError() }
  }
  open var inputs: [AVCaptureInput] { fatalError() }
  open func beginConfiguration() { fatalError() }
  open func commitConfiguration() { fatalError() }
  open func canAddInput(_ input: AVCaptureInput) -> Bool { fatalError() }
  open func addInput(_ input: AVCaptureInput) { fatalError() }
  open func canAddOutput(_ output: AVCaptureOutput) -> Bool { fatalError() }
  open func addOutput(_ output: AVCaptureOutput) { fatalError() }
  open func startRunning() { fatalError() }
  open func stopRunning() { fatalError() }
}
