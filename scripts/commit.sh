#!/usr/bin/env bash
# Prints the commit of this checkout, marked where it has changes: what is built then is not that commit's. «unknown» where this is no checkout.
# With --date the date of that commit instead, in UTC; SOURCE_DATE_EPOCH, where it is set, counts more.
# usage: scripts/commit.sh [--date]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# From seconds since 1970, as GNU and as BSD want to be asked.
utc() {
    date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$1" +%Y-%m-%dT%H:%M:%SZ
}

if [ "${1:-}" = --date ]; then
    if seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)}; then
        utc "$seconds"
    else
        printf 'unknown\n'
    fi
    exit
fi

commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then
    commit=$commit-changed
fi
printf '%s\n' "$commit"
