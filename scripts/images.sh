#!/usr/bin/env bash
# Builds the offline images: the servers that odd needs, from Debian packages, for machines that reach no image registry.
# usage: scripts/images.sh [--list] [NAME…]      (all of them where none is named: servers, the base that they stand on, and the tool `compose`)
#
# An image is called odd-offline/NAME:HASH, and also odd-offline/NAME:latest. HASH are the first 12 hexadecimal digits of the SHA-256 of, one
# after the other for each file of compose/images/base/ and then each of compose/images/NAME/ (once for `base` itself): its path relative to
# compose/images, a newline, its content. Within a folder files come in the bytewise order of their paths. The testkit computes the same:
# keep both alike. What has its hash tag is left alone; hash tags that are out of date are removed once the new image stands.
#
# --list   print `NAME REFERENCE present|absent` for each and build nothing
# --fast   build odd-offline/mongo-fast as well: the MongoDB stand-in with its compiled server, for measurements. Takes ten minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

recipes=compose/images
# What `odd export compose --offline` writes has them beside its compose files.
[ -d "$recipes" ] || recipes=images
readonly recipes
readonly prefix=odd-offline
readonly all=(base postgres rabbitmq redis mongo prometheus alertmanager compose)
readonly certificates=/etc/ssl/certs/ca-certificates.crt
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/odd
started=$SECONDS

say() {
    printf 'images: %3d s  %s\n' $((SECONDS - started)) "$*" >&2
}

fail() {
    say "$@"
    exit 1
}

files_of() {
    (cd "$recipes" && find "$1" -type f | LC_ALL=C sort)
}

hash_of() {
    local name=$1 path
    {
        files_of base
        [ "$name" = base ] || files_of "$name"
    } | while IFS= read -r path; do
        printf '%s\n' "$path"
        cat "$recipes/$path"
    done | digest
}

digest() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum | cut -c 1-12
    else
        shasum -a 256 | cut -c 1-12
    fi
}

reference_of() {
    printf '%s/%s:%s' "$prefix" "$1" "$(hash_of "$1")"
}

present() {
    docker image inspect --format ok "$1" >/dev/null 2>&1
}

list() {
    local name reference
    for name in "$@"; do
        reference=$(reference_of "$name")
        printf '%s %s %s\n' "$name" "$reference" "$(present "$reference" && echo present || echo absent)"
    done
}

# Installs mmdebstrap, which makes the base image, where it is missing and we may. Where neither is so the base is made on Debian's own image.
prepare_bootstrap() {
    if command -v mmdebstrap >/dev/null 2>&1; then
        return
    fi
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
        return 1
    fi
    say "installing mmdebstrap"
    # Package lists are fetched only where those at hand do not suffice.
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null 2>&1; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
    fi
}

# Proxies of the environment, or else those of the host's apt, reach the builds without staying in an image.
export_proxies() {
    local name proxy=
    if command -v apt-config >/dev/null 2>&1; then
        eval "$(apt-config shell proxy Acquire::http::Proxy)"
    fi
    if [ -z "${http_proxy:-}" ] && [ -n "$proxy" ]; then
        export http_proxy=$proxy
    fi
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name:-}" ] || build_arguments+=(--build-arg "$name")
    done
}

build_base() {
    local reference=$1 began=$SECONDS
    if prepare_bootstrap; then
        bootstrap_base "$reference" || explain base
    else
        base_from_registry "$reference" || {
            say "base: neither can an image registry be reached nor mmdebstrap be installed here. On Debian or Ubuntu run:" \
                "sudo apt-get update && sudo apt-get install -y mmdebstrap debian-archive-keyring"
            explain base
        }
    fi
    docker tag "$reference" "$prefix/base:latest"
    say "base: made in $((SECONDS - began)) s"
}

