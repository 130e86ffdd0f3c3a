#!/bin/bash
# test/e2e/pods_test.sh: real containers on three nodes, driven by an unmodified kubectl: the sample, then what a pod can
# be told: logs, exec, cp, attach, environment, volumes, probes, restarts, limits, and how it fails.
. "$(dirname "$0")/lib.sh"
IMAGE=coracle.local/sample:1
e2e_up

phase() { kubectl get pod "$1" -o jsonpath='{.status.phase}'; }
# status POD JSONPATH: of its first container's status
status() { kubectl get pod "$1" -o jsonpath="{.status.containerStatuses[0].$2}"; }
ready() { kubectl wait pod "$@" --for=condition=Ready --timeout=30s; }
phase_is() { kubectl wait "pod/$1" --for=jsonpath='{.status.phase}'="$2" --timeout=30s; }
# The cgroup of a pod's first container, as its process sees it from the host: found by the container's id.
container_id() { local id; id=$(status "$1" containerID); echo "${id##*/}"; }
container_pid() {
    local f
    for f in $(find /sys/fs/cgroup -path "*coracle-$E2E_NAME*" -path "*$(container_id "$1")*" -name cgroup.procs 2>/dev/null); do
        head -n 1 "$f" && return
    done
}
cgroup_value() {    # POD V1-CONTROLLER V1-FILE V2-FILE
    local dir
    dir=$(find /sys/fs/cgroup -type d -path "*coracle-$E2E_NAME*" -name "*$(container_id "$1")*" 2>/dev/null | grep -E "/$2[,/]|,$2[,/]" | head -n 1)
    if [ -n "$dir" ]; then cat "$dir/$3"; else
        cat "$(find /sys/fs/cgroup -type d -path "*coracle-$E2E_NAME*" -name "*$(container_id "$1")*" | head -n 1)/$4"; fi
}

# ---- The sample ----------------------------------------------------------------------------------------------
check_out "the sample: six pods ready" '6/6 +6 +6' kubectl get deployment sample --no-headers
check_out "nodes" 'node-3 +Ready' kubectl get nodes -o wide
pod=$(kubectl get pods -l app=sample -o jsonpath='{.items[0].metadata.name}')
check_is "env from a Secret's key" open-sesame kubectl exec "$pod" -- sh -c 'echo "$PASSWORD"'
check_is "env from a ConfigMap" 'Hello from Coracle' kubectl exec "$pod" -- sh -c 'echo "$GREETING"'
check_is "env from a field" "$pod" kubectl exec "$pod" -- sh -c 'echo "$POD_NAME"'
check_is "a ConfigMap's file" 'This file comes from a ConfigMap.' kubectl exec "$pod" -- cat /etc/sample/motd
check_is "a Secret's file" open-sesame kubectl exec "$pod" -- cat /etc/sample-secret/PASSWORD
others=$(kubectl get pods -l app=sample -o jsonpath='{.items[*].status.podIP}')
for ip in $others; do
    check_out "pods reach each other: $ip" 'version 1' nsenter -t "$(container_pid "$pod")" -n curl -sS --max-time 5 "http://$ip:8080/"
done

# Rolling update: watched all the while; never fewer available than 75 % of six (5: 25 % rounded down is one).
background "$KUBECTL" get deployment sample -w -o jsonpath='{.status.availableReplicas}{"\n"}' >"$TMP/available.out" 2>&1
watch=$BACKGROUND
check "set image" kubectl set image deployment/sample web=coracle.local/sample:2
check_out "rolling update" 'successfully rolled out' kubectl rollout status deployment/sample --timeout=60s
stop "$watch"
check_is "all pods serve the new image" 6 kubectl get deployment sample -o jsonpath='{.status.updatedReplicas}'
check "at least five were available all the time" awk '$1 < 5 { bad = 1 } END { exit bad || NR == 0 }' "$TMP/available.out"
pod=$(kubectl get pods -l app=sample --sort-by=.metadata.creationTimestamp -o jsonpath='{.items[-1:].metadata.name}')
check_out "... and the new page" 'version 2' nsenter -t "$(container_pid "$pod")" -n curl -sS --max-time 5 http://127.0.0.1:8080/
check "scale down" kubectl scale deployment sample --replicas=1

