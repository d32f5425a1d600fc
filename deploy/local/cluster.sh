#!/usr/bin/env bash
# A cluster on one machine, each part a process of its own: a store, silos behind gateways, gateways. Needs the Release build and bash 4.4.
#
#   cluster.sh start     [--silos N] [--gateways N] [--base-port P] [--cluster-id ID] [--store ADDRESS] [-- SILO OPTION…]
#   cluster.sh add-silo  [-- SILO OPTION…]      one more; its options, else those of start
#   cluster.sh add-gateway
#   cluster.sh kill NAME [SIGNAL]               default KILL; waits for the end of what ends (not for STOP and CONT)
#   cluster.sh status                           0: every process runs; 1: some does not
#   cluster.sh stop                             gateways, then silos, then the store
# Each takes --folder F (default ./igpt-cluster), --wait SECONDS (default 120), and, to find the build, --bin FOLDER (default artifacts/bin of this
# repository: FOLDER/{Store,Silo,Gateway}/CONFIGURATION), --configuration release|debug. IGPT_CLUSTER_FOLDER and IGPT_CLUSTER_BIN are defaults for two of them.
#
# The contract, for tests and other programs. One command at a time on a folder.
# - start makes sure that the store, silo-1 … silo-N and gateway-1 … gateway-N run, and returns when all are ready; what runs is left alone, what has ended is
#   started again under its name and ports. So it is also how a killed process comes back. When it fails it stops what it started and exits 1.
# - Defaults: 2 silos, 2 gateways, free ports, the bundled models, an equal share of the processors for each silo, a store of the folder's own. With
#   --base-port P the ports are P (store), then four for each process in the order of their start. --store takes a store that is there already
#   (HOST:PORT[,password=…]) and neither starts nor stops one.
# - Everything is on 127.0.0.1. Settings in the environment (Igpt__…) reach all processes, except those that this script gives. Relative paths in
#   silo options are seen from where start or add-silo was called.
# - FOLDER/cluster.json tells all, and is replaced at once by each command that changes something:
#     { "folder": F, "clusterId": ID, "store": { "name", "pid", "exit", "address", "log" },
#       "silos":    [ { "name", "pid", "exit", "http", "siloPort", "clientPort", "log" } … ],
#       "gateways": [ { "name", "pid", "exit", "grpc", "http", "siloPort", "clientPort", "log" } … ] }
#   pid is null when the process did not run (or the store is not ours); exit is then its exit code, 128 + the signal for what a signal ended, else null;
#   grpc and http are URLs; address has the password, so the folder is its owner's alone.
# - FOLDER/logs/NAME.log is the output of the last start of NAME; earlier ones are NAME.log.1, …; FOLDER/exits/NAME appears with its exit code when it ends;
#   FOLDER/pids/NAME holds the process id, and what tells it from a later process with the same id. Signals go only to processes of which that still holds.
# - The folder can be started again after stop: sessions, names and ports are kept. Remove it to forget them.
# - start prints one line for each gateway, "gateway-1 http://127.0.0.1:PORT"; exit codes are 0, 1 (failed) and 2 (wrong usage). Errors go to standard error.
set -euo pipefail
umask 077
unset CDPATH

usage() { sed -n '4,9p' "$0" | cut -c3- >&2; exit 2; }
fail() { echo "cluster.sh: $*" >&2; exit 1; }

# --- Processes -------------------------------------------------------------------------------------------------------------------------------------