bootstrap_base() {
    local reference=$1 archive=$work/base.tar
    # Memory is much faster to unpack into than a disk, and 300 MB suffice. Programs have to run there, and devices to work.
    local scratch=$work
    if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 1000000 ] &&
        ! grep -qE '^[^ ]+ /dev/shm [^ ]+ [^ ]*(nodev|noexec)' /proc/mounts; then
        scratch=$(mktemp -d /dev/shm/odd-images.XXXXXX)
        scratch_directories+=("$scratch")
    fi
    chmod 755 "$scratch"
    TMPDIR=$scratch bash "$recipes/base/rootfs.sh" "$archive" >"$work/base.log" 2>&1 || return 1
    docker import -c 'ENV LANG=C.UTF-8' -c 'CMD ["bash"]' "$archive" "$reference" >>"$work/base.log" 2>&1 || return 1
    rm -f "$archive"
}

# The same release and settings on top of Debian's own image, for machines that are not Debian, and users who are not root.
base_from_registry() {
    local reference=$1 context
    context=$(context_of base)
    cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM debian:trixie-slim
COPY apt.conf /etc/apt/apt.conf.d/99-odd
COPY dpkg.cfg /etc/dpkg/dpkg.cfg.d/90-odd
COPY policy-rc.d /usr/sbin/policy-rc.d
ENV LANG=C.UTF-8
RUN chmod 755 /usr/sbin/policy-rc.d
CMD ["bash"]
DOCKERFILE
    docker build --force-rm ${build_arguments[@]+"${build_arguments[@]}"} --tag "$reference" "$context" >"$work/base.log" 2>&1
}

# The packages of the MongoDB stand-in, fetched by the host's pip, which knows the host's indexes and certificates. Where that fails the
# image build fetches them, with the host's certificates.
fetch_wheels() {
    local machine wheels
    machine=$(uname -m)
    wheels=$cache/wheels-$(digest <"$recipes/mongo/requirements.txt")-$machine
    if [ ! -d "$wheels" ]; then
        rm -rf "$wheels".part.*
        local part=$wheels.part.$$
        if ! python3 -m pip --disable-pip-version-check download --quiet --no-cache-dir --only-binary=:all: --python-version 3.13 \
            --implementation cp --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
            --platform "manylinux2014_$machine" --dest "$part" --requirement "$recipes/mongo/requirements.txt" \
            >"$work/wheels.log" 2>&1; then
            rm -rf "$part"
            return
        fi
        mv "$part" "$wheels"
    fi
    ln -s "$wheels" "$work/wheels"
}

# The folder that an image is built from: a copy of the recipe with what only the host can add. Whoever runs the image may read all of it,
# however strict this checkout's permissions are.
context_of() {
    local name=$1 context=$work/$1
    cp -r "$recipes/$name" "$context"
    if [ "$name" != mongo ]; then
        :
    elif [ -e "$work/wheels" ]; then
        cp -rL "$work/wheels" "$context/wheels"
    elif [ -f "$certificates" ]; then
        cp -L "$certificates" "$context/"
    fi
    chmod -R a+rX "$context"
    printf '%s' "$context"
}

build() {
    local name=$1 reference=$2 base=$3 began=$SECONDS arguments=(${build_arguments[@]+"${build_arguments[@]}"})
    if [ "$name" = mongo ] && [ -n "${PIP_INDEX_URL:-}" ]; then
        arguments+=(--build-arg PIP_INDEX_URL)
    fi
    docker build --force-rm --network host --build-arg "BASE=$base" "${arguments[@]}" \
        --tag "$reference" --tag "$prefix/$name:latest" "$(context_of "$name")" >"$work/$name.log" 2>&1 || return 1
    say "$name: built in $((SECONDS - began)) s"
}

# Hash tags of this image other than the current one, and what stages left behind.
remove_old() {
    local name=$1 current=$2 tag
    docker image ls --format '{{.Repository}}:{{.Tag}}' "$prefix/$name" | while IFS= read -r tag; do
        if [ "$tag" != "$current" ] && [ "$tag" != "$prefix/$name:latest" ]; then
            docker image rm "$tag" >/dev/null 2>&1 || say "$name: $tag is in use and stays"
        fi
    done
}

