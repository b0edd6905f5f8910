#!/usr/bin/env bash
# Makes sure that the images which tests run on are there, and says in one line what it does; where everything is there it asks nobody and
# takes a moment.
#
# Tests of whole stacks run on the offline images, built from compose/images, always. Tests of one server run on the official image where that is
# present or can be pulled, else on the offline one: ODD_TEST_IMAGES=official|offline|auto decides, as it does in the tests, and
# a server whose image is given by ODD_TEST_POSTGRES_IMAGE, …_RABBITMQ_…, …_REDIS_…, …_MONGO_… needs neither.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly patience=5

say() {
    printf 'test images: %s\n' "$*" >&2
}

# The version that compose.yaml pins.
official_of() {
    sed -n "s/^    image: \($1:[^ ]*\)$/\1/p" compose/compose.yaml
}

# Asks the registry for one small answer. (A pull would be as good a question, but may go on for minutes.)
registry_answers() {
    local limit=()
    if command -v timeout >/dev/null 2>&1; then
        limit=(timeout "$patience")
    fi
    # An array without elements counts as unset in old shells.
    ${limit[@]+"${limit[@]}"} docker manifest inspect "$(official_of redis)" >/dev/null 2>&1
}

pull() {
    local name jobs=() job
    for name in "$@"; do
        docker pull --quiet "$(official_of "$name")" >/dev/null 2>&1 &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || return 1
    done
}

# The official images of servers that need one: present, or pulled. Fails where that cannot be had.
official() {
    local missing=() name
    for name in "$@"; do
        docker image inspect "$(official_of "$name")" >/dev/null 2>&1 || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    if ! registry_answers; then
        say "no registry answers"
        return 1
    fi
    say "pulling the official images of ${missing[*]}"
    pull "${missing[@]}" && return
    say "a pull failed"
    return 1
}

main() {
    local choice=${ODD_TEST_IMAGES:-auto} servers=() missing=() name variable listed
    for name in postgres rabbitmq redis mongo; do
        variable=ODD_TEST_$(tr '[:lower:]' '[:upper:]' <<<"$name")_IMAGE
        [ -n "${!variable:-}" ] || servers+=("$name")
    done

    # Where the offline images are there already, `auto` looks no further.
    listed=$(scripts/images.sh --list)
    while read -r name _ state; do
        [ "$state" = present ] || missing+=("$name")
    done <<<"$listed"
    if [ ${#servers[@]} -gt 0 ] && { [ "$choice" = official ] || { [ "$choice" = auto ] && [ ${#missing[@]} -gt 0 ]; }; }; then
        if ! official "${servers[@]}" && [ "$choice" = official ]; then
            say "ODD_TEST_IMAGES is official, so there is nothing to run tests on"
            exit 3
        fi
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        say "building the offline images of ${missing[*]}"
        scripts/images.sh "${missing[@]}"
    fi
}

main
