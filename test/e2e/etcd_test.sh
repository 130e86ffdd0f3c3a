#!/bin/bash
# test/e2e/etcd_test.sh: etcdctl against the heads: beside the Kubernetes API (with certificates; /registry is only
# read), and store-only, where it prints to the letter what it prints against etcd (test/e2e/etcd/calls.txt; and a real
# etcd beside them, if one is installed).
. "$(dirname "$0")/lib.sh"
export ETCDCTL_API=3
CALLS=$E2E_REPO/test/e2e/etcd/calls.sh

# Where a head serves etcd's API, by its log.
etcd_at() { sed -n "s|.*etcd's API is at https*://||p" "$1" | tail -n 1; }

# ---- Beside the Kubernetes API ------------------------------------------------------------------------------
e2e_up --heads 3 --nodes 0 --sample=false --head-flags "--listen-client-urls=https://127.0.0.1:0"
for n in 1 2 3; do EP+=${EP:+,}$(etcd_at "$TMP/data/head-$n.log"); done
first=${EP%%,*}
admin=(--cacert="$PKI/ca.crt" --cert="$PKI/admin.crt" --key="$PKI/admin.key")
e() { timeout 10 etcdctl --endpoints="$first" "${admin[@]}" "$@"; }

check_is "a user's key" OK e put mine value
check_is "is read back" $'mine\nvalue' e get mine
check "an object of the API" k create configmap seen --from-literal=a=b
check_out "is readable under /registry" '"a":"b"' e get /registry/configmaps/default/seen --print-value-only
check_out "as part of a range" /registry/configmaps/default/seen e get /registry/configmaps --prefix --keys-only
check_err "but not written" "cluster's own" e put /registry/configmaps/default/seen x
check_err "nor deleted" "cluster's own" e del /registry --prefix
check_is "ranges elsewhere don't show it" mine e get "" --from-key --keys-only
check_err "without a certificate nobody gets in" . timeout 4 etcdctl --command-timeout=2s --endpoints="$first" \
    --cacert="$PKI/ca.crt" get mine
check_out "health over HTTP" '"health":"true"' curl -sS --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" \
    --key "$PKI/admin.key" "https://$first/health"
check_out "metrics" 'etcd_server_has_leader 1' curl -sS --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" \
    --key "$PKI/admin.key" "https://$first/metrics"

# ---- Store-only: the same heads with new directories ----------------------------------------------------------
for n in 1 2 3; do
    tr '\0' '\n' <"/proc/$(e2e_process head $n)/cmdline" | grep -E '^head$|^--(id|cluster|head|listen-peer|peer-)' >"$TMP/args-$n"
done
check "the cluster that made keys ends" e2e_down
EP=
for n in 1 2 3; do
    mapfile -t args <"$TMP/args-$n"
    background "$CORACLE" "${args[@]}" --data="$TMP/only-$n" --etcd-only --listen-client-urls=http://127.0.0.1:0 \
        >"$TMP/only-$n.log" 2>&1
done
all_serve() { for n in 1 2 3; do [ -n "$(etcd_at "$TMP/only-$n.log")" ] || return 1; done; grep -q 'leads the cluster' "$TMP"/only-?.log; }
wait_for 10 all_serve
for n in 1 2 3; do ONE[n]=$(etcd_at "$TMP/only-$n.log") EP+=${EP:+,}${ONE[n]}; done
e() { timeout "${T:-10}" etcdctl --endpoints="${ONE[1]}" "$@"; }
all() { timeout 10 etcdctl --endpoints="$EP" "$@"; }

etcd_real() {       # a fresh etcd on ports that are free now; its client endpoint
    local a=$((20000 + RANDOM % 10000)) b
    b=$((a + 1))
    background etcd --data-dir "$TMP/etcd" --listen-client-urls "http://127.0.0.1:$a" \
        --advertise-client-urls "http://127.0.0.1:$a" --listen-peer-urls "http://127.0.0.1:$b" \
        --initial-advertise-peer-urls "http://127.0.0.1:$b" --initial-cluster "default=http://127.0.0.1:$b" >"$TMP/etcd.log" 2>&1
    REAL=127.0.0.1:$a
    wait_for 10 etcdctl --endpoints="$REAL" endpoint health >/dev/null
}
calls() { mkdir -p "$TMP/$1" && (cd "$TMP/$1" && "$CALLS" "$2" >out 2>&1); }

calls ours "${ONE[2]}" &
ours=$!
[ -z "$(command -v etcd)" ] || { etcd_real; calls real "$REAL"; }
wait $ours
check "etcdctl prints what it prints against etcd" diff "$E2E_REPO/test/e2e/etcd/calls.txt" "$TMP/ours/out"
[ -z "$REAL" ] || check "and so it does against the etcd installed here" diff "$TMP/real/out" "$TMP/ours/out"

check_is "/registry is the user's" OK e put /registry/pods/x y
check_out "members" '3, started, .*http' e member list
check_out "status" 'true, false.*' all endpoint status
check_out "health" 'is healthy.*is healthy.*is healthy' all endpoint health
same_hash() { [ "$(all endpoint hashkv | cut -d, -f2 | sort -u | wc -l)" = 1 ]; }
check "all have the same state" same_hash
check_out "a snapshot" 'Snapshot saved' e snapshot save "$TMP/saved.db"
check_out "that coracle understands" 'HASH.*REVISION' "$CORACLE" snapshot status "$TMP/saved.db"
lead() { all endpoint status | grep ', true,' | head -n 1; }
was=$(lead)
to=$(all endpoint status | grep -v ', true,' | head -n 1 | cut -d, -f2)
check_out "leadership moves" 'transferred' all move-leader $to
check_err "not to a stranger" 'bad leader transferee' timeout 10 etcdctl --endpoints="$(lead | cut -d, -f1)" move-leader 77
check_out "a member is added" 'added to cluster' e member add new --peer-urls=http://127.0.0.1:1
new=$(e member list | grep unstarted | cut -d, -f1)
check_err "not promoted while it is behind" 'in sync with leader' e member promote "$new"
check_out "and removed" 'removed from cluster' e member remove "$new"
check_err "only once" 'member not found' e member remove "$new"
check_err "no authentication to enable" 'authentication is not enabled' e auth enable
check_err "a request that is too large" 'too large|larger than max' pipe "head -c 3000000 /dev/zero | tr '\\0' x |
    timeout 10 etcdctl --endpoints=${ONE[1]} put big"

e2e_finish
