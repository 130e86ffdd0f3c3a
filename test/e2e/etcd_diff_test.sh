#!/bin/bash
# test/e2e/etcd_diff_test.sh: random requests to a head and to the etcd installed here: every answer and every event
# must be the same.  ETCDDIFF_SEEDS="7 8", ETCDDIFF_COUNT=5000 for other lives.
. "$(dirname "$0")/lib.sh"
ETCDDIFF=${BUILT:-$E2E_REPO/build/test}/etcddiff/etcddiff

if [ -z "$(command -v etcd)" ]; then
    check "no etcd here to compare with" true
    e2e_finish
fi
read -ra seeds <<<"${ETCDDIFF_SEEDS:-1 2}"

both() {            # SEED: fresh servers, asked the same
    local a=$((20000 + RANDOM % 10000)) dir=$TMP/seed-$1 url ours real rc
    url() { echo "http://127.0.0.1:$((a + $1))"; }
    mkdir -p "$dir"
    background "$CORACLE" head --etcd-only --data="$dir/ours" --id=1 --head="1=127.0.0.1:$a" --listen-peer="127.0.0.1:$a" \
        --listen-client-urls="$(url 1)" --auto-compaction-retention=0 >"$dir/ours.log" 2>&1
    ours=$BACKGROUND
    background etcd --data-dir "$dir/real" --listen-client-urls "$(url 2)" --advertise-client-urls "$(url 2)" \
        --listen-peer-urls "$(url 3)" --initial-advertise-peer-urls "$(url 3)" --initial-cluster "default=$(url 3)" >"$dir/real.log" 2>&1
    real=$BACKGROUND
    wait_for 10 etcdctl --endpoints="$(url 1)" endpoint health >/dev/null
    wait_for 20 etcdctl --endpoints="$(url 2)" endpoint health >/dev/null
    timeout 120 "$ETCDDIFF" "127.0.0.1:$((a + 1))" "127.0.0.1:$((a + 2))" "$1" "${ETCDDIFF_COUNT:-800}"
    rc=$?
    stop "$ours"
    stop "$real"
    return $rc
}
for seed in "${seeds[@]}"; do
    both "$seed" >"$TMP/out-$seed" 2>&1
    check_out "seed $seed" 'the same' pipe "tail -n 60 '$TMP/out-$seed'"
done
e2e_finish
