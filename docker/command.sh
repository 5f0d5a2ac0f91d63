#!/bin/sh
# `hearth` in a container, as in `docker exec box hearth list`: works as the user that the server runs as, so that files in the
# data folder stay its own.
set -eu
# The server's own address is no address to ask at.
export HEARTH_URL="${HEARTH_URL:-http://127.0.0.1:${HEARTH_PORT:-8000}}"
# How a command is typed, for messages that name one: what came from outside of the container has no parent in it, and the
# engine calls a container by the number that is its host name, where nobody gave it another.
if [ -z "${HEARTH_COMMAND:-}" ]; then
  HEARTH_COMMAND=hearth
  if [ "$PPID" -eq 0 ]; then
    box=$(cat /proc/sys/kernel/hostname)
    case $box in *[!0-9a-f]* | '') box=hearth ;; esac
    HEARTH_COMMAND="docker exec -it $box hearth"
  fi
  export HEARTH_COMMAND
fi
if [ "$(id -u)" -ne 0 ]; then exec /opt/hearth/hearth "$@"; fi
owner=$(stat -c %u:%g "${HEARTH_DATA:-/data}")
[ "${owner%:*}" -ne 0 ] || owner=${PUID:-10001}:${PGID:-10001}
exec setpriv --reuid="${owner%:*}" --regid="${owner#*:}" --clear-groups /opt/hearth/hearth "$@"
