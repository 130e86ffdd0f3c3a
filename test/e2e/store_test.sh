#!/bin/bash
# test/e2e/store_test.sh: damaged data directories repair themselves from the other heads, or say what to do; what
# `coracle check` finds; the state saved under load and restored as a new cluster.
. "$(dirname "$0")/lib.sh"

# Keys, certificates and the heads' own command lines come from a cluster that is ended at once; from then on the heads
# are ours, to be stopped and started one by one.
e2e_up --heads 3 --nodes 0 --sample=false --head-flags "--snapshot-bytes=60000"
for n in 1 2 3; do
    tr '\0' '\n' <"/proc/$(e2e_process head $n)/cmdline" | grep -vE '^--(advertise-address|ready-fd)=' |
        sed -E 's/^(--listen=[^,]*),.*/\1/' >"$TMP/head-$n.args"
    PORT[n]=$(sed -n 's/^--listen=.*://p' "$TMP/head-$n.args")
    PEERS+=${PEERS:+,}$(sed -n "s/^--head=$n=/$n=/p" "$TMP/head-$n.args")
done
check "the cluster that made keys and directories ends" e2e_down

head_start() {      # N [DATA]
    local args
    mapfile -t args <"$TMP/head-$1.args"
    [ -z "$2" ] || args=("${args[@]/#--data=*/--data=$2}")
    background "$CORACLE" "${args[@]:1}" >>"$TMP/data/head-$1.log" 2>&1
    HEAD[$1]=$BACKGROUND
}
head_stop() { kill -KILL "${HEAD[$1]}" 2>/dev/null; wait "${HEAD[$1]}" 2>/dev/null; }
at() { local n=$1; shift; timeout 10 "$KUBECTL" --server="https://127.0.0.1:${PORT[n]}" --request-timeout=5s "$@"; }
objects() { at "$1" get configmaps -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}' | grep -v '^kube-root-ca' | sort; }
all_there() { local is; is=$(objects "$1") && [ "$is" = "$wanted" ] || { diff <(echo "$wanted") <(echo "$is") | head -5; return 1; }; }
serves() { at "$1" get namespace default >/dev/null; }
some() {            # NAME COUNT: so many objects of 3 kB
    local i blob
    blob=$(head -c 2200 /dev/urandom | base64 -w0)
    for ((i = 0; i < $2; i++)); do
        printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s-%d}\ndata: {x: "%s"}\n' "$1" $i "$blob"
    done
}
dir() { echo "$TMP/data/head-$1"; }
flip() {            # FILE OFFSET: every bit of a few bytes
    local old
    old=$(dd if="$1" bs=1 skip="$2" count=4 2>/dev/null | od -An -tx1)
    printf "$(for b in $old; do printf '\\x%02x' $((0x$b ^ 0xff)); done)" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
newest() { ls "$(dir "$1")"/$2 | tail -n 1; }

for n in 1 2 3; do head_start $n; done
check "three heads serve" wait_for 15 serves 1
some a 30 | at 1 apply -f - >/dev/null
some b 30 | at 1 apply -f - >/dev/null
wanted=$(objects 1)
check_is "sixty objects" 60 pipe "echo '$wanted' | wc -l"
for n in 1 2 3; do check "... on head $n" wait_for 10 all_there $n; done
check_out "check beside a running head" 'everything verifies' "$CORACLE" check "$(dir 2)"

# ---- One head's files, each in turn ------------------------------------------------------------------------------------
# damaged NAME COMMAND...: head 2 is killed, the command spoils its files, check says so, and it comes back whole.
damaged() {
    local name=$1
    shift
    head_stop 2
    "$@"
    check_err "$name: check finds it" 'PROBLEM' "$CORACLE" check "$(dir 2)"
    head_start 2
    check "... the head repairs itself" wait_for 15 all_there 2
    some "c$((++round))" 1 | at 2 apply -f - >/dev/null
    wanted=$(objects 1)
    check "... takes writes" wait_for 10 all_there 2
    head_stop 2
    check_out "... and its directory is well" 'everything verifies' "$CORACLE" check "$(dir 2)"
    head_start 2
    check "... after a start, too" wait_for 15 all_there 2
}
spoil_log() { flip "$(newest 2 'wal-*.seg')" 20000; }
spoil_vote() { flip "$(dir 2)/vote" 30; flip "$(dir 2)/vote" 4126; }
spoil_snapshots() { local f; for f in "$(dir 2)"/snap-*; do flip "$f" 5000; done; }
lose_log() { spoil_vote; rm "$(dir 2)"/wal-*; }
spoil_all() { spoil_vote; spoil_snapshots; flip "$(newest 2 'wal-*.seg')" 100; }
damaged "bytes in the log" spoil_log
damaged "both copies of the vote" spoil_vote
damaged "the snapshots" spoil_snapshots
damaged "no log, and no vote" lose_log
damaged "everything at once" spoil_all
check "nothing damaged is left lying about" pipe "! ls '$(dir 2)' | grep ^bad-"

# ---- Saved under load, restored ------------------------------------------------------------------------------------------
writer() { local i; for ((i = 0; ; i++)); do some "load" 5 | at 3 apply -f - >/dev/null 2>&1; done; }
background writer
load=$BACKGROUND
check_out "snapshot save under load" 'saved .*revision [0-9]+' "$CORACLE" snapshot save "$TMP/saved.db" --kubeconfig "$KUBECONFIG"
stop "$load"
check_is "... the file is private" 600 stat -c %a "$TMP/saved.db"
check_out "snapshot status" 'HASH +REVISION +TOTAL KEYS +TOTAL SIZE' "$CORACLE" snapshot status "$TMP/saved.db"
revision=$("$CORACLE" snapshot status "$TMP/saved.db" -o json | grep -oE '"revision":[0-9]+' | grep -oE '[0-9]+')
cp "$TMP/saved.db" "$TMP/flipped.db"
flip "$TMP/flipped.db" 70000
check_err "a flipped bit in the file is found" 'does not verify' "$CORACLE" snapshot status "$TMP/flipped.db"
check_err "only administrators may save" '40[13]' pipe \
    "curl -sS -f --cacert '$PKI/ca.crt' https://127.0.0.1:${PORT[1]}/coracle/v1/snapshot -o /dev/null"
last=$(objects 1 | awk '$2 > max { max = $2 } END { print max }')
for n in 1 2 3; do head_stop $n; done
for n in 1 2 3; do
    check "restore for head $n" "$CORACLE" snapshot restore "$TMP/saved.db" --data-dir "$TMP/new-$n" --id $n \
        --cluster "$(sed -n 's/^--cluster=//p' "$TMP/head-$n.args")" --initial-cluster "$PEERS" --bump-revision 1000000 --mark-compacted
done
check_err "... not over anything" 'not empty' "$CORACLE" snapshot restore "$TMP/saved.db" --data-dir "$TMP/new-1" --id 1 --initial-cluster "$PEERS"
for n in 1 2 3; do head_start $n "$TMP/new-$n"; done
check "the new cluster serves" wait_for 15 serves 1
wanted=$(grep -v ^load <<<"$wanted")
check_is "... the same objects at the same revisions" "$wanted" pipe "$(declare -f at objects); KUBECTL=$KUBECTL; PORT[2]=${PORT[2]}; objects 2 | grep -v ^load"
some d 1 | at 2 apply -f - >/dev/null
new=$(objects 2 | awk '$1 ~ /^d-/ { print $2 }')
check "... new revisions are above all that was ever told ($new, $revision, $last)" test "$new" -gt $((revision + 1000000))
check_out "... a watch from before must list again" '"code":410' \
    at 2 get --raw "/api/v1/configmaps?watch=1&timeoutSeconds=1&resourceVersion=$last"
for n in 1 2 3; do head_stop $n; done

# ---- Alone ------------------------------------------------------------------------------------------------------------------
check "restore for a head of its own" "$CORACLE" snapshot restore "$TMP/saved.db" --data-dir "$TMP/alone" --id 1 \
    --cluster "$(sed -n 's/^--cluster=//p' "$TMP/head-1.args")" --head "$(cut -d, -f1 <<<"$PEERS")"
head_start 1 "$TMP/alone"
check "... serves" wait_for 15 serves 1
some e 20 | at 1 apply -f - >/dev/null
head_stop 1
flip "$(ls "$TMP"/alone/wal-*.seg | tail -n 1)" 20000
mapfile -t args < <(sed "s|^--data=.*|--data=$TMP/alone|" "$TMP/head-1.args")
check_err "... with a damaged log it refuses, and says where, what, and what to do" \
    'wal-[0-9a-f]+\.seg at byte [0-9]+: .*entries behind [0-9]+ may be lost.*coracle check .*coracle snapshot restore' timeout 10 "$CORACLE" "${args[@]:1}"
check_out "... and is told the same again" 'PROBLEM: wal-' pipe "'$CORACLE' check '$TMP/alone'; true"
e2e_finish
