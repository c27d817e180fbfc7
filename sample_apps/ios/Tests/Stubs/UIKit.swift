// Declarations without code, for type-checking off Apple systems; with what Linux's Foundation lacks of Apple's.

@_exported import CoreGraphics

extension ProcessInfo {
  public enum ThermalState: Int, Sendable {
    case nominal, fair, serious, critical
  }
  public var thermalState: ThermalState { fatalError() }
  public static let thermalStateDidChangeNotification = Notification.Name("")
}

@MainActor
open class UIView: NSObject {
  public init(frame: CGRect) { fatalError() }
  public required init?(coder: NSCoder) { fatalError() }
  open func setNeedsDisplay() { fatalError() }
  open func draw(_ rect: CGRect) { fatalError() }
}

@MainActor
open class UIApplication: NSObject {
  public class var shared: UIApplication { fatalError() }
  public nonisolated static let openSettingsURLString = ""
  public nonisolated static let didReceiveMemoryWarningNotification = Notification.Name("")
  public enum OpenExternalURLOptionsKey: Hashable, Sendable {}
  open func open(
    _ url: URL, options: [OpenExternalURLOptionsKey: Any] = [:], completionHandler: (@MainActor (Bool) -> Void)? = nil
  ) { fatalError() }
}
