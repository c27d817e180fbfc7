// swift-tools-version: 6.0
import Foundation
import PackageDescription

var targets: [Target] = [
  .target(name: "CoEvoerKit"),
  .target(name: "CoEvoerLive", dependencies: ["CoEvoerKit"]),
  .executableTarget(name: "coevoer-bench", dependencies: ["CoEvoerKit"]),
  .target(name: "TestSupport", dependencies: ["CoEvoerKit"], path: "Tests/TestSupport"),
  .testTarget(name: "CoEvoerKitTests", dependencies: ["CoEvoerKit", "TestSupport"]),
  .testTarget(name: "CoEvoerLiveTests", dependencies: ["CoEvoerLive", "TestSupport"]),
]
var products: [Product] = [
  .library(name: "CoEvoerKit", targets: ["CoEvoerKit"]),
  .library(name: "CoEvoerLive", targets: ["CoEvoerLive"]),
]

#if os(macOS)
  products.append(.library(name: "CoEvoerCoreML", targets: ["CoEvoerCoreML"]))
  targets += [
    .target(name: "CoEvoerCoreML", dependencies: ["CoEvoerKit"]),
    .testTarget(name: "CoEvoerCoreMLTests", dependencies: ["CoEvoerCoreML", "TestSupport"]),
  ]
#endif

// On Linux, build.sh builds a library of ExecuTorch's runtime, so that tests run a real network in this pipeline.
if let folder = ProcessInfo.processInfo.environment["COEVOER_NETWORK"] {
  targets += [
    .systemLibrary(name: "CExecuTorchNetwork"),
    .testTarget(
      name: "ExecuTorchTests", dependencies: ["CExecuTorchNetwork", "CoEvoerKit", "TestSupport"],
      linkerSettings: [.unsafeFlags(["-L\(folder)", "-Xlinker", "-rpath", "-Xlinker", folder])]),
  ]
}

let package = Package(
  name: "CoEvoer",
  platforms: [.iOS(.v18), .macOS(.v15)],
  products: products,
  targets: targets,
  swiftLanguageModes: [.v6]
)
