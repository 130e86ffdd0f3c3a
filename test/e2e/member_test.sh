#!/bin/bash
# test/e2e/member_test.sh: the control plane changes while it works: one head becomes three, five and three again under a
# load of writes of which none fails; then every head is restarted in turn, and what fails may be tried again.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 1 --nodes 0 --sample=false

# ---- Heads of our own beside the first, which stays --------------------------------------------------------------------
base=$((20000 + RANDOM % 10000))            # below what the system gives out by itself
declare -A head_pid
files=(--peer-trusted-ca-file="$PKI/ca.crt" --peer-cert-file="$PKI/head.crt" --peer-key-file="$PKI/head.key"
       --peer-cert-allowed-organization=coracle:heads
       --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/head.crt" --tls-private-key-file="$PKI/head.key"
       --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-client-certificate="$PKI/head-to-node.crt"
       --kubelet-client-key="$PKI/head-to-node.key"
       --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key")
peer() { echo "127.0.0.1:$((base + $1))"; }
api() { [ "$1" = 1 ] && echo "$SERVER" || echo "https://127.0.0.1:$((base + 100 + $1))"; }
start_head() {      # N [FLAGS...]: its number and cluster are told once; its directory remembers
    local n=$1
    shift
    background "$CORACLE" head --data="$TMP/data/head-$n" --listen="127.0.0.1:$((base + 100 + n))" --listen-peer="$(peer "$n")" \
        "${files[@]}" "$@" >>"$TMP/data/head-$n.log" 2>&1
    head_pid[$n]=$BACKGROUND
}
member() { timeout --foreground 30 "$CORACLE" member "$@" --server "$SERVER"; }
caught_up() { member list | awk -v id="$1" '$1 == id && $4 == "yes" && $5 < 1000 { ok = 1 } END { exit !ok }'; }
count() { member list | awk -v role="$1" '$3 == role || ($3 == "leader" && role == "voter")' | wc -l; }
grow() {            # N: added, started, caught up, promoted
    check_out "head $1 is added" "coracle head --join --id=$1 --cluster=$E2E_NAME" member add "head-$1" --peer-url "https://$(peer "$1")"
    start_head "$1" --join --id="$1" --cluster="$E2E_NAME"
    check "... catches up" wait_for 10 caught_up "$1"
    check_out "... votes" "Head $1 votes now" wait_for 5 member promote "head-$1"
}
leader() { member list | awk '$3 == "leader" { print $1 }'; }
leads_not() { local l; l=$(leader 2>/dev/null); [ -n "$l" ] && [ "$l" != "$1" ]; }
ends_with() {       # STATUS PID NAME: our child ends, and so (check runs in a subshell, which has no children)
    local rc
    wait "$2"
    rc=$?
    check "$3" test $rc = "$1"
}
errors_of() { tr -d ' \n' <"$1" | grep -oE '"errors":\[[^]]*\]' | head -n 1; }
acknowledged() { tr -d ' \n' <"$1" | grep -oE '"acknowledged":[0-9]+' | cut -d: -f2; }

# ---- One, three, five, three, and nobody notices ------------------------------------------------------------------------
check_out "one head" "1 +head-1 +leader" wait_for 5 matches head-1 member list
background "$CORACLE" bench failover --server "$SERVER" --connections 4 --warmup 100ms --duration 4s --json "$TMP/grow.json" >"$TMP/bench1.out" 2>&1
bench=$BACKGROUND
grow 2
grow 3
check_is "three vote" 3 count voter
check_err "what never ran cannot vote" "does not answer" pipe "'$CORACLE' member add nobody --peer-url https://127.0.0.1:1 --server $SERVER >/dev/null && '$CORACLE' member promote nobody --server $SERVER"
check "... and goes again" member remove nobody
grow 5
grow 6
check_is "five vote" 5 count voter
check_out "another leads" "Head 6 leads now" member move-leader 6
check_out "the leader goes" "Head 6 is removed" member remove 6
ends_with 3 "${head_pid[6]}" "... ends by itself, with a status of its own"
check_out "... and says why" "was removed from the cluster" tail -n 3 "$TMP/data/head-6.log"
check_out "a follower goes" "Head 5 is removed" member remove head-5
ends_with 3 "${head_pid[5]}" "... ends, too"
check_is "three vote again" 3 count voter
start_head 5
ends_with 3 "${head_pid[5]}" "who was removed and comes back is told again"
ends_with 0 "$bench" "the load ends"
check_is "no write failed" '"errors":[]' errors_of "$TMP/grow.json"
check_out "none was lost" '"lost": *0[,} ]' cat "$TMP/grow.json"
check "there was a load" test "$(acknowledged "$TMP/grow.json")" -gt 100

# ---- Flags that contradict the directory ----------------------------------------------------------------------------------
check_err "another cluster's name is refused" 'belongs to the cluster' "$CORACLE" head --data="$TMP/data/head-2" --cluster=other "${files[@]}"
check_err "another number is refused" 'holds the data of head 2' "$CORACLE" head --data="$TMP/data/head-2" --id=3 "${files[@]}"
check_err "an empty directory needs to be told" 'name the heads of a new cluster' "$CORACLE" head --data="$TMP/data/empty" --listen-peer=127.0.0.1:0 "${files[@]}"

# ---- All are restarted, one after the other -------------------------------------------------------------------------------
background "$CORACLE" bench failover --server "$(api 1)" --server "$(api 2)" --server "$(api 3)" --connections 6 --warmup 100ms \
    --duration 5s --json "$TMP/roll.json" >"$TMP/bench2.out" 2>&1
bench=$BACKGROUND
serves() { curl -sf --max-time 2 --cacert "$PKI/ca.crt" "$(api "$1")/readyz" >/dev/null; }
restart() {         # N: by SIGTERM; the first head is started again by `coracle up`
    local pid=${head_pid[$1]:-$(e2e_process head 1)}
    kill -TERM "$pid"
    check "head $1 ends" wait_for 8 ended "$pid"
    [ "$1" = 1 ] || start_head "$1"
    check "... serves again" wait_for 10 serves "$1"
    check "... has caught up" wait_for 10 caught_up_any "$1"
}
caught_up_any() { timeout 10 "$CORACLE" member list --server "$(api 1)" --server "$(api 2)" --server "$(api 3)" | awk -v id="$1" '$1 == id && $4 == "yes" && $5 < 1000 { ok = 1 } END { exit !ok }'; }
for n in 2 3 1; do
    restart $n
done
ends_with 0 "$bench" "the load ends"
check_out "no acknowledged write is lost" '"lost": *0[,} ]' cat "$TMP/roll.json"
retryable() { ! errors_of "$1" | grep -oE '"status":-?[0-9]+' | grep -vE ':(0|429|503|504)$'; }
check "what failed may be tried again" retryable "$TMP/roll.json"
check "there was a load" test "$(acknowledged "$TMP/roll.json")" -gt 100

# ---- All are told to end at once: nobody is there to take over, and nobody waits for that ----------------------------------
pids=("$(e2e_process head 1)" "${head_pid[2]}" "${head_pid[3]}")
kill -TERM "${pids[@]}"
for n in 1 2 3; do
    check "all heads end at once: head $n within a second" wait_for 1 ended "${pids[n - 1]}"
done
start_head 2
start_head 3
for n in 1 2 3; do check "... head $n serves again" wait_for 10 serves $n; done

# ---- Asked to end, and once more --------------------------------------------------------------------------------------------
check "head 3 leads" wait_for 10 member move-leader 3
kill -STOP "${head_pid[2]}" "$(e2e_process head 1)"
kill -TERM "${head_pid[3]}"
check "a leader that ends hands over, and finds nobody" wait_for 5 pipe "tail -n 1 '$TMP/data/head-3.log' | grep -q 'stopping on signal'"
kill -TERM "${head_pid[3]}"
ends_with 0 "${head_pid[3]}" "... asked again, it ends at once"
kill -CONT "${head_pid[2]}" "$(e2e_process head 1)"
stop "${head_pid[2]}"
e2e_finish
