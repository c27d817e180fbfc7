#!/bin/sh
# Type-checks what is bound to Apple systems: stub modules, then CoEvoerCoreML, its tests, the app, and the Swift lines of
# the project's README (build/snippet) and of README.md. In the package's folder, after a release build in build/swift.
set -eu
out=build/stubs
rm -rf "$out"
mkdir -p "$out"

# Enumerations of Apple's may grow, those of a module with library evolution too: the switches are checked alike.
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

# wrapped SIGNATURE IMPORTS...: the lines on standard input as the body of a function.
wrapped() {
  signature=$1
  shift
  for module in "$@"; do echo "import $module"; done
  echo "$signature {"
  cat
  echo '}'
}

# Expressions stand there to be seen, not used: that is only a warning.
wrapped 'func readme(packageURL: URL, crop: CGImage) throws' CoreML <build/snippet >"$out/readme.swift"
sed -n '/^```swift$/,/^```$/{/^```/!p}' README.md |
  wrapped 'func ios(folder: URL, cache: CompiledModelCache, buffer: CVPixelBuffer, time: Double, vertices: inout [Float])
    async throws' CoEvoerKit CoEvoerCoreML CoreML >"$out/ios.swift"
for file in readme ios; do
  swiftc -typecheck -swift-version 6 -suppress-warnings -parse-as-library -I "$out" -I build/swift/release/Modules \
    -module-name "$file" "$out/$file.swift"
done
echo "types agree"
