#!/bin/sh
# Configures, builds and tests in build/: a release build with the command line and, without --quick, the tests again
# under ASan and UBSan, and under TSan (without ExecuTorch, which is not instrumented).
#
#   ./build.sh [--quick] BUNDLE
#
# BUNDLE: a folder written by `python -m coevoer_edge.export --target executorch`.
# EXECUTORCH_WHEEL: the package folder or wheel file of executorch 1.5; by default, the package of PYTHON (python3).
# BUILD_DIR: another build folder than build/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tools/find.sh"

quick=no
[ "${1:-}" = --quick ] && { quick=yes; shift; }
[ $# -eq 1 ] || fail "Usage: ./build.sh [--quick] BUNDLE (from: python -m coevoer_edge.export --target executorch)"
bundle=$(cd "$1" 2>/dev/null && pwd) ||
  fail "There is no bundle folder $1; python -m coevoer_edge.export --target executorch writes one."
build=${BUILD_DIR:-$here/build}

need_tools c++ ninja pkg-config
need_cmake
need_headers /usr/include
mkdir -p "$build"
find_executorch "$build"
write_golden "$bundle" "$build/golden.safetensors"
export COEVOER_BUNDLE="$bundle" COEVOER_GOLDEN="$build/golden.safetensors"

# one NAME EXTRA...: configures, builds and tests
one() {
  name=$1; shift
  echo "== $name"
  cmake -G Ninja -S "$here" -B "$build/$name" "$@" >"$build/$name.log" 2>&1 ||
    { cat "$build/$name.log"; fail "CMake failed; see above."; }
  cmake --build "$build/$name" || fail "The build failed; see above."
  "$build/$name/tests/coevoer_tests" --minimal --no-intro 2>"$build/$name.stderr" ||
    { cat "$build/$name.stderr"; fail "Tests failed; see above."; }
}

one release -DCMAKE_BUILD_TYPE=Release -Dexecutorch_DIR="$executorch_dir"
if [ $quick = no ]; then
  one address -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOEVOER_SANITIZE=address,undefined -Dexecutorch_DIR="$executorch_dir"
  one thread -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOEVOER_SANITIZE=thread -DCOEVOER_EXECUTORCH=OFF -DCOEVOER_CLI=OFF
fi
echo "All passed. Next: $build/release/cli/coevoer $bundle photo.jpg -o out"
