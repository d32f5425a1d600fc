#!/bin/bash
# Completes a container's settings with what is known only inside it, then becomes the server, which so gets the signals itself.
#   Igpt__Cluster__Address      unset: the container's first IPv4 address
set -euo pipefail

if [ -z "${Igpt__Cluster__Address:-}" ]; then
  for address in $(hostname -i); do
    case $address in
      127.* | *:*) ;;
      *) export Igpt__Cluster__Address=$address; break ;;
    esac
  done
fi

exec "$@"
