#!/bin/sh
# docker-networks.sh LOG ROOT
#
# An engine that is killed while it makes a network may leave one without addresses in its store of networks. Engines before 24.0 and 20.10.25
# then crash at every start (https://github.com/moby/moby/issues/45057). Where LOG, the log of such a start, tells of that crash, this moves the
# store below ROOT, the engine's data directory, aside: the engine makes a new one, with its own networks but none of those that people made.
# Exits with 1, and touches nothing, where LOG tells of anything else.
set -eu

log=$1
store=$2/network/files/local-kv.db

grep -q 'libnetwork.*reservePools' "$log" && grep -q '^panic: ' "$log" && [ -f "$store" ] || exit 1

aside=$store.broken-$(date -u +%Y%m%dT%H%M%SZ)
mv "$store" "$aside"
printf '%s\n' "The Docker engine crashes over a network it was making when it was killed (https://github.com/moby/moby/issues/45057)." \
    "Its store of networks was moved to $aside. Networks made by hand have to be made again." >&2
