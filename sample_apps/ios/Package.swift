// swift-tools-version: 6.0
import PackageDescription

var products: [Product] = [
  .library(name: "CoEvoerKit", targets: ["CoEvoerKit"]),
  .library(name: "CoEvoerLive", targets: ["CoEvoerLive"]),
]
var targets: [Target] = [
  .target(name: "CoEvoerKit"),
  .target(name: "CoEvoerLive", dependencies: ["CoEvoerKit"]),
  .executableTarget(name: "coevoer-bench", dependencies: ["CoEvoerKit"]),
  .target(name: "TestSupport", dependencies: ["CoEvoerKit"], path: "Tests/TestSupport"),
  .testTarget(name: "CoEvoerKitTests", dependencies: ["CoEvoerKit", "TestSupport"]),
  .testTarget(name: "CoEvoerLiveTests", dependencies: ["CoEvoerLive", "TestSupport"]),
]

let package = Package(
  name: "CoEvoer",
  platforms: [.iOS(.v18), .macOS(.v15)],
  products: products,
  targets: targets,
  swiftLanguageModes: [.v6]
)
