#!/usr/bin/env bash
# Installs the server into /opt/secantus: from wheels/ in the build context where that is there, else from the package index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

options=(--disable-pip-version-check --no-cache-dir --root-user-action=ignore --only-binary=:all:)
if [ -d wheels ]; then
    options+=(--no-index --find-links wheels)
elif [ -f ca-certificates.crt ]; then
    options+=(--cert ca-certificates.crt)
fi

python3 -m venv --without-pip /opt/secantus
pip=(/usr/share/python-wheels/pip-*.whl)
python3 "${pip[0]}/pip" --python /opt/secantus/bin/python install "${options[@]}" --requirement requirements.txt
