#!/usr/bin/env bash
# Stops what start_cluster.sh started, each process by its pid file, and waits for it.
set -uo pipefail
. "$(dirname "$0")/common.sh"

seconds=${1:-60}
for role in querycoord datacoord rootcoord; do
    ./bin/milvus stop $role --all --timeout "${seconds}s" 2>&1 | grep -v "^milvus: no $role runs here" || true
done
if pid=$(etcd_pid); then
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    echo "stopped etcd, process $pid"
fi
rm -f "$etcd_dir/etcd.pid"