explain() {
    local name=$1
    say "$name: the build failed:"
    tail -n 40 "$work/$name.log" >&2
    exit 1
}

build_all() {
    local name reference base missing=() references=() jobs=() index
    for name in "$@"; do
        reference=$(reference_of "$name")
        if present "$reference"; then
            say "$name: $reference is there"
        else
            missing+=("$name")
            references+=("$reference")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    docker info >/dev/null 2>&1 || fail "no Docker engine answers: start one, or run scripts/docker.sh"
    build_arguments=()
    export_proxies
    local wheels_job=
    if [[ " ${missing[*]} " == *" mongo "* ]]; then
        fetch_wheels &
        wheels_job=$!
    fi
    base=$(reference_of base)
    if ! present "$base"; then
        say "base: making a Debian root file system"
        build_base "$base"
    fi
    [ -z "$wheels_job" ] || wait "$wheels_job"
    say "building ${missing[*]}"
    for index in "${!missing[@]}"; do
        [ "${missing[index]}" != base ] || continue
        build "${missing[index]}" "${references[index]}" "$base" &
        jobs[index]=$!
    done
    local failed=()
    for index in "${!jobs[@]}"; do
        wait "${jobs[index]}" || failed+=("${missing[index]}")
    done
    for name in "${failed[@]}"; do
        explain "$name"
    done
    for index in "${!missing[@]}"; do
        remove_old "${missing[index]}" "${references[index]}"
    done
    remove_old base "$base"
    docker image prune --force --filter label=odd.offline=stage >/dev/null
}

# The stand-in's compiled server is some ten times as fast. It is compiled on the host, outside this repository, and added to the image.
build_fast() {
    local version=0.5.3-beta.196 root=$cache/secantus-rs base context
    base=$(reference_of mongo)
    if [ ! -x "$root/bin/secantusd-rs" ]; then
        command -v cmake >/dev/null 2>&1 || fail "mongo-fast needs cmake: apt-get install -y cmake"
        say "mongo-fast: compiling secantus-mdb $version (some ten minutes)"
        CARGO_TARGET_DIR=$root/target nice -n 19 cargo install secantus-mdb --version "$version" --locked --ignore-rust-version \
            --jobs "${ODD_FAST_JOBS:-1}" --root "$root" >&2
    fi
    context=$work/mongo-fast
    mkdir "$context"
    cp "$root/bin/secantusd-rs" "$context/"
    # shellcheck disable=SC2016
    printf 'ARG BASE\nFROM ${BASE}\nCOPY secantusd-rs /usr/local/bin/secantusd-rs\n' >"$context/Dockerfile"
    docker build --build-arg "BASE=$base" --tag "$prefix/mongo-fast:latest" "$context" >"$work/mongo-fast.log" 2>&1 ||
        explain mongo-fast
    say "mongo-fast: built as $prefix/mongo-fast:latest"
}

main() {
    local mode=build names=() name
    for name in "$@"; do
        case $name in
            --list) mode=list ;;
            --fast) mode=fast ;;
            *)
                [[ " ${all[*]} " == *" $name "* ]] || fail "there is no image $name: choose from ${all[*]}"
                names+=("$name")
                ;;
        esac
    done
    if [ ${#names[@]} -eq 0 ]; then
        names=("${all[@]}")
        [ "$mode" != fast ] || names=(mongo)
    fi
    if [ "$mode" = list ]; then
        list "${names[@]}"
        return
    fi

    work=$(mktemp -d)
    scratch_directories=("$work")
    trap 'rm -rf "${scratch_directories[@]}"' EXIT
    mkdir -p "$cache"
    # Two builds at the same time would do everything twice.
    exec 9>"$cache/images.lock"
    flock 9
    build_all "${names[@]}"
    [ "$mode" != fast ] || build_fast
}

main "$@"
