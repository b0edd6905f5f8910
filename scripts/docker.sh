#!/bin/sh
# Makes sure that a Docker engine answers. One that does is used as it is. Else: on a machine with systemd its service is started; elsewhere on
# Debian and Ubuntu, as root, the engine is installed where it is missing and started, in a session of its own, with its log in
# ~/.local/state/odd. In every other case this says what to do, and exits with 3.
set -eu

patience=60
scripts=$(cd "$(dirname "$0")" && pwd)
state=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/odd

complain() {
    printf '%s\n' "$@" >&2
    exit 3
}

answers() {
    if command -v timeout >/dev/null 2>&1; then
        timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
    else
        docker version --format '{{.Server.Version}}' >/dev/null 2>&1
    fi
}

apt_get_install() {
    # Package lists are fetched only where those at hand do not suffice.
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 </dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null </dev/null
    fi
}

install_engine() {
    command -v apt-get >/dev/null 2>&1 || complain "There is no Docker engine. Install Docker, start it, and run this again." \
        "(On Debian and Ubuntu as root this script does it.)"
    [ "$(id -u)" -eq 0 ] || complain "There is no Docker engine. Run:" \
        "    sudo apt-get update && sudo apt-get install -y docker.io && sudo usermod -aG docker $(id -un)" \
        "then log in anew, so that the group counts, and run this again."
    echo "installing a Docker engine (docker.io)" >&2
    apt_get_install docker.io iptables ca-certificates
    # Newer releases have the client in a package of its own.
    command -v docker >/dev/null 2>&1 || apt_get_install docker-cli
}

start_service() {
    [ "$(id -u)" -eq 0 ] || complain "The Docker engine is not running. Run:" "    sudo systemctl start docker"
    systemctl start docker || complain "The Docker engine did not start: journalctl -u docker shows why."
    wait_for_answer "" || complain "The Docker engine did not start."
}

# Without a service manager. A process file of an engine that is gone (after a crash, or in a copy of a machine) would keep it from starting.
start_daemon() {
    mkdir -p "$state"
    if [ -f /var/run/docker.pid ] && ! grep -qs '^dockerd$' "/proc/$(cat /var/run/docker.pid)/comm"; then
        rm -f /var/run/docker.pid
    fi
    if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
        apt_get_install cgroupfs-mount
        cgroupfs-mount
    fi
    launch_daemon && return
    "$scripts/docker-networks.sh" "$state/dockerd.log" "$(data_root)" && launch_daemon && return
    # The reason stands before the trace of a crash, the end of which alone says nothing.
    grep -m 1 -A 4 '^panic: ' "$state/dockerd.log" >&2 || tail -n 20 "$state/dockerd.log" >&2
    complain "The Docker engine did not start. Its log: $state/dockerd.log"
}

launch_daemon() {
    echo "starting the Docker engine (log: $state/dockerd.log)" >&2
    (cd / && exec setsid dockerd) >"$state/dockerd.log" 2>&1 </dev/null &
    wait_for_answer $!
}

data_root() {
    configured=$(sed -n 's/.*"data-root"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null || true)
    printf '%s\n' "${configured:-/var/lib/docker}"
}

# wait_for_answer PROCESS: whether the engine answers in time. PROCESS, where it is not empty, has to live on.
wait_for_answer() {
    waited=0
    until answers; do
        if [ "$waited" -ge $((patience * 4)) ] || { [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null; }; then
            return 1
        fi
        sleep 0.25
        waited=$((waited + 1))
    done
}

if command -v docker >/dev/null 2>&1; then
    if answers; then
        exit 0
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        complain "DOCKER_HOST is $DOCKER_HOST, where no Docker engine answers. Start that one, or unset the variable."
    fi
    if docker version 2>&1 | grep -qi 'permission denied'; then
        complain "The Docker engine does not talk to this user. Run:" "    sudo usermod -aG docker $(id -un)" \
            "then log in anew, so that the group counts, and run this again."
    fi
fi

if [ "$(uname -s)" != Linux ]; then
    complain "No Docker engine answers. Install Docker Desktop (or any other engine with the docker command), start it, and run this again."
fi
if ! command -v dockerd >/dev/null 2>&1; then
    install_engine
    # Where there is a service manager the package may have started it.
    if answers; then
        exit 0
    fi
fi
if [ -d /run/systemd/system ]; then
    start_service
elif [ "$(id -u)" -eq 0 ]; then
    start_daemon
else
    complain "The Docker engine is not running. Start it as root (dockerd, or your system's service), and run this again."
fi
