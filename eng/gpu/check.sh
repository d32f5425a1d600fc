#!/usr/bin/env bash
# Parity and load on a machine with a GPU that need not have .NET.
#   eng/gpu/check.sh publish ARCHIVE.tar.xz        where the SDK is: builds programs that bring .NET along but no libtorch, at most 60 MB
#   ./check.sh run OUT                             in the unpacked archive, with IGPT_LIBTORCH naming a PyTorch's torch/lib: writes OUT/*.json
# IGPT_CHECK_DEVICE (default cuda) is where libtorch computes; cpu tries the script itself.
set -euo pipefail

publish() {
  local archive root
  archive=$(realpath -m "$1")
  root=$(cd "$(dirname "$0")/../.." && pwd)
  work=$(mktemp -d) # not local: removed when the script ends
  trap 'rm -rf "$work"' EXIT
  for project in perf/Accuracy perf/Load src/Silo; do
    dotnet publish "$root/$project" -c Release -r linux-x64 --self-contained -v quiet \
      -p:TorchBackend=none -p:IgptRelaxGlibcxx=always -p:DebugType=none -o "$work/check"
  done
  # What only debuggers and the compiler need.
  rm -f "$work"/check/{Microsoft.CodeAnalysis*.dll,Humanizer.dll,libmscordbi.so,libmscordaccore.so,*.xml}
  cp "$root/eng/gpu/check.sh" "$work/check/"
  tar -C "$work" -cJf "$archive" check
  local megabytes=$(($(stat -c %s "$archive") / 1000000))
  echo "$archive: $megabytes MB"
  [ "$megabytes" -le 60 ] || { echo "the archive must have at most 60 MB; it has $megabytes" >&2; return 1; }
}

run() {
  local out=$1 here device
  device=${IGPT_CHECK_DEVICE:-cuda}
  here=$(cd "$(dirname "$0")" && pwd)
  : "${IGPT_LIBTORCH:?must name the lib folder of a PyTorch with libtorch 2.10 (torch/lib)}"
  mkdir -p "$out"
  out=$(cd "$out" && pwd)
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv 2>/dev/null | tee "$out/device.txt" || echo "no nvidia-smi" | tee "$out/device.txt"
  cd "$here"
  # Every run is made, and every file written, whatever the one before says.
  local status=0
  ./IgptCluster.Accuracy --model assets/models/shapes --data assets/images --images 6 --device "$device" --json "$out/parity.json" || status=1
  for dtype in float32 bfloat16; do
    ./IgptCluster.Load --device "$device" --dtype "$dtype" ${IGPT_CHECK_LOAD:-} --json "$out/load-$dtype.json" --picture "$out/load-$dtype.png" || status=1
  done
  return "$status"
}

case "${1:-}" in
  publish) publish "${2:?names the archive to write}" ;;
  run) run "${2:?names the folder for the results}" ;;
  *) sed -n '2,5p' "$0"; exit 2 ;;
esac
