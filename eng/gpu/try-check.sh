#!/usr/bin/env bash
# Tries eng/gpu/check.sh without a device, as the gate does: publishes, unpacks, runs every part but the probe on processors with the libtorch that the
# build brought along, and then once more with a libtorch that is not there: every part must be reached, and told, all the same.
#   eng/gpu/try-check.sh [FOLDER]    keeps archive and results there
set -euo pipefail
export LC_ALL=C IGPT_CHECK_PATIENCE=20 # what it shows must not depend on how busy the machine is
cd "$(dirname "$0")/../.."
libtorch=$PWD/artifacts/bin/DeviceCheck/release
[ -f "$libtorch/libtorch_cpu.so" ] || { echo "build first: dotnet build -c Release" >&2; exit 2; }
command -v xz >/dev/null && command -v python3 >/dev/null || { echo "needs xz and python3: apt-get install xz-utils python3" >&2; exit 2; }
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  work=$(cd "$1" && pwd)
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
wrong() { echo "try-check.sh: $1" >&2; exit 1; }

eng/gpu/check.sh publish "$work/check.tar.xz"
python3 -m tarfile -e "$work/check.tar.xz" "$work/unpacked"
check=$work/unpacked/check/check.sh
chmod +x "$check"

IGPT_CHECK_DEVICE=cpu IGPT_LIBTORCH=$libtorch "$check" run "$work/out" || wrong "a part failed"
for file in summary.txt parity.json engine-tiny-libtorch.json; do
  [ -s "$work/out/$file" ] || wrong "there is no $file"
done
[ "$(find "$work/out" -type f | wc -l)" -le 8 ] || wrong "more than 8 files"

echo
echo "== with a libtorch that is not there"
status=0
IGPT_CHECK_DEVICE=cpu IGPT_LIBTORCH=/nowhere "$check" run "$work/failed" >"$work/failed.txt" 2>&1 || status=$?
sed -n '/^== summary/,$p' "$work/failed.txt"
[ "$status" -eq 1 ] || wrong "a run with failed parts ended with $status, not 1"
for part in symbols parity checkpoints "engine, tiny, bfloat16, libtorch"; do
  grep -q "^$part: FAILED with" "$work/failed.txt" || wrong "it does not tell that '$part' failed"
done
grep -q "^Hugging Face: " "$work/failed.txt" || wrong "it did not reach its last part"
echo "eng/gpu/check.sh works without a device"