# ---- All that follows is created at once, and looked at one by one -----------------------------------------------
kubectl create configmap conf --from-literal=colour=red --from-literal=size=9 >/dev/null
kubectl create secret generic keys --from-literal=pw=s3cret >/dev/null
mkdir -p "$TMP/host"
echo from-the-host >"$TMP/host/file"
cat >"$TMP/pods.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata: {name: shell, labels: {a: b}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: one
    image: $IMAGE
    command: [sh, -c, 'trap "exit 0" TERM; echo first line; echo oops >&2; while true; do sleep 0.1; done']
    env:
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: NS, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: conf, key: colour}}}
    - {name: MAYBE, valueFrom: {configMapKeyRef: {name: none, key: x, optional: true}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: BOTH, value: "\$(COLOUR)-\$(NS)-\$\$(NS)"}
    envFrom:
    - {configMapRef: {name: conf}, prefix: C_}
    - {secretRef: {name: keys}}
    resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {cpu: "1", memory: 32Mi}}
    volumeMounts:
    - {name: empty, mountPath: /empty}
    - {name: host, mountPath: /host}
    - {name: conf, mountPath: /conf}
    - {name: keys, mountPath: /keys, readOnly: true}
    - {name: info, mountPath: /info}
    - {name: all, mountPath: /all}
    - {name: conf, mountPath: /one/colour, subPath: colour}
  - name: two
    image: $IMAGE
    command: [sh, -c, 'echo second; echo hi >/empty/from-two; exec sleep 1000000']
    volumeMounts: [{name: empty, mountPath: /empty}]
  volumes:
  - {name: empty, emptyDir: {}}
  - {name: host, hostPath: {path: $TMP/host, type: Directory}}
  - {name: conf, configMap: {name: conf}}
  - {name: keys, secret: {secretName: keys, defaultMode: 0400}}
  - {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - name: all
    projected:
      sources:
      - configMap: {name: conf, items: [{key: size, path: deep/size}]}
      - secret: {name: keys}
      - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: counting}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, command: [sh, -c, 'i=0; while [ \$i -lt 20 ]; do i=\$((i+1)); echo line \$i; done; while true; do i=\$((i+1)); echo line \$i; sleep 0.2; done']}]
---
apiVersion: v1
kind: Pod
metadata: {name: inits}
spec:
  restartPolicy: Never
  initContainers:
  - {name: i1, image: $IMAGE, command: [sh, -c, 'echo one >>/w/log'], volumeMounts: [{name: w, mountPath: /w}]}
  - {name: i2, image: $IMAGE, command: [sh, -c, 'echo two >>/w/log'], volumeMounts: [{name: w, mountPath: /w}]}
  containers:
  - {name: c, image: $IMAGE, command: [sh, -c, 'cat /w/log; echo done >/dev/termination-log'], volumeMounts: [{name: w, mountPath: /w}]}
  volumes: [{name: w, emptyDir: {medium: Memory}}]
---
apiVersion: v1
kind: Pod
metadata: {name: bad-init}
spec:
  restartPolicy: Never
  initContainers: [{name: i, image: $IMAGE, command: [sh, -c, exit 7]}]
  containers: [{name: c, image: $IMAGE}]
