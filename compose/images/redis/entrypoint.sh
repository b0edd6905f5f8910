#!/usr/bin/env bash
# Becomes the server. A first argument that is an option or a configuration file stands behind `redis-server`.
set -euo pipefail
umask 0077

if [[ $1 == -* || $1 == *.conf ]]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ]; then
    shift
    # A configuration file has to come first. The container's network is the protection, as in the official image.
    if [ $# -gt 0 ] && [[ $1 != -* ]]; then
        set -- redis-server "$1" --protected-mode no "${@:2}"
    else
        set -- redis-server --protected-mode no "$@"
    fi
fi
exec "$@"
