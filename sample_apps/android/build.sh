#!/bin/sh
# Builds and tests on Linux everything that needs neither an Android SDK nor a phone: the engine and its JNI library with
# ExecuTorch from the wheel, the Kotlin library and the app, JUnit on the JVM under -Xcheck:jni, the shaders, and an APK of
# the flavour without AndroidX, aligned, signed with a key of its own and verified.
#
#   ./build.sh [--quick] BUNDLE
#
# BUNDLE: a folder written by `python -m coevoer_edge.export --target executorch`. --quick: no ASan, no APK.
# EXECUTORCH_WHEEL, PYTHON, BUILD_DIR: as for ../cpp/build.sh. KOTLIN_HOME, ANDROID_JAR, DX_JAR: tools/find.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cpp=$here/../cpp
. "$cpp/tools/find.sh"
. "$here/tools/find.sh"
. "$here/tools/steps.sh"

quick=no
[ "${1:-}" = --quick ] && { quick=yes; shift; }
[ $# -eq 1 ] || fail "usage: ./build.sh [--quick] BUNDLE (from: python -m coevoer_edge.export --target executorch)"
bundle=$(cd "$1" 2>/dev/null && pwd) ||
  fail "no bundle folder $1; python -m coevoer_edge.export --target executorch writes one"
build=${BUILD_DIR:-$here/build}
mkdir -p "$build"

need_tools c++ ninja pkg-config
need_cmake
need_headers /usr/include
need_java
command -v glslangValidator >/dev/null || fail "no glslangValidator; apt install glslang-tools"
[ $quick = yes ] || need_apk_tools
find_executorch "$build"
find_kotlin "$build"
find_android "$build"
golden=$build/golden.safetensors
"${PYTHON:-python3}" "$cpp/tools/golden_to_safetensors.py" "$bundle" "$golden" ||
  fail "${PYTHON:-python3} could not convert $bundle/golden.npz; it needs numpy (only the tests need Python)"

build_native release -DCMAKE_BUILD_TYPE=Release -DCOEVOER_CLI=ON
compile_kotlin
check_shaders
echo "== tests on the JVM"
run_tests release
if [ $quick = yes ]; then
  echo "All passed."
  exit
fi
build_native address -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOEVOER_SANITIZE=address
echo "== tests on the JVM, JNI layer and engine under ASan"
# The JVM handles SIGSEGV itself, does not free all it has at its end, and has no C++ runtime for ASan to wrap.
asan=$(c++ -print-file-name=libasan.so)
run_tests address "LD_PRELOAD=$asan $(c++ -print-file-name=libstdc++.so.6)" \
  ASAN_OPTIONS=handle_segv=0:detect_leaks=0:exitcode=99
assemble_apk
echo "All passed. $apk: $(du -k "$apk" | cut -f1) kB, signed with a throw-away key; it has no engine for phones, which"
echo "takes the NDK. For an app that runs: Android Studio, or ./gradlew assembleCameraxRelease with an Android SDK."
