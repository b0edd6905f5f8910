#!/usr/bin/env bash
# The release on GitHub, by its command `gh`. Done again it goes on where it ended: a draft gets the files and the notes of now; of what is
# published nothing is replaced, and where that is another release than this it is refused.
# usage: scripts/github-release.sh draft TAG FOLDER NOTES
#        scripts/github-release.sh publish TAG
#
# FOLDER  the files of the release, as scripts/pack.sh makes them
# NOTES   a file with what changed
#
# Needs GH_TOKEN and GH_REPO. Exits with 6 where the tag is released already, with other files.
set -euo pipefail

usage() {
    sed -n 's/^# usage: /usage: /p; s/^#        s/       s/p' "$0" >&2
    exit 2
}

# What comes before a version is not what installers take as the latest.
is_preliminary() {
    [[ $1 == *-* ]]
}

# none, draft or published. Where GitHub does not tell, it is not none.
state() {
    local said
    said=$(gh release view "$1" --json isDraft --jq .isDraft 2>&1) || true
    case $said in
        true) echo draft ;;
        false) echo published ;;
        "release not found") echo none ;;
        *) printf '%s\n' "GitHub does not tell what there is of $1, this again: $said" >&2; return 1 ;;
    esac
}

same_files() {
    local theirs
    theirs=$(gh release download "$1" --pattern SHA256SUMS --output -)
    [ "$theirs" = "$(cat "$2/SHA256SUMS")" ]
}

draft() {
    local tag=$1 folder=$2 notes=$3 arguments=() there
    [ -f "$folder/SHA256SUMS" ] || { echo "there is no $folder/SHA256SUMS: scripts/pack.sh writes it" >&2; exit 3; }
    there=$(state "$tag")
    case $there in
        none)
            ! is_preliminary "$tag" || arguments+=(--prerelease)
            gh release create "$tag" --draft --verify-tag --title "odd ${tag#v}" --notes-file "$notes" ${arguments[@]+"${arguments[@]}"}
            ;;
        draft) gh release edit "$tag" --notes-file "$notes" ;;
        published)
            same_files "$tag" "$folder" || { echo "$tag is released already, with other files: release another version" >&2; exit 6; }
            echo "$tag is released already"
            return
            ;;
    esac
    gh release upload "$tag" --clobber "$folder"/*
}

publish() {
    if is_preliminary "$1"; then
        gh release edit "$1" --draft=false --prerelease
    else
        gh release edit "$1" --draft=false --latest
    fi
}

case ${1:-} in
    draft) [ $# -eq 4 ] || usage; draft "$2" "$3" "$4" ;;
    publish) [ $# -eq 2 ] || usage; publish "$2" ;;
    *) usage ;;
esac
