#!/bin/sh
# Type-checks what is bound to Apple systems: stub modules, then CoEvoerCoreML, its tests, the app, and the Swift lines of
# the project's README (build/snippet). In the package's folder, after a release build in build/swift.
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

{
  echo 'import CoreML'
  echo 'func snippet(packageURL: URL, crop: CGImage) throws {'
  grep -v '^```' build/snippet
  echo '_ = (leftHand, camera)'
  echo '}'
} >"$out/snippet.swift"
check -typecheck -module-name Snippet -parse-as-library "$out/snippet.swift"
echo "types agree"
