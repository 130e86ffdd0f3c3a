#!/bin/bash
# test/e2e/chaos_test.sh: three heads, then five, each in a network namespace and on a small disk of its own, under load,
# while they are killed, stopped, cut off from each other, filled up and replaced.  Every answer that clients got is
# written down (test/chaos/) and judged afterwards (test/sim/lincheck).
#
# CHAOS_SECONDS: how long faults go on (35).  CHAOS_SEED: their order.
. "$(dirname "$0")/lib.sh"
BUILT=${BUILT:-$E2E_REPO/build/test}
CHAOS_SECONDS=${CHAOS_SECONDS:-35} CHAOS_SEED=${CHAOS_SEED:-$((RANDOM * 32768 + RANDOM))}
note() { printf 'note  %s\n' "$*"; }
for program in "$BUILT/chaos/chaos" "$BUILT/sim/lincheck"; do
    [ -x "$program" ] || make -C "$E2E_REPO" --no-print-directory "${program#"$E2E_REPO"/}" >/dev/null
done

# ---- Keys and certificates come from a cluster that is ended at once; these heads are ours ----------------------------
e2e_up --heads 1 --nodes 0 --sample=false
e2e_down
rm -rf "$TMP"/data/head-*

SLOTS=5 FIRST=3                             # a slot is a namespace, a disk, an address; who lives there may change
for ((net = BASHPID % 250; ; net = (net + 1) % 250)); do
    ip -4 addr show | grep -q " 198\.18\.$net\." || break
done
BRIDGE=cx$BASHPID
ns() { echo "coracle-$E2E_NAME-chaos-$1"; }
addr() { echo "198.18.$net.$1"; }
# The heads' certificate has to name where they are.
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/head.key" -subj "/O=coracle:heads/CN=coracle-head" 2>/dev/null |
    openssl x509 -req -days 2 -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -out "$PKI/head.crt" 2>/dev/null -extfile <(
        echo "subjectAltName=DNS:localhost$(for ((n = 1; n <= SLOTS; n++)); do printf ',IP:%s' "$(addr $n)"; done)")
in_ns() { local n=$1; shift; ip netns exec "$(ns "$n")" "$@"; }
dir() { echo "$TMP/data/disk-$1"; }

chaos_cleanup() {
    local n
    for ((n = 1; n <= SLOTS; n++)); do
        [ ! -s "$TMP/pid.$n" ] || kill -KILL "$(<"$TMP/pid.$n")" 2>/dev/null
    done
    wait
    for ((n = 1; n <= SLOTS; n++)); do
        ip netns del "$(ns $n)" 2>/dev/null
        umount -l "$(dir $n)" 2>/dev/null
    done
    ip link del "$BRIDGE" 2>/dev/null
}
finish() { local pid; for pid in "${E2E_PIDS[@]}"; do kill "$pid" 2>/dev/null; done; chaos_cleanup; e2e_finish; }
trap finish EXIT
trap 'trap - INT TERM; e2e_record 1 "interrupted or out of time" ""; finish' INT TERM

ip link add "$BRIDGE" type bridge forward_delay 0 && ip addr add "$(addr 254)/24" dev "$BRIDGE" && ip link set "$BRIDGE" up
for ((n = 1; n <= SLOTS; n++)); do
    ip netns add "$(ns $n)"
    ip link add "$BRIDGE-$n" type veth peer name eth0 netns "$(ns $n)"
    ip link set "$BRIDGE-$n" master "$BRIDGE" up
    ip -n "$(ns $n)" addr add "$(addr $n)/24" dev eth0
    ip -n "$(ns $n)" link set lo up
    ip -n "$(ns $n)" link set eth0 up
    in_ns $n nft -f - <<NFT
table ip chaos {
    set cut { type ipv4_addr; }
    chain loss { }
    chain in {
        type filter hook input priority 0;
        ip saddr @cut drop
        ip saddr 198.18.$net.0/28 jump loss
    }
}
NFT
    mkdir "$(dir $n)"
    mount -t tmpfs -o size=$((160 + CHAOS_SECONDS))m,mode=0700 tmpfs "$(dir $n)"
    SERVERS+=("https://$(addr $n):6443")
    TARGETS+=("$(addr $n):6443")
