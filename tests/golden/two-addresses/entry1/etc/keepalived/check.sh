#!/bin/bash
# Written by holdfast for entry1/keepalived of the service shop, tier entry-vip.
# Addresses, ports and paths are those of production: this file is safe to copy there.
# Change topology.yaml and render again rather than editing here.
# Ends with 0 only if the balancer's own loop answers; a process that merely exists may hang.
exec 3<>/dev/tcp/127.0.0.1/8405 || exit 1
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' /healthz >&3
read -r -t 0.8 answer <&3 || exit 1
[[ $answer == HTTP/*" 200"* ]]
