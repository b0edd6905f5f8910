#!/usr/bin/env bash
# Healthy: the server answers PING, if only to say that it wants a password. (While it loads its data it does not.)
exec 3<>/dev/tcp/127.0.0.1/6379 || exit 1
printf 'PING\r\n' >&3
IFS= read -r -t 3 answer <&3
[[ $answer == +PONG* || $answer == -NOAUTH* ]]