---
apiVersion: v1
kind: Pod
metadata: {name: exits-3}
spec: {restartPolicy: Never, containers: [{name: c, image: $IMAGE, command: [sh, -c, exit 3]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: retries}
spec:
  restartPolicy: OnFailure
  containers: [{name: c, image: $IMAGE, command: [sh, -c, 'echo x >>/w/n; echo try \$(wc -l </w/n); [ \$(wc -l </w/n) -ge 2 ]'], volumeMounts: [{name: w, mountPath: /w}]}]
  volumes: [{name: w, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: crashes}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: $IMAGE, command: [sh, -c, 'echo before the crash; exit 1']}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-image}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "coracle.local/missing:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-config}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, env: [{name: X, valueFrom: {configMapKeyRef: {name: late, key: x}}}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: no-volume}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, configMap: {name: later}}]
---
apiVersion: v1
kind: Pod
metadata: {name: no-command}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: $IMAGE, command: [/no/such/program]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: hog}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: $IMAGE, command: [sh, -c, 'head -c 100000000 /dev/zero | tail'], resources: {limits: {memory: 16Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: $IMAGE
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 30}
    readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 5}      # not so many events that some are dropped
    livenessProbe: {exec: {command: [test, '!', -e, /tmp/sick]}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: http-probed}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: $IMAGE, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: never-ready}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, readinessProbe: {httpGet: {path: /nope, port: 8080}, periodSeconds: 1}}]
---
apiVersion: v1
kind: Pod
metadata: {name: hooked}
spec:
  terminationGracePeriodSeconds: 10
  containers:
  - name: c
    image: $IMAGE
    lifecycle:
      postStart: {exec: {command: [sh, -c, 'echo started >/host/post']}}
      preStop: {exec: {command: [sh, -c, 'echo stopping >/host/pre']}}
    volumeMounts: [{name: host, mountPath: /host}]
  volumes: [{name: host, hostPath: {path: $TMP/host}}]
---
apiVersion: v1
kind: Pod
metadata: {name: stubborn}
spec:
  terminationGracePeriodSeconds: 2
  containers: [{name: c, image: $IMAGE, command: [sh, -c, 'trap "" TERM; echo up; while true; do sleep 0.1; done']}]
---
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, stdin: true, command: [sh, -c, 'while read -r line; do echo "you said \$line"; done']}]
---
apiVersion: v1
kind: Pod
metadata: {name: secured}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 1234, runAsGroup: 2345}
  containers:
  - {name: c, image: $IMAGE, command: [sleep, "1000000"], securityContext: {readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}}
YAML
check "many pods at once" kubectl apply -f "$TMP/pods.yaml"

# ---- logs ----------------------------------------------------------------------------------------------------------
check "a pod of two containers is ready" ready shell counting
check_out "logs" 'first line' kubectl logs shell -c one
check_out "logs hold both streams" 'oops' kubectl logs shell -c one
check_out "logs of the first container by default" 'Defaulted container "one"' kubectl logs shell
check_is "logs of the second container" second kubectl logs shell -c two
check_out "logs --all-containers --prefix" '\[pod/shell/two\] second' kubectl logs shell --all-containers --prefix
check_out "logs -l" 'first line' kubectl logs -l a=b -c one
check_is "logs --tail" 1 pipe "$KUBECTL logs shell -c two --tail=1 | wc -l"
check_out "logs --timestamps" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T' kubectl logs shell -c two --timestamps
check_out "logs --since" 'line' kubectl logs counting --since=10s
check_is "logs --since-time in the future" '' kubectl logs counting --since-time=2099-01-01T00:00:00Z
check_is "logs --limit-bytes" 'line ' kubectl logs counting --limit-bytes=5
check_err "logs of a container that is not there" 'container nope is not valid' kubectl logs shell -c nope
background "$KUBECTL" logs -f counting --tail=0 >"$TMP/follow.out" 2>&1
check "logs -f goes on" wait_for 10 matches 'line [0-9]+.*line [0-9]+.*line' cat "$TMP/follow.out"
stop "$BACKGROUND"
background "$KUBECTL" logs -f counting --tail=1 >"$TMP/follow.out" 2>&1
follower=$BACKGROUND
check "logs -f of a pod begins" wait_for 10 grep -q line "$TMP/follow.out"
check "... which is deleted" kubectl delete pod counting --now
check "... ends with it" wait_for 10 ended "$follower"

