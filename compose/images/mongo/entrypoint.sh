#!/usr/bin/env bash
# Creates the root user on the first start, then becomes the server.
set -euo pipefail

data=/data/db
created=$data/.root-created

complain() {
    printf 'mongo: %s\n' "$@" >&2
    exit 1
}

# A secret given as a file: MONGO_INITDB_ROOT_PASSWORD_FILE stands for MONGO_INITDB_ROOT_PASSWORD.
from_file() {
    local name=$1 file="${1}_FILE"
    if [ -n "${!file:-}" ]; then
        [ -z "${!name:-}" ] || complain "set $name or $file, not both"
        export "$name=$(<"${!file}")"
    fi
}

# Arguments of mongod that need no counterpart are left out, so that one command line fits either image.
without_counterpart() {
    arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
            --bind_ip_all | --quiet | --auth | --wiredTigerCacheSizeGB=* | --bind_ip=*) shift ;;
            --wiredTigerCacheSizeGB | --bind_ip) shift 2 ;;
            *)
                arguments+=("$1")
                shift
                ;;
        esac
    done
}

# The user is created through a server that only this container reaches, before authentication is switched on.
create_root() {
    local pid
    "$server" "${options[@]}" --host 127.0.0.1 --port 27018 &
    pid=$!
    trap 'kill -TERM "$pid"; wait "$pid"; exit 143' TERM INT
    /opt/secantus/bin/python /usr/local/bin/create-root.py 27018 || complain "the root user could not be created"
    kill -TERM "$pid"
    wait "$pid" || true
    trap - TERM INT
    touch "$created"
}

if [[ $1 == -* ]]; then
    set -- mongod "$@"
fi
if [ "$1" != mongod ]; then
    exec "$@"
fi

server=$(command -v secantusd-rs || command -v secantusd-py)
from_file MONGO_INITDB_ROOT_USERNAME
from_file MONGO_INITDB_ROOT_PASSWORD
without_counterpart "${@:2}"

options=(--storage-path "$data" --standalone --sync-on-commit)
if [ -n "${MONGO_INITDB_ROOT_USERNAME:-}" ] && [ -n "${MONGO_INITDB_ROOT_PASSWORD:-}" ]; then
    [ -e "$created" ] || create_root
elif [ -n "${MONGO_INITDB_ROOT_USERNAME:-}${MONGO_INITDB_ROOT_PASSWORD:-}" ]; then
    complain "set both MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD, or neither"
fi
if [ -e "$created" ]; then
    options+=(--auth)
fi
unset MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_ROOT_PASSWORD_FILE
exec "$server" "${options[@]}" --host 0.0.0.0 --port 27017 "${arguments[@]}"
