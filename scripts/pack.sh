#!/usr/bin/env bash
# Makes a release of binaries: OUTDIR/release has the archives, SHA256SUMS, VERSION, the bill of materials, the notices of third parties and
# the installers, OUTDIR/npm the packages of npm, packed. Nothing is published.
# usage: scripts/pack.sh BINARIES OUTDIR
#
# BINARIES  a folder with one folder a target, called as that, with the binary in it: linux-x64/odd … windows-x64/odd.exe
#
# One of the binaries has to run here: it writes the completions and manual pages of all.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: scripts/pack.sh BINARIES OUTDIR" >&2; exit 2; }
mkdir -p "$2"
binaries=$(cd "$1" && pwd)
out=$(cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What was carried from machine to machine has lost its mode.
native=
pairs=()
for folder in "$binaries"/*/; do
    target=$(basename "$folder")
    binary=${folder}odd
    [ "$target" != windows-x64 ] || binary=$binary.exe
    [ -f "$binary" ] || { echo "there is no binary $binary" >&2; exit 3; }
    chmod 755 "$binary"
    pairs+=("$target=$binary")
    ! "$binary" version >/dev/null 2>&1 || native=$binary
done
[ -n "$native" ] || { echo "none of the binaries in $binaries runs here" >&2; exit 3; }

version=$(node scripts/versions.mjs)
rm -rf "$out/release" "$out/npm" "$out/packages"
mkdir -p "$out/release" "$out/npm"
for pair in "${pairs[@]}"; do
    scripts/archive.sh "${pair#*=}" "${pair%%=*}" "$out/release" "$native"
done
node scripts/sbom.mjs >"$out/release/odd-$version.spdx.json"
cp install.sh install.ps1 "$out/release"
if command -v sha256sum >/dev/null 2>&1; then
    sums=(sha256sum)
else
    sums=(shasum -a 256)
fi
(cd "$out/release" && "${sums[@]}" THIRD-PARTY-NOTICES.txt install.ps1 install.sh "odd-$version.spdx.json" >>SHA256SUMS)
packages=$(node scripts/npm-packages.mjs "$out/packages" "$out/release/THIRD-PARTY-NOTICES.txt" "${pairs[@]}")
while IFS= read -r package; do
    npm pack --silent --pack-destination "$out/npm" "$package"
done <<<"$packages"
rm -rf "$out/packages"
