#!/bin/bash
# test/e2e/cleanup_test.sh: whatever way a cluster ends, nothing of it is left on the machine: no process, mount, network
# namespace, bridge, interface or cgroup.
. "$(dirname "$0")/lib.sh"
DATA=$TMP/data

# What is there of this cluster, by its name and directory: one line for each thing.
traces() {
    local pid f
    for f in /proc/[0-9]*/environ; do
        pid=${f#/proc/} pid=${pid%/environ}
        grep -qzxF "CORACLE_CLUSTER=$E2E_NAME" "$f" 2>/dev/null && echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-150)"
    done
    grep -E " ($DATA|/run/coracle/$E2E_NAME)/" /proc/self/mountinfo | sed 's/^/mount /'
    ip netns list 2>/dev/null | grep -F "coracle-$E2E_NAME-" | sed 's/^/netns /'
    ip -o link | grep -E "(cor|cv[0-9]+)-$E2E_NAME[:@]" | sed 's/^/link /'
    find /sys/fs/cgroup -maxdepth 3 -type d -name "coracle-$E2E_NAME" | sed 's/^/cgroup /'
    ls -d "/run/coracle/$E2E_NAME" 2>/dev/null | sed 's/^/directory /'
}
# Processes in its cgroups carry no mark of ours: containers.
containers() { find /sys/fs/cgroup -path "*/coracle-$E2E_NAME/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u; }
up() { "$CORACLE" up --name "$E2E_NAME" --data "$DATA" --heads 1 --nodes 2 "$@"; }
is_ready() { grep -q 'The cluster is ready' "$TMP/run.out"; }
all_ended() { local p; for p in $1; do [ -d "/proc/$p" ] && [ "$(cut -d' ' -f3 "/proc/$p/stat")" != Z ] && return 1; done; return 0; }
start() {
    rm -rf "$DATA"
    : >"$TMP/run.out"                    # is_ready must not see the last one's
    set -m                              # a process group of its own, with SIGINT as a terminal would give it
    "$CORACLE" up --name "$E2E_NAME" --data "$DATA" --heads 1 --nodes 2 >"$TMP/run.out" 2>&1 &
    UP=$!
    set +m
    E2E_PIDS+=("$UP")
    check "$1: the cluster is ready" wait_for 60 is_ready
    INSIDE=$(containers)
    check "$1: containers run" test "$(wc -w <<<"$INSIDE")" -ge 6
}
E2E_CLUSTERS+=("$E2E_NAME $DATA")

check_is "nothing is there at first" '' traces
start "Ctrl-C"
check_out "two of a name are refused" 'runs already' pipe "'$CORACLE' up --name '$E2E_NAME' --data '$DATA' 2>&1; [ \$? = 1 ]"
kill -INT -- -"$UP"
check "Ctrl-C ends it" wait_for 20 ended "$UP"
wait "$UP"
check_is "... with status 0" 0 echo $?
check_is "... nothing is left" '' traces
check "... no container runs on" all_ended "$INSIDE"

start "kill -9 of up"
kill -KILL "$UP"
wait "$UP" 2>/dev/null
check "kill -9 leaves something" test -n "$(traces)"
check_out "up --clean says what it removes" 'removed [0-9]+ processes, [1-9][0-9]* cgroups' up --clean
check_is "... nothing is left" '' traces
check "... no container runs on" all_ended "$INSIDE"

start "kill -9 of up, then up again"
kill -KILL "$UP"
wait "$UP" 2>/dev/null
check_out "the next up clears it and keeps the state" 'The cluster is ready' up --detach
export KUBECONFIG=$DATA/admin.kubeconfig
check "... all pods are ready in it" kubectl wait pods -l app=sample --for=condition=Ready --timeout=30s
check "... no container of before runs on" all_ended "$INSIDE"
INSIDE=$(containers)
check_out "down" 'is down' e2e_down
check_is "... nothing is left" '' traces
check "... no container runs on" all_ended "$INSIDE"
check_out "down again" 'no cluster named' e2e_down
check "the state is kept" test -s "$DATA/cluster.json"
e2e_finish
