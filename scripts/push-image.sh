#!/usr/bin/env bash
# Pushes the image of the roles, of the static binaries in a release: for each architecture one, tagged with the commit, and one for all that is
# tagged with the version and the commit. Prints its digest. Done again it pushes the same; a version that is there and another is refused.
# usage: scripts/push-image.sh RELEASE
#        scripts/push-image.sh latest VERSION
#
# RELEASE  a folder as scripts/pack.sh leaves it in OUTDIR/release
# latest   tags the image of a version as the latest, unless others come after it, as after 1.2.3-rc.1
#
# Needs Docker with buildx, and `docker login` to the registry. Exits with 6 where the version is there with other images.
set -euo pipefail
readonly repository=ghcr.io/oddessentials/odd

usage() {
    sed -n 's/^# usage: /usage: /p; s/^#        s/       s/p' "$0" >&2
    exit 2
}

latest() {
    if [[ $1 == *-* ]]; then
        echo "$1 comes before a version: it is not the latest" >&2
    else
        docker buildx imagetools create --tag "$repository:latest" "$repository:$1" >&2
    fi
}

case $#:${1:-} in
    2:latest) latest "$2"; exit ;;
    1:latest) usage ;;
    1:*) ;;
    *) usage ;;
esac
release=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(cat "$release/VERSION")
commit=$(scripts/commit.sh)
date=$(scripts/commit.sh --date)
# Of the commit's time, so that the same binary is the same image.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
# GNU's date, or that of macOS.
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M.%S 2>/dev/null || date -u -r "$SOURCE_DATE_EPOCH" +%Y%m%d%H%M.%S)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where a template begins with .Manifest, some versions of buildx print a table instead.
digest() {
    docker buildx imagetools inspect --format '{{printf "%s" .Manifest.Digest}}' "$1"
}

# Nothing is run in an image that is made of one file, so that one machine builds for every architecture.
push() {
    local architecture=$1 machine=$2 context=$work/$1 image=$repository:$commit-$1
    local name=odd-$version-linux-$machine
    mkdir "$context"
    tar -xzf "$release/$name.tar.gz" --directory "$context" --strip-components 1 "$name/odd"
    gzip -9 -n <"$release/THIRD-PARTY-NOTICES.txt" >"$context/THIRD-PARTY-NOTICES.txt.gz"
    TZ=UTC touch -t "$stamp" "$context"/* "$context"
    docker build --quiet --platform "linux/$architecture" --provenance=false --file compose/odd/binary.Dockerfile \
        --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "COMMIT_DATE=$date" --tag "$image" "$context" >&2
    docker push --quiet "$image" >&2
    digest "$image"
}

# The digests that the version has for each architecture, sorted; none where it is not there. Where the registry does not tell, it fails.
published() {
    local said format='{{range .Manifest.Manifests}}{{println .Digest}}{{end}}'
    if said=$(docker buildx imagetools inspect --format "$format" "$repository:$version" 2>"$work/error"); then
        sort <<<"$said"
    elif grep -qF "$repository:$version: not found" "$work/error"; then
        echo none
    else
        printf '%s\n' "the registry does not tell what there is of $repository:$version, this again:" "$(cat "$work/error")" >&2
        return 1
    fi
}

# A function that fails within $( … ) goes on unless told so: a push that failed would take the digest of an earlier one.
amd64=$(set -e; push amd64 x64)
arm64=$(set -e; push arm64 arm64)
these=$(printf '%s\n' "$amd64" "$arm64" | sort)
there=$(set -e; published)
case $there in
    none)
        docker buildx imagetools create --tag "$repository:$version" --tag "$repository:$commit" "$repository@$amd64" "$repository@$arm64" >&2
        ;;
    "$these")
        docker buildx imagetools create --tag "$repository:$commit" "$repository:$version" >&2
        ;;
    *)
        printf '%s\n' "$repository:$version is there with ${there//$'\n'/ }, and this is ${these//$'\n'/ }: release another version" >&2
        exit 6
        ;;
esac
digest "$repository:$version"
