#!/usr/bin/env bash
# Builds the binary that is released for this machine, and prints where it is. For Linux that is the static one of the image, which runs with
# every C library or none; elsewhere it needs nothing but what the system brings.
# usage: scripts/binary.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The target has to be named, so that the flags are those of the binary only and not of procedural macros. Of Swagger UI's files, three that
# its page never loads are left out (2.3 MB).
build() {
    local target=$1 profile=$2 flags=$3
    shift 3
    ODD_COMMIT=$(scripts/commit.sh) ODD_COMMIT_DATE=$(scripts/commit.sh --date) \
        SWAGGER_UI_OVERWRITE_FOLDER=$PWD/compose/odd/swagger-ui RUSTFLAGS=$flags \
        cargo rustc --locked --profile "$profile" --package odd --bin odd --target "$target" -- "$@" >&2
}

main() {
    local target folder
    target=$(rustc -vV | tr -d '\r' | sed -n 's/^host: //p')
    folder=${CARGO_TARGET_DIR:-target}/$target
    case $target in
        # On x64 relocations are packed (0.8 MB; glibc 2.36 or later undoes it at the start); the binary for arm64 has none.
        *-linux-gnu)
            build "$target" image "-C target-feature=+crt-static" -C link-arg=-Wl,-z,pack-relative-relocs
            printf '%s\n' "$folder/image/odd"
            ;;
        *-apple-darwin)
            build "$target" release ""
            printf '%s\n' "$folder/release/odd"
            ;;
        # Without the redistributable of Visual C++.
        *-windows-msvc)
            build "$target" release "-C target-feature=+crt-static"
            printf '%s\n' "$folder/release/odd.exe"
            ;;
        *)
            echo "nothing is released for $target" >&2
            exit 3
            ;;
    esac
}

main
