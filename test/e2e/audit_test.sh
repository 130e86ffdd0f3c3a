#!/bin/bash
# test/e2e/audit_test.sh: the audit log of a real head: who did what with kubectl, and no secret in any log.
. "$(dirname "$0")/lib.sh"

cat >"$TMP/policy.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-scheduler", "system:kube-controller-manager"]
- level: None
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: RequestResponse
YAML
e2e_up --heads 1 --nodes 0 --sample=false --head-flags "--audit-policy-file=$TMP/policy.yaml --audit-log-path=$TMP/audit.log --v=4"
logged() { grep -E "$1" "$TMP/audit.log"; }

kubectl create configmap seen --from-literal=a=told >/dev/null
check_out "a create, with its object" '"verb":"create".*"requestObject":.*told' wait_for 5 logged '"name":"seen"'
check_out "... is a line of JSON" '"seen"' pipe "grep seen $TMP/audit.log | head -n 1 | node -e 'const e = JSON.parse(require(\"fs\").readFileSync(0)); console.log(JSON.stringify(e.responseObject.metadata.name))'"
kubectl get pods >/dev/null 2>&1
check "a list" wait_for 5 logged '"verb":"list".*"resource":"pods"'
kubectl --as=adam delete configmap seen >/dev/null 2>&1
check "who acted as another, and was refused" wait_for 5 logged '"username":"[^"]*".*"impersonatedUser":\{"username":"adam".*"code":403'
curl -sk -o /dev/null -H "Authorization: Bearer canary-token" "$SERVER/api/v1/pods"
check "a token that nobody knows" wait_for 5 logged '"code":401'
kubectl create secret generic s --from-literal=password=canary-secret >/dev/null
kubectl get secret s -o yaml >/dev/null
kubectl create token default >"$TMP/token" && kubectl --token="$(<"$TMP/token")" get pods >/dev/null 2>&1
check "a secret is told of" wait_for 5 logged '"verb":"get".*"resource":"secrets".*"name":"s"'
check "a token too" wait_for 5 logged '"subresource":"token"'
canaries() { grep -c -e canary -e Y2FuYXJ5 -e "$(cut -d. -f3 "$TMP/token")" -r "$TMP/audit.log" "$TMP"/data/*.log | grep -v ':0$'; }
check "no secret and no token stands in any log" test -z "$(canaries)"
check "nobody else may read it" test "$(stat -c %a "$TMP/audit.log")" = 600

e2e_down >/dev/null
sed -i s/RequestResponse/Everything/ "$TMP/policy.yaml"
check_err "a policy that is wrong ends the head, with the reason" 'rules\[2\].level' \
    "$CORACLE" up --detach --name "$E2E_NAME" --data "$TMP/wrong" --heads 1 --nodes 0 --sample=false \
    --head-flags "--audit-policy-file=$TMP/policy.yaml --audit-log-path=-"
e2e_finish
