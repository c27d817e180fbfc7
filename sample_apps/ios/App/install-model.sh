#!/bin/sh
# Copies Core ML bundles into the app: App/install-model.sh BUNDLE [SMALLER]
#
# BUNDLE, and SMALLER for heat and low memory: folders written by `python -m coevoer_edge.export --target coreml`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

fail() {
  echo "install-model.sh: $*" >&2
  exit 1
}

check() {
  [ -f "$1/SHA256SUMS" ] || fail "$1 is no bundle; python -m coevoer_edge.export --target coreml writes one"
  if command -v sha256sum >/dev/null; then sum=sha256sum; else sum="shasum -a 256"; fi
  (cd "$1" && $sum -c SHA256SUMS >/dev/null) || fail "$1 does not match its SHA256SUMS; export it again"
  grep -q '"target": "coreml"' "$1/manifest.json" || fail "$1 is not for Core ML; export it with --target coreml"
}

[ $# -eq 1 ] || [ $# -eq 2 ] || fail "usage: App/install-model.sh BUNDLE [SMALLER]"
for bundle in "$@"; do check "$bundle"; done
rm -rf "$here/Model/bundle" "$here/Model/smaller"
cp -R "$1" "$here/Model/bundle"
[ $# -eq 1 ] || cp -R "$2" "$here/Model/smaller"
echo "Installed in App/Model. Next: open App/CoEvoer.xcodeproj"
