#!/bin/sh
# Packs a binary as it is released: OUTDIR/odd-VERSION-TARGET.tar.gz (for Windows .zip) with the binary, README, licence, notices of third
# parties, completions and manual pages in one folder. The notices are those in OUTDIR, or scripts/notices.mjs writes them there. Enters the
# archive in OUTDIR/SHA256SUMS, and writes OUTDIR/VERSION, from where installers take what is the latest.
# The same files give the same archive, byte for byte: names are sorted, owners are 0, times are SOURCE_DATE_EPOCH or the commit's.
# usage: scripts/archive.sh BINARY TARGET OUTDIR [NATIVE]
#
# TARGET  linux-x64, linux-arm64, macos-x64, macos-arm64 or windows-x64
# NATIVE  a binary of the same version that runs here and writes completions and pages; needed where BINARY does not run here
#
# Needs GNU tar (on macOS gtar) and, for Windows, zip: exits with 3 where that is missing.
set -eu

complain() {
    code=$1
    shift
    printf '%s\n' "$@" >&2
    exit "$code"
}

[ $# -eq 3 ] || [ $# -eq 4 ] || complain 2 "usage: scripts/archive.sh BINARY TARGET OUTDIR [NATIVE]"

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}

binary=$(absolute "$1") target=$2 native=$(absolute "${4:-$1}")
mkdir -p "$3"
out=$(absolute "$3")
cd "$(dirname "$0")/.."

program=odd suffix=tar.gz
case $target in
linux-x64 | linux-arm64 | macos-x64 | macos-arm64) ;;
windows-x64) program=odd.exe suffix=zip ;;
*) complain 2 "there is no target $target: linux-x64, linux-arm64, macos-x64, macos-arm64 or windows-x64" ;;
esac
[ -f "$binary" ] || complain 3 "there is no binary $binary"

tar=tar
! command -v gtar >/dev/null 2>&1 || tar=gtar
if [ "$suffix" = zip ]; then
    command -v zip >/dev/null 2>&1 || complain 3 "zip is not installed, which archives for Windows are made with"
elif ! "$tar" --version 2>/dev/null | grep -q GNU; then
    complain 3 "GNU tar is not installed, which archives are made with. On macOS:" "    brew install gnu-tar"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Nothing that is set for whoever runs this changes what is written.
native() {
    (cd "$work" && env -i PATH="$PATH" HOME="$work" "$native" "$@" </dev/null)
}

version=$(sed -n '/^\[workspace.package\]/,/^\[[^w]/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
told=$(native version | sed -n '1s/^odd  *\([^ ]*\).*/\1/p') || told=
[ "$told" = "$version" ] || complain 6 "$native says that it is odd ${told:-of no version}, but Cargo.toml says $version: build it anew"

name=odd-$version-$target
folder=$work/$name
mkdir -p "$folder/completions" "$folder/man"
cp "$binary" "$folder/$program"
notices=$out/THIRD-PARTY-NOTICES.txt
if [ ! -f "$notices" ]; then
    node scripts/notices.mjs >"$work/notices" || exit
    mv "$work/notices" "$notices"
fi
cp README.md LICENSE "$notices" "$folder"
native completions bash >"$folder/completions/odd.bash"
native completions zsh >"$folder/completions/_odd"
native completions fish >"$folder/completions/odd.fish"
native man --dir "$folder/man" >/dev/null 2>&1
find "$folder" -type d -exec chmod 755 {} +
find "$folder" -type f -exec chmod 644 {} +
chmod 755 "$folder/$program"

# 1980 is the first year that a zip archive can tell.
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
if [ "$suffix" = zip ]; then
    # GNU's date, or that of macOS.
    stamp=$(date -u -d "@$time" +%Y%m%d%H%M.%S 2>/dev/null || date -u -r "$time" +%Y%m%d%H%M.%S)
    find "$folder" -exec env TZ=UTC touch -t "$stamp" {} +
    (cd "$work" && find "$name" | LC_ALL=C sort | TZ=UTC zip -q -X -9 "archive.$suffix" -@)
else
    # Not in one pipe, which would tell how gzip ended only.
    LC_ALL=C "$tar" --create --file "$work/archive.tar" --directory "$work" --format ustar --sort name \
        --owner 0 --group 0 --numeric-owner --mtime "@$time" "$name"
    gzip -9 -n "$work/archive.tar"
fi
mv "$work/archive.$suffix" "$out/$name.$suffix"

# One line a file, also where it is made again.
if command -v sha256sum >/dev/null 2>&1; then
    sum=$(sha256sum "$out/$name.$suffix")
else
    sum=$(shasum -a 256 "$out/$name.$suffix")
fi
touch "$out/SHA256SUMS"
{
    grep -v "  $name.$suffix\$" "$out/SHA256SUMS" || :
    printf '%s  %s\n' "${sum%% *}" "$name.$suffix"
} | LC_ALL=C sort -k 2 >"$work/sums"
mv "$work/sums" "$out/SHA256SUMS"
printf '%s\n' "$version" >"$out/VERSION"
printf '%s\n' "$out/$name.$suffix"
