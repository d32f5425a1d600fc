#!/usr/bin/env bash
# What a device does: symbols, our own kernels, parity, speed, and Hugging Face beside it; on a machine that need not have .NET or a network.
#   eng/gpu/check.sh publish ARCHIVE.tar.xz        where the SDK and xz are: builds a program that brings .NET along but no libtorch, at most 40 MB
#   python3 -m tarfile -e ARCHIVE.tar.xz FOLDER    there; then
#   FOLDER/check/check.sh run OUT                  at most 6 minutes; OUT gets summary.txt and one JSON file for each part, written as results come
# libtorch is that of python3's PyTorch, or what IGPT_LIBTORCH names. IGPT_CHECK_DEVICE=cpu tries everything but the probe on processors, with small sizes.
# IGPT_CHECK_PATIENCE=10 makes every time limit ten times as long, for a machine that does other things besides.
# A part that fails or takes too long is told, and the next one runs. Exits with 1 where one failed.
set -euo pipefail
export LC_ALL=C

publish() {
  local archive root
  archive=$(realpath -m "$1")
  root=$(cd "$(dirname "$0")/../.." && pwd)
  work=$(mktemp -d) # not local: removed when the script ends
  trap 'rm -rf "$work"' EXIT
  dotnet publish "$root/perf/DeviceCheck" -c Release -r linux-x64 --self-contained -v quiet \
    -p:TorchBackend=none -p:IgptRelaxGlibcxx=always -p:DebugType=none --artifacts-path "$work/artifacts" -o "$work/check"
  # What only debuggers need, and what TorchSharp needs for images alone.
  rm -f "$work"/check/{libmscordbi.so,libmscordaccore.so,SkiaSharp.dll,*.xml}
  mkdir "$work/check/golden"
  cp -r "$root"/tests/golden/{models,cases} "$work/check/golden/"
  cp "$root"/eng/gpu/{check.sh,huggingface.py} "$work/check/"
  tar -C "$work" --owner=0 --group=0 -cf - check | xz -6 -T0 >"$archive"
  local golden bytes tracked
  golden=$(du -sb "$work/check/golden" | cut -f1)
  bytes=$(stat -c %s "$archive")
  tracked=$(git -C "$root" ls-files -z 2>/dev/null | (cd "$root" && du -cb --files0-from=- 2>/dev/null || true) | tail -n 1 | cut -f1)
  echo "$archive: $((bytes / 1000)) kB, golden data $((golden / 1000)) kB of it unpacked; tracked files $((${tracked:-0} / 1000)) kB"
  [ "$bytes" -le 40000000 ] || { echo "the archive must have at most 40 MB" >&2; return 1; }
  [ "$golden" -le 6000000 ] || { echo "the golden data must have at most 6 MB" >&2; return 1; }
  [ $((bytes + ${tracked:-0})) -le 67108864 ] || { echo "tracked files and archive must have at most 64 MiB together" >&2; return 1; }
}

# part NAME SECONDS COMMAND...: runs it under its time limit and says how it ended. 3 means that it does not apply here.
part() {
  local name=$1 limit=$(($2 * ${IGPT_CHECK_PATIENCE:-1})) start=$EPOCHREALTIME status=0
  shift 2
  echo
  echo "== $name (at most $limit s)"
  timeout --kill-after=5 "$limit" "$@" 2>&1 || status=$?
  local took
  took=$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
  case $status in
    0) verdicts+=("$name: passed, $took s") ;;
    3) verdicts+=("$name: not run here, $took s") ;;
    124 | 137) verdicts+=("$name: FAILED, ended after its $limit s; what it had written stays") failed=1 ;;
    *) verdicts+=("$name: FAILED with $status, $took s") failed=1 ;;
  esac
  echo "-- ${verdicts[-1]}"
}

describe() {
  date -u +%FT%TZ
  echo "$(nproc) processors, $(uname -sr)"
  nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.max.sm,clocks.max.mem --format=csv || { echo "no nvidia-smi"; [ "$device" = cpu ]; }
  echo "libtorch: ${IGPT_LIBTORCH:-none: python3 has no torch, and IGPT_LIBTORCH is not set}"
  [ -n "${IGPT_LIBTORCH:-}" ]
}

find_libtorch() {
  [ -n "${IGPT_LIBTORCH:-}" ] || IGPT_LIBTORCH=$(python3 -c 'import importlib.util, os; print(os.path.join(os.path.dirname(importlib.util.find_spec("torch").origin), "lib"))' 2>/dev/null) || true
  export IGPT_LIBTORCH
}

probe() {
  [ "$device" = cuda ] || { echo "there is no device to probe: IGPT_CHECK_DEVICE=$device"; return 3; }
  ./IgptCluster.DeviceCheck probe --json "$out/probe.json"
}

checkpoints() {
  for preset in "${presets[@]}"; do
    ./IgptCluster.DeviceCheck checkpoint --preset "$preset" --dtype bfloat16 --out "$models/$preset"
  done
}

run() {
  out=$1
  device=${IGPT_CHECK_DEVICE:-cuda}
  mkdir -p "$out"
  out=$(cd "$out" && pwd)
  cd "$(dirname "$0")"
  models=$(mktemp -d)
  trap 'rm -rf "$models"' EXIT
  case $device in
    cuda) presets=(small large) runners=(own libtorch) sessions=(1 32 256) tokens=16 rounds=2 ;;
    cpu) presets=(tiny) runners=(libtorch) sessions=(1 4) tokens=4 rounds=1 ;;
    *) echo "IGPT_CHECK_DEVICE must be cuda or cpu; it is $device" >&2; exit 2 ;;
  esac
  failed=0 verdicts=()
  find_libtorch
  export out device models IGPT_LIBTORCH
  # Limits add up to 6 minutes.
  part "machine" 10 bash -c "$(declare -f describe); describe"
  part "symbols" 15 ./IgptCluster.DeviceCheck symbols
  part "probe" 20 bash -c "$(declare -f probe); probe"
  part "parity" 45 ./IgptCluster.DeviceCheck parity --golden golden --device "$device" --json "$out/parity.json"
  part "checkpoints" 35 bash -c "$(declare -f checkpoints); presets=(${presets[*]}); checkpoints"
  for runner in "${runners[@]}"; do
    limit=$([ "$runner" = own ] && echo 30 || echo 40)
    for preset in "${presets[@]}"; do
      part "engine, $preset, bfloat16, $runner" "$limit" ./IgptCluster.DeviceCheck engine --model "$models/$preset" --device "$device" --runner "$runner" --dtype bfloat16 \
        --sessions "${sessions[@]}" --positions 512 --tokens "$tokens" --rounds "$rounds" --json "$out/engine-$preset-$runner.json"
      limit=$((limit + 20))
    done
  done
  part "Hugging Face" 55 python3 huggingface.py --device "$device" --json "$out/huggingface.json" \
    --positions 512 --sessions "${sessions[@]}" --tokens "$tokens" --rounds "$rounds" "${presets[@]/#/$models/}"
  echo
  echo "== summary"
  printf '%s\n' "${verdicts[@]}"
  return "$failed"
}

case "${1:-}:${2:-}" in
  publish:?*)
    [ -d "$(dirname "$0")/../../perf/DeviceCheck" ] || { echo "publish works in a checkout of the project only: there it is eng/gpu/check.sh" >&2; exit 2; }
    publish "$2"
    ;;
  run:?*)
    mkdir -p "$2"
    run "$2" 2>&1 | tee "$2/summary.txt"
    ;;
  *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
