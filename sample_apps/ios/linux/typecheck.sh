#!/bin/sh
# Type-checks the code that depends on Apple's frameworks: stub modules, then CoEvoerCoreML, its tests, the app, and the
# Swift lines of README.md. Run it in the package's folder, after a release build in build/swift.
set -eu
out=build/stubs
rm -rf "$out"
mkdir -p "$out"

# With library evolution, enumerations may get new cases, like Apple's, so that switches are checked in the same way.
for module in CoreGraphics CoreVideo CoreML CoreMedia AVFoundation UIKit Metal MetalKit SwiftUI; do
  swiftc -emit-module -emit-module-path "$out/$module.swiftmodule" -module-name "$module" -parse-as-library \
    -swift-version 6 -enable-library-evolution -suppress-warnings -I "$out" "Tests/Stubs/$module.swift"
done

check() {
  swiftc -swift-version 6 -strict-concurrency=complete -warnings-as-errors -I "$out" -I build/swift/release/Modules "$@"
}

check -emit-module -emit-module-path "$out/CoEvoerCoreML.swiftmodule" -module-name CoEvoerCoreML -parse-as-library \
  Sources/CoEvoerCoreML/*.swift
check -typecheck -module-name CoEvoerCoreMLTests Tests/CoEvoerCoreMLTests/*.swift
check -typecheck -module-name CoEvoerApp -parse-as-library App/CoEvoer/*.swift

# The lines of README.md as the body of a function. Its unused expressions cause only warnings.
{
  printf 'import %s\n' CoEvoerKit CoEvoerCoreML CoreML
  echo 'func readme(folder: URL, cache: CompiledModelCache, buffer: CVPixelBuffer, time: Double, vertices: inout [Float])'
  echo '  async throws {'
  sed -n '/^```swift$/,/^```$/{/^```/!p}' README.md
  echo '}'
} >"$out/readme.swift"
grep -q Estimator "$out/readme.swift"
swiftc -typecheck -swift-version 6 -suppress-warnings -parse-as-library -I "$out" -I build/swift/release/Modules \
  -module-name readme "$out/readme.swift"
echo "types agree"
