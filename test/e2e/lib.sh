#!/bin/bash
# test/e2e/lib.sh: what the end-to-end tests share: a cluster of one's own, checks, waiting, and a clean end.
#
# A test file sources this, calls e2e_up, makes its checks and ends with e2e_finish, which prints "N passed, N failed".
# Names, ports, directories and networks are the test's own, so files may run side by side and beside other clusters.
# The environment may name another program (CORACLE) or kubectl (KUBECTL); E2E_KEEP=1 keeps the directory.

E2E_REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
E2E_FILE=$(basename "$0" .sh)
CORACLE=${CORACLE:-$E2E_REPO/coracle}
KUBECTL=${KUBECTL:-$(command -v kubectl)}
E2E_NAME=t$BASHPID
E2E_PASSED=0 E2E_FAILED=0 E2E_CLUSTERS=() E2E_PIDS=()
TMP=$(mktemp -d "${TMPDIR:-/tmp}/coracle-e2e-XXXXXX")

# kubectl's caches stay in our directory; so does a kubeconfig of the user who runs the tests.
export HOME=$TMP KUBECONFIG=$TMP/none
unset KUBE_EDITOR EDITOR CDPATH

# Nothing may hang: a kubectl that takes a minute has failed.
kubectl() { timeout --foreground 60 "$KUBECTL" "$@"; }
k() { kubectl "$@"; }

# ---- A cluster -------------------------------------------------------------------------------------------

# e2e_up FLAGS...: a cluster in $TMP/data; its kubeconfig becomes ours.
e2e_up() {
    E2E_CLUSTERS+=("$E2E_NAME $TMP/data")
    if ! "$CORACLE" up --detach --name "$E2E_NAME" --data "$TMP/data" "$@" >"$TMP/up.out" 2>&1; then
        cat "$TMP/up.out"
        e2e_record 1 "the cluster starts" ""
        e2e_finish
    fi
    export KUBECONFIG=$TMP/data/admin.kubeconfig
    SERVER=$(kubectl config view -o jsonpath='{.clusters[0].cluster.server}')
    PKI=$TMP/data/pki
}

e2e_down() {
    "$CORACLE" down --name "$E2E_NAME" --data "$TMP/data"
}

# e2e_curl METHOD PATH [curl options]: one request as the administrator; prints the body, then the status on a line.
e2e_curl() {
    local method=$1 path=$2
    shift 2
    curl -sS --max-time 30 --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" -X "$method" \
         -w '\n%{http_code}' "$@" "$SERVER$path"
}

# e2e_process head|node N: the pid of that child of this test's cluster.
e2e_process() {
    local pid want=("$1" "--id=$2")

    [ "$1" = node ] && want[1]="--hostname-override=node-$2"
    for pid in $(pgrep -f "coracle $1 ${want[1]} .*$TMP/data/"); do
        [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$CORACLE")" ] && echo "$pid"
    done
}

