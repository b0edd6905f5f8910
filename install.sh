#!/bin/sh
# Installs odd for one user, upgrades it and removes it. Nothing but a POSIX shell and the usual tools is needed.
# `install.sh --help` tells how; install.ps1 does the same on Windows.
#
# What is put in place is put beside its place first and then renamed, so that an odd that runs keeps its file, and what fails or is
# interrupted leaves the version that was there. Everything stands in functions, called by the last line, which is nothing unless it is
# whole: where `curl … | sh` is cut off in the middle, nothing is run.
set -eu

releases=https://github.com/oddessentials/distributed-task-observatory/releases

help() {
    cat <<'END'
Installs odd: the binary, its completions and its manual pages. Done again, it upgrades.

Usage: install.sh [--version VERSION] [--prefix DIRECTORY]
       install.sh --uninstall [--prefix DIRECTORY]
       curl -fsSL ADDRESS/install.sh | sh -s -- [OPTIONS]

Options:
      --version VERSION   This one, such as 1.2.3, or latest [default: latest]
      --prefix DIRECTORY  Where to install: the binary to DIRECTORY/bin, the rest to DIRECTORY/share [default: ~/.local]
      --uninstall         Remove what was installed there, and nothing else; the data of instances is kept
  -h, --help              Print this help

Environment:
  ODD_INSTALL_BASE_URL    A mirror of the releases, laid out as theirs: BASE/latest/download/VERSION, which names the latest, and
                          BASE/download/vVERSION/ with the archives and SHA256SUMS

Needed: curl or wget; tar and gzip; sha256sum, shasum or openssl. Linux or macOS, on x64 or arm64.

Exit codes: 0 done, 1 failed (a download, no space), 2 wrong usage, 3 something needed is missing (a tool, the platform, a
permission), 6 what was downloaded is not what was released, 130 interrupted (129 or 143 by another signal). After all but 0 the version that was
there is untouched.
END
}

# fail CODE WHAT BECAUSE TRY
fail() {
    printf 'error: %s\n  because: %s\n  try: %s\n' "$2" "$3" "$4" >&2
    exit "$1"
}

main() {
    wanted=latest prefix='' uninstall=''
    arguments "$@"
    glyphs
    place
    if [ -n "$uninstall" ]; then
        remove
        return
    fi
    platform
    tools
    permitted
    workshop
    version
    download "odd-$version-$platform.tar.gz"
    verify "odd-$version-$platform.tar.gz"
    unpack "odd-$version-$platform.tar.gz"
    stage
    check
    replace
    advise
}

arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --prefix)
            [ -n "${2:-}" ] || fail 2 "the arguments cannot be read" "$1 has no value" "install.sh --help"
            if [ "$1" = --version ]; then wanted=$2; else prefix=$2; fi
            shift
            ;;
        --version=?*) wanted=${1#*=} ;;
        --prefix=?*) prefix=${1#*=} ;;
        --uninstall) uninstall=yes ;;
        -h | --help)
            help
            exit 0
            ;;
        *) fail 2 "the arguments cannot be read" "there is no $1" "install.sh --help" ;;
        esac
        shift
    done
    wanted=${wanted#v}
    [ "$wanted" = latest ] || is_version "$wanted" ||
        fail 2 "the arguments cannot be read" "$wanted is no version" "a version such as 1.2.3, or latest"
}

is_version() {
    case $1 in
    *[!0-9A-Za-z.+-]*) return 1 ;;
    [0-9]*.[0-9]*.[0-9]*) ;;
    *) return 1 ;;
    esac
}

glyphs() {
    case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
    *UTF-8* | *utf-8* | *UTF8* | *utf8*) ok=✓ warn=⚠ ;;
    *) ok=+ warn=! ;;
    esac
}

place() {
    if [ -z "$prefix" ]; then
        [ -n "${HOME:-}" ] || fail 2 "there is no place to install to" "HOME is not set" "install.sh --prefix DIRECTORY"
        prefix=$HOME/.local
    fi
    case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
    esac
    while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
    manifest=$prefix/share/odd/installed
}

# The binary for Linux is static, so that it runs with every C library, or none.
platform() {
    case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=macos ;;
    MINGW* | MSYS* | CYGWIN* | Windows*)
        fail 3 "install.sh does not install on Windows" "this is $(uname -s)" "install.ps1, in PowerShell"
        ;;
    *)
        fail 3 "there is no odd for this machine" "it runs $(uname -s), and odd is built for Linux, macOS and Windows" \
            "building it from source: $releases"
        ;;
    esac
    case $(uname -m) in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *)
        fail 3 "there is no odd for this machine" "its processor is $(uname -m), and odd is built for x64 and arm64" \
            "building it from source: $releases"
        ;;
    esac
    # A shell that Rosetta translates takes itself for x64.
    if [ "$system-$machine" = macos-x64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
        machine=arm64
    fi
    platform=$system-$machine
}

