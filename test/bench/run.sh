#!/bin/bash
# make bench: the figures of the README, measured on this machine with real disks, as a Markdown table.
# Everything it starts it takes down; results and pictures stay in build/bench.
# BENCH_SECONDS (default 8) is how long each load is measured; BENCH_ONLY="get create ..." picks rows.
set -u
cd "$(dirname "$0")/../.."
coracle=$PWD/coracle
out=$PWD/build/bench
seconds=${BENCH_SECONDS:-8}
name=bench$$
rows=() beside=()
failed=0
mkdir -p "$out"
ulimit -n "$(ulimit -Hn)"

say() { echo "bench: $*" >&2; }
row() { rows+=("| $1 | $2 | $3 |"); say "$1: $3"; }
wanted() { [ -z "${BENCH_ONLY:-}" ] || [[ " $BENCH_ONLY " == *" $1 "* ]]; }

down() { "$coracle" down --name "$name" >/dev/null 2>&1; }
trap 'stop_members; down; exit 130' INT TERM
trap 'stop_members; down' EXIT

# up FLAGS...: a cluster; its heads' pids in order of their numbers, the leader's pid and address, all addresses.
up() {
    "$coracle" up --name "$name" --detach "$@" >"$out/up.txt" 2>&1 || { cat "$out/up.txt" >&2; return 1; }
    export KUBECONFIG=/var/lib/coracle/$name/admin.kubeconfig
    heads=() servers=() leader='' leader_at=''
    local n pid
    for n in 1 2 3; do
        pid=$(pgrep -f "coracle head --id=$n --cluster=$name ") || continue
        heads+=("$pid")
        servers+=("$(kubectl config view -o jsonpath="{.clusters[?(@.name=='head-$n')].cluster.server}")")
        if kubectl --context "head-$n" get --raw /metrics | grep -q '^coracle_raft_is_leader 1'; then
            leader=$pid leader_at=${servers[-1]}
        fi
    done
    pids=("${heads[@]/#/--pid=}")
    all=("${servers[@]/#/--server=}")
}

# bench NAME WORKLOAD FLAGS...: result in $out/NAME.{txt,json,svg}
bench() {
    local as=$1
    shift
    "$coracle" bench "$@" --json "$out/$as.json" --svg "$out/$as.svg" >"$out/$as.txt" 2>"$out/$as.log" && return 0
    say "$as did not pass:"
    tail -n 3 "$out/$as.log" "$out/$as.txt" >&2
    failed=1
    return 1
}

# of NAME KEY: a figure of the whole run; of NAME KEY METRIC: of that latency, rounded for people.
of() {
    awk -v key="\"$2\":" -v metric="${3:+\"$3\":}" '
        metric != "" && $0 ~ "^    " metric { on = 1 }
        $1 == key && (metric == "" || on) { gsub(/,/, "", $2); v = $2 + 0; print v == int(v) ? v : v < 10 ? sprintf("%.2f", v) : v < 100 ? sprintf("%.1f", v) : sprintf("%.0f", v); exit }
    ' "$out/$1.json"
}
# cpu NAME: microseconds of all heads per request; own: those of the load generator.
cpu() { awk '/"pid":/ { own = $2 == "0," } /"cpu_us_per_request":/ && !own { sum += $2 } END { printf "%.0f", sum }' "$out/$1.json"; }
# busiest NAME: of the heads, the percentage of a core.
busiest() { awk '/"pid":/ { own = $2 == "0," } /"cpu_s":/ && !own && $2 + 0 > most { most = $2 + 0 } /"seconds":/ && !s { s = $2 + 0 } END { printf "%.1f", 100 * most / s }' "$out/$1.json"; }
own() { awk '/"cpu_us_per_request":/ { printf "%.1f", $2; exit }' "$out/$1.json"; }
metric() { kubectl --context "$1" get --raw /metrics | awk -v m="$2" '$1 == m { print $2 }'; }
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

