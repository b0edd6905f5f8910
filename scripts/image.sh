#!/usr/bin/env bash
# Builds the image of the roles: the static binary with this machine's cargo, and around it an image of nothing else. Where cargo cannot make
# a binary for Linux (on other systems, or with another C library) everything is built in containers instead, by compose/odd/Dockerfile.
# Tags the image with the version and with the commit, and tests it.
# usage: scripts/image.sh [BINARY [NOTICES]]
#
# BINARY   the static binary, where it is built already (scripts/binary.sh)
# NOTICES  the notices of third parties (scripts/notices.mjs), which an image that is handed to others has beside the binary
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly repository=ghcr.io/oddessentials/odd

say() {
    printf 'image: %s\n' "$*" >&2
}

version_of_workspace() {
    sed -n '/^\[workspace.package\]/,/^\[[^w]/s/^version = "\(.*\)"$/\1/p' Cargo.toml
}

# The same file every time, whatever else is in the checkout.
from_binary() {
    local binary=$1 notices=${2:-} context
    context=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$context'" EXIT
    install -m 755 "$binary" "$context/odd"
    [ -z "$notices" ] || gzip -9 -n <"$notices" >"$context/THIRD-PARTY-NOTICES.txt.gz"
    docker build --file compose/odd/binary.Dockerfile "${arguments[@]}" "$context"
}

main() {
    local version commit date binary arguments
    version=$(version_of_workspace)
    commit=$(scripts/commit.sh)
    date=$(scripts/commit.sh --date)
    arguments=(--quiet --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "COMMIT_DATE=$date"
        --tag "$repository:$version" --tag "$repository:$commit")
    if [ $# -gt 0 ]; then
        from_binary "$@"
    elif [[ $(rustc -vV) == *-linux-gnu* ]]; then
        say "building a static binary"
        binary=$(scripts/binary.sh)
        from_binary "$binary"
    else
        say "building in containers, since cargo builds for something else than Linux with glibc here"
        docker build --file compose/odd/Dockerfile "${arguments[@]}" .
    fi
    say "$repository:$version and $repository:$commit"
    scripts/test-image.sh "$repository:$commit" "$version" "$commit" "$date" ${2:+THIRD-PARTY-NOTICES.txt.gz}
}

main "$@"
