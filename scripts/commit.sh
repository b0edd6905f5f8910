#!/usr/bin/env bash
# Prints the commit of this checkout, marked where it has changes: what is built then is not that commit's. «unknown» where this is no checkout.
# usage: scripts/commit.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then
    commit=$commit-changed
fi
printf '%s\n' "$commit"
