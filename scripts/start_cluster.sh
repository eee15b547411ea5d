#!/usr/bin/env bash
# Starts etcd (unless ETCD_ENDPOINTS names one), then one RootCoord, DataCoord and QueryCoord with active-standby on.
# With --pair also a second RootCoord, which stands by. Run again, it starts what is missing.
set -euo pipefail
. "$(dirname "$0")/common.sh"

pair=
case "${1:-}" in
    --pair) pair=yes ;;
    '') ;;
    *) echo "usage: $0 [--pair]" >&2; exit 2 ;;
esac

if [ ! -x bin/milvus ]; then make bin/milvus; fi

if [ -z "${ETCD_ENDPOINTS:-}" ]; then
    if [ ! -x bin/etcd ] && [ ! -f Makefile ]; then # a release carries no etcd
        echo "there is no bin/etcd here: put one there, or name a running one by ETCD_ENDPOINTS=host:port" >&2
        exit 1
    fi
    if [ ! -x bin/etcd ]; then make bin/etcd bin/etcdctl; fi
    if pid=$(etcd_pid); then
        echo "etcd runs already, process $pid"
    else
        mkdir -p "$etcd_dir"
        nohup ./bin/etcd --data-dir "$etcd_dir/data" --log-level warn \
            --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
            --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
            --initial-cluster default=http://127.0.0.1:2380 > /tmp/etcd.log 2>&1 &
        echo $! > "$etcd_dir/etcd.pid"
    fi
    export ETCD_ENDPOINTS=127.0.0.1:2379
fi

export ROOT_COORD_ENABLE_ACTIVE_STANDBY=true DATA_COORD_ENABLE_ACTIVE_STANDBY=true QUERY_COORD_ENABLE_ACTIVE_STANDBY=true

# field LOG NAME prints a port from the line that a coordinator writes when it listens.
field() { sed -n "s/.*\[listening\].*\[$2=\"*[^]]*]*:\([0-9]*\)\"*\].*/\1/p" "$1" | tail -n 1; }

# start PIDFILE ROLE LOG starts a role unless the process of that pid file runs.
start() {
    local pid
    if pid=$(pid_of "$1"); then
        echo "$1 runs already, process $pid"
        return
    fi
    : > "$3"
    nohup ./bin/milvus run "$2" > "$3" 2>&1 &
}

# await LOG PATTERN waits until a log has a line.
await() {
    local i
    for i in $(seq 1 600); do
        if grep -q "$2" "$1"; then return 0; fi
        sleep 0.1
    done
    echo "no line \"$2\" in $1 after a minute; it ends with:" >&2
    tail -n 20 "$1" >&2
    exit 1
}

row() { printf '%-12s %-8s %-6s %-6s %-8s %s\n' "$@"; }

for role in rootcoord datacoord querycoord; do start $role $role /tmp/$role.log; done
for role in rootcoord datacoord querycoord; do await /tmp/$role.log "takeover finished\|is in STANDBY"; done
if [ -n "$pair" ]; then
    ROOT_COORD_PORT=53001 start rootcoord-2 rootcoord /tmp/rootcoord2.log
    await /tmp/rootcoord2.log "takeover finished\|is in STANDBY"
fi

state() { if grep -q "takeover finished" "$1"; then echo Healthy; else echo StandBy; fi; }
echo
row ROLE PID GRPC HTTP STATE LOG
for role in rootcoord datacoord querycoord; do
    log=/tmp/$role.log
    row $role "$(pid_of $role)" "$(field $log grpc)" "$(field $log http)" "$(state $log)" $log
done
if pid=$(pid_of rootcoord-2) && [ -f /tmp/rootcoord2.log ]; then
    log=/tmp/rootcoord2.log
    row rootcoord "$pid" "$(field $log grpc)" "$(field $log http)" "$(state $log)" $log
    grep "is in STANDBY" $log | tail -n 1 || true
    echo
    echo "To see a takeover: kill -9 $(pid_of rootcoord), and read $log."
else
    echo
    echo "To start a standby: ROOT_COORD_PORT=53001 ROOT_COORD_ENABLE_ACTIVE_STANDBY=true ETCD_ENDPOINTS=$ETCD_ENDPOINTS \\"
    echo "    nohup ./bin/milvus run rootcoord > /tmp/rootcoord2.log 2>&1 &"
fi
