#!/bin/sh
# The start of a container: looks at the box before Node starts, one line and a number for each thing that goes wrong on a NAS; takes the rights of a plain
# user; makes the first key; starts Hearth. Nothing here stops a box that could work.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
node=$here/node_modules/.bin/node
data=${HEARTH_DATA:-/data}
models=${HEARTH_MODELS:-/models}

say() { printf 'hearth: %s\n' "$*" >&2; }
stop() {
  say "$*"
  exit 78
}

# Everything but the server itself is a command for people: no looking around.
case ${1:-serve} in
  serve | -*) ;;
  *) exec "$here/docker/command.sh" "$@" ;;
esac

# --- 1. Processor and pages
machine=$(uname -m)
page=$(getconf PAGESIZE)
case $machine in
  x86_64 | aarch64) ;;
  *) stop "the processor is $machine; there are binaries for x86_64 and aarch64 only" ;;
esac
[ "$page" -ne 32768 ] || stop "the kernel has pages of 32 KiB, which no program of this image can be loaded into"
say "processor $machine, pages of $page bytes"

# --- 2. Kernel
kernel=$(uname -r)
major=${kernel%%.*}
minor=${kernel#*.}
minor=${minor%%[!0-9]*}
if [ "$major" -lt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -lt 17 ]; }; then
  stop "the kernel is $kernel; programs of this image need 3.17 (getrandom)"
fi
if [ "$major" -lt 4 ] || { [ "$major" -eq 4 ] && [ "$minor" -lt 4 ]; }; then
  say "kernel $kernel is older than any that was tried (4.4)"
else
  say "kernel $kernel"
fi

# --- 3. Whether Node can start a thread at all: engines before 20.10.10 forbid clone3
"$node" -e 0 2>/dev/null || stop "Node cannot start (status $?). A container engine before 20.10.10 forbids a call that it needs (clone3): \
update the engine, or try once with security_opt: [seccomp=unconfined]"

# --- 4. Who we are, and whether the folders take files
uid=$(id -u)
gid=$(id -g)
is_root=false
groups=
if [ "$uid" -eq 0 ]; then
  is_root=true
  uid=${PUID:-10001}
  gid=${PGID:-10001}
  # --- 8. Groups of the GPU's devices, by number: names of the host mean nothing here
  for device in /dev/dri/renderD* /dev/dri/card* /dev/kfd; do
    [ -e "$device" ] || continue
    groups=$groups,$(stat -c %g "$device")
  done
  groups=${groups#,}
  # A new volume belongs to root, and nothing is in it.
  for folder in "$data" "$models"; do
    if [ "$(stat -c %u "$folder")" -eq 0 ] && [ -z "$(ls -A "$folder")" ]; then
      chown "$uid:$gid" "$folder" 2>/dev/null || true
    fi
  done
else
  for device in /dev/dri/renderD*; do
    [ -e "$device" ] || continue
    if [ ! -r "$device" ] || [ ! -w "$device" ]; then
      say "$device cannot be opened: add group_add: [\"$(stat -c %g "$device")\"]"
    fi
  done
fi
# Runs a command with the rights of the server.
become() {
  if $is_root; then
    if [ -n "$groups" ]; then set -- --groups="$groups" "$@"; else set -- --clear-groups "$@"; fi
    setpriv --reuid="$uid" --regid="$gid" "$@"
  else
    "$@"
  fi
}
say "user $uid, group $gid${groups:+, groups of the GPU $groups}"

umask "${UMASK:-022}"
can_write() { become touch "$1/.hearth-writes" 2>/dev/null && become rm "$1/.hearth-writes"; }
can_write "$data" || stop "$data cannot be written by user $uid, group $gid: it belongs to $(stat -c '%u:%g, mode %a' "$data"). \
On the host: chown -R $uid:$gid FOLDER, or start with PUID=$(stat -c %u "$data") and PGID=$(stat -c %g "$data")"
can_write "$models" || say "$models cannot be written by user $uid: models are read from it, and nothing can be pulled into it"

# --- 5. Room
free_mib() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }
say "free: $(free_mib "$data") MiB for data, $(free_mib "$models") MiB for models"
[ "$(free_mib "$data")" -ge 256 ] || say 'less than 256 MiB are free for data: prompts are not kept on the disk'

# --- 6. Memory
if [ -r /sys/fs/cgroup/memory.max ]; then
  limit=$(cat /sys/fs/cgroup/memory.max)
  version=2
else
  limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || echo max)
  version=1
fi
total=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
# Version 1 has no word for "none", but a number beyond all memory.
if [ "$limit" != max ] && [ "${#limit}" -lt 18 ]; then limit="$((limit / 1048576)) MiB"; else limit=none; fi
say "memory $total MiB, limit of the container: $limit (control groups, version $version)"

# --- 7. Processor's instructions
if [ "$machine" = x86_64 ]; then
  flags=" $(awk -F: '/^flags/ { print $2; exit }' /proc/cpuinfo) "
  for level in amx_int8 avx512f avx2 avx sse4_2 none; do
    case $flags in *" $level "*) break ;; esac
  done
  if [ "$level" = avx ] || [ "$level" = sse4_2 ] || [ "$level" = none ]; then
    say "no AVX2 ($level): answers come at a fraction of the speed; small models, and Q4_0 before Q4_K"
  else
    say "instructions $level"
  fi
fi

# --- 9. Time: certificates are checked against it
[ "$(date +%Y)" -ge 2026 ] || say "the clock says $(date -u +%F): nothing can be pulled until it is right"

# --- The first key, where nobody gave one
if [ -z "${HEARTH_API_KEY:-}${HEARTH_API_KEY_FILE:-}" ] && [ ! -e "$data/keys.json" ]; then
  case ${HEARTH_ALLOW_ANONYMOUS:-} in
    '' | 0 | false | no)
      # Without a key no address but the machine's own is allowed, which these two do not listen on.
      keys() { HEARTH_HOST=127.0.0.1 become "$here/hearth" key "$@" 2>/dev/null; }
      if [ "$(keys list --json | tr -d '[:space:]')" = '[]' ]; then
        key=$(keys create owner --scope admin inference) || key=
        [ -z "$key" ] || say "no key was set, so this one was made; it is not shown again: $key"
      fi
      ;;
  esac
fi

set -- "$here/hearth" "$@"
if $is_root; then
  if [ -n "$groups" ]; then set -- --groups="$groups" "$@"; else set -- --clear-groups "$@"; fi
  exec setpriv --reuid="$uid" --regid="$gid" "$@"
fi
exec "$@"
