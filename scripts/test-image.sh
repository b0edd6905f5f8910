#!/usr/bin/env bash
# Tests the image of the roles: what is in it, how it is labelled, and that a role runs in it under the restrictions of compose.yaml.
# usage: scripts/test-image.sh IMAGE VERSION COMMIT [DATE [FILE]]
#
# DATE  when that commit was made, as `scripts/commit.sh --date` prints it
# FILE  what has to be in it beside the binary
set -euo pipefail

readonly image=$1 version=$2 commit=$3 date=${4:-} beside=${5:-}
# A megabyte has a million bytes, as in Docker's own lists.
readonly largest=30000000
readonly user=65532:65532
started=()

tidy_up() {
    [ ${#started[@]} -eq 0 ] || docker rm --force --volumes "${started[@]}" >/dev/null 2>&1 || true
}
trap tidy_up EXIT
trap 'exit 130' INT TERM

passed() {
    printf '  ✓ %s\n' "$*" >&2
}

fail() {
    printf '  ✗ %s\n' "$*" >&2
    exit 1
}

# expect WHAT WANTED FOUND
expect() {
    [ "$2" = "$3" ] || fail "$1 is $3, not $2"
    passed "$1: $3"
}

field() {
    docker image inspect --format "$1" "$image"
}

label() {
    field "{{index .Config.Labels \"org.opencontainers.image.$1\"}}"
}

describes_itself() {
    expect "label version" "$version" "$(label version)"
    expect "label revision" "$commit" "$(label revision)"
    [ -z "$date" ] || expect "label created" "$date" "$(label created)"
    expect "user" "$user" "$(field '{{.Config.User}}')"
    expect "entrypoint" '["/odd"]' "$(field '{{json .Config.Entrypoint}}')"
    local told
    told=$(docker run --rm "$image" version | awk '$1 == "odd" { print $2 }')
    expect "odd version" "$version" "$told"
    told=$(docker run --rm "$image" version | sed -n 's/^commit  *//p')
    expect "its commit" "$commit${date:+, $date}" "$told"
}

is_small() {
    local size
    size=$(field '{{.Size}}')
    [ "$size" -le $largest ] || fail "the image has $size bytes, more than $largest"
    passed "size: $size bytes of at most $largest"
}

# Beside what an engine makes in every container: the binary.
holds_nothing_else() {
    local container files
    container=$(docker create "$image" version)
    started+=("$container")
    files=$(docker export "$container" | tar -t | grep -vE '^(\.dockerenv$|dev/|etc/|proc/|sys/)' | sort | tr '\n' ' ')
    expect "files" "${beside:+$beside }odd " "$files"
}

# A role on a database of its own, restricted as compose.yaml does it.
runs_a_role() {
    local container code
    container=$(docker run --detach --read-only --tmpfs "/tmp:size=64m,mode=1777" --cap-drop ALL \
        --security-opt no-new-privileges:true --memory 256m --pids-limit 512 --network none \
        --env ODD_HOME=/tmp/odd "$image" serve gateway)
    started+=("$container")
    for _ in $(seq 100); do
        if docker exec "$container" /odd healthcheck gateway >/dev/null 2>&1; then
            passed "a gateway is healthy, with a root file system that nothing is written to, as user $user"
            break
        fi
        if [ "$(docker inspect --format '{{.State.Running}}' "$container")" != true ]; then
            break
        fi
        sleep 0.1
    done
    if ! docker exec "$container" /odd healthcheck gateway >&2; then
        docker logs --tail 20 "$container" >&2
        fail "a gateway does not become healthy"
    fi
    docker stop --time 15 "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    expect "exit code of a stopped gateway" 0 "$code"
}

tells_what_is_not_healthy() {
    local code=0
    docker run --rm --network none "$image" healthcheck gateway >/dev/null 2>&1 || code=$?
    expect "exit code of a health check where nothing is served" 1 "$code"
}

describes_itself
is_small
holds_nothing_else
runs_a_role
tells_what_is_not_healthy