# ---- exec ----------------------------------------------------------------------------------------------------------
check_is "exec" hello kubectl exec shell -c one -- echo hello
check_is "exec passes arguments as they are" "a  b*\$c'd" kubectl exec shell -c one -- echo "a  b*\$c'd"
kubectl exec shell -c one -- sh -c 'exit 42' 2>/dev/null
check_is "exec passes the exit code on" 42 echo $?
check_is "exec -i reads stdin" 'in the pipe' pipe "echo in the pipe | $KUBECTL exec -i shell -c one -- cat"
check_is "exec -i of much" 5000000 pipe "head -c 5000000 /dev/zero | $KUBECTL exec -i shell -c one -- wc -c"
check_is "exec of much output" 5000000 pipe "$KUBECTL exec shell -c one -- head -c 5000000 /dev/zero | wc -c"
check_is "exec keeps stderr apart" err pipe "$KUBECTL exec shell -c one -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null"
check_err "exec of what is not there" 'no such file|not found|exec' kubectl exec shell -c one -- /no/such/thing
check_err "exec in a pod that is not there" 'NotFound' kubectl exec nope -- true
check_out "exec -it has a terminal" '/dev/pts/|/dev/console' script -qec "$KUBECTL exec -it shell -c one -- tty" /dev/null
check_out "exec without -t has none" 'not a tty' kubectl exec shell -c one -- sh -c 'tty || true'
script -qec "$KUBECTL exec -it shell -c one -- sh -c 'exit 9'" /dev/null >/dev/null
check_is "exec -it passes the exit code on" 9 echo $?
check_out "exec -it: the size of the terminal" '33 111' script -qec "stty rows 33 cols 111; $KUBECTL exec -it shell -c one -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do stty size | grep -v \"^0\" && break; sleep 0.1; done'" /dev/null

# ---- cp, attach, run -------------------------------------------------------------------------------------------------
head -c 300000 /dev/urandom >"$TMP/blob"
check "cp to a pod" kubectl cp "$TMP/blob" shell:/tmp/blob -c one
check_is "... arrives whole" "$(md5sum <"$TMP/blob" | cut -d' ' -f1)" pipe "$KUBECTL exec shell -c one -- md5sum /tmp/blob | cut -d' ' -f1"
check "cp from a pod" kubectl cp shell:/tmp/blob "$TMP/back" -c one
check "... arrives whole" cmp "$TMP/blob" "$TMP/back"
mkdir -p "$TMP/dir/deep" && echo x >"$TMP/dir/deep/file"
check "cp of a directory" kubectl cp "$TMP/dir" shell:/tmp/ -c one
check_is "... arrives" x kubectl exec shell -c one -- cat /tmp/dir/deep/file
check "a pod that listens" ready talker
mkfifo "$TMP/says"
exec 5<>"$TMP/says"                     # both ends, so that opening waits for nobody
"$KUBECTL" attach -i talker <&5 >"$TMP/attach.out" 2>&1 &
attached=$!
E2E_PIDS+=("$attached")
echo hello >&5
check "attach -i" wait_for 10 matches 'you said hello' cat "$TMP/attach.out"
stop "$attached"
exec 5>&-
check_out "run --rm -i" 'one two' pipe "echo one two | timeout 30 $KUBECTL run once --image=$IMAGE --restart=Never --rm -i --quiet -- cat"
check "run --rm removes the pod" wait_for 10 fails "$KUBECTL" get pod once

# ---- environment -------------------------------------------------------------------------------------------------------
environment=$(kubectl exec shell -c one -- env)
for wanted in "NODE=$(kubectl get pod shell -o jsonpath='{.spec.nodeName}')" "IP=$(kubectl get pod shell -o jsonpath='{.status.podIP}')" \
              NS=default COLOUR=red CPU=1 'BOTH=red-default-$(NS)' C_colour=red C_size=9 pw=s3cret HOSTNAME=shell; do
    check "env: $wanted" grep -qxF "$wanted" <(echo "$environment")
done
check "env: what is optional and absent is unset" fails grep -q MAYBE <(echo "$environment")
check_is "hostname" shell kubectl exec shell -c one -- hostname