has() {
    command -v "$1" >/dev/null 2>&1
}

tools() {
    if has curl; then
        fetcher=curl
    elif has wget; then
        fetcher=wget
    else
        missing "neither curl nor wget is there" curl
    fi
    for tool in tar gzip mktemp sort; do
        has "$tool" || missing "there is no $tool" "$tool"
    done
    if has sha256sum; then
        hasher='sha256sum'
    elif has shasum; then
        hasher='shasum -a 256'
    elif has openssl; then
        hasher='openssl dgst -sha256 -r'
    else
        missing "none of sha256sum, shasum and openssl is there, and what is not verified is not installed" openssl
    fi
}

missing() {
    fail 3 "a tool is missing" "$1" "installing $2 with your system's package manager, then this again"
}

directories="bin share/odd share/man/man1 share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d"

# Said before anything is downloaded. Whatever else prevents writing shows when it is tried.
permitted() {
    for directory in $directories; do
        there=$prefix/$directory
        while [ ! -e "${there:=/}" ]; do there=${there%/*}; done
        [ -d "$there" ] || fail 3 "odd cannot be installed in $prefix" "$there is no directory" "another place: --prefix DIRECTORY"
        if [ ! -w "$there" ] || [ ! -x "$there" ]; then forbidden "$there"; fi
    done
    [ ! -d "$prefix/bin/odd" ] ||
        fail 3 "odd cannot be installed in $prefix" "$prefix/bin/odd is a directory" "another place: --prefix DIRECTORY"
}

forbidden() {
    fail 3 "odd cannot be installed in $prefix" "you may not write to $1" \
        "a place of your own: --prefix \"\$HOME/.local\"; or the same as a user who may"
}

# A folder for everything until it is in place. Its `staged` and `made` list what has been put beside its place and which directories were
# made for that, until `replace` has done all: whatever happens before, they are gone in the end.
workshop() {
    child=''
    work=$(mktemp -d "${TMPDIR:-/tmp}/odd-install.XXXXXX" 2>/dev/null) ||
        fail 1 "there is no place for what is downloaded" "${TMPDIR:-/tmp} takes no files" "another place: TMPDIR=DIRECTORY"
    : >"$work/staged"
    : >"$work/made"
    trap clean EXIT
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM
    trap 'interrupted 129' HUP
}

clean() {
    trap '' INT TERM HUP
    while IFS= read -r target; do
        rm -f "$(beside "$target")"
    done <"$work/staged"
    LC_ALL=C sort -r "$work/made" | while IFS= read -r directory; do
        rmdir "$directory" 2>/dev/null || :
    done
    rm -rf "$work"
}

interrupted() {
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || :
        wait "$child" 2>/dev/null || :
    fi
    echo "interrupted: nothing was changed" >&2
    exit "$1"
}

# fetch ADDRESS FILE: the output of the tool is in $work/log, its exit code is the function's. In the background, since a shell that
# waits for a program in the foreground hears of a signal only after that has ended.
fetch() {
    if [ "$fetcher" = curl ]; then
        set -- curl -fsSL --connect-timeout 20 --speed-limit 1 --speed-time 30 -o "$2" "$1"
        case $base in https:*) set -- "$@" --proto =https --tlsv1.2 ;; esac
    else
        set -- -O "$2" "$1"
        # Others know no such options.
        if wget --version 2>/dev/null | grep -q GNU; then set -- -nv --tries 2 --timeout 30 "$@"; else set -- -q "$@"; fi
        set -- wget "$@"
    fi
    "$@" >"$work/log" 2>&1 </dev/null &
    child=$!
    code=0
    wait "$child" || code=$?
    child=''
    return "$code"
}

reason() {
    # The address is told by the message itself.
    sed -n '/[^[:space:]]/p' "$work/log" | tail -n 1 | sed 's|^[0-9: -]*ERROR|ERROR|'
}

# Of tools that end with what followed from it.
first_reason() {
    sed -n '/[^[:space:]]/{p;q;}' "$work/log"
}

# no_room CODE: whether that is why a tool failed.
no_room() {
    grep -qi 'no space left\|file too large\|quota' "$work/log" || { [ "$fetcher" = curl ] && [ "$1" -eq 23 ]; } ||
        { [ "$fetcher" = wget ] && [ "$1" -eq 3 ]; }
}

full() {
    fail 1 "$1" "there is no room in $2" "making room there$3"
}

# get ADDRESS FILE WHAT
get() {
    code=0
    fetch "$1" "$2" || code=$?
    [ "$code" -ne 0 ] || return 0
    ! no_room "$code" || full "$3 could not be downloaded" "${TMPDIR:-/tmp}" ", or another place: TMPDIR=DIRECTORY"
    because=$(reason)
    case $because in
    *404*) fail 1 "$3 could not be downloaded" "$1 is not there (404)" "another version: --version VERSION; they are listed at $releases" ;;
    # wget is silent about a connection that breaks.
    *) fail 1 "$3 could not be downloaded" "$1: ${because:-the connection broke ($fetcher ended with $code)}" "this again, once the network is there; or a mirror: ODD_INSTALL_BASE_URL" ;;
    esac
}

version() {
    base=${ODD_INSTALL_BASE_URL:-$releases}
    base=${base%/}
    version=$wanted
    if [ "$wanted" = latest ]; then
        get "$base/latest/download/VERSION" "$work/VERSION" "the number of the latest version"
        version=''
        read -r version <"$work/VERSION" || :
        is_version "$version" || fail 6 "the latest version is not known" "$base/latest/download/VERSION names none" \
            "a certain one: --version VERSION"
    fi
    files=$base/download/v$version
}

download() {
    say "odd $version for $platform, from $base"
    get "$files/SHA256SUMS" "$work/SHA256SUMS" "the checksums of odd $version"
    get "$files/$1" "$work/$1" "odd $version for $platform"
}

say() {
    printf '  %s\n' "$1"
}

verify() {
    expected=''
    while read -r sum name _ || [ -n "${sum:-}" ]; do
        case $name in "$1" | "*$1") expected=$sum ;; esac
    done <"$work/SHA256SUMS"
    [ -n "$expected" ] || fail 6 "odd $version cannot be verified" "$files/SHA256SUMS does not name $1" \
        "another version: --version VERSION; they are listed at $releases"
    # shellcheck disable=SC2086 # a command with its arguments
    found=$($hasher "$work/$1")
    found=${found%% *}
    [ "$found" = "$expected" ] ||
        fail 6 "$1 is not what was released" "its SHA-256 is $found, and SHA256SUMS says $expected" \
            "this again: a download may have been cut short; if it stays so, tell those who run $base"
    say "$ok SHA-256 verified"
}

unpack() {
    # What is unpacked belongs to whoever unpacks it, also to root.
    if ! tar -xzof "$work/$1" -C "$work" >"$work/log" 2>&1 </dev/null; then
        ! no_room 0 || full "$1 could not be unpacked" "${TMPDIR:-/tmp}" ", or another place: TMPDIR=DIRECTORY"
        fail 1 "$1 could not be unpacked" "$(first_reason)" "this again"
    fi
    rm -f "$work/$1"
    folder=$work/odd-$version-$platform
    [ -f "$folder/odd" ] || fail 6 "$1 is not what was released" "there is no odd in it" "another version: --version VERSION"
}

# Puts everything beside its place. The binary is the last in the list, and so the last that is renamed.
stage() {
    before=''
    [ ! -f "$manifest" ] || read -r _ before _ <"$manifest" || :
    : >"$work/new"
    stage_file "$folder/completions/odd.bash" share/bash-completion/completions/odd 644
    stage_file "$folder/completions/_odd" share/zsh/site-functions/_odd 644
    stage_file "$folder/completions/odd.fish" share/fish/vendor_completions.d/odd.fish 644
    for page in "$folder"/man/*.1; do
        stage_file "$page" "share/man/man1/${page##*/}" 644
    done
    make_directory "$prefix/bin"
    make_directory "$prefix/share/odd"
    write_manifest
    stage_file "$work/manifest" share/odd/installed 644
    stage_file "$folder/odd" bin/odd 755
}

