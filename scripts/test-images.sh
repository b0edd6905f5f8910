#!/usr/bin/env bash
# Makes sure that the images which tests run on are there: the official ones where they are present or can be pulled, else the offline ones,
# built from compose/images. Says in one line which; where everything is there it asks nobody and takes a moment.
#
# ODD_TEST_IMAGES=official|offline|auto decides, as it does in the tests; a server whose image is given by
# ODD_TEST_POSTGRES_IMAGE, …_RABBITMQ_…, …_REDIS_…, …_MONGO_… needs none of these.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly patience=5

say() {
    printf 'test images: %s\n' "$*" >&2
}

official_of() {
    case $1 in
        postgres) echo postgres:17 ;;
        rabbitmq) echo rabbitmq:4-management ;;
        redis) echo redis:8 ;;
        mongo) echo mongo:8 ;;
    esac
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

main() {
    local choice=${ODD_TEST_IMAGES:-auto} wanted=() missing=() name variable
    for name in postgres rabbitmq redis mongo; do
        variable=ODD_TEST_$(tr '[:lower:]' '[:upper:]' <<<"$name")_IMAGE
        [ -n "${!variable:-}" ] || wanted+=("$name")
    done
    if [ ${#wanted[@]} -eq 0 ]; then
        return
    fi

    local listed
    listed=$(scripts/images.sh --list "${wanted[@]}")
    for name in "${wanted[@]}"; do
        if [ "$choice" != offline ] && docker image inspect "$(official_of "$name")" >/dev/null 2>&1; then
            continue
        fi
        if [ "$choice" != official ] && grep -q "^$name .* present$" <<<"$listed"; then
            continue
        fi
        missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi

    if [ "$choice" != offline ]; then
        if registry_answers; then
            say "pulling the official images of ${missing[*]}"
            pull "${missing[@]}" && return
            say "a pull failed"
        else
            say "no registry answers"
        fi
        if [ "$choice" = official ]; then
            say "ODD_TEST_IMAGES is official, so there is nothing to run tests on"
            exit 3
        fi
    fi
    say "building the offline images of ${missing[*]}"
    scripts/images.sh "${missing[@]}"
}

main