# ---- volumes -------------------------------------------------------------------------------------------------------------
check_is "emptyDir is shared" hi kubectl exec shell -c one -- cat /empty/from-two
check_is "hostPath" from-the-host kubectl exec shell -c one -- cat /host/file
check "hostPath is written" kubectl exec shell -c one -- sh -c 'echo back >/host/reply'
check_is "... on the host" back cat "$TMP/host/reply"
check_is "configMap" red kubectl exec shell -c one -- cat /conf/colour
check_is "secret" s3cret kubectl exec shell -c one -- cat /keys/pw
check_is "secret: defaultMode" 400 kubectl exec shell -c one -- stat -L -c %a /keys/pw
check_err "readOnly" 'Read-only file system' kubectl exec shell -c one -- touch /keys/x
check_is "downwardAPI" 'a="b"' kubectl exec shell -c one -- cat /info/labels
check_is "projected" '9s3cretshell' kubectl exec shell -c one -- cat /all/deep/size /all/pw /all/name
check_is "subPath" red kubectl exec shell -c one -- cat /one/colour
check "configMap changes" kubectl patch configmap conf --type=merge -p '{"data":{"colour":"green","size":null}}'
check "... reach the volume" wait_for 20 matches '^green$' "$KUBECTL" exec shell -c one -- cat /conf/colour
check "... what was removed is gone there" wait_for 5 fails "$KUBECTL" exec shell -c one -- test -e /conf/size
check_is "... but not a subPath" red kubectl exec shell -c one -- cat /one/colour
check "labels change" kubectl label pod shell more=1
check "... reach the downwardAPI volume" wait_for 20 matches 'more="1"' "$KUBECTL" exec shell -c one -- cat /info/labels

# ---- limits, users --------------------------------------------------------------------------------------------------------
check_is "memory limit in the cgroup" 33554432 cgroup_value shell memory memory.limit_in_bytes memory.max
check_out "cpu limit in the cgroup" '^100000' cgroup_value shell cpu cpu.cfs_quota_us cpu.max
resize() { kubectl patch pod shell --subresource resize --type strategic -p "{\"spec\":{\"containers\":[$1]}}"; }
name=$(kubectl get pod shell -o jsonpath='{.spec.containers[0].name}')
check_out "resize: more memory, less processor time" 'patched' resize \
    "{\"name\":\"$name\",\"resources\":{\"limits\":{\"memory\":\"48Mi\",\"cpu\":\"900m\"},\"requests\":{\"cpu\":\"500m\"}}}"
check "... memory in the cgroup" wait_for 10 matches 50331648 cgroup_value shell memory memory.limit_in_bytes memory.max
check "... processor time in the cgroup" wait_for 10 matches '^90000' cgroup_value shell cpu cpu.cfs_quota_us cpu.max
check_is "... without a restart" 0 status shell restartCount
check_is "... the status tells" 48Mi status shell resources.limits.memory
check_is "... nothing is left to do" '' kubectl get pod shell -o jsonpath='{.status.conditions[?(@.type=="PodResizeInProgress")].type}'
check_err "... less memory takes a restart" 'memory limits cannot be decreased' resize \
    "{\"name\":\"$name\",\"resources\":{\"limits\":{\"memory\":\"40Mi\"}}}"
check "a pod of another user" ready secured
check_is "runAsUser, runAsGroup" '1234:2345' kubectl exec secured -- sh -c 'echo $(id -u):$(id -g)'
check_err "readOnlyRootFilesystem" 'Read-only' kubectl exec secured -- touch /x
check_out "capabilities are dropped" 'CapEff:\s+0000000000000000' kubectl exec secured -- grep CapEff /proc/self/status

# ---- init containers, exits, restarts ----------------------------------------------------------------------------------------
check "a pod with init containers succeeds" phase_is inits Succeeded
check_is "... they ran in order" 'one two' pipe "$KUBECTL logs inits | xargs"
check_is "... the termination message" done status inits state.terminated.message
check "a pod whose init container fails" phase_is bad-init Failed
check_out "... says so" 'Init:Error' kubectl get pod bad-init
check "a pod that fails" phase_is exits-3 Failed
check_is "... exit code" 3 status exits-3 state.terminated.exitCode
check_is "... reason" Error status exits-3 state.terminated.reason
check "restartPolicy OnFailure: tried again until it succeeds" phase_is retries Succeeded
check_is "... after one restart" 1 status retries restartCount
check "OOM: a pod that takes too much fails" phase_is hog Failed
check_is "... reason" OOMKilled status hog state.terminated.reason
check_is "... exit code" 137 status hog state.terminated.exitCode

