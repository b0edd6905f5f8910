#!/bin/sh
# Builds the page of the web role from services/web/ui into services/web/dist/site, from where the binary takes it. Does nothing
# where that is up to date. Without Node.js a binary is built all the same; its web role then says how to have the page.
# usage: scripts/ui.sh [--build|--lint|--test]
#
# --build  fails where it cannot be built
# --lint   checks form, lints and types as well
# --test   runs its unit tests as well
# Either needs Node.js: on Debian and Ubuntu, as root, it is installed; elsewhere this says what to do, and exits with 3.
set -eu
cd "$(dirname "$0")/.."
self=$PWD/scripts/ui.sh

ui=services/web/ui
dist=services/web/dist
# Of Debian 12.
minimum=18.20

usable() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || return 1
    version=$(node --version | tr -d v)
    [ "$(printf '%s\n' "$minimum" "$version" | sort -V | head -n 1)" = "$minimum" ]
}

need_node() {
    usable && return
    if command -v node >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
        printf '%s\n' "Node.js $minimum or later is needed, with npm. On Debian and Ubuntu:" \
            "    sudo apt-get update && sudo apt-get install -y nodejs npm" >&2
        exit 3
    fi
    echo "installing Node.js (nodejs, npm)" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null </dev/null
}

# One hash of everything that a build depends on.
fingerprint() {
    find "$ui" -type f -not -path '*/node_modules/*' | LC_ALL=C sort | xargs cksum | cksum
}

install_packages() {
    # find prints what is newer; where nothing is installed it prints nothing.
    [ -n "$(find "$ui/node_modules/.package-lock.json" -newer "$ui/package-lock.json" 2>/dev/null)" ] && return
    npm --prefix "$ui" ci --no-progress --loglevel=error >&2
}

build() {
    now=$(fingerprint)
    [ -f "$dist/site/index.html" ] && [ "$(cat "$dist/fingerprint" 2>/dev/null)" = "$now" ] && return
    install_packages
    npm --prefix "$ui" run --silent build -- --logLevel warn >&2
    printf '%s\n' "$now" >"$dist/fingerprint"
}

# A page of other sources would be worse than the plain one.
without() {
    [ "$(cat "$dist/fingerprint" 2>/dev/null)" = "$(fingerprint)" ] || rm -rf "$dist/site" "$dist/fingerprint"
    echo "the binary is built without the whole page of the web role: $1" >&2
}

case ${1:-} in
--lint)
    need_node
    install_packages
    npm --prefix "$ui" run --silent lint
    npm --prefix "$ui" run --silent check
    ;;
--test)
    need_node
    build
    install_packages
    npm --prefix "$ui" run --silent test
    ;;
--build)
    build
    ;;
*)
    if ! usable; then
        without "there is no Node.js $minimum or later"
    elif ! "$self" --build; then
        without "it could not be built"
    fi
    ;;
esac