# The number of the head that leads, asked of the heads' logs (each says when it begins and when it ends).
e2e_leader() {
    local log last best= best_time=

    for log in "$TMP"/data/head-*.log; do
        last=$(grep -aE 'leads the cluster now|follows now' "$log" | tail -n 1)
        [[ $last == *'leads the cluster now'* && ${last%% *} > $best_time ]] || continue
        best=${log##*/head-} best_time=${last%% *}
    done
    echo "${best%.log}"
}

# ---- Checks ------------------------------------------------------------------------------------------------

e2e_record() {      # STATUS NAME OUTPUT
    if [ "$1" = 0 ]; then
        E2E_PASSED=$((E2E_PASSED + 1))
        [ -z "$E2E_VERBOSE" ] || printf 'ok    %s\n' "$2"
    else
        E2E_FAILED=$((E2E_FAILED + 1))
        printf 'FAIL  %s\n' "$2"
        [ -z "$3" ] || sed 's/^/      /' <<<"$3" | head -n 40
        [ $E2E_FAILED != 1 ] || timeout 10 "$KUBECTL" get nodes,pods,replicasets,deployments,leases,events -A -o yaml >"$TMP/objects.out" 2>&1
    fi
    return "$1"
}

# check NAME COMMAND...: the command succeeds.
check() {
    local name=$1 out rc
    shift
    out=$("$@" 2>&1)
    rc=$?
    e2e_record "$((rc != 0))" "$name" "\$ $*
$out
(status $rc)"
}

# check_out NAME REGEX COMMAND...: it succeeds and what it prints (both streams) matches the extended regex.
check_out() {
    local name=$1 regex=$2 out rc
    shift 2
    out=$("$@" 2>&1)
    rc=$?
    [ $rc = 0 ] && [[ $out =~ $regex ]]
    e2e_record $? "$name" "\$ $*
$out
(status $rc; wanted 0 and: $regex)"
}

# check_err NAME REGEX COMMAND...: it fails, and what it prints matches.
check_err() {
    local name=$1 regex=$2 out rc
    shift 2
    out=$("$@" 2>&1)
    rc=$?
    [ $rc != 0 ] && [[ $out =~ $regex ]]
    e2e_record $? "$name" "\$ $*
$out
(status $rc; wanted failure and: $regex)"
}

# check_is NAME WANTED COMMAND...: it prints exactly this on its standard output.
check_is() {
    local name=$1 wanted=$2 out rc
    shift 2
    out=$("$@" 2>"$TMP/stderr")
    rc=$?
    [ $rc = 0 ] && [ "$out" = "$wanted" ]
    e2e_record $? "$name" "\$ $*
$out
$(<"$TMP/stderr")
(status $rc; wanted: $wanted)"
}

# wait_for SECONDS COMMAND...: until it succeeds; its last output is printed either way.
wait_for() {
    local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000)) out rc
    shift
    while :; do
        out=$("$@" 2>&1)
        rc=$?
        [ $rc = 0 ] && break
        [ "${EPOCHREALTIME/./}" -lt $deadline ] || break
        read -rt 0.03 <> <(:)
    done
    [ -z "$out" ] || printf '%s\n' "$out"
    return $rc
}

# matches REGEX COMMAND...: for wait_for: what the command prints matches.
matches() {
    local regex=$1 out
    shift
    out=$("$@" 2>&1)
    printf '%s\n' "$out"
    [[ $out =~ $regex ]]
}

fails() { ! "$@"; }
ended() { ! kill -0 "$1" 2>/dev/null; }
pipe() { bash -c "$1"; }            # a pipeline as one command, functions excepted

# background COMMAND...: started with its pid in $BACKGROUND; ended with the test at the latest.
background() {
    "$@" &
    BACKGROUND=$!
    E2E_PIDS+=("$BACKGROUND")
}

stop() {                            # a process that we started
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# ---- The end -----------------------------------------------------------------------------------------------

e2e_cleanup() {
    local pid cluster

    trap - EXIT
    for pid in "${E2E_PIDS[@]}"; do
        stop "$pid"
    done
    for cluster in "${E2E_CLUSTERS[@]}"; do
        set -- $cluster
        "$CORACLE" down --name "$1" --data "$2" >/dev/null 2>&1 || "$CORACLE" up --clean --name "$1" --data "$2" >/dev/null
    done
    if [ $E2E_FAILED != 0 ]; then   # what the cluster said stays for whoever looks for the reason
        mkdir -p "$E2E_REPO/build/e2e/$E2E_FILE"
        cp "$TMP"/data/*.log "$TMP"/*.out "$E2E_REPO/build/e2e/$E2E_FILE" 2>/dev/null
        echo "logs: build/e2e/$E2E_FILE"
    fi
    [ -n "$E2E_KEEP" ] || rm -rf "$TMP"
}

e2e_finish() {
    e2e_cleanup
    echo "$E2E_PASSED passed, $E2E_FAILED failed"
    exit $((E2E_FAILED != 0))
}

e2e_interrupted() {
    e2e_record 1 "interrupted or out of time" ""
    e2e_finish
}
trap e2e_interrupted INT TERM
trap e2e_finish EXIT