# ---- what goes wrong, in the words users know ------------------------------------------------------------------------------------
check "CrashLoopBackOff" wait_for 30 matches CrashLoopBackOff status crashes state.waiting.reason
check_out "... is shown" 'CrashLoopBackOff +[1-9]' kubectl get pod crashes
check_out "... event" 'BackOff.*Back-off restarting failed container' kubectl describe pod crashes
check_out "logs --previous" 'before the crash' kubectl logs crashes --previous
check "ImagePullBackOff" wait_for 30 matches ImagePullBackOff status no-image state.waiting.reason
check_out "... events" 'Failed to pull image.*ErrImagePull.*Back-off pulling image' pipe \
    "$KUBECTL get events --field-selector involvedObject.name=no-image --sort-by=.metadata.name -o jsonpath='{.items[*].message}' | tr -d '\n' | sed 's/\(.*\)/\1 \1 \1/'"
check_is "CreateContainerConfigError" CreateContainerConfigError wait_for 10 status no-config state.waiting.reason
check_out "... says what is missing" 'configmap "late" not found' status no-config state.waiting.message
check "what was missing comes" kubectl create configmap late --from-literal=x=1
check "... and the pod runs" ready no-config
check_out "a volume that cannot be mounted: event" 'FailedMount.*configmap "later" not found' kubectl describe pod no-volume
check_out "... ContainerCreating" 'ContainerCreating' kubectl get pod no-volume
check "what was missing comes" kubectl create configmap later --from-literal=x=1
check "... and the pod runs" wait_for 60 kubectl wait pod no-volume --for=condition=Ready --timeout=1s
check "a bad command" wait_for 20 matches '/no/such/program|StartError|RunContainerError|CrashLoopBackOff' "$KUBECTL" get pod no-command -o yaml

# ---- probes ------------------------------------------------------------------------------------------------------------------------
check "a pod with HTTP and TCP probes is ready" ready http-probed
check_is "a failing readiness probe: running" Running phase never-ready
check_is "... not ready" false status never-ready ready
check "... event" wait_for 10 matches 'Readiness probe failed: HTTP probe failed with statuscode: 404' kubectl describe pod never-ready
check "a startup probe succeeds" wait_for 10 matches true status probed started
check_is "... a readiness probe fails until" false status probed ready
check "... its file is there" kubectl exec probed -- touch /tmp/ready
check "... then it is ready" ready probed
check "a liveness probe fails" kubectl exec probed -- touch /tmp/sick
check "... the container is restarted" wait_for 20 matches '^[1-9]' status probed restartCount
check "... event" wait_for 10 matches 'Liveness probe failed: command exited with 1.*' kubectl describe pod probed
check "... and runs again" wait_for 20 matches running status probed state

# ---- hooks and endings ----------------------------------------------------------------------------------------------------------------
check "a pod with hooks" ready hooked
check "postStart ran" grep -q started "$TMP/host/post"
check "delete it" kubectl delete pod hooked
check "preStop ran" grep -q stopping "$TMP/host/pre"
check "a pod that ignores TERM" ready stubborn
began=$(date +%s%N)
check "... is killed after its grace period" kubectl delete pod stubborn
took=$((($(date +%s%N) - began) / 1000000))
check "... not before (it took $took ms)" test $took -ge 1900
check "... and not much later" test $took -le 6000
pid=$(container_pid shell)
check "a container's process is in its cgroup" test -d "/proc/$pid"
check "delete takes the process along" kubectl delete pod shell
check "... it is gone" wait_for 5 fails test -d "/proc/$pid"
check_out "ephemeral files of the pod are gone" '^$' pipe "find '$TMP/data' -path '*from-two' 2>/dev/null"
check "delete all the rest" kubectl delete pods --all --timeout=50s
e2e_finish
