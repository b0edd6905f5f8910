#!/usr/bin/env bash
# Healthy: the broker and its management interface listen, which they do at the very end of the start. Nothing is sent, because
# a connection that ends without a byte leaves no line in the log. (The broker's own diagnostics start an Erlang machine: a second
# of processor time a call.)
exec 3<>/dev/tcp/127.0.0.1/5672 4<>/dev/tcp/127.0.0.1/15672
