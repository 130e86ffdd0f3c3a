#!/bin/bash
# test/e2e/operate_test.sh: what an operator sees and sets: coracle status, quotas and alarms, compaction by itself.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 3 --nodes 0 --sample=false --head-flags "--quota-backend-bytes=400000"

# ---- Status --------------------------------------------------------------------------------------------------------------
status() { timeout --foreground 30 "$CORACLE" status "$@"; }
row() { status | awk -v row="$1" '$1 == row { $1 = ""; print }'; }
one_leads() { [ "$(row role | grep -o leader | wc -l)" = 1 ]; }
check "three heads, one of which leads" wait_for 10 one_leads
check_out "as a table" '^( [0-9]+){3}$' row term
check_out "... to its end" '^( [0-9]+m?[0-9]*s){3}$' row uptime
check_out "... watched without a terminal: lines" 'head-3 id=3 .* up=true role=' pipe "timeout 3 '$CORACLE' status -w --interval 200ms | head -n 6"
check_out "... watched as JSON: a document a line" '^\{"heads":\[\{"id":1' pipe "timeout 3 '$CORACLE' status -w -o json --interval 200ms | head -n 2"
pid=$(e2e_process head 2)
kill -STOP "$pid"
check_out "a head that hangs is shown as down, the others as ever" '^ (leader|follower) DOWN (leader|follower)$' row role
check_err "... and said so" 'head-2 does not answer at https://.*: no complete answer in time' pipe "'$CORACLE' status >&2"
kill -CONT "$pid"
check_err "nobody answers" 'no head answers' status --server https://127.0.0.1:1

# ---- Quota: a store that is full takes no more, and is not stuck -------------------------------------------------------------
export ETCDCTL_API=3 ETCDCTL_CACERT=$PKI/ca.crt ETCDCTL_CERT=$PKI/admin.crt ETCDCTL_KEY=$PKI/admin.key
ENDPOINTS=$(sed -n 's/.*for the certificates in .*: //p' "$TMP/up.out")
etcdctl() { timeout --foreground 20 etcdctl --endpoints "$ENDPOINTS" "$@"; }
blob() { head -c "$1" /dev/zero | tr '\0' x; }
fill() {            # until it is refused
    local i
    for ((i = 0; i < 30; i++)); do
        k create configmap "fill-$i" --from-literal=x="$(blob 20000)" || return
    done
}
check_err "objects are refused once the quota is used up" 'failed to create configmap: etcdserver: mvcc: database space exceeded' fill
check "... an alarm is raised" wait_for 5 matches NOSPACE etcdctl alarm list
check_out "... which etcdctl lists as an alarm" 'memberID:[0-9]+ alarm:NOSPACE' etcdctl alarm list
check_out "... status as well" 'NOSPACE\([123]\)' row alarms
check_out "... metrics, too" 'coracle_store_space_short 1' k get --raw /metrics
check_err "etcd's keys are refused alike" 'etcdserver: mvcc: database space exceeded' etcdctl put a b
check_out "reading goes on" 'fill-0' k get configmaps
shrink() { k patch configmap fill-5 --type=merge -p '{"data":{"x":"y"}}'; }
check "what does not grow is written" shrink
check "objects are deleted" k delete configmap fill-0 fill-1 fill-2 fill-3
check "the alarm goes by itself" wait_for 5 matches 'none none none' row alarms
check "... and there is room again" k create configmap again --from-literal=x=y
check "etcd's keys too" etcdctl put a b

# ---- Compaction by itself: what is deleted and old goes, from memory and from the disk ------------------------------------
port=$((30000 + RANDOM % 2000))
background "$CORACLE" head --etcd-only --data="$TMP/data/small" --id=1 --head="1=127.0.0.1:$((port + 1))" --listen-peer="127.0.0.1:$((port + 1))" \
    --listen-client-urls="http://127.0.0.1:$port" --auto-compaction-retention=1s --snapshot-bytes=4000000 >"$TMP/small.log" 2>&1
small=$BACKGROUND
e() { timeout --foreground 20 env -u ETCDCTL_CACERT -u ETCDCTL_CERT -u ETCDCTL_KEY etcdctl --endpoints "127.0.0.1:$port" "$@"; }
resident() { awk '/VmRSS/ { print $2 }' "/proc/$small/status"; }
files() { du -cB1 --apparent-size "$TMP"/data/small/snap-* | awk 'END { print $1 }'; }
check "a head that is an etcd alone" wait_for 5 e endpoint health
check "... takes 60 MB" timeout 60 "$CORACLE" bench etcd-put --server "http://127.0.0.1:$port" -c 64 -n 15000 --size 4000 --warmup 0ms --keep
check "... which are in memory" test "$(resident)" -gt 40000
stored() { [ "$(files)" -gt 10000000 ]; }      # how much also depends on which keys were drawn
check "... and on the disk" wait_for 10 stored
check_out "coracle status asks it, too" 'role +leader' status --endpoints "http://127.0.0.1:$port"
check "all is deleted" e del "" --from-key
gone() { e put a b >/dev/null && [ "$(resident)" -lt 20000 ] && [ "$(files)" -lt 1000000 ]; }
check "... and given back to the system" wait_for 15 gone
check_err "what was is forgotten" 'required revision has been compacted' e get a --rev 5
check_err "modes that are none" 'is periodic, revision or size' "$CORACLE" head --etcd-only --listen-client-urls=http://127.0.0.1:1 --head=1=127.0.0.1:1 --data="$TMP/none" --auto-compaction-mode=often
stop "$small"
e2e_finish
