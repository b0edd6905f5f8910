#!/bin/bash
# Measures a binary with every role a process of its own on real servers in containers: RabbitMQ, PostgreSQL, MongoDB and
# Redis, started for this and removed afterwards. Prints what `odd bench` measures, where the processor time went, and
# how the memory of each role grew.
# usage: scripts/bench-servers.sh PATH-OF-ODD [JOBS]
# ODD_BENCH_MONGO_IMAGE names another MongoDB image (scripts/images.sh makes odd-offline/mongo-fast).
set -euo pipefail

odd=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${2:-120000}
concurrency=${ODD_BENCH_CONCURRENCY:-256}
roles="gateway processor metrics-engine read-model"
offset=${ODD_BENCH_PORT_OFFSET:-20000}
password=bench

home=$(mktemp -d)
label=odd.bench=$$
declare -A pid container

tidy_up() {
    for role in "${!pid[@]}"; do kill "${pid[$role]}" 2>/dev/null || true; done
    wait 2>/dev/null || true
    docker ps -aq --filter "label=$label" | xargs -r docker rm -f -v >/dev/null
    rm -rf "$home"
}
trap tidy_up EXIT
trap 'exit 130' INT TERM

# The image of a server: the official one of compose.yaml where the engine has it, else the offline one.
image() {
    local official
    official=$(sed -n "s/^    image: \($1:[^ ]*\)$/\1/p" compose/compose.yaml)
    if docker image inspect "$official" >/dev/null 2>&1; then echo "$official"; else echo "odd-offline/$1:latest"; fi
}

start() {
    local name=$1
    shift
    container[$name]=$(docker run -d --label "$label" "$@")
}

port() { docker port "${container[$1]}" "$2" | head -n 1 | sed 's/.*://'; }

role_port() {
    case $1 in gateway) echo $((3000 + offset)) ;; processor) echo $((3010 + offset)) ;;
    metrics-engine) echo $((3020 + offset)) ;; *) echo $((8080 + offset)) ;; esac
}

until_ready() {
    for _ in $(seq 600); do
        if curl -sf -o /dev/null "http://127.0.0.1:$(role_port "$1")/readyz"; then return; fi
        sleep 0.1
    done
    echo "the $1 is not ready:" >&2
    tail -n 20 "$home/$1.log" >&2
    exit 1
}

# Hundredths of a second of processor time that processes used, with those of their children that ended.
cpu_of() {
    for process in "$@"; do sed 's/.*) //' "/proc/$process/stat" 2>/dev/null || true; done |
        awk '{ s += $12 + $13 + $14 + $15 } END { print s + 0 }'
}
cpu_of_container() {
    # shellcheck disable=SC2046 # one argument a process
    cpu_of $(docker top "${container[$1]}" -eo pid | tail -n +2)
}
resident() { awk '/VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$1/status"; }

usage() {
    for name in "${!container[@]}"; do echo "$name $(cpu_of_container "$name")"; done
    for role in $roles; do echo "$role $(cpu_of "${pid[$role]}")"; done
}

start postgres -p 127.0.0.1::5432 -e POSTGRES_USER=odd -e POSTGRES_DB=odd -e POSTGRES_PASSWORD=$password "$(image postgres)"
start rabbitmq -p 127.0.0.1::5672 -p 127.0.0.1::15672 -e RABBITMQ_DEFAULT_USER=odd -e RABBITMQ_DEFAULT_PASS=$password "$(image rabbitmq)"
start redis -p 127.0.0.1::6379 "$(image redis)" redis-server --requirepass $password
start mongo -p 127.0.0.1::27017 -e MONGO_INITDB_ROOT_USERNAME=odd -e MONGO_INITDB_ROOT_PASSWORD=$password "${ODD_BENCH_MONGO_IMAGE:-$(image mongo)}"

ODD_AMQP_URL=amqp://odd:$password@127.0.0.1:$(port rabbitmq 5672)/%2f
ODD_AMQP_MANAGEMENT_URL=http://odd:$password@127.0.0.1:$(port rabbitmq 15672)
ODD_POSTGRES_URL=postgres://odd:$password@127.0.0.1:$(port postgres 5432)/odd
ODD_REDIS_URL=redis://:$password@127.0.0.1:$(port redis 6379)/0
ODD_MONGO_URL="mongodb://odd:$password@127.0.0.1:$(port mongo 27017)/odd?authSource=admin"
export ODD_AMQP_URL ODD_AMQP_MANAGEMENT_URL ODD_POSTGRES_URL ODD_REDIS_URL ODD_MONGO_URL
export ODD_HOME=$home ODD_LOG=${ODD_LOG:-warn}
ODD_READ_MODEL_URL=http://127.0.0.1:$(role_port read-model)
ODD_GATEWAY_URL=http://127.0.0.1:$(role_port gateway)
ODD_PROCESSOR_URL=http://127.0.0.1:$(role_port processor)
ODD_METRICS_ENGINE_URL=http://127.0.0.1:$(role_port metrics-engine)
export ODD_READ_MODEL_URL ODD_GATEWAY_URL ODD_PROCESSOR_URL ODD_METRICS_ENGINE_URL

for role in $roles; do
    "$odd" serve "$role" --port "$role=$(role_port "$role")" 2>"$home/$role.log" &
    pid[$role]=$!
done
for role in $roles; do until_ready "$role"; done

echo "as fast as it goes, $jobs jobs:" >&2
: >"$home/memory"
usage | sort >"$home/before"
(
    while sleep 5; do
        line=""
        for role in $roles; do line="$line $role $(resident "${pid[$role]}" 2>/dev/null)"; done
        echo "MB:$line" >>"$home/memory"
    done
) &
sampler=$!
"$odd" bench --jobs "$jobs" --max --concurrency "$concurrency"
kill $sampler
usage | sort >"$home/after"
echo "processor time, µs a job:" >&2
join "$home/before" "$home/after" | awk -v jobs="$jobs" '{ printf "  %-15s %6.0f\n", $1, ($3 - $2) * 1e4 / jobs }'
echo "memory of the roles, every 5 s:" >&2
cat "$home/memory"
if [ "${ODD_BENCH_RATE:-yes}" = yes ]; then
    echo "at 100 jobs a second, 1,000 jobs:" >&2
    "$odd" bench --jobs 1000 --rate 100
fi
if ! "$odd" verify --settle 120s; then
    tail -n 20 "$home"/*.log >&2
    exit 1
fi
