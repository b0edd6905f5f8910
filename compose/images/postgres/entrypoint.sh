#!/usr/bin/env bash
# Creates the cluster on the first start, then becomes the server.
set -euo pipefail

complain() {
    printf 'postgres: %s\n' "$@" >&2
    exit 1
}

# A secret given as a file: POSTGRES_PASSWORD_FILE stands for POSTGRES_PASSWORD.
from_file() {
    local name=$1 file="${1}_FILE"
    if [ -n "${!file:-}" ]; then
        [ -z "${!name:-}" ] || complain "set $name or $file, not both"
        printf -v "$name" '%s' "$(<"${!file}")"
    fi
}

# Everything is made in a directory beside its final place and moved there, PG_VERSION last: a start that is killed
# on the way leaves no cluster that looks finished.
create_cluster() {
    local user=${POSTGRES_USER:-postgres} password=${POSTGRES_PASSWORD:-}
    local database=${POSTGRES_DB:-$user} method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    local new="$PGDATA/.initialising"
    if [ -z "$password" ] && [ "$method" != trust ]; then
        complain "the cluster is new and has no password: set POSTGRES_PASSWORD"
    fi
    mkdir -p "$PGDATA" || complain "$PGDATA cannot be created by user $(id -u)"
    if [ -d "$new" ]; then
        find "$PGDATA" -mindepth 1 -delete
    elif [ -n "$(ls -A "$PGDATA")" ]; then
        complain "$PGDATA is neither empty nor a cluster"
    fi
    [ -O "$PGDATA" ] || complain "$PGDATA has to belong to user $(id -u) (for a tmpfs: uid=$(id -u),mode=0700)"
    chmod 700 "$PGDATA"

    local arguments=()
    read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"
    if [ -n "$password" ]; then
        arguments+=("--pwfile=/dev/fd/3")
    fi
    initdb --username="$user" --auth-local=trust --auth-host="$method" --pgdata="$new" "${arguments[@]}" \
        3< <(printf '%s\n' "$password") >/dev/null
    printf '\nhost all all all %s\n' "$method" >>"$new/pg_hba.conf"
    printf "\nlisten_addresses = '*'\n" >>"$new/postgresql.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "${database//\"/\"\"}" |
            postgres --single -j -D "$new" postgres >/dev/null
    fi
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$new/PG_VERSION" "$PGDATA/"
    rmdir "$new"
}

if [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
    for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
        from_file "$name"
    done
    [ -s "$PGDATA/PG_VERSION" ] || create_cluster
    # The server's environment shows in /proc and needs none of this.
    unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE
fi
exec "$@"