# stage_file FILE PLACE MODE
stage_file() {
    [ -f "$1" ] || return 0
    target=$prefix/$2
    staged=$(beside "$target")
    make_directory "${target%/*}"
    printf '%s\n' "$target" >>"$work/staged"
    { cp "$1" "$staged" && chmod "$3" "$staged"; } 2>"$work/log" || unwritable "${target%/*}"
    printf '%s\n' "$2" >>"$work/new"
}

beside() {
    printf '%s/.odd-install.%s.%s\n' "${1%/*}" "$$" "${1##*/}"
}

make_directory() {
    [ ! -d "${1:-/}" ] || return 0
    make_directory "${1%/*}"
    mkdir "$1" 2>"$work/log" || unwritable "${1%/*}"
    printf '%s\n' "$1" >>"$work/made"
}

unwritable() {
    ! no_room 0 || full "odd cannot be installed in $prefix" "$1" ", or another place: --prefix DIRECTORY"
    ! grep -qi 'denied\|not permitted' "$work/log" || forbidden "$1"
    fail 1 "odd cannot be installed in $prefix" "$(reason)" "another place: --prefix DIRECTORY"
}

# Lists, from the prefix, what is ours: the files, then the directories that were made for them, also by the versions before.
write_manifest() {
    {
        printf 'odd %s was installed by install.sh; with --uninstall it removes what stands here:\n' "$version"
        cat "$work/new"
        printf '%s\n' share/odd/installed bin/odd
        {
            [ ! -f "$manifest" ] || grep '/$' "$manifest" || :
            while IFS= read -r directory; do
                case $directory/ in "$prefix"/?*) printf '%s/\n' "${directory#"$prefix"/}" ;; esac
            done <"$work/made"
        } | LC_ALL=C sort -u -r
    } >"$work/manifest"
}