done

# ---- Heads ---------------------------------------------------------------------------------------------------------------
# head_start SLOT [FLAGS...]: what it is started with the first time is remembered, its pid is in a file.
head_start() {
    local n=$1
    local args
    [ $# = 1 ] || printf '%s\n' "${@:2}" >"$TMP/args.$n"
    mapfile -t args <"$TMP/args.$n"
    ip netns exec "$(ns "$n")" "$CORACLE" head --name="head-$n" --data="$(dir "$n")" --listen="$(addr "$n"):6443" --listen-peer="$(addr "$n"):2380" \
        --listen-client-urls="https://$(addr "$n"):2379" --snapshot-bytes=3000000 \
        --peer-trusted-ca-file="$PKI/ca.crt" --peer-cert-file="$PKI/head.crt" --peer-key-file="$PKI/head.key" \
        --peer-cert-allowed-organization=coracle:heads --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/head.crt" \
        --tls-private-key-file="$PKI/head.key" --service-account-key-file="$PKI/sa.pub" \
        --service-account-signing-key-file="$PKI/sa.key" "${args[@]}" >>"$TMP/data/head-$n.log" 2>&1 &
    echo $! >"$TMP/pid.$n"
}
pid() { cat "$TMP/pid.$1"; }
lives() { kill -0 "$(pid "$1")" 2>/dev/null; }
head_kill() { kill -KILL "$(pid "$1")"; wait "$(pid "$1")"; } 2>/dev/null
pids() { local n; for n in $(slots); do pid "$n"; done; }
slots() { local n; for ((n = 1; n <= SLOTS; n++)); do [ ! -s "$TMP/pid.$n" ] || echo $n; done; }
leader() { local l; l=$(e2e_leader); echo "${l:-1}"; }
pick() { local from=("$@"); PICKED=${from[RANDOM % $#]}; }       # not in a subshell, whose numbers are no part of the seed's
pick_slot() { pick $(slots); }
pick_other() { pick $(slots | grep -vx "$1"); }
serves() { [ "$(curl -s --max-time 2 --cacert "$PKI/ca.crt" --connect-to "localhost:6443:$(addr "$1"):6443" -o /dev/null -w '%{http_code}' https://localhost:6443/readyz)" = 200 ]; }
member() {
    local servers=() s
    for s in "${SERVERS[@]}"; do servers+=(--server "$s"); done
    timeout 15 "$CORACLE" member "$@" "${servers[@]}"
}
id_of() { member list 2>/dev/null | awk -v name="head-$1" '$2 == name { print $1; found = 1; exit } END { exit !found }'; }

founders=()
for ((n = 1; n <= FIRST; n++)); do founders+=("--head=$n=$(addr $n):2380"); done
for ((n = 1; n <= FIRST; n++)); do head_start $n --id=$n --cluster="$E2E_NAME" "${founders[@]}"; done
for ((n = 1; n <= FIRST; n++)); do
    check "head $n serves" wait_for 15 serves $n
    check_is "... and is ours to harm" "$(readlink -f "$CORACLE")" readlink "/proc/$(pid $n)/exe"
done
sed -i "s|server: .*|server: ${SERVERS[0]}|" "$KUBECONFIG"
check "a namespace for the load" wait_for 10 kubectl create namespace chaos
[ $E2E_FAILED = 0 ] || finish

# ---- Faults: each begins, lasts, and is over when it returns ----------------------------------------------------------------
now_ns() { local up; read -r up _ </proc/uptime; echo "${up/./}0000000"; }
fault() { echo "$(now_ns) $*" >>"$TMP/faults"; [ -z "$E2E_VERBOSE" ] || echo "      $*"; }
between() {                                 # so many tenths of a second
    local t=$(($1 * 100 + ($2 - $1) * 100 * RANDOM / 32768))
    read -rt "$((t / 1000)).$(printf %03d $((t % 1000)))" <> <(:)
}
deaf() { in_ns "$1" nft add element ip chaos cut "{ $(addr "$2") }"; }             # 1 hears nothing of 2
heal() { local n; for ((n = 1; n <= SLOTS; n++)); do in_ns $n nft "flush set ip chaos cut; flush chain ip chaos loss"; done; }
kill_one() {
    fault "$1 is killed: head $2"
    head_kill "$2"
    between 0 8
    head_start "$2"
}
kill_leader() { kill_one "the leader" "$(leader)"; }
kill_follower() { pick_other "$(leader)"; kill_one "a follower" "$PICKED"; }
kill_all() {
    fault "all are killed"
    kill -KILL $(pids)
    wait $(pids)
    for n in $(slots); do head_start "$n"; done
} 2>/dev/null
pause() {
    local p
    p=$(pid "$2")
    fault "$1 is stopped: head $2"
    kill -STOP "$p"
    between "$3" "$4"
    kill -CONT "$p"
}
pause_leader() { pause "the leader" "$(leader)" 5 30; }
pause_short() { local i; for i in 1 2 3 4; do pause "the leader, shortly," "$(leader)" 1 4; between 0 2; done; }
pause_any() { pick_slot; pause "a head" "$PICKED" 1 20; }
cut_leader() {
    local l n
    l=$(leader)
    fault "the leader is cut off from heads: head $l"
    for n in $(slots); do [ "$n" = "$l" ] || { deaf "$n" "$l"; deaf "$l" "$n"; }; done
    between 10 35
    heal
}
cut_one_way() {
    local l n
    l=$(leader)
    fault "the leader hears nobody: head $l"
    for n in $(slots); do [ "$n" = "$l" ] || deaf "$l" "$n"; done
    between 10 30
    heal
}
cut_bridge() {                              # a link between two is gone, others reach both
    local a b
    a=$(leader)
    pick_other "$a"
    b=$PICKED
    fault "two do not hear each other: heads $a (leads) and $b"
    deaf "$a" "$b"
    deaf "$b" "$a"
    between 10 30
    heal
}
link_down() {                               # for clients, too
    local n
    pick_slot
    n=$PICKED
    fault "a cable is pulled: head $n"
    ip -n "$(ns "$n")" link set eth0 down
    between 5 25
    ip -n "$(ns "$n")" link set eth0 up
}
loss() {
    local n
    fault "a third of all packets between heads is lost"
    for n in $(slots); do in_ns "$n" nft 'add rule ip chaos loss numgen random mod 3 < 1 drop'; done
    between 10 25
    heal
}
slow() {
    local n
    n=$(leader)
    fault "the leader's network is slow: head $n"
    if in_ns "$n" tc qdisc add dev eth0 root netem delay 40ms 30ms loss 2% 2>/dev/null ||
       in_ns "$n" tc qdisc add dev eth0 root tbf rate 4mbit burst 4000 latency 200ms 2>/dev/null; then
        between 10 25
        in_ns "$n" tc qdisc del dev eth0 root
    else
        note "no delays: the kernel has neither netem nor tbf"
    fi
}
disk_full() {
    local n
    pick_slot
    n=$PICKED
    fault "a disk is full: head $n"
    dd if=/dev/zero of="$(dir "$n")/filler" bs=64k status=none 2>/dev/null
    between 10 20
    rm -f "$(dir "$n")/filler"
    head_kill "$n"                          # what has failed stays so until it starts anew
    head_start "$n"
}
joined() { member list | awk -v id="$1" '$1 == id && $4 == "yes" && $5 < 2000 { ok = 1 } END { exit !ok }'; }
move_in() {                                 # SLOT: a new head, on an empty disk
    local n=$1 id
    wait_for 15 member add "head-$n" --peer-url "https://$(addr "$n"):2380" >>"$TMP/member.out" 2>&1
    id=$(wait_for 10 id_of "$n") || e2e_record 1 "head-$n is a member" "$(member list 2>&1)"
    rm -rf "$(dir "$n")"/*
    head_start "$n" --join --id="$id" --cluster="$E2E_NAME"
    wait_for 15 joined "$id" >>"$TMP/member.out" 2>&1
    wait_for 15 member promote "$id" >>"$TMP/member.out" 2>&1
}
move_out() {
    local n=$1 id
    id=$(wait_for 10 id_of "$n") || e2e_record 1 "head-$n is a member" "$(member list 2>&1)"
    wait_for 15 member remove "$id" >>"$TMP/member.out" 2>&1
    wait_for 5 fails lives "$n" || head_kill "$n"
    wait "$(pid "$n")" 2>/dev/null
    : >"$TMP/pid.$n"
}
members() {                                 # more, then one for another; with a leader that stops meanwhile
    local n l
    l=$(leader)
    fault "heads join or are replaced"
    (between 1 5; pause "the leader, meanwhile," "$l" 2 8) &
    if [ "$(slots | wc -l)" -lt $SLOTS ]; then
        for ((n = 1; n <= SLOTS; n++)); do [ -s "$TMP/pid.$n" ] || move_in $n; done
    else
        pick_slot
        n=$PICKED
        move_out "$n"
        move_in "$n"
    fi
    wait $!
}

# ---- The load -------------------------------------------------------------------------------------------------------------
"$BUILT/chaos/chaos" "$TMP/history" "$PKI/ca.crt" "$PKI/admin.crt" "$PKI/admin.key" "${TARGETS[@]}" >"$TMP/chaos.out" 2>&1 &
chaos=$!
E2E_PIDS+=($chaos)
servers=()
for s in "${SERVERS[@]}"; do servers+=(--server "$s"); done
"$CORACLE" bench failover "${servers[@]}" --connections 6 --rate 60 --warmup 100ms --duration "$((CHAOS_SECONDS + 2))s" --json "$TMP/bench.json" >"$TMP/bench.out" 2>&1 &
bench=$!
E2E_PIDS+=($bench)

# A lease is not over before its time: what hangs on it is there that long after it was last asked for.
LEASE_S=2
etcd() { timeout 3 etcdctl --endpoints="https://$(addr "$((RANDOM % SLOTS + 1))"):2379" --cacert="$PKI/ca.crt" --cert="$PKI/admin.crt" \
    --key="$PKI/admin.key" --insecure-skip-tls-verify --command-timeout=2s "$@" 2>/dev/null; }
us() { echo "${EPOCHREALTIME/./}"; }
leaser() {
    local i id since asked out
    for ((i = 0; ; i++)); do
        since=$(us)
        id=$(etcd lease grant $LEASE_S | awk '/granted/ { print $2 }')
        [ -n "$id" ] && etcd put --lease="$id" "/lease/$1/$i" x >/dev/null || continue
        for ((n = RANDOM % 3; n > 0; n--)); do
            sleep 0.7
            asked=$(us)
            etcd lease keep-alive --once "$id" | grep -q 'keepalived with TTL' && since=$asked
        done
        while out=$(etcd get "/lease/$1/$i" --print-value-only; echo "$?") && [ "$out" != 0 ]; do sleep 0.2; done
        echo "$(($(us) - since)) $1/$i" >>"$TMP/leases"
    done
}
if command -v etcdctl >/dev/null; then
    for n in 1 2; do background leaser $n; done
else
    note "leases are not looked at: no etcdctl"
fi

# ---- Every kind once, in a random order, and again -----------------------------------------------------------------------------
RANDOM=$CHAOS_SEED
sleep 1
end=$((SECONDS + CHAOS_SECONDS))
kinds=(kill_leader kill_follower kill_all pause_leader pause_short pause_any cut_leader cut_one_way cut_bridge link_down loss slow disk_full members)
while [ $SECONDS -lt $end ]; do
    left=("${kinds[@]}")
    while [ ${#left[@]} != 0 ] && [ $SECONDS -lt $end ]; do
        pick "${left[@]}"
        mapfile -t left < <(printf '%s\n' "${left[@]}" | grep -vx "$PICKED")
        $PICKED
        between 0 10
    done
done
[ "$(slots | wc -l)" = $SLOTS ] || members
heal
fault "(faults are over)"

# ---- The reckoning ------------------------------------------------------------------------------------------------------------
kill -TERM $chaos
wait $chaos
check "all is well again: writes, every head, the same state, every watch" test $? = 0
[ "$E2E_FAILED" = 0 ] || cat "$TMP/chaos.out"
wait $bench
check_out "of what the bench wrote, nothing is lost" '"lost": *0[,} ]' cat "$TMP/bench.json"
judge() { timeout 120 "$BUILT/sim/lincheck" "$@"; }
check_out "what clients were told is linearizable, what watches were told is complete and in order" 'holds' judge "$TMP/history"

# All watches were told the same, between where the last began and the fence.
same_events() {
    awk -F'[:,]' '/"event"/ { e = $0; sub(/^[^,]*,/, "", e); n[e]++ } /"from"/ && !($2 in begun) { begun[$2] = 1; all++ }
        END { for (e in n) if (n[e] != all) { print n[e] " of " all " watches: " e; bad = 1 } exit bad }' "$TMP/history"
}
if grep -q ' 0 times too late' "$TMP/chaos.out"; then
    check "every watch was told every event, once" same_events
fi
[ ! -s "$TMP/leases" ] || check_is "no lease ended early ($(wc -l <"$TMP/leases") leases)" "" \
    awk -v least=$((LEASE_S * 1000000)) '$1 < least { print }' "$TMP/leases"

# ---- The judge sees what is wrong -------------------------------------------------------------------------------------------------
doctored() {        # NAME AWK: the history with one thing changed is refused
    awk "$2" "$TMP/history" >"$TMP/doctored"
    check "a changed history differs ($1)" fails cmp -s "$TMP/history" "$TMP/doctored"
    check_err "... and is found out" 'BROKEN' judge "$TMP/doctored"
}
written='/"op":"(put|cas|create)".*"result":"ok".*"rev"/'
doctored "a value that nobody wrote was read" '!x && /"op":"get".*"value":"v/ && n++ > 100 { sub(/"value":"v/, "\"value\":\"never"); x = 1 } 1'
doctored "an acknowledged write is in no later read" "!x && $written && n++ > 100 { l = \$0; sub(/\"value\":\"v[^\"]*\"/, \"\\\"value\\\":\\\"gone\\\"\", l); sub(/\"start\":[0-9]*,\"end\":[0-9]*/, \"\\\"start\\\":1,\\\"end\\\":2\", l); print l; x = 1; next } 1"
doctored "a read of the past" '/"op":"get".*"key":"k1".*"rev"/ { if (!old) old = $0; last = $0 } { print } END { split(old, o, /,"value"/); sub(/,"value".*/, "", last); print last ",\"value\"" o[2] }'
doctored "an event is left out" '!x && /"w0\.0","event":"put"/ && n++ > 20 { x = 1; next } 1'
doctored "an event is told twice" '{ print } !x && /"w0\.0","event"/ && n++ > 20 { print; x = 1 }'

# ---- On disk ---------------------------------------------------------------------------------------------------------------------------
kill -KILL $(pids)
wait $(pids) 2>/dev/null
for n in $(slots); do check_out "head $n's directory verifies" 'everything verifies' "$CORACLE" check "$(dir "$n")"; done

# ---- What it cost: the longest time without an acknowledged write, within four seconds of a fault and before the next ------
gaps() {
    awk 'FNR == NR { begin[f++] = $1; $1 = ""; sub(/: head.*/, ""); name[f - 1] = $0; kind[$0]++; next }
        !/"op":"(put|cas|create|delete)"/ || !/"result":"ok"/ { next }
        { match($0, /"end":[0-9]+/); t = substr($0, RSTART + 6, RLENGTH - 6) + 0
          middle = (t + last) / 2
          while (i + 1 < f && begin[i + 1] <= middle) i++
          if (last && middle > begin[i] && middle < begin[i] + 4e9 && t - last > worst[i]) worst[i] = t - last
          last = t }
        END { for (i = 0; i < f; i++) { k = name[i]; sum[k] += worst[i]; if (worst[i] > max[k]) max[k] = worst[i] }
              for (k in kind) printf "%6.0f ms at most, %5.0f ms on average without a write: %s (%d times)\n", max[k] / 1e6, sum[k] / kind[k] / 1e6, k, kind[k] }' \
        "$TMP/faults" "$TMP/history" | sort -rn
}
cat "$TMP/chaos.out"
gaps
note "CHAOS_SEED=$CHAOS_SEED repeats the order of faults"
finish
