#!/bin/bash
# test/e2e/stream_test.sh: everything that streams through a head to a pod, by an unmodified kubectl, in both of its ways:
# WebSocket and SPDY: exec, attach, port-forward; the proxy; containers for debugging.
. "$(dirname "$0")/lib.sh"
IMAGE=coracle.local/sample:1
e2e_up --heads 1 --nodes 1 --sample=false

kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: $IMAGE
    ports: [{containerPort: 8080}]
    command: [sh, -c, 'mkdir -p /tmp/w/dir && cd /tmp/w && echo small >small && echo index >dir/index.html &&
      head -c 20000000 /dev/urandom >big && exec httpd -f -p 8080 -h /tmp/w']
---
apiVersion: v1
kind: Pod
metadata: {name: talk}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: $IMAGE, stdin: true, command: [sh, -c, 'while read l; do echo heard \$l; done; sleep 100']}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
YAML
check "the pods run" kubectl wait pod web talk --for=condition=Ready --timeout=30s
wait_for 10 kubectl exec web -- wget -qO /dev/null http://127.0.0.1:8080/big >/dev/null
sum() { md5sum | cut -d' ' -f1; }
BIG=$(kubectl exec web -- md5sum /tmp/w/big | cut -d' ' -f1)
head -c 5000000 /dev/urandom >"$TMP/in"
node_metric() { kubectl get --raw /api/v1/nodes/node-1/proxy/metrics | sed -n "s/^$1 //p"; }

# port_of FILE REMOTE: where kubectl port-forward listens for that port, once it does
port_of() { wait_for 10 grep -o "127.0.0.1:[0-9]* -> $2\$" "$1" | sed -n 's/127.0.0.1:\([0-9]*\) .*/\1/p'; }
get() { curl -sS --max-time 20 "http://127.0.0.1:$1$2"; }
many() {    # PORT: twenty at once, all right
    local pids=() bad=0
    for i in {1..20}; do
        [ "$(get "$1" /small)" = small ] &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || bad=1; done
    return $bad
}
export KUBECTL
export -f get sum kubectl

for sockets in true false; do
    way=$([ $sockets = true ] && echo WebSocket || echo SPDY)
    export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$sockets KUBECTL_PORT_FORWARD_WEBSOCKETS=$sockets

    check_is "$way: exec, output" "out" kubectl exec web -- sh -c 'echo out; echo err >&2'
    check_err "$way: exec, exit code" 'terminated with exit code 7' kubectl exec web -- sh -c 'exit 7'
    kubectl exec web -- sh -c 'exit 7' 2>/dev/null
    check_is "$way: kubectl's own exit code" 7 echo $?
    check_err "$way: exec of what is not there" 'no such file|not found' kubectl exec web -- /nothing
    check_is "$way: five megabytes there and back" "$(sum <"$TMP/in")" pipe "kubectl exec -i web -- cat <'$TMP/in' | sum"
    check_is "$way: stdin ends" 5000000 pipe "kubectl exec -i web -- wc -c <'$TMP/in'"
    check_is "$way: twenty megabytes out" "$BIG" pipe "kubectl exec web -- cat /tmp/w/big | sum"
    check_out "$way: a terminal" 'tty is 0' pipe "script -qec '$KUBECTL exec -it web -- sh -c \"test -t 0; echo tty is \\\$?\"' /dev/null"
    background pipe "exec timeout 20 $KUBECTL attach -qi talk < <(echo $way; exec sleep 20)" >"$TMP/attach"
    check "$way: attach" wait_for 10 grep -qx "heard $way" "$TMP/attach"
    stop "$BACKGROUND"

    background kubectl port-forward web :8080 :81 >"$TMP/pf" 2>&1
    forward=$BACKGROUND port=$(port_of "$TMP/pf" 8080)
    check_is "$way: port-forward" small get "$port" /small
    check "$way: twenty connections at once" many "$port"
    check_is "$way: a download of twenty megabytes" "$BIG" pipe "get $port /big | sum"
    check_err "$way: one broken off" 'Operation|time' curl -sS --max-time 0.2 --limit-rate 1M -o /dev/null "http://127.0.0.1:$port/big"
    check_is "$way: does the others no harm" small get "$port" /small
    get "$(port_of "$TMP/pf" 81)" / >/dev/null 2>&1
    check_out "$way: a port nobody listens on" 'failed to connect to localhost:81 inside namespace.*connection refused' \
              wait_for 5 grep refused "$TMP/pf"
    stop "$forward"
done
check_out "nothing of it stays on the node" '^0$' wait_for 5 matches '^0$' node_metric coracle_node_forwards

# ---- The proxy -----------------------------------------------------------------------------------------------
pod=/api/v1/namespaces/default/pods
check_is "proxy to a pod" small kubectl get --raw "$pod/web:8080/proxy/small"
check_is "its first port" small kubectl get --raw "$pod/web/proxy/small"
check_is "twenty megabytes through it" "$BIG" pipe "kubectl get --raw $pod/web/proxy/big | sum"
check_err "a port nobody listens on" 'error trying to reach service: dial tcp [0-9.]+:81: connect: connection refused' \
          kubectl get --raw "$pod/web:81/proxy/"
check_out "a redirect stays below it" "location: $pod/web/proxy/dir/" e2e_curl GET "$pod/web/proxy/dir" -i
check_out "what is not found there" '404' e2e_curl GET "$pod/web/proxy/none"
check_out "proxy to a node" 'kubelet_running_pods 2' kubectl get --raw /api/v1/nodes/node-1/proxy/metrics
kubectl get endpoints web >/dev/null 2>&1 || kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets: [{addresses: [{ip: $(kubectl get pod web -o jsonpath='{.status.podIP}'), targetRef: {kind: Pod, name: web}}],
  ports: [{name: http, port: 8080}]}]
YAML
check_is "proxy to a service" small wait_for 5 kubectl get --raw /api/v1/namespaces/default/services/web:http/proxy/small
check_is "by its port's number" small kubectl get --raw /api/v1/namespaces/default/services/web:80/proxy/small
background kubectl proxy --port=0 >"$TMP/proxy"
port=$(wait_for 5 grep -o '127.0.0.1:[0-9]*' "$TMP/proxy" | cut -d: -f2)
check_is "through kubectl proxy" small get "$port" "$pod/web/proxy/small"
check_out "kubectl cluster-info dump" '==== END logs for container c of pod default/web ====' kubectl cluster-info dump

# ---- Debugging -----------------------------------------------------------------------------------------------
check_out "kubectl debug sees the container's processes" 'httpd -f -p 8080' \
          kubectl debug web --image=$IMAGE --target=c --attach -q -- sh -c 'sleep 0.3; cat /proc/1/cmdline | tr "\0" " "'
check "another that stays" kubectl debug web --image=$IMAGE -c stays -- sleep 100
check "it runs" kubectl wait pod web --for=jsonpath='{.status.ephemeralContainerStatuses[1].state.running}' --timeout=10s
check_is "exec into it" inside kubectl exec web -c stays -- echo inside
check_err "it can't be taken away" 'may not be removed' kubectl patch pod web --subresource=ephemeralcontainers \
          --type=json -p '[{"op":"remove","path":"/spec/ephemeralContainers/1"}]'
check_out "kubectl debug node" 'Creating debugging pod' kubectl debug node/node-1 --image=$IMAGE -- true
check "the pod ends with all of it" kubectl delete pod web --timeout=20s
e2e_finish
