#!/usr/bin/env bash
# Refuses the tag of a release where a newer version is tagged: what is released becomes the latest at GitHub, at npm and of the image.
# usage: scripts/newest.sh TAG
#
# Needs every tag of the repository. Exits with 6 where the tag is of an older line.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: scripts/newest.sh TAG" >&2; exit 2; }

# What comes before a version, such as v1.3.0-rc.1, is no newer version, and belongs to the one that it comes before.
version=${1%%-*}
tags=$(git tag --list 'v*')
newest=$(printf '%s\n' "$tags" "$version" | grep -Ex 'v[0-9]+\.[0-9]+\.[0-9]+' | sort -V | tail -n 1)
if [ "$newest" != "$version" ]; then
    echo "$1 would become the latest, and $newest is newer: only the newest line is released" >&2
    exit 6
fi
