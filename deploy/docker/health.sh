#!/bin/bash
# Asks this container's server for a health path and succeeds if it answers 200. The images have no curl; bash opens connections by itself.
#   health.sh [/healthz | /readyz]
set -euo pipefail

listen=${Igpt__Listen__Http:-127.0.0.1:5080}
exec 3<> "/dev/tcp/127.0.0.1/${listen##*:}"
printf 'GET %s HTTP/1.0\r\n\r\n' "${1:-/readyz}" >&3
IFS= read -r -t 2 status <&3
[[ $status == "HTTP/1."[01]" 200"* ]]
