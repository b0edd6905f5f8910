#!/usr/bin/env bash
# Becomes the server: its own script, not the wrapper on Debian's PATH, which writes the log into a file.
set -euo pipefail

if [[ $1 == -* ]]; then
    set -- rabbitmq-server "$@"
fi
if [ "$1" = rabbitmq-server ]; then
    shift
    set -- /usr/lib/rabbitmq/bin/rabbitmq-server "$@"
fi
exec "$@"