# ---- heads only ----------------------------------------------------------------------------------------------
bench_idle() {
    local before after
    sleep 5
    before=$(metric head-1 coracle_raft_fsyncs_total)
    bench idle idle --duration 10s "${pids[@]}"
    after=$(metric head-1 coracle_raft_fsyncs_total)
    row "idle head: memory (RSS), fsyncs/s, CPU" "≤ 12 MB; ≤ 1; ≤ 0.5 %" \
        "$(rss_mb "$leader") MB; $(awk "BEGIN { printf \"%.2f\", ($after - $before) / 10 }"); $(awk -v p="$leader," \
        '/"pid":/ { on = $2 == p } on && /"cpu_s":/ { printf "%.2f", $2 * 10 }' "$out/idle.json") %"
}

# At the leader, so that one head's work is seen; with HTTP/2, 16 requests share a connection.
bench_leases() {
    local http2
    for http2 in 0 16; do
        bench lease$http2 lease --connections 64 --http2 $http2 --duration "${seconds}s" --server "$leader_at" "--pid=$leader" &&
            row "lease renewals, 64 at a time, HTTP/$([ $http2 = 0 ] && echo 1.1 || echo 2)" "≤ $([ $http2 = 0 ] && echo 12 || echo 8) µs of the head's CPU" \
                "$(cpu lease$http2) µs each, $(of lease$http2 per_second)/s, p99 $(of lease$http2 p99_ms lease) ms"
    done
}

# So many that a turn over all of them counts; and those of nodes, of which each wants the pods of one.  (There are no
# such nodes: pods on them are let live for 40 s, which is time enough unless the machine is busy otherwise.)
bench_watchers() {
    bench watchers watch --watchers 10000 --rate 1 --objects 10 --duration 5s "${all[@]}" "${pids[@]}" &&
        row "10,000 watchers of one kind, one update" "the last sees it within 100 ms" \
            "p50 $(of watchers p50_ms "write to receipt") ms, last $(of watchers max_ms "write to receipt") ms (client $(own watchers) µs each)"
    bench selectors watch --watchers 10000 --by-node --objects 10000 --rate 1000 --connections 32 --duration 5s "${all[@]}" "${pids[@]}" &&
        row "10,000 watchers with spec.nodeName selectors, 1,000 pod updates/s" "≤ 30 % of a core" \
            "$(busiest selectors) % of a core on the busiest head, p99 $(of selectors p99_ms "write to receipt") ms"
}

bench_heads() {
    up --nodes 0 --sample=false || { failed=1; return; }
    wanted idle && bench_idle
    wanted get && bench get get --connections 64 --duration "${seconds}s" --server "$leader_at" "${pids[@]}" &&
        row "GET of one pod over TLS, 64 connections, linearizable" "≥ 60,000/s, p99 ≤ 5 ms" \
            "$(of get per_second)/s, p99 $(of get p99_ms get) ms, $(cpu get) µs of CPU each (client $(own get))"
    local n
    for n in 64 256; do
        wanted create && bench "create$n" create --connections $n --duration "${seconds}s" "${all[@]}" "${pids[@]}" &&
            row "durable create of 2 kB pods, $n connections" "≥ 15,000/s, p99 ≤ 20 ms" \
                "$(of create$n per_second)/s, p99 $(of create$n p99_ms create) ms, $(cpu create$n) µs of CPU each (client $(own create$n))"
    done
    wanted write && bench write create --connections 1 --duration "${seconds}s" --server "$leader_at" "${pids[@]}" &&
        row "one client, one durable write" "p50 ≤ 0.4 ms" "p50 $(of write p50_ms create) ms, p99 $(of write p99_ms create) ms"
    wanted lease && bench_leases
    wanted watch && bench watch watch --watchers 1000 --rate 100 --duration "${seconds}s" "${all[@]}" "${pids[@]}" &&
        row "1,000 watchers, 100 updates/s, over all heads" "p99 ≤ 20 ms" \
            "write to receipt p50 $(of watch p50_ms "write to receipt") ms, p99 $(of watch p99_ms "write to receipt") ms"
    wanted list && bench list list --objects 5000 --duration "${seconds}s" --server "$leader_at" "${pids[@]}" &&
        row "LIST of 5,000 pods" "≤ 15 ms" "p50 $(of list p50_ms list) ms, p99 $(of list p99_ms list) ms"
    wanted watchers && bench_watchers
    wanted failover && bench failover failover --duration 8s --kill "$leader" --kill-after 3s "${all[@]}" &&
        row "kill -9 of the leader under load: longest time without a write" "≤ 500 ms" \
            "$(of failover longest_gap_ms) ms; $(of failover acknowledged) acknowledged, $(of failover lost) lost"
    down
}

