#!/bin/sh
# The same tests on ARM: builds for aarch64 with the aarch64 ExecuTorch wheel and runs under qemu-user: all of them on a
# processor with SVE and i8mm, the golden images again on those of phones (dotprod; plain NEON), which take other kernels.
# It says whether results are right there, nothing about speed.
#
# SME is emulated wrongly by qemu 7.2 of Debian 12 (INT8 errors 47 times too large; qemu 10.0 has them right), so it is
# tried from qemu 10 on only.
#
#   ./arm.sh BUNDLE
#
# EXECUTORCH_AARCH64_WHEEL: the wheel's file or its executorch folder; without it, pip downloads it.
# QEMU: another qemu-aarch64. BUILD_DIR: another folder than build/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tools/find.sh"

[ $# -eq 1 ] || fail "usage: ./arm.sh BUNDLE (from: python -m coevoer_edge.export --target executorch)"
bundle=$(cd "$1" 2>/dev/null && pwd) ||
  fail "no bundle folder $1; python -m coevoer_edge.export --target executorch writes one"
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
      fail "pip could not download the aarch64 wheel; set EXECUTORCH_AARCH64_WHEEL to it"
    EXECUTORCH_AARCH64_WHEEL=$(ls "$build"/executorch-*aarch64.whl | head -1)
  }
fi
EXECUTORCH_WHEEL=$EXECUTORCH_AARCH64_WHEEL
find_executorch "$build/aarch64-wheel"
write_golden "$bundle" "$build/golden.safetensors"

# The libraries are header-only, but for libexif: the command line stays on the host.
cmake -G Ninja -S "$here" -B "$build/aarch64" -DCMAKE_TOOLCHAIN_FILE="$here/cmake/aarch64.cmake" \
  -DCMAKE_BUILD_TYPE=Release -DCOEVOER_CLI=OFF -Dexecutorch_DIR="$executorch_dir" >"$build/aarch64.log" 2>&1 ||
  { cat "$build/aarch64.log"; fail "cmake failed"; }
cmake --build "$build/aarch64" || fail "the build failed"
export COEVOER_BUNDLE="$bundle" COEVOER_GOLDEN="$build/golden.safetensors"

# on CPU ARGUMENTS...: the tests on an emulated processor
on() {
  cpu=$1; shift
  echo "== $cpu"
  "$qemu" -cpu "$cpu" -L "$sysroot" "$build/aarch64/tests/coevoer_tests" --minimal --no-intro "$@" \
    2>"$build/aarch64.stderr" || { cat "$build/aarch64.stderr"; fail "tests failed on $cpu"; }
}

on max,sme=off
on cortex-a76 --test-case='network: on the golden images*'
on cortex-a72 --test-case='network: on the golden images*'
version=$("$qemu" --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
[ "$version" -lt 10 ] || on max --test-case='network: on the golden images*'
echo "All passed on aarch64, under $("$qemu" --version | head -1)"
