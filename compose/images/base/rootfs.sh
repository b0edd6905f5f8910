#!/usr/bin/env bash
# Writes the root file system of the base image, Debian trixie, as a tar archive.
# usage: rootfs.sh OUTPUT.tar        (needs mmdebstrap; a user without root needs user namespaces)
#
# Packages come from where this machine's own apt gets them: its mirrors and certificates. On a machine that is not Debian, from
# the default mirrors of mmdebstrap. A proxy is taken from http_proxy, and stays out of the image.
set -euo pipefail

output=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
release=trixie
certificates=/etc/ssl/certs/ca-certificates.crt

# The host's own entries for `main` and its security updates, moved to our release.
sources() {
    local codename
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && [ "$ID" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || return 0
    # shellcheck disable=SC2016
    apt-get indextargets 'Created-By: Packages' --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' |
        awk -v from="$codename" -v to="$release" '
            $3 == "main" && ($2 == from || $2 == from "-security") {
                sub(from, to, $2)
                line = "deb " $1 " " $2 " main"
                if (!seen[line]++) print line
            }'
}

# What the host's apt needs to reach its mirrors, such as tolerance of frozen snapshots.
acquire_settings() {
    apt-config dump | grep -E '^Acquire::(Check-|Max-|https?::)' | grep -Ev 'Proxy| "";$' || true
}

main() {
    local list setting options=() mirrors=()
    list=$(sources)
    # A lone dash reads the entries from standard input.
    [ -z "$list" ] || mirrors=(-)
    while IFS= read -r setting; do
        [ -z "$setting" ] || options+=("--aptopt=$setting")
    done < <(acquire_settings)
    if [[ $list == *"deb https:"* && -f $certificates ]]; then
        options+=("--customize-hook=mkdir -p \"\$1${certificates%/*}\"" "--customize-hook=upload $certificates $certificates")
    fi

    # The settings hold from the first package on, so that nothing they leave out is ever written. The package lists stay (apt.conf).
    # shellcheck disable=SC2016
    mmdebstrap --quiet --variant=apt --include=passwd --skip=cleanup/apt/lists \
        --aptopt="$here/apt.conf" --dpkgopt="$here/dpkg.cfg" "${options[@]}" \
        --customize-hook="upload $here/policy-rc.d /usr/sbin/policy-rc.d" \
        --customize-hook='chmod 755 "$1/usr/sbin/policy-rc.d"' \
        --customize-hook='rm -f "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/log/*.log "$1"/var/log/apt/*' \
        "$release" "$output" "${mirrors[@]}" <<<"$list"
}

main
