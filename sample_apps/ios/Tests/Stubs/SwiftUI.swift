// Declarations without code, for type-checking off Apple systems. Only what the app calls.

@_exported import Observation
@_exported import UIKit

@MainActor @preconcurrency
public protocol View {
  associatedtype Body: View
  @ViewBuilder @MainActor @preconcurrency var body: Body { get }
}
extension Never: View {
  public var body: Never { return fatalError() }
}

@MainActor @preconcurrency
public protocol Scene {
  associatedtype Body: Scene
  @MainActor @preconcurrency var body: Body { get }
}
extension Never: Scene {}

@MainActor @preconcurrency
public protocol App {
  associatedtype Body: Scene
  @MainActor @preconcurrency var body: Body { get }
  init()
}
extension App {
  public static func main() { fatalError() }
}

public struct WindowGroup<Content: View>: Scene {
  nonisolated public init(@ViewBuilder content: () -> Content) { fatalError() }
  public var body: Never { return fatalError() }
}

public struct Anything: View {
  public var body: Never { return fatalError() }
}

@resultBuilder
public enum ViewBuilder {
  public static func buildBlock<each Content: View>(_ content: repeat each Content) -> Anything { fatalError() }
  public static func buildExpression<Content: View>(_ content: Content) -> Content { content }
  public static func buildIf(_ content: Anything?) -> Anything { fatalError() }
  public static func buildEither(first: Anything) -> Anything { fatalError() }
  public static func buildEither(second: Anything) -> Anything { fatalError() }
}

@propertyWrapper
public struct State<Value> {
  public init(wrappedValue: Value) { fatalError() }
  public var wrappedValue: Value { fatalError() }
}
extension State: Sendable where Value: Sendable {}

public struct EnvironmentValues {
  public var scenePhase: ScenePhase { fatalError() }
}
@propertyWrapper
public struct Environment<Value> {
  public init(_ path: KeyPath<EnvironmentValues, Value>) { fatalError() }
  public var wrappedValue: Value { fatalError() }
}
public enum ScenePhase: Sendable { case background, inactive, active }

public struct Alignment: Sendable {
  public static let topLeading = Alignment()
}
public struct HorizontalAlignment: Sendable {
  public static let leading = HorizontalAlignment()
}
public struct Color: View, Sendable {
  public static let white = Color()
  public static let black = Color()
  public var body: Never { return fatalError() }
}

public struct ZStack<Content: View>: View {
  public init(alignment: Alignment, @ViewBuilder content: () -> Content) { fatalError() }
  public var body: Never { return fatalError() }
}
public struct VStack<Content: View>: View {
  public init(alignment: HorizontalAlignment, @ViewBuilder content: () -> Content) { fatalError() }
  public var body: Never { return fatalError() }
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: View {
  public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {
    fatalError()
  }
  public var body: Never { return fatalError() }
}
public struct Text: View {
  public init<S: StringProtocol>(_ content: S) { fatalError() }
  public func monospacedDigit() -> Text { fatalError() }
  public var body: Never { return fatalError() }
}
public struct Spacer: View {
  public init() { fatalError() }
  public var body: Never { return fatalError() }
}
public struct EmptyView: View {
  public init() { fatalError() }
  public var body: Never { return fatalError() }
}
public struct Button: View {
  public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) { fatalError() }
  public var body: Never { return fatalError() }
}

extension View {
  public func ignoresSafeArea() -> Anything { fatalError() }
  public func foregroundStyle(_ colour: Color) -> Anything { fatalError() }
  public func background(_ colour: Color) -> Anything { fatalError() }
  public func padding() -> Anything { fatalError() }
  public func task(_ action: @escaping @MainActor @Sendable () async -> Void) -> Anything { fatalError() }
  public func onChange<V: Equatable>(of value: V, _ action: @escaping (V, V) -> Void) -> Anything { fatalError() }
}

public struct UIViewRepresentableContext<Representable> {}

@MainActor @preconcurrency
public protocol UIViewRepresentable: View where Body == Never {
  associatedtype UIViewType: UIView
  typealias Context = UIViewRepresentableContext<Self>
  @MainActor @preconcurrency func makeUIView(context: Context) -> UIViewType
  @MainActor @preconcurrency func updateUIView(_ view: UIViewType, context: Context)
}
extension UIViewRepresentable {
  public var body: Never { return fatalError() }
}