# ---- many pods ---------------------------------------------------------------------------------------------------
bench_many() {
    local before after
    up --nodes 0 --sample=false || { failed=1; return; }
    bench many-create create --requests 150000 --warmup 0s --connections 64 --keep "${all[@]}" || return
    before=$(rss_mb "$leader")
    bench many-get get --namespace other --connections 4 --rate 500 --objects 10 --warmup 2s --duration "${seconds}s" --server "$leader_at" &
    bench many-list list --objects 1 --connections 1 --warmup 0s --duration "$((seconds + 4))s" --keep --server "$leader_at" "${pids[@]}" || return
    wait %%
    after=$(awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$leader/status")
    row "LIST of 150,000 pods over TLS, other requests meanwhile" "≤ 0.7 s, ≤ 16 MB more memory; p99 ≤ 10 ms" \
        "p50 $(of many-list p50_ms list) ms, max $(of many-list max_ms list) ms, $(awk "BEGIN { printf \"%.1f\", $after - $before }") MB more; p99 $(of many-get p99_ms get) ms"
    down
}

# ---- the scheduler ---------------------------------------------------------------------------------------------
bench_scheduler() {
    up --nodes 0 --hollow-nodes 1000 --sample=false || { failed=1; return; }
    bench schedule schedule --objects 10000 --connections 64 --server "$leader_at" "${pids[@]}" &&
        row "scheduler, 1,000 hollow nodes, 10,000 pods" "≥ 5,000 pods/s" \
            "$(of schedule per_second) pods/s: all bound $(of schedule seconds) s after the first create"
    down
}

# ---- nodes -----------------------------------------------------------------------------------------------------
bench_up() {
    up || { failed=1; return; }
    row "\`coracle up\`: 3 heads with a leader; 3 nodes Ready; 6 sample pods Ready" "≤ 0.5 s; ≤ 1 s; ≤ 2 s" \
        "$(sed -nE 's/^(heads|nodes|sample):.*\(([0-9.]+ s)\)$/\2/p' "$out/up.txt" | paste -sd ';' | sed 's/;/; /g') (each step)"
    down
}

bench_start() {
    up --nodes 1 --sample=false || { failed=1; return; }
    local node
    node=$(pgrep -f "coracle node .*$name" | head -n 1)
    sleep 5                                      # what only its start needed is given back after 4 s (net/trim.h)
    [ -n "$node" ] && row "idle node: memory (RSS)" "≤ 8 MB" "$(rss_mb "$node") MB"
    bench start start --objects 50 --connections 1 --server "$leader_at" "${pids[@]}" &&
        row "pod create to Running seen on a watch, one at a time" "p99 ≤ 150 ms" \
            "p50 $(of start p50_ms "create to running") ms, p99 $(of start p99_ms "create to running") ms"
    down
}

# ---- etcd's API: three members of etcd, then three heads, under the same load of the same client ------------
# On ports that are free, with data on the disk that build/ is on.  members: their pids.
members=()
stop_members() {
    [ ${#members[@]} = 0 ] || { kill "${members[@]}"; wait "${members[@]}"; } 2>/dev/null
    members=()
}

start_etcd() {
    local n cluster=
    for n in 1 2 3; do cluster+=${cluster:+,}m$n=http://127.0.0.1:$((base + 10 + n)); done
    for n in 1 2 3; do
        etcd --name m$n --data-dir "$out/members/$n" --listen-client-urls "http://127.0.0.1:$((base + n))" \
            --advertise-client-urls "http://127.0.0.1:$((base + n))" --initial-cluster "$cluster" \
            --listen-peer-urls "http://127.0.0.1:$((base + 10 + n))" --quota-backend-bytes $((8 << 30)) \
            --initial-advertise-peer-urls "http://127.0.0.1:$((base + 10 + n))" >"$out/etcd-$n.log" 2>&1 &
        members+=($!)
    done
}

start_coracle() {
    local n cluster=()
    for n in 1 2 3; do cluster+=("--head=$n=127.0.0.1:$((base + 10 + n))"); done
    for n in 1 2 3; do
        "$coracle" head --id $n --cluster "$name" "${cluster[@]}" --listen-peer "127.0.0.1:$((base + 10 + n))" --etcd-only \
            --listen-client-urls "http://127.0.0.1:$((base + n))" --data "$out/members/$n" >"$out/coracle-$n.log" 2>&1 &
        members+=($!)
    done
}

# load SYSTEM: puts and ranges at every number of clients; then the members' memory in rss[SYSTEM].
load() {
    local c w n
    for c in 1 64 256 1000; do
        for w in put range; do
            bench "$1-$w-$c" "etcd-$w" --connections $c --duration "${seconds}s" "${at[@]}" "${members[@]/#/--pid=}"
        done
    done
    rss[$1]=
    for n in "${members[@]}"; do rss[$1]+=${rss[$1]:+, }$(rss_mb "$n"); done
}

bench_etcd() {
    local system c w n base at=()
    local -A rss
    for system in etcd coracle; do
        command -v $system >/dev/null || [ $system = coracle ] || { say "no etcd here: apt-get install etcd-server"; continue; }
        base=$((20000 + RANDOM % 10000)) at=()
        for n in 1 2 3; do at+=("--server=http://127.0.0.1:$((base + n))"); done
        rm -rf "$out/members" && mkdir "$out/members"
        rm -f "$out/$system"-{put,range}-*.json
        start_$system
        for n in $(seq 100); do                  # until one leads: then a first put is answered
            "$coracle" bench etcd-put -c 3 -n 1 --warmup 0s --timeout 1s "${at[@]}" >/dev/null 2>&1 && break
        done
        load $system
        stop_members
    done
    rm -rf "$out/members"
    for w in put range; do
        for c in 1 64 256 1000; do
            beside+=("| $w, $c client$([ $c = 1 ] || echo s) | $(beside_of etcd-$w-$c $w) | $(beside_of coracle-$w-$c $w) |")
        done
    done
    beside+=("| memory (RSS) of the members after it, MB | ${rss[etcd]:-} | ${rss[coracle]} |")
}
beside_of() {
    [ -s "$out/$1.json" ] || { echo "-"; return; }
    echo "$(of "$1" per_second)/s, p50 $(of "$1" p50_ms "$2") ms, p99 $(of "$1" p99_ms "$2") ms, $(cpu "$1") µs (client $(own "$1"))"
}

if wanted size; then
    cp "$coracle" "$out/stripped" && strip "$out/stripped" &&
        row "stripped binary" "≤ 4 MB" "$(awk -v b="$(stat -c %s "$out/stripped")" 'BEGIN { printf "%.1f", b / 1e6 }') MB"
fi
for part in heads many scheduler up start etcd; do
    case $part in
    heads) for w in idle get create write lease watch list watchers failover; do wanted $w && { bench_heads; break; }; done ;;
    *) wanted $part && "bench_$part" ;;
    esac
done

if wanted store; then
    while IFS= read -r line; do
        rows+=("$line")
        say "$line"
    done < <(TMPDIR=$out "${STORE_BENCH:-build/test/bench/store_bench}" --rows)
fi

if wanted api; then
    while IFS= read -r line; do
        rows+=("$line")
        say "$line"
    done < <("${API_BENCH:-build/test/bench/api_bench}" --rows)
fi

if wanted auth; then
    while IFS= read -r line; do
        rows+=("$line")
        say "$line"
    done < <("${AUTH_BENCH:-build/test/bench/auth_bench}" --rows 2>/dev/null)
fi

printf '\n| what | target | measured |\n| --- | --- | --- |\n'
printf '%s\n' "${rows[@]}"
if [ ${#beside[@]} -gt 0 ]; then
    printf "\n| etcd's API, 3 members: rate, latency, CPU of all members per request | etcd | coracle |\n| --- | --- | --- |\n"
    printf '%s\n' "${beside[@]}"
fi
exit $failed