# What tells a process from a later one with its id; fails if it has ended, also as a zombie that nobody has collected.
stamp_of() {
  local stat
  if [ -d /proc/self ]; then
    { stat=$(< "/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) } # past the name, which may hold anything
    # shellcheck disable=SC2086 # fields are wanted: state is the first, start time the twentieth
    set -- $stat
    [ "$1" != Z ] && [ "$1" != X ] && echo "${20}"
  else
    stat=$(ps -o stat=,lstart= -p "$1") && [ "${stat#Z}" = "$stat" ] && echo "${stat#* }"
  fi
}

# The process id of a name, if its process runs.
pid_of() {
  local pid stamp
  [ -f "$folder/pids/$1" ] || return 1
  { read -r pid && read -r stamp; } < "$folder/pids/$1" || return 1
  [ "$(stamp_of "$pid")" = "$stamp" ] && echo "$pid"
}

launch() { # NAME COMMAND…
  local name=$1 log=$folder/logs/$1.log old=1 pid
  shift
  if [ -f "$log" ]; then
    while [ -e "$log.$old" ]; do old=$((old + 1)); done
    mv "$log" "$log.$old"
  fi
  rm -f "$folder/pids/$name" "$folder/pids/$name.new" "$folder/exits/$name"
  # A parent of its own collects it and writes down how it ended; and a session of its own, where that can be had: no interrupt meant for this terminal's
  # program reaches it.
  # shellcheck disable=SC2016 # for the inner shell
  set -- bash -c 'exit=$1 new=$2; shift 2; "$@" & echo $! > "$new"; wait $!; echo $? > "$exit"' "$name" "$folder/exits/$name" "$folder/pids/$name.new" "$@"
  if command -v setsid > /dev/null; then set -- setsid "$@"; fi
  "$@" < /dev/null > "$log" 2>&1 &
  disown $!
  until [ -s "$folder/pids/$name.new" ]; do sleep 0.01; done
  pid=$(< "$folder/pids/$name.new")
  stamp_of "$pid" >> "$folder/pids/$name.new" || echo ended >> "$folder/pids/$name.new"
  mv "$folder/pids/$name.new" "$folder/pids/$name"
  started+=("$name")
}

until_true() { # WHAT COMMAND…: looks ten times a second for as long as --wait says
  local what=$1 end=$((SECONDS + wait_seconds))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "not within $wait_seconds s: $what"
    sleep 0.1
  done
}

has_ended() { ! pid_of "$1" > /dev/null; }

end() { # NAME SIGNAL: sends it; a frozen process is woken to hear of it
  local pid
  pid=$(pid_of "$1") || return 0
  kill -s "$2" "$pid" 2>/dev/null || return 0
  case $2 in STOP | KILL) ;; *) kill -s CONT "$pid" 2>/dev/null || true ;; esac
}

forget() { rm -f "$folder/pids/$1"; }

# Its parent writes down how it ended a moment later, unless that was killed too.
settle() { # NAME
  local tries=20
  while [ ! -s "$folder/exits/$1" ] && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
}

# --- What is known of a cluster: nodes/NAME has a line for each fact, KEY=VALUE -----------------------------------------------------------------------

fact() { # NAME KEY
  local line
  while IFS= read -r line; do
    if [ "${line%%=*}" = "$2" ]; then printf '%s\n' "${line#*=}"; return; fi
  done < "$folder/nodes/$1"
  return 1
}

names() { # KIND: in the order of their numbers
  local number=1
  while [ -f "$folder/nodes/$1-$number" ]; do echo "$1-$number"; number=$((number + 1)); done
}

