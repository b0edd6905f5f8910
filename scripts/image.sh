#!/usr/bin/env bash
# Builds the image of the roles: the static binary with this machine's cargo, and around it an image of nothing else. Where cargo cannot make
# a binary for Linux (on other systems, or with another C library) everything is built in containers instead, by compose/odd/Dockerfile.
# Tags the image with the version and with the commit, and tests it.
# usage: scripts/image.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly repository=ghcr.io/oddessentials/odd

say() {
    printf 'image: %s\n' "$*" >&2
}

version_of_workspace() {
    sed -n '/^\[workspace.package\]/,/^\[[^w]/s/^version = "\(.*\)"$/\1/p' Cargo.toml
}

# The target has to be named, so that the flags are those of the binary only and not of procedural macros. Of Swagger UI's files, three that
# its page never loads are left out (2.3 MB). Relocations are packed (0.8 MB; glibc 2.36 or later undoes it at the start).
build_binary() {
    local target=$1 commit=$2 date=$3
    ODD_COMMIT=$commit ODD_COMMIT_DATE=$date SWAGGER_UI_OVERWRITE_FOLDER=$PWD/compose/odd/swagger-ui RUSTFLAGS="-C target-feature=+crt-static" \
        cargo rustc --locked --profile image --package odd --bin odd --target "$target" -- \
        -C link-arg=-Wl,-z,pack-relative-relocs
}

# The same file every time, whatever else is in the checkout.
from_binary() {
    local binary=$1 context
    context=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$context'" EXIT
    install -m 755 "$binary" "$context/odd"
    docker build --file compose/odd/binary.Dockerfile "${arguments[@]}" "$context"
}

main() {
    local version commit date target arguments
    version=$(version_of_workspace)
    commit=$(scripts/commit.sh)
    date=$(scripts/commit.sh --date)
    target=$(rustc -vV | sed -n 's/^host: //p')
    arguments=(--quiet --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "COMMIT_DATE=$date"
        --tag "$repository:$version" --tag "$repository:$commit")
    case $target in
        *-linux-gnu)
            say "building a static binary for $target"
            build_binary "$target" "$commit" "$date"
            from_binary "${CARGO_TARGET_DIR:-target}/$target/image/odd"
            ;;
        *)
            say "building in containers, since cargo builds for $target here"
            docker build --file compose/odd/Dockerfile "${arguments[@]}" .
            ;;
    esac
    say "$repository:$version and $repository:$commit"
    scripts/test-image.sh "$repository:$commit" "$version" "$commit" "$date"
}

main
