#!/bin/bash
# Completes a container's settings with what is known only inside it, then becomes the server, which so gets the signals itself.
#   Igpt__Cluster__Address      unset: the container's first IPv4 address
#   IGPT_STORE_PASSWORD_FILE    file (a secret) whose one line is the password of Igpt__Store__Address
set -euo pipefail

if [ -z "${Igpt__Cluster__Address:-}" ]; then
  for address in $(hostname -i); do
    case $address in
      127.* | *:*) ;;
      *) export Igpt__Cluster__Address=$address; break ;;
    esac
  done
fi

if [ -n "${IGPT_STORE_PASSWORD_FILE:-}" ]; then
  : "${Igpt__Store__Address:?must be HOST:PORT where IGPT_STORE_PASSWORD_FILE is given}"
  IFS= read -r password < "$IGPT_STORE_PASSWORD_FILE" || [ -n "$password" ]
  case $password in
    *,*) echo "entrypoint: the store's password must have no comma: the store's address is a list with commas" >&2; exit 2 ;;
  esac
  export Igpt__Store__Address="$Igpt__Store__Address,password=$password"
fi

exec "$@"
