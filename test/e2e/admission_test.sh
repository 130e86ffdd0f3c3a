#!/bin/bash
# test/e2e/admission_test.sh: the built-in admission plugins as kubectl's users meet them: quotas that hold however many
# write at once to whichever head, limits of containers, Pod Security Standards, priorities; plugins that are switched.
. "$(dirname "$0")/lib.sh"
cat >"$TMP/admission.yaml" <<'EOF2'
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: { warn: baseline }
EOF2
e2e_up --heads 3 --nodes 1 --sample=false --head-flags \
    "--enable-admission-plugins=DenyServiceExternalIPs --admission-control-config-file=$TMP/admission.yaml"

# refused NAME TEXT COMMAND...: it fails, and what it prints has this in it.
refused() {
    local name=$1 want=$2 out rc
    shift 2
    out=$("$@" 2>&1)
    rc=$?
    [ $rc != 0 ] && [[ $out == *"$want"* ]]
    e2e_record $? "$name" "\$ $*
$out
(status $rc; wanted failure and: $want)"
}

# ---- Quotas: thirty at once through three heads ------------------------------------------------------------------
kubectl create namespace q >/dev/null
kubectl create quota few -n q --hard=count/configmaps=8,pods=1,requests.cpu=1 >/dev/null
check "the quota's usage is known" wait_for 10 pipe "kubectl get quota few -n q -o 'jsonpath={.status.used.count/configmaps}' | grep -q 1"
mapfile -t ports < <(kubectl get endpoints kubernetes -o 'jsonpath={range .subsets[*].ports[*]}{.port}{"\n"}{end}' | sort -u)
for i in $(seq 30); do
    SERVER=https://127.0.0.1:${ports[$((i % ${#ports[@]}))]} e2e_curl POST /api/v1/namespaces/q/configmaps \
        -H 'Content-Type: application/json' -d "{\"metadata\":{\"name\":\"c$i\"}}" >"$TMP/answer-$i" &
done
wait
check_is "of thirty at once, at all heads, as many come in as there is room for" 7 pipe "grep -lx 201 $TMP/answer-* | wc -l"
check_is "the others are told so" 23 pipe "grep -lx 403 $TMP/answer-* | wc -l"
check_is "they are there, with the root certificates"  8 \
    pipe "kubectl get cm -n q --no-headers | wc -l"
check_is "and the quota says so" 8 kubectl get quota few -n q -o 'jsonpath={.status.used.count/configmaps}'
refused "one more" "exceeded quota: few, requested: count/configmaps=1, used: count/configmaps=8, limited: count/configmaps=8" \
    kubectl create cm more -n q
kubectl delete cm -n q $(seq -f c%g 30) >/dev/null 2>&1
check "what goes makes room" wait_for 10 kubectl create cm more -n q
refused "a pod that asks for nothing" "failed quota: few: must specify requests.cpu for: p" \
    kubectl run p -n q --image=x

# ---- Limits, standards, priorities ---------------------------------------------------------------------------------
kubectl create namespace l >/dev/null
kubectl apply -f - >/dev/null <<'EOF2'
apiVersion: v1
kind: LimitRange
metadata: { name: l, namespace: l }
spec: { limits: [{ type: Container, default: { cpu: 100m }, max: { cpu: 500m } }] }
EOF2
check "a pod without limits" kubectl run p -n l --image=x
check_is "is given them" 100m kubectl get pod p -n l -o 'jsonpath={.spec.containers[0].resources.limits.cpu}'
refused "one that wants more" "maximum cpu usage per Container is 500m, but limit is 1" kubectl run r -n l --image=x \
    '--overrides={"spec":{"containers":[{"name":"r","image":"x","resources":{"limits":{"cpu":"1"}}}]}}'

kubectl create namespace s >/dev/null
check "a warning by default" pipe "kubectl run w -n s --image=x --privileged 2>&1 |
    grep -qF 'would violate PodSecurity \"baseline:latest\": privileged (container \"w\" must not set'"
check "a stricter namespace tells of its pods" pipe "kubectl label ns s pod-security.kubernetes.io/enforce=baseline 2>&1 |
    grep -qF 'w: privileged'"
refused "and refuses new ones" 'violates PodSecurity "baseline:latest": privileged' \
    kubectl run v -n s --image=x --privileged
refused "a level that does not exist" "must be one of privileged, baseline, restricted" \
    kubectl label ns s pod-security.kubernetes.io/enforce=none --overwrite

check "a default priority" kubectl create priorityclass usual --value=7 --global-default
check "a pod of no class" kubectl run d --image=x
check_is "has it" 7 kubectl get pod d -o 'jsonpath={.spec.priority}'
refused "a second default" "PriorityClass usual is already marked as default" \
    kubectl create priorityclass other --value=8 --global-default
cat >"$TMP/service.json" <<'EOF2'
{"apiVersion":"v1","kind":"Service","metadata":{"name":"x"},"spec":{"externalIPs":["1.2.3.4"],"ports":[{"port":80}]}}
EOF2
refused "addresses of others" "Use of external IPs is denied by admission control" \
    kubectl create -f "$TMP/service.json"
refused "the namespaces that stay" "this namespace may not be deleted" kubectl delete ns kube-system
check "a claim is held while it is used, and goes when it is not" pipe "kubectl create -f - <<<'{\"apiVersion\":\"v1\",
    \"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"c\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],
    \"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}' && kubectl delete pvc c --timeout=10s"
e2e_finish
