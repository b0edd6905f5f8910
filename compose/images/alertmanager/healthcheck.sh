#!/usr/bin/env bash
# Healthy: GET /-/ready answers 200.
exec 3<>/dev/tcp/127.0.0.1/9093 || exit 1
printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3
read -r -t 3 _ code _ <&3
[ "$code" = 200 ]
