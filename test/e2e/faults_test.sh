#!/bin/bash
# test/e2e/faults_test.sh: heads, agents and whole nodes are killed and stopped under a load of writes: no acknowledged
# write is lost, writes go on, pods run on, and lost pods are replaced.
. "$(dirname "$0")/lib.sh"
e2e_up --sample=false --head-flags='--node-monitor-grace-period=4s' --node-flags='--node-lease-renew-interval=1s'

# ---- The load: names are written down when, and only when, a head has acknowledged them ------------------------------
# All heads are clients' to choose; a client that gets no answer tries the next.
SERVERS=($(tr -d ' \n' <"$TMP/data/cluster.json" | grep -oE '"api":[0-9]+' | cut -d: -f2))
writer() {          # WHO: creates config maps WHO-1, WHO-2, ... one after the other
    local i=0 n=0 code
    trap 'exit 0' TERM
    while :; do
        i=$((i + 1))
        code=$(curl -s --max-time 2 --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" -o /dev/null -w '%{http_code}' \
               -H 'content-type: application/json' -d "{\"metadata\":{\"name\":\"$1-$i\",\"labels\":{\"load\":\"yes\"}}}" \
               "https://127.0.0.1:${SERVERS[n]}/api/v1/namespaces/default/configmaps")
        if [ "$code" = 201 ]; then
            echo "$1-$i" >>"$TMP/acknowledged.$1"
        else
            n=$(((n + 1) % ${#SERVERS[@]}))
        fi
    done
}
acknowledged() { cat "$TMP"/acknowledged.* 2>/dev/null | wc -l; }
more_than() { [ "$(acknowledged)" -gt "$1" ]; }
writes_go_on() {    # at least so many more are acknowledged
    local now
    now=$(acknowledged)
    wait_for 15 more_than $((now + 10))
}
# Any head that answers; kubectl itself tries only one.
any() {
    local port
    for port in "${SERVERS[@]}"; do
        timeout 10 "$KUBECTL" --server="https://127.0.0.1:$port" --request-timeout=5s "$@" 2>/dev/null && return
    done
    return 1
}
nothing_is_lost() { # every acknowledged name is there, on every head
    local port wanted
    wanted=$(cat "$TMP"/acknowledged.* | sort)
    for port in "${SERVERS[@]}"; do
        "$KUBECTL" --server="https://127.0.0.1:$port" get configmap -l load=yes -o name | sed 's|configmap/||' | sort >"$TMP/there" || return 1
        comm -23 <(echo "$wanted") "$TMP/there" | grep . && { echo "... are lost, asked of port $port"; return 1; }
    done
    return 0
}
serving() {         # N: head N answers, through a leader
    timeout 5 "$KUBECTL" --server="https://127.0.0.1:${SERVERS[$1 - 1]}" get namespace default >/dev/null 2>&1
}
all_serve() { serving 1 && serving 2 && serving 3; }
restarted() { local now; now=$(e2e_process "$1" "$2"); [ -n "$now" ] && [ "$now" != "$3" ]; }
leads() { local l; l=$(e2e_leader); [ -n "$l" ] && [ "$l" != "$1" ]; }

# ---- Pods to be looked after ------------------------------------------------------------------------------------------
cat >"$TMP/pods.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
      - {name: c, image: coracle.local/sample:1, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
YAML
check "pods" kubectl apply -f "$TMP/pods.yaml"
check "... are ready" kubectl rollout status deployment/web --timeout=30s
in_cgroups() { find /sys/fs/cgroup -path "*/coracle-$E2E_NAME/${1:-}*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u; }
# Without what comes and goes in a container: the children that its server has for requests.
containers() {
    local pid parent all
    all=$(in_cgroups "$1")
    for pid in $all; do
        parent=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        [ -n "$parent" ] || continue
        [ "$(cat "/proc/$parent/comm" 2>/dev/null)" = conmon ] || ! grep -qx "$parent" <<<"$all" && echo "$pid"
    done
}
identities() { any get pods -l app=web -o jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort; }
pods_before=$(identities)
processes_before=$(containers)
for who in a b c; do
    background writer $who
    writers+=("$BACKGROUND")
done
check "the load writes" writes_go_on

# ---- One head ----------------------------------------------------------------------------------------------------------
leader=$(e2e_leader)
check "a head leads" test -n "$leader"
pid=$(e2e_process head "$leader")
kill -KILL "$pid"
check "kill -9 of the leader: writes go on" writes_go_on
check "... another leads" wait_for 10 leads "$leader"
check "... it comes back" wait_for 15 restarted head "$leader" "$pid"
check "... and serves" wait_for 15 serving "$leader"
follower=$((leader % 3 + 1))
[ "$follower" != "$(e2e_leader)" ] || follower=$((follower % 3 + 1))
pid=$(e2e_process head $follower)
kill -KILL "$pid"
check "kill -9 of a follower: writes go on" writes_go_on
check "... it comes back" wait_for 15 restarted head $follower "$pid"
check "... and serves" wait_for 15 serving $follower

# ---- Cut off: a stopped process neither answers nor hears -----------------------------------------------------------------
leader=$(e2e_leader)
pid=$(e2e_process head "$leader")
kill -STOP "$pid"
check "the leader is cut off: writes go on" writes_go_on
check "... another leads" wait_for 10 leads "$leader"
kill -CONT "$pid"
check "... back again, it serves" wait_for 15 serving "$leader"
check "... it follows" test "$(e2e_leader)" != "$leader"
one=$(e2e_leader) two=$(($(e2e_leader) % 3 + 1)) three=$((($(e2e_leader) + 1) % 3 + 1))
pids="$(e2e_process head $two) $(e2e_process head $three)"
kill -STOP $pids
check "a leader without a majority does not acknowledge" pipe \
    "! timeout 4 '$KUBECTL' --server=https://127.0.0.1:${SERVERS[one - 1]} --request-timeout=3s create configmap minority 2>/dev/null"
kill -CONT $pids
check "... with a majority again, writes go on" writes_go_on
check "... all serve" wait_for 15 all_serve

# ---- All heads at once ------------------------------------------------------------------------------------------------------
kill -KILL $(e2e_process head 1) $(e2e_process head 2) $(e2e_process head 3)
check "kill -9 of all heads at once: writes go on" writes_go_on
check "... all serve" wait_for 15 all_serve
check "pods ran on: none was restarted or replaced" test "$pods_before" = "$(identities)"
check "pods ran on: the same processes" test "$processes_before" = "$(containers)"

# ---- An agent -----------------------------------------------------------------------------------------------------------------
pid=$(e2e_process node 1)
kill -KILL "$pid"
check "kill -9 of an agent: it comes back" wait_for 15 restarted node 1 "$pid"
pod=$(any get pods -l app=web --field-selector=spec.nodeName=node-1 -o jsonpath='{.items[0].metadata.name}')
check "... its pods are at hand again" wait_for 15 any exec "$pod" -- true
check "... logs too" any logs "$pod"
check "... none was restarted or replaced" test "$pods_before" = "$(identities)"
check "... the same processes" test "$processes_before" = "$(containers)"
pid=$(e2e_process node 1)
check "a pod on that node ends while its agent is away" kill -STOP "$pid"
check "... deleted" any delete pod "$pod" --wait=false
kill -KILL "$pid"
check "... the agent comes back and ends it" wait_for 20 fails any get pod "$pod"
check "... a new one is ready" any rollout status deployment/web --timeout=8s

# ---- A whole node: agent and containers at once, and it stays away ---------------------------------------------------------------
# What restarts the agent is stopped from doing so by stopping it again and again would race: the namespace's link goes down
# instead, which cuts the node off; then all in its cgroup is killed.
ip netns exec "coracle-$E2E_NAME-node-2" ip link set eth0 down
kill -KILL $(e2e_process node 2) $(in_cgroups node-2/) 2>/dev/null
lost=$(any get pods -l app=web --field-selector=spec.nodeName=node-2 -o name)
check "a whole node is lost, with pods on it" test -n "$lost"
not_ready() { [ "$(any get node node-2 -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = Unknown ]; }
check "... it is marked as not ready" wait_for 20 not_ready
check "... and tainted" matches 'node.kubernetes.io/unreachable' any get node node-2 -o jsonpath='{.spec.taints[*].key}'
replaced() { [ "$(any get pods -l app=web -o jsonpath='{range .items[?(@.status.phase=="Running")]}{.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status} {.metadata.deletionTimestamp}{"\n"}{end}' | grep -cE '^node-[13] True $')" -ge 6 ]; }
check "... its pods are replaced on others" wait_for 30 replaced
check "... writes go on" writes_go_on
ip netns exec "coracle-$E2E_NAME-node-2" ip link set eth0 up
ip netns exec "coracle-$E2E_NAME-node-2" ip route replace default via "$(ip -4 -o addr show "cor-$E2E_NAME" | awk '{ sub("/.*", "", $4); print $4 }')"
node_ready() { [ "$(any get node node-2 -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
check "... the node comes back" wait_for 30 node_ready
check "... its old pods are gone" wait_for 30 pipe "[ -z \"\$($KUBECTL get $(echo $lost) -o name --ignore-not-found 2>/dev/null)\" ]"

# ---- The reckoning ------------------------------------------------------------------------------------------------------------------
for pid in "${writers[@]}"; do
    stop "$pid"
done
check "all serve" wait_for 15 all_serve
check "no acknowledged write is lost ($(acknowledged) of them)" nothing_is_lost
kill -KILL $(e2e_process head 1) $(e2e_process head 2) $(e2e_process head 3)
check "after one more kill -9 of all heads" wait_for 15 all_serve
check "... none is lost either" nothing_is_lost
e2e_finish
