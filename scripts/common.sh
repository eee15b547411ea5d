# Shared by the scripts of this folder; bash 3.2 and later, Linux and macOS.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

run_dir=${MILVUS_RUN_DIR:-}
etcd_dir=${MILVUS_ETCD_DIR:-/tmp/milvus-etcd}

# pid_of NAME prints the pid of the running process of that pid file, if there is one.
pid_of() {
    local dir pid
    for dir in ${run_dir:-/run/milvus /tmp/milvus}; do
        pid=$(cat "$dir/$1.pid" 2>/dev/null) || continue
        if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
            echo "$pid"
            return 0
        fi
    done
    return 1
}

etcd_pid() {
    local pid
    pid=$(cat "$etcd_dir/etcd.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid"
}
