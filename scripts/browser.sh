#!/bin/sh
# Makes sure that there is a browser for the tests of the page: Chromium or Chrome, and a chromedriver of the same version. What is there
# is used as it is. Else: on Debian, as root, Chromium is installed. In every other case this says what to do, and exits with 3.
set -eu

complain() {
    printf '%s\n' "$@" >&2
    exit 3
}

apt_get_install() {
    # Package lists are fetched only where those at hand do not suffice.
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 </dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null </dev/null
    fi
}

# version PROGRAM: the first part of its version; nothing where it is none that tests can use.
version() {
    # A snap sees neither the folders nor the processes of a test.
    case $(readlink -f "$1" 2>/dev/null || printf '%s' "$1") in
    */bin/snap | /snap/*) return ;;
    esac
    { "$1" --version 2>/dev/null || true; } | sed -n 's/^[^0-9]*\([0-9][0-9]*\)\..*/\1/p' | head -n 1
}

# The same places as in testkit/src/browser/programs.rs.
drivers() {
    command -v chromedriver || true
    for folder in ${CHROMEWEBDRIVER:+"$CHROMEWEBDRIVER"} /usr/lib/chromium /usr/lib/chromium-browser; do
        [ ! -x "$folder/chromedriver" ] || printf '%s\n' "$folder/chromedriver"
    done
}

browsers() {
    for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
        command -v "$name" || true
    done
    mac='/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
    [ ! -x "$mac" ] || printf '%s\n' "$mac"
}

# versions PROGRAMS: the version of each line.
versions() {
    printf '%s\n' "$1" | while IFS= read -r program; do
        [ -z "$program" ] || version "$program"
    done
}

there() {
    of_drivers=$(versions "$(drivers)")
    [ -n "$of_drivers" ] && versions "$(browsers)" | grep -qxF "$of_drivers"
}

if there; then
    exit 0
fi

for_tests='The tests of the page need Chromium or Chrome, and a chromedriver of the same version.'
by_hand='https://googlechromelabs.github.io/chrome-for-testing/ has both; put them on the PATH, and run this again.'
if [ "$(uname -s)" = Darwin ]; then
    complain "$for_tests Run:" "    brew install --cask google-chrome chromedriver"
elif ! command -v apt-get >/dev/null 2>&1; then
    complain "$for_tests Install them with your system's package manager." "(On Debian as root this script does it.)" "$by_hand"
elif grep -qs '^ID=ubuntu$' /etc/os-release; then
    complain "$for_tests" "Chromium is a snap on Ubuntu, which tests cannot use." "$by_hand"
elif [ "$(id -u)" -ne 0 ]; then
    complain "$for_tests Run:" \
        "    sudo apt-get update && sudo apt-get install -y chromium chromium-driver fonts-dejavu-core"
fi
echo "installing a browser for tests (chromium, chromium-driver)" >&2
apt_get_install chromium chromium-driver fonts-dejavu-core
there || complain "$for_tests What was installed is not that: $(versions "$(browsers)" | tr '\n' ' ')and $(versions "$(drivers)" | tr '\n' ' ')"
