#!/bin/sh
# Measures a binary on an instance of its own: its directory is a temporary one, its ports are 20,000 above the usual.
# usage: scripts/bench.sh PATH-OF-ODD [JOBS]
set -eu

odd=$1
jobs=${2:-50000}

ODD_HOME=$(mktemp -d)
ODD_INSTANCE=bench
ODD_PORT_OFFSET=20000
export ODD_HOME ODD_INSTANCE ODD_PORT_OFFSET
unset ODD_GATEWAY_URL ODD_READ_MODEL_URL

tidy_up() {
    "$odd" down --volumes --yes || true
    rm -rf "$ODD_HOME"
}
trap tidy_up EXIT
trap 'exit 130' INT TERM

"$odd" up
echo "as fast as it goes, $jobs jobs:" >&2
"$odd" bench --jobs "$jobs" --max
echo "at 100 jobs a second, 1,000 jobs:" >&2
"$odd" bench --jobs 1000 --rate 100
"$odd" verify --settle 90s
