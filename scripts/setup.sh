#!/bin/sh
# Checks for what a build needs. Installs a missing C compiler on Debian and Ubuntu where it may (as root);
# says exactly what to do in every other case. Changes nothing where everything is there.
# usage: scripts/setup.sh [--tests]
#
# --tests   also for what tests need: zip and unzip (archives for Windows), a browser (scripts/browser.sh), a Docker engine
#           (scripts/docker.sh), the images of the servers (scripts/test-images.sh) and what renders and validates manifests (scripts/kustomize.sh)
set -eu
cd "$(dirname "$0")/.."

minimum=1.95

complain() {
    printf '%s\n' "$@" >&2
    exit 3
}

if ! command -v cargo >/dev/null 2>&1; then
    complain "Rust is not installed: there is no cargo on the PATH." \
        "Install Rust $minimum or later, then run make again:" \
        "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --component clippy,rustfmt"
fi

version=$(rustc --version | cut -d ' ' -f 2)
if [ "$(printf '%s\n' "$minimum" "$version" | sort -V | head -n 1)" != "$minimum" ]; then
    complain "Rust $version is too old: $minimum or later is needed. Run:" "    rustup update stable"
fi

# Libraries written in C (SQLite is one) are compiled from source, and every binary is linked by the C compiler.
if ! command -v cc >/dev/null 2>&1; then
    if [ "$(uname -s)" = Darwin ]; then
        complain "There is no C compiler. Run:" "    xcode-select --install"
    elif ! command -v apt-get >/dev/null 2>&1; then
        complain "There is no C compiler (cc). Install gcc or clang with your system's package manager."
    elif [ "$(id -u)" -ne 0 ]; then
        complain "There is no C compiler (cc). Run:" "    sudo apt-get update && sudo apt-get install -y gcc libc6-dev"
    fi
    echo "installing a C compiler (gcc, libc6-dev)" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev
fi

need_zip() {
    command -v zip >/dev/null 2>&1 && command -v unzip >/dev/null 2>&1 && return
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
        complain "zip and unzip are needed, which archives for Windows are made and read with. On Debian and Ubuntu:" \
            "    sudo apt-get update && sudo apt-get install -y zip unzip"
    fi
    echo "installing zip and unzip" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends zip unzip >/dev/null </dev/null
}

if [ "${1:-}" = --tests ]; then
    need_zip
    scripts/browser.sh
    scripts/docker.sh
    scripts/test-images.sh
    scripts/kustomize.sh >/dev/null
fi
