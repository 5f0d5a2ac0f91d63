#!/bin/sh
# Run once while an image is built: user, folders, and `hearth` as a command for `docker exec`.
set -eu
groupadd --gid 10001 hearth
useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin hearth
mkdir -p /models /data
chown 10001:10001 /models /data
ln -s /opt/hearth/docker/command.sh /usr/local/bin/hearth
