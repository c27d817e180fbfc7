# Functions of build.sh and arm.sh that look for what they need, with messages about what is missing.

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

need_tools() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null || fail "There is no $tool; apt install build-essential ninja-build" \
      "pkg-config (for arm.sh also g++-aarch64-linux-gnu qemu-user)."
  done
}

# The CMake targets of the ExecuTorch wheel need CMake 3.28. Debian 12 has 3.25; PyPI has newer versions.
need_cmake() {
  command -v cmake >/dev/null || fail "There is no cmake; pip install 'cmake>=3.28' into an environment on PATH."
  version=$(cmake --version | sed -n '1s/.* //p')
  [ "$(printf '3.28\n%s\n' "$version" | sort -V | head -1)" = 3.28 ] ||
    fail "The version of cmake is $version, older than 3.28; pip install 'cmake>=3.28' and put it first on PATH."
}

# Header-only libraries, and libexif for the command line.
need_headers() {
  for file in eigen3/Eigen/Core nlohmann/json.hpp doctest/doctest.h stb/stb_image.h libexif/exif-data.h; do
    [ -e "$1/$file" ] ||
      fail "There is no $1/$file; apt install libeigen3-dev nlohmann-json3-dev doctest-dev libstb-dev libexif-dev."
  done
}

# Sets executorch_dir to the CMake folder of the executorch package; a wheel file is unpacked under $1.
find_executorch() {
  package=${EXECUTORCH_WHEEL:-}
  if [ -z "$package" ]; then
    where='import importlib.util as u; print(u.find_spec("executorch").submodule_search_locations[0])'
    package=$("${PYTHON:-python3}" -c "$where" 2>/dev/null) ||
      fail "The interpreter ${PYTHON:-python3} has no executorch package; pip install 'executorch==1.5.*', set" \
        "PYTHON, or set EXECUTORCH_WHEEL to its folder or to a wheel file (pip download executorch==1.5.1 --no-deps)."
  elif [ -f "$package" ]; then
    "${PYTHON:-python3}" -m zipfile -e "$package" "$1/executorch-wheel" || fail "$package is not a wheel file."
    package=$1/executorch-wheel/executorch
  fi
  executorch_dir=$package/share/cmake
  [ -f "$executorch_dir/executorch-config.cmake" ] ||
    fail "$package has no share/cmake/executorch-config.cmake; give executorch 1.5 or newer."
}

write_golden() {
  "${PYTHON:-python3}" "$(dirname "$0")/tools/golden_to_safetensors.py" "$1" "$2" ||
    fail "The interpreter ${PYTHON:-python3} could not convert $1/golden.npz; it needs numpy (for the tests only)."
}
