#!/bin/sh
# Runs the same tests on ARM. It builds for aarch64 with the aarch64 ExecuTorch wheel and runs under qemu-user: all
# tests on a processor with SVE and i8mm, and the golden images again on processors like those of phones (dotprod; plain
# NEON), which use other kernels. This shows whether results are right there; it says nothing about speed.
#
# qemu 7.2 of Debian 12 emulates SME wrongly (INT8 errors are 47 times too large; qemu 10.0 is right), so SME is only
# tested with qemu 10 or newer.
#
#   ./arm.sh BUNDLE
#
# EXECUTORCH_AARCH64_WHEEL: the wheel file or its executorch folder; by default, pip downloads the wheel.
# QEMU: another qemu-aarch64. BUILD_DIR: another build folder than build/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tools/find.sh"

[ $# -eq 1 ] || fail "Usage: ./arm.sh BUNDLE (from: python -m coevoer_edge.export --target executorch)"
bundle=$(cd "$1" 2>/dev/null && pwd) ||
  fail "There is no bundle folder $1; python -m coevoer_edge.export --target executorch writes one."
build=${BUILD_DIR:-$here/build}
qemu=${QEMU:-qemu-aarch64}
sysroot=/usr/aarch64-linux-gnu

need_tools aarch64-linux-gnu-g++ ninja "$qemu"
need_cmake
need_headers /usr/include
mkdir -p "$build"
if [ -z "${EXECUTORCH_AARCH64_WHEEL:-}" ]; then
  EXECUTORCH_AARCH64_WHEEL=$(ls "$build"/executorch-*aarch64.whl 2>/dev/null | head -1)
  [ -n "$EXECUTORCH_AARCH64_WHEEL" ] || {
    "${PYTHON:-python3}" -m pip download --quiet --no-deps --only-binary :all: --platform manylinux_2_28_aarch64 \
      --python-version 3.11 --dest "$build" 'executorch==1.5.*' ||
      fail "pip could not download the aarch64 wheel; set EXECUTORCH_AARCH64_WHEEL to its path."
    EXECUTORCH_AARCH64_WHEEL=$(ls "$build"/executorch-*aarch64.whl | head -1)
  }
fi
EXECUTORCH_WHEEL=$EXECUTORCH_AARCH64_WHEEL
find_executorch "$build/aarch64-wheel"
write_golden "$bundle" "$build/golden.safetensors"

# All libraries except libexif are header-only, so the command line, which needs libexif, is not built.
cmake -G Ninja -S "$here" -B "$build/aarch64" -DCMAKE_TOOLCHAIN_FILE="$here/cmake/aarch64.cmake" \
  -DCMAKE_BUILD_TYPE=Release -DCOEVOER_CLI=OFF -Dexecutorch_DIR="$executorch_dir" >"$build/aarch64.log" 2>&1 ||
  { cat "$build/aarch64.log"; fail "CMake failed; see above."; }
cmake --build "$build/aarch64" || fail "The build failed; see above."
export COEVOER_BUNDLE="$bundle" COEVOER_GOLDEN="$build/golden.safetensors"

# on CPU ARGUMENTS...: runs the tests on an emulated processor
on() {
  cpu=$1; shift
  echo "== $cpu"
  "$qemu" -cpu "$cpu" -L "$sysroot" "$build/aarch64/tests/coevoer_tests" --minimal --no-intro "$@" \
    2>"$build/aarch64.stderr" || { cat "$build/aarch64.stderr"; fail "Tests failed on $cpu; see above."; }
}

on max,sme=off
on cortex-a76 --test-case='network: on the golden images*'
on cortex-a72 --test-case='network: on the golden images*'
version=$("$qemu" --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
[ "$version" -lt 10 ] || on max --test-case='network: on the golden images*'
echo "All passed on aarch64, under $("$qemu" --version | head -1)."