is_taken() { # a port, by anybody, or by a process of ours that does not run now
  grep -qsx "[a-zA-Z]*=$1" "$folder"/nodes/* && return 0
  (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

next_port() {
  local port
  if [ -f "$folder/next-port" ]; then
    port=$(< "$folder/next-port")
    echo $((port + 1)) > "$folder/next-port"
    echo "$port"
    return
  fi
  # Below the range from which the system takes ports for outgoing connections.
  while true; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if ! is_taken "$port"; then echo "$port"; return; fi
  done
}

# Written at once, so that the next port is another one.
add_node() { # NAME: facts that hold for its life
  local node=$folder/nodes/$1
  printf 'directory=%s\n' "$PWD" > "$node"
  for fact in grpc http siloPort clientPort; do printf '%s=%s\n' "$fact" "$(next_port)" >> "$node"; done
}

quoted() { # as a JSON string
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

life() { # NAME: "pid" and "exit"
  local pid
  if pid=$(pid_of "$1"); then
    printf '"pid": %s, "exit": null' "$pid"
  else
    printf '"pid": null, "exit": %s' "$(cat "$folder/exits/$1" 2> /dev/null || echo null)"
  fi
}

describe() { # NAME KEY…: a process as a JSON object
  local name=$1 key
  shift
  printf '{ "name": %s, %s' "$(quoted "$name")" "$(life "$name")"
  for key in "$@"; do
    case $key in
      grpc | http) printf ', "%s": "http://127.0.0.1:%s"' "$key" "$(fact "$name" "$key")" ;;
      *) printf ', "%s": %s' "$key" "$(fact "$name" "$key")" ;;
    esac
  done
  printf ', "log": %s }' "$(quoted "$folder/logs/$name.log")"
}

describe_all() { # KIND KEY…
  local kind=$1 name separator=
  shift
  for name in $(names "$kind"); do
    printf '%s\n    %s' "$separator" "$(describe "$name" "$@")"
    separator=,
  done
}

write_json() {
  {
    printf '{\n  "folder": %s,\n  "clusterId": %s,\n' "$(quoted "$folder")" "$(quoted "$cluster_id")"
    printf '  "store": { "name": "store", %s, "address": %s, "log": %s },\n' "$(life store)" "$(quoted "$store_address")" "$(quoted "$folder/logs/store.log")"
    printf '  "silos": [%s\n  ],\n' "$(describe_all silo http siloPort clientPort)"
    printf '  "gateways": [%s\n  ]\n}\n' "$(describe_all gateway grpc http siloPort clientPort)"
  } > "$folder/cluster.json.new"
  mv "$folder/cluster.json.new" "$folder/cluster.json"
}

# --- Starting ------------------------------------------------------------------------------------------------------------------------------------------

program() { # FOLDER FILE
  local built=$bin/$1/$configuration/$2
  [ -f "$built" ] || fail "$built is not there: build it with 'dotnet build -c Release', or give --bin or --configuration"
  echo "$built"
}

answers() { # PORT PATH: whether a server says 200
  local status
  { exec 3<> "/dev/tcp/127.0.0.1/$1"; } 2> /dev/null || return 1
  printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 2> /dev/null || true
  IFS= read -r -t 2 status <&3 || status=
  exec 3>&-
  [[ $status == "HTTP/1."[01]" 200"* ]]
}

explain() { # NAME: it ended before it was ready
  tail -n 20 "$folder/logs/$1.log" >&2
  fail "$1 ended before it was ready; its log is $folder/logs/$1.log"
}

# A silo says so when its own replicas are loaded; a gateway when some replica takes work.
is_ready() {
  case $1 in
    store) grep -qs '"port"' "$folder/store/address.json" && grep -q '^Ready: ' "$folder/logs/store.log" ;;
    silo-*) grep -q '^Ready: ' "$folder/logs/$1.log" ;;
    gateway-*) answers "$(fact "$1" http)" /readyz ;;
  esac || { ! has_ended "$1" || explain "$1"; return 1; }
}

start_store() {
  local port dll
  if [ -f "$folder/store-address" ]; then
    store_address=$(< "$folder/store-address")
    if [ -f "$folder/nodes/store" ] && has_ended store; then
      dll=$(program Store igpt-store.dll)
      rm -f "$folder/store/address.json"
      launch store dotnet "$dll" --folder "$folder/store" --port "$(fact store port)"
      until_true "the store is ready" is_ready store
    fi
    return
  fi
  if [ -n "$given_store" ]; then
    store_address=$given_store
  else
    dll=$(program Store igpt-store.dll)
    port=$(next_port)
    echo "port=$port" > "$folder/nodes/store"
    launch store dotnet "$dll" --folder "$folder/store" --port "$port"
    until_true "the store is ready" is_ready store
    store_address=127.0.0.1:$port,password=$(< "$folder/store/password")
  fi
  printf '%s\n' "$store_address" > "$folder/store-address"
}

start_node() { # NAME
  local name=$1 dll share options=()
  (
    cd "$(fact "$name" directory)"
    export Igpt__Store__Address=$store_address Igpt__Cluster__ClusterId=$cluster_id
    Igpt__Cluster__SiloPort=$(fact "$name" siloPort) Igpt__Cluster__ClientPort=$(fact "$name" clientPort) Igpt__Listen__Http=127.0.0.1:$(fact "$name" http)
    export Igpt__Cluster__SiloPort Igpt__Cluster__ClientPort Igpt__Listen__Http
    case $name in
      silo-*)
        mapfile -d '' -t options < "$folder/nodes/$name.options"
        dll=$(program Silo IgptCluster.Silo.dll)
        # Silos share the processors. --threads among their options wins.
        share=$(($(getconf _NPROCESSORS_ONLN) / $(names silo | wc -l)))
        export Igpt__Threads=${Igpt__Threads:-$((share > 0 ? share : 1))}
        launch "$name" dotnet "$dll" --name "$name" --gateway false ${options[@]+"${options[@]}"}
        ;;
      gateway-*)
        Igpt__Listen__Grpc=127.0.0.1:$(fact "$name" grpc)
        export Igpt__Listen__Grpc
        dll=$(program Gateway IgptCluster.Gateway.dll)
        launch "$name" dotnet "$dll" "--Igpt:Cluster:Name=$name"
        ;;
    esac
  )
  started+=("$name")
}

# Ends what a start that fails has begun.
undo() {
  local status=$? name
  if [ "$status" -ne 0 ]; then
    for name in ${started[@]+"${started[@]}"}; do end "$name" KILL; forget "$name"; done
    [ ! -f "$folder/cluster.json" ] || write_json
  fi
}

start_all() { # NAME…
  local name
  trap undo EXIT
  start_store
  for name in "$@"; do
    if has_ended "$name"; then start_node "$name"; fi
  done
  write_json
  for name in "$@"; do until_true "$name is ready" is_ready "$name"; done
}

# --- Commands ------------------------------------------------------------------------------------------------------------------------------------------

command_start() {
  local number kind name wanted=()
  mkdir -p "$folder"
  chmod 700 "$folder"
  mkdir -p "$folder"/{logs,pids,exits,nodes}
  if [ -f "$folder/cluster-id" ]; then
    cluster_id=$(< "$folder/cluster-id")
  else
    cluster_id=${given_cluster_id:-local-$(printf '%04x%04x' "$RANDOM" "$RANDOM")}
    echo "$cluster_id" > "$folder/cluster-id"
    if [ "$base_port" -gt 0 ]; then echo "$base_port" > "$folder/next-port"; fi
  fi
  if [ "$has_options" = true ] || [ ! -f "$folder/options" ]; then save_options "$folder/options"; fi
  # The store's port comes first.
  trap undo EXIT
  start_store
  for kind in silo gateway; do
    number=1
    while [ "$number" -le "$(count_of "$kind")" ]; do
      name=$kind-$number
      if [ ! -f "$folder/nodes/$name" ]; then
        add_node "$name"
        if [ "$kind" = silo ]; then cp "$folder/options" "$folder/nodes/$name.options"; fi
      fi
      wanted+=("$name")
      number=$((number + 1))
    done
  done
  start_all ${wanted[@]+"${wanted[@]}"}
  for name in $(names gateway); do echo "$name http://127.0.0.1:$(fact "$name" grpc)"; done
}

count_of() { if [ "$1" = silo ]; then echo "$silos"; else echo "$gateways"; fi; }

save_options() { # FILE
  : > "$1"
  if [ "${#silo_options[@]}" -gt 0 ]; then printf '%s\0' "${silo_options[@]}" > "$1"; fi
}

command_add() { # KIND
  local name count
  count=$(names "$1" | wc -l)
  name=$1-$((count + 1))
  add_node "$name"
  if [ "$1" = silo ]; then
    if [ "$has_options" = true ]; then save_options "$folder/nodes/$name.options"; else cp "$folder/options" "$folder/nodes/$name.options"; fi
  fi
  start_all "$name"
  if [ "$1" = gateway ]; then echo "$name http://127.0.0.1:$(fact "$name" grpc)"; else echo "$name"; fi
}

command_kill() { # NAME SIGNAL
  local name=$1 signal=${2#SIG}
  [ -f "$folder/nodes/$name" ] || fail "$folder has no process '$name'"
  pid_of "$name" > /dev/null || fail "$name does not run"
  end "$name" "$signal"
  case $signal in
    STOP | CONT | USR1 | USR2 | HUP) return ;;
  esac
  until_true "$name has ended" has_ended "$name"
  settle "$name"
  forget "$name"
  write_json
}

command_status() {
  local name pid status=0 state
  for name in $([ ! -f "$folder/nodes/store" ] || echo store) $(names silo) $(names gateway); do
    if pid=$(pid_of "$name"); then
      state=running
      if [ "$name" != store ] && answers "$(fact "$name" http)" /readyz; then state=ready; fi
    else
      pid=- state="ended $(cat "$folder/exits/$name" 2> /dev/null || true)" status=1
    fi
    printf '%-12s %-10s %-8s %s\n' "$name" "$state" "$pid" "$(fact "$name" grpc > /dev/null && [ "${name%%-*}" = gateway ] && echo "http://127.0.0.1:$(fact "$name" grpc)")"
  done
  return "$status"
}

command_stop() {
  local kind name status=0 group
  for kind in gateway silo store; do
    group=$(if [ "$kind" = store ]; then echo store; else names "$kind"; fi)
    for name in $group; do end "$name" TERM; done
    for name in $group; do
      if ! (until_true "$name has ended" has_ended "$name"); then
        end "$name" KILL
        status=1
      fi
      if [ -f "$folder/pids/$name" ]; then settle "$name"; fi
      forget "$name"
    done
  done
  write_json
  return "$status"
}

# --- The command line ----------------------------------------------------------------------------------------------------------------------------------

[ "${BASH_VERSINFO[0]}" -gt 4 ] || { [ "${BASH_VERSINFO[0]}" -eq 4 ] && [ "${BASH_VERSINFO[1]}" -ge 4 ]; } || fail "bash 4.4 or later is needed; this is $BASH_VERSION"
folder=${IGPT_CLUSTER_FOLDER:-igpt-cluster} bin=${IGPT_CLUSTER_BIN:-$(dirname "${BASH_SOURCE[0]}")/../../artifacts/bin} configuration=release
silos=2 gateways=2 base_port=0 wait_seconds=120 given_cluster_id='' given_store='' has_options=false
cluster_id='' store_address='' silo_options=() started=() words=()

number() { # OPTION VALUE
  [[ $2 =~ ^[0-9]+$ ]] || { echo "cluster.sh: $1 must be a whole number; given '$2'" >&2; exit 2; }
  echo "$((10#$2))"
}

while [ $# -gt 0 ]; do
  case $1 in
    --) shift; silo_options=("$@") has_options=true; break ;;
    --folder | --bin | --configuration | --silos | --gateways | --base-port | --cluster-id | --store | --wait) [ $# -ge 2 ] || usage ;;&
    --folder) folder=$2; shift ;;
    --bin) bin=$2; shift ;;
    --configuration) configuration=$2; shift ;;
    --silos) silos=$(number "$1" "$2"); shift ;;
    --gateways) gateways=$(number "$1" "$2"); shift ;;
    --base-port) base_port=$(number "$1" "$2"); shift ;;
    --wait) wait_seconds=$(number "$1" "$2"); shift ;;
    --cluster-id) given_cluster_id=$2; shift ;;
    --store) given_store=$2; shift ;;
    -*) usage ;;
    *) words+=("$1") ;;
  esac
  shift
done

case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
case $bin in /*) ;; *) bin=$PWD/$bin ;; esac
command=${words[0]:-}
if [ "$command" != start ] && [ -n "$command" ]; then
  [ -f "$folder/cluster.json" ] || fail "there is no cluster in $folder: start one, or name its folder with --folder"
  cluster_id=$(< "$folder/cluster-id") store_address=$(< "$folder/store-address")
fi

case $command/${#words[@]} in
  start/1) command_start ;;
  stop/1) command_stop ;;
  status/1) command_status ;;
  add-silo/1) command_add silo ;;
  add-gateway/1) command_add gateway ;;
  kill/2 | kill/3) command_kill "${words[1]}" "${words[2]:-KILL}" ;;
  *) usage ;;
esac
