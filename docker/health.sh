#!/bin/bash
# Whether the server takes work; bash can open a socket by itself, so no program and no second Node is needed.
port=${HEARTH_PORT:-8000}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