# Where it is put it must run, and be the version that was asked for, whatever is set for odd in this environment.
check() {
    candidate=$(beside "$prefix/bin/odd")
    code=0
    (cd "$work" && env -i PATH="$PATH" HOME="$work" "$candidate" version) >"$work/told" 2>"$work/log" </dev/null || code=$?
    if [ "$code" -ne 0 ]; then
        echo "its exit code is $code" >>"$work/log"
        fail 6 "odd $version does not run here" "$(first_reason)" \
            "another version: --version VERSION; they are listed at $releases"
    fi
    read -r _ told _ <"$work/told" || told=''
    [ "$told" = "$version" ] ||
        fail 6 "the archive of odd $version is not what it says" "the binary in it calls itself ${told:-nothing}" \
            "another version: --version VERSION; they are listed at $releases"
}

# Renames only, and no signal comes between. Then goes what the version before had and this one has not.
replace() {
    [ ! -f "$manifest" ] || cp "$manifest" "$work/old"
    trap '' INT TERM HUP
    while IFS= read -r target; do
        mv -f "$(beside "$target")" "$target" 2>"$work/log" ||
            fail 1 "odd $version is installed in part" "$(reason)" "this again"
    done <"$work/staged"
    : >"$work/staged"
    : >"$work/made"
    [ -f "$work/old" ] || return 0
    entries "$work/old" | while IFS= read -r entry; do
        case $entry in
        */) ;;
        *) grep -qxF -e "$entry" "$manifest" || rm -f "${prefix:?}/$entry" ;;
        esac
    done
}

# The entries of a manifest. One that leads out of the prefix was not written by us.
entries() {
    sed -e 1d -e '/^\//d' -e '/\.\.\//d' -e '/^$/d' "$1"
}

advise() {
    case $before in
    '') say "$ok odd $version is in $prefix/bin" ;;
    "$version") say "$ok odd $version is in $prefix/bin, as it was" ;;
    *) say "$ok odd $version is in $prefix/bin, where $before was; an instance that runs keeps that until odd down and odd up" ;;
    esac
    shell=${SHELL:-}
    shell=${shell##*/}
    case :${PATH:-}: in
    *:"$prefix/bin":*)
        first=$(command -v odd || :)
        case $first in
        "$prefix/bin/odd" | '') ;;
        *) say "$warn $first comes before it on your PATH" ;;
        esac
        ;;
    *)
        say "$warn $prefix/bin is not on your PATH; to put it there:"
        case $shell in
        fish) echo "      fish_add_path '$prefix/bin'" ;;
        zsh) echo "      echo 'export PATH=\"$prefix/bin:\$PATH\"' >>~/.zshrc && exec zsh" ;;
        bash) echo "      echo 'export PATH=\"$prefix/bin:\$PATH\"' >>~/.bashrc && exec bash" ;;
        *) echo "      echo 'export PATH=\"$prefix/bin:\$PATH\"' >>~/.profile && . ~/.profile" ;;
        esac
        ;;
    esac
    if [ "$shell" = zsh ]; then
        say "completions for zsh: before compinit, ~/.zshrc needs  fpath=($prefix/share/zsh/site-functions \$fpath)"
    fi
    say "next  odd up"
}

remove() {
    [ -f "$manifest" ] || fail 1 "there is nothing to remove" "$manifest is not there: install.sh has not installed to $prefix" \
        "--prefix DIRECTORY, if it is elsewhere"
    read -r _ version _ <"$manifest" || :
    listed=$(entries "$manifest")
    # Nothing is removed where not all can be.
    printf '%s\n' "$listed" | while IFS= read -r entry; do
        there=$prefix/${entry%/*}
        [ ! -d "$there" ] || [ -w "$there" ] || exit 1
    done || forbidden "what is in $prefix"
    printf '%s\n' "$listed" | while IFS= read -r entry; do
        case $entry in
        '') ;;
        # Directories come last, the inner before the outer. What others put there keeps them.
        */) rmdir "$prefix/$entry" 2>/dev/null || : ;;
        *) rm -f "${prefix:?}/$entry" || exit 1 ;;
        esac
    done || fail 1 "odd $version could not be removed" "a file in $prefix could not be" "this again"
    say "$ok odd $version is removed from $prefix; the data of instances is kept"
}

{ main "$@"; }
