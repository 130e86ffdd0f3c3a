#!/bin/bash
# test/e2e/node_test.sh: what a node owes its pods beyond running them: users, groups, seccomp and capabilities, host ports,
# names, variables of services; that no byte of an exec is lost; and that an agent killed again and again loses and leaks nothing.
. "$(dirname "$0")/lib.sh"
IMAGE=coracle.local/sample:1
e2e_up --heads 1 --nodes 2 --sample=false

waiting() { kubectl get pod "$1" -o jsonpath="{.status.containerStatuses[0].state.waiting.$2}"; }
pod_ip() { kubectl get pod "$1" -o jsonpath='{.status.podIP}'; }
run_in() { local pod=$1; shift; kubectl exec "$pod" -- sh -c "$*"; }
netns() { echo "coracle-$E2E_NAME-node-$1"; }

kubectl create service clusterip web-1 --tcp=80:8080 >/dev/null
cat >"$TMP/pods.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata: {name: secured}
spec:
  nodeName: node-2
  terminationGracePeriodSeconds: 0
  hostname: hosty
  subdomain: sub
  hostAliases: [{ip: 1.2.3.4, hostnames: [alias.example]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [9.9.9.9], searches: [a.example], options: [{name: ndots, value: "2"}]}
  securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 4321, supplementalGroups: [77], seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: c
    image: $IMAGE
    imagePullPolicy: Never
    command: [sleep, "1000000"]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN], drop: [CHOWN]}}
    volumeMounts: [{name: e, mountPath: /e}, {name: m, mountPath: /m}]
  volumes: [{name: e, emptyDir: {}}, {name: m, emptyDir: {medium: Memory}}]
