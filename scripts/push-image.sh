#!/usr/bin/env bash
# Pushes the image of the roles, of the static binaries in a release: for each architecture one, and one for all that is tagged with the version
# and the commit; of a version that others do not come before, also as the latest. Prints its digest. Done again it pushes the same.
# usage: scripts/push-image.sh RELEASE
#
# RELEASE  a folder as scripts/pack.sh leaves it in OUTDIR/release
#
# Needs Docker with buildx, and `docker login` to the registry.
set -euo pipefail
# What fails within $( … ) ends that as well: else a push that failed would take the digest of an earlier one.
shopt -s inherit_errexit
[ $# -eq 1 ] || { echo "usage: scripts/push-image.sh RELEASE" >&2; exit 2; }
release=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly repository=ghcr.io/oddessentials/odd
version=$(cat "$release/VERSION")
commit=$(scripts/commit.sh)
date=$(scripts/commit.sh --date)
# Of the commit's time, so that the same binary is the same image.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest() {
    docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"
}

# Nothing is run in an image that is made of one file, so that one machine builds for every architecture.
push() {
    local architecture=$1 machine=$2 context=$work/$1 image=$repository:$version-$1
    local name=odd-$version-linux-$machine
    mkdir "$context"
    tar -xzf "$release/$name.tar.gz" --directory "$context" --strip-components 1 "$name/odd"
    gzip -9 -n <"$release/THIRD-PARTY-NOTICES.txt" >"$context/THIRD-PARTY-NOTICES.txt.gz"
    touch -d "@$SOURCE_DATE_EPOCH" "$context"/*
    docker build --quiet --platform "linux/$architecture" --provenance=false --file compose/odd/binary.Dockerfile \
        --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "COMMIT_DATE=$date" --tag "$image" "$context" >&2
    docker push --quiet "$image" >&2
    digest "$image"
}

amd64=$(push amd64 x64)
arm64=$(push arm64 arm64)
tags=(--tag "$repository:$version" --tag "$repository:$commit")
[[ $version == *-* ]] || tags+=(--tag "$repository:latest")
docker buildx imagetools create "${tags[@]}" "$repository@$amd64" "$repository@$arm64" >&2
digest "$repository:$version"
