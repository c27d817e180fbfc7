#!/bin/sh
# Builds and tests everything that Linux allows, in build/: the Swift package in release mode, its tests (the conformance
# kit, a real network by ExecuTorch), the time of the mesh, the format, and the types of what is bound to Apple systems.
#
#   ./build.sh [--sanitize] BUNDLE
#
# --sanitize: and the tests again under TSan and ASan (without ExecuTorch, which is not instrumented).
# BUNDLE: a folder written by `python -m coevoer_edge.export --target executorch`.
# SWIFT_CHROOT: a Debian root with Swift 6, where there is none on PATH (needs root; README.md says how to make one).
# PYTHON, EXECUTORCH_WHEEL: as in ../cpp/build.sh. MESH_LIMIT_MS: what the mesh may take (default 1.5).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cpp/tools/find.sh"

sanitize=no
[ "${1:-}" = --sanitize ] && { sanitize=yes; shift; }
[ $# -eq 1 ] ||
  fail "usage: ./build.sh [--sanitize] BUNDLE (from: python -m coevoer_edge.export --target executorch)"
bundle=$(cd "$1" 2>/dev/null && pwd) ||
  fail "no bundle folder $1; python -m coevoer_edge.export --target executorch writes one"
build=$here/build
python=${PYTHON:-python3}

# in_swift COMMAND...: with Swift at hand, in this folder. A chroot sees this folder and the bundle, in mounts of its own
# that end with the command.
if command -v swift >/dev/null; then
  in_swift() { (cd "$here" && "$@"); }
elif [ -n "${SWIFT_CHROOT:-}" ]; then
  [ -L "$SWIFT_CHROOT/usr/bin/swift" ] || [ -x "$SWIFT_CHROOT/usr/bin/swift" ] || fail "$SWIFT_CHROOT has no swift; README.md says how to make it"
  in_swift() {
    unshare -m sh -euc '
      root=$1 here=$2 bundle=$3
      shift 3
      for folder in "$here" "$bundle"; do
        mkdir -p "$root$folder"
        mount --bind "$folder" "$root$folder"
      done
      mount -t proc proc "$root/proc"
      exec chroot "$root" sh -euc '\''cd "$1"; shift; exec "$@"'\'' sh "$here" "$@"
    ' sh "$SWIFT_CHROOT" "$here" "$bundle" "$@"
  }
else
  fail "no swift; install Swift 6.0 or newer (swift.org/install), or set SWIFT_CHROOT to a Debian root that has it:" \
    "README.md, 'Swift on Debian'"
fi

echo "== network: ExecuTorch's runtime, and the C++ command line to compare with"
need_tools c++ ninja pkg-config
need_cmake
need_headers /usr/include
mkdir -p "$build/frames"
find_executorch "$build"
cmake -G Ninja -S "$here/linux" -B "$build/network" -DCMAKE_BUILD_TYPE=Release -Dexecutorch_DIR="$executorch_dir" \
  >"$build/network.log" 2>&1 || { cat "$build/network.log"; fail "cmake failed"; }
cmake --build "$build/network" || fail "the build of the network failed"
cp -u "$package"/lib/libexecutorch*.so "$build/network/"
"$python" "$here/../cpp/tools/golden_to_safetensors.py" "$bundle" "$build/golden.safetensors" &&
  "$python" "$here/linux/frames.py" "$bundle" "$build/frames" ||
  fail "$python could not read $bundle/golden.npz; it needs numpy (only the tests need Python)"
"$build/network/cpp/cli/coevoer" "$bundle" "$build"/frames/*.bmp -o "$build/frames" >"$build/frames/log" ||
  fail "the C++ command line failed"

echo "== swift: build and test"
swift_options="--scratch-path build/swift -c release -Xswiftc -enable-testing"
in_swift swift --version
in_swift env COEVOER_NETWORK="$build/network" swift build $swift_options --build-tests
in_swift env COEVOER_NETWORK="$build/network" COEVOER_BUNDLE="$bundle" COEVOER_GOLDEN="$build/golden.safetensors" \
  COEVOER_FRAMES="$build/frames" COEVOER_PICTURE="$build/mesh.ppm" swift test $swift_options --skip-build

if [ $sanitize = yes ]; then
  for sanitizer in thread address; do
    echo "== swift: tests under the $sanitizer sanitizer"
    # Leaks are not looked for: what XCTest and the tests' own statics hold to the end counts as one.
    in_swift env COEVOER_BUNDLE="$bundle" ASAN_OPTIONS=detect_leaks=0 swift test --scratch-path "build/swift-$sanitizer" -c release \
      -Xswiftc -enable-testing --sanitize=$sanitizer
  done
fi

echo "== times of what is not the network"
in_swift build/swift/release/coevoer-bench "$bundle" --limit-mesh-ms "${MESH_LIMIT_MS:-1.5}"

echo "== format"
in_swift swift format lint --strict --recursive --configuration .swift-format Package.swift Sources Tests App

echo "== types of what is bound to Apple systems, against the stub modules in Tests/Stubs"
in_swift sh linux/typecheck.sh

echo "All passed: CoEvoerKit and CoEvoerLive were built and run. CoEvoerCoreML and the app were type-checked only: whether"
echo "Apple's modules agree with the stubs, shaders, and Core ML itself need a Mac (README.md, 'On a Mac')."