---
apiVersion: v1
kind: Pod
metadata: {name: as-root}
spec: {containers: [{name: c, image: $IMAGE, securityContext: {runAsNonRoot: true}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: root-asked}
spec: {containers: [{name: c, image: $IMAGE, securityContext: {runAsNonRoot: true, runAsUser: 0}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: profile}
spec: {containers: [{name: c, image: $IMAGE, securityContext: {seccompProfile: {type: Localhost, localhostProfile: x.json}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: never}
spec: {containers: [{name: c, image: "coracle.local/absent:1", imagePullPolicy: Never}]}
---
apiVersion: v1
kind: Pod
metadata: {name: privileged}
spec:
  terminationGracePeriodSeconds: 0
  enableServiceLinks: false
  containers: [{name: c, image: $IMAGE, command: [sleep, "1000000"], securityContext: {privileged: true}}]
---
apiVersion: v1
kind: Pod
metadata: {name: port}
spec:
  nodeName: node-1
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, ports: [{containerPort: 8080, hostPort: 18080}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  nodeName: node-1
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, command: [sleep, "1000000"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: last-words}
spec:
  restartPolicy: Never
  containers: [{name: c, image: $IMAGE, command: [sh, -c, 'echo my last words; exit 1'], terminationMessagePolicy: FallbackToLogsOnError}]
YAML
check "pods" kubectl apply -f "$TMP/pods.yaml"
check "... are ready" kubectl wait pod secured privileged port host --for=condition=Ready --timeout=30s

# ---- Users, groups, capabilities, seccomp ---------------------------------------------------------------------------
check_out "runAsUser, supplementalGroups, fsGroup" 'uid=1000 gid=1000 groups=77,4321' kubectl exec secured -- id
for dir in /e /m; do
    check_is "fsGroup owns $dir, and what is made in it" '4321 4321' run_in secured "touch $dir/f; echo \$(stat -c %g $dir $dir/f)"
done
check_out "no new privileges" 'NoNewPrivs:\s1' kubectl exec secured -- cat /proc/self/status
check_out "RuntimeDefault: a filter" 'Seccomp:\s2' kubectl exec secured -- cat /proc/self/status
check_out "capabilities: added and dropped" 'CapBnd:\s00000000a80435fa' kubectl exec secured -- cat /proc/self/status
check_out "privileged: no filter" 'Seccomp:\s0' kubectl exec privileged -- cat /proc/self/status
check "privileged: mounts" run_in privileged 'mount -t tmpfs none /tmp && umount /tmp'
check_out "runAsNonRoot: an image that is root's" 'container has runAsNonRoot and image will run as root \(pod: "as-root_default' \
    wait_for 10 matches 'runAsNonRoot' waiting as-root message
check_is "... CreateContainerConfigError" CreateContainerConfigError waiting as-root reason
check_out "runAsNonRoot: runAsUser 0" "container's runAsUser breaks non-root policy" wait_for 10 matches policy waiting root-asked message
check_out "a seccomp profile that is not there" 'x.json.* is not on this node' wait_for 10 matches profile waiting profile message
check_is "imagePullPolicy Never" ErrImageNeverPull waiting never reason
check_is "FallbackToLogsOnError" 'my last words' wait_for 10 matches words \
    kubectl get pod last-words -o jsonpath='{.status.containerStatuses[0].state.terminated.message}'

# ---- Names and variables -----------------------------------------------------------------------------------------------
check_out "/etc/hosts" 'hosty.sub.default.svc.cluster.local.hosty.*1.2.3.4.alias.example' kubectl exec secured -- cat /etc/hosts
check_is "/etc/resolv.conf" 'search a.example nameserver 9.9.9.9 options ndots:2' run_in secured 'echo $(cat /etc/resolv.conf)'
check_is "hostname" hosty kubectl exec secured -- hostname
environment=$(kubectl exec secured -- env)
for name in KUBERNETES_SERVICE_HOST=10.96.0.1 KUBERNETES_SERVICE_PORT=443 KUBERNETES_PORT=tcp://10.96.0.1:443 WEB_1_SERVICE_PORT=80 \
            WEB_1_PORT_80_TCP_PROTO=tcp; do
    check "variables of services: $name" grep -qxF "$name" <(echo "$environment")
done
check_out "enableServiceLinks: false" '^KUBERNETES_SERVICE_HOST=10.96.0.1 $' run_in privileged 'env | grep -E "SERVICE_HOST" | tr "\n" " "'
check_is "every program in the sample's image is one" '' run_in privileged \
    'busybox --list >/tmp/l; for a in /bin/*; do case ${a##*/} in sh|busybox) ;; *) grep -qxF -- "${a##*/}" /tmp/l || echo "$a" ;; esac; done'

# ---- Network -------------------------------------------------------------------------------------------------------------
node=$(pod_ip host)
for from in 1 2; do
    check_out "a host port, from node $from" 'version 1' ip netns exec "$(netns $from)" curl -sS --max-time 5 "http://$node:18080/"
done
check_out "... from a pod elsewhere" 'version 1' kubectl exec secured -- timeout 5 wget -qO- "http://$node:18080/"
check_out "... from the pod itself" 'version 1' kubectl exec port -- timeout 5 wget -qO- "http://$node:18080/"
check_out "hostNetwork: the node's addresses" "inet $node/" kubectl exec host -- ip addr
check "pods reach what is beyond their node" run_in privileged "timeout 5 ping -c1 $(kubectl exec host -- ip route | awk '/^default/ { print $3 }')"
background kubectl exec secured -- sh -c "(sleep 3; echo) | timeout 4 nc $(pod_ip port) 8080"
check "pods see each other's own address" wait_for 3 matches "$(pod_ip secured):" kubectl exec port -- netstat -tn
stop "$BACKGROUND"

# ---- Nothing of an exec is lost, also on a busy machine -----------------------------------------------------------------
burns=
for i in 1 2; do
    background timeout 60 nice sh -c 'while :; do :; done'
    burns="$burns $BACKGROUND"
done
lost=0
for i in {1..25}; do
    timeout 20 script -qec "'$KUBECTL' exec -it secured -- echo well-$i" /dev/null </dev/null | grep -q "well-$i" || lost=$((lost + 1))
    [ "$(kubectl exec secured -- echo plain-$i)" = "plain-$i" ] || lost=$((lost + 1))
done
check_is "commands that end at once: output lost" 0 echo $lost
head -c 5000000 /dev/urandom >"$TMP/in"
check_is "megabytes through stdin" "$(sha256sum <"$TMP/in")" kubectl exec -i secured -- sha256sum <"$TMP/in"
check "kubectl cp in" kubectl cp "$TMP/in" secured:/e/in
check "kubectl cp out" kubectl cp secured:/e/in "$TMP/out"
check "... the same" cmp "$TMP/in" "$TMP/out"
for pid in $burns; do stop "$pid"; done

# ---- An agent that is killed again and again ----------------------------------------------------------------------------
pods() {            # N: six pods of that round
    local i
    for i in 1 2 3; do
        echo "---
{apiVersion: v1, kind: Pod, metadata: {name: r$1-$i, labels: {round: r}}, spec: {nodeName: node-1, terminationGracePeriodSeconds: 0,
  containers: [{name: c, image: $IMAGE, command: [sleep, '1000000']}], volumes: [{name: m, emptyDir: {medium: Memory}}]}}"
    done
}
leftovers() {       # what this cluster's first node has of each kind: sandboxes, monitors, addresses, cgroups, mounts
    local run=/run/coracle/$E2E_NAME
    echo "sandboxes $(ls "$TMP/data/node-1/sandboxes" | wc -l) containers $(ls "$TMP/data/node-1/containers" | wc -l)" \
         "monitors $(pgrep -cf "conmon .*$TMP/data/node-1/")" \
         "addresses $(find "$TMP/data/node-1/cni/coracle" -name '10.*' | wc -l)" \
         "cgroups $(find /sys/fs/cgroup -maxdepth 6 -type d -path "*coracle-$E2E_NAME/node-1/*" -name '*pod*' | sed 's|.*/||' | sort -u | wc -l)" \
         "links $(ip -n "$(netns 1)" -br link | grep -c veth)" \
         "volumes $(find "$TMP/data/node-1/pods" -mindepth 1 -maxdepth 1 | wc -l)"
}
same_as_before() { [ "$(leftovers)" = "$before" ] || { leftovers; return 1; }; }
before=$(leftovers)
kept=$(kubectl get pod port -o jsonpath='{.status.containerStatuses[0].containerID}')
for round in {1..10}; do
    pods "$round" | kubectl apply -f - >/dev/null
    [ "$round" -lt 2 ] || pods $((round - 1)) | kubectl delete --wait=false -f - >/dev/null 2>&1
    kill -9 "$(wait_for 10 matches '^[0-9]+$' e2e_process node 1)" || echo "round $round: no agent"
done
check "the last pods run" kubectl wait pod r10-1 r10-2 r10-3 --for=condition=Ready --timeout=40s
check_is "a pod of before has not noticed" "$kept 0" kubectl get pod port \
    -o jsonpath='{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'
check "delete the pods" kubectl delete pods -l round=r --timeout=50s
check "nothing is left of them" wait_for 15 same_as_before
e2e_finish
