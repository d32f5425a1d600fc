#!/usr/bin/env bash
# Checks deploy/ with whatever of these is installed: shellcheck, yamllint, hadolint, docker compose (or docker-compose), helm, kubeconform. Says what it left out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

status=0
check() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then echo "ok       $what"; else echo "FAILED   $what"; status=1; fi
}
has() { command -v "$1" > /dev/null || { echo "left out $2: there is no $1"; return 1; }; }

scripts=(deploy/local/cluster.sh deploy/docker/*.sh eng/lint-deploy.sh)
for script in "${scripts[@]}"; do check "syntax of $script" bash -n "$script"; done
if has shellcheck scripts; then check scripts shellcheck "${scripts[@]}"; fi

if has yamllint YAML; then
  check YAML yamllint -s -d '{extends: relaxed, rules: {line-length: disable}}' deploy/compose/*.yaml deploy/helm/igpt/{Chart,values}.yaml deploy/helm/igpt/ci
fi

if has hadolint Dockerfile; then check Dockerfile hadolint deploy/docker/Dockerfile; fi

if docker compose version > /dev/null 2>&1; then
  check compose docker compose -f deploy/compose/compose.yaml config --quiet
  check "compose with GPUs" docker compose -f deploy/compose/compose.yaml -f deploy/compose/compose.gpu.yaml config --quiet
elif has docker-compose compose; then
  # The older program does not know the name of a project.
  plain=$(mktemp -d)
  trap 'rm -rf "$plain"' EXIT
  grep -v '^name:' deploy/compose/compose.yaml > "$plain/compose.yaml"
  cp deploy/compose/compose.gpu.yaml "$plain"
  check compose docker-compose -f "$plain/compose.yaml" config --quiet
  check "compose with GPUs" docker-compose -f "$plain/compose.yaml" -f "$plain/compose.gpu.yaml" config --quiet
fi

# shellcheck disable=SC2317 # called by check
rendered() { helm template "$1" deploy/helm/igpt -f "$2" | kubeconform -strict -ignore-missing-schemas -summary; }
if has helm chart; then
  for values in deploy/helm/igpt/ci/*-values.yaml; do
    check "chart with $values" helm lint --strict deploy/helm/igpt -f "$values"
    if has kubeconform manifests; then check "manifests of $values" rendered "$(basename "$values" -values.yaml)" "$values"; fi
  done
fi
exit "$status"
