#!/bin/bash
# test/e2e/auth_test.sh: who somebody is and what he may do, with kubectl: can-i, whoami, reconcile, roles that are made of
# others, tokens of accounts and what ends them, bootstrap tokens, impersonation.
. "$(dirname "$0")/lib.sh"

e2e_up --nodes 1 --sample=false

as() { local user=$1; shift; kubectl --as="$user" "$@"; }
with_token() { curl -sS --max-time 10 --cacert "$PKI/ca.crt" -H "authorization: Bearer $1" "$SERVER$2"; }

# ---- Roles -------------------------------------------------------------------------------------------------------------
check_err "bob may nothing" 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"' \
    as bob get pods
check "a role" kubectl create role reader --verb=get,list --resource=pods
check "a binding" kubectl create rolebinding reader --role=reader --user=bob
check "bob reads pods" as bob get pods
check_is "can-i says so" yes as bob auth can-i list pods
check_err "can-i says no" "^no" as bob auth can-i delete pods
check_out "can-i --list shows it" 'pods +\[\] +\[\] +\[get list\]' as bob auth can-i --list
check_out "whoami" 'Username +bob' as bob auth whoami
check_out "the admin may everything" '^yes' kubectl auth can-i '*' '*'

# ---- Aggregation ---------------------------------------------------------------------------------------------------------
made() { kubectl get clusterrole view -o jsonpath='{.rules}' | grep -q '"pods"'; }
check "view is made of others" wait_for 10 made
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: widgets, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [example.com], resources: [widgets], verbs: [get]}]
YAML
has_widgets() { kubectl get clusterrole admin -o jsonpath='{.rules}' | grep -q widgets; }
check "... through edit into admin" wait_for 10 has_widgets
kubectl delete clusterrole widgets >/dev/null
check "... and out of it" wait_for 10 fails has_widgets

# ---- Reconcile, and giving away ------------------------------------------------------------------------------------------
cat >"$TMP/rbac.yaml" <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [""], resources: [pods, configmaps], verbs: [get, list]}]
YAML
check_out "auth reconcile" 'reader reconciled' kubectl auth reconcile -f "$TMP/rbac.yaml"
check "bob reads config maps now" as bob get configmaps
kubectl create clusterrole rolemaker --verb='*' --resource=roles,rolebindings,clusterrolebindings >/dev/null
kubectl create clusterrolebinding rolemaker --clusterrole=rolemaker --user=eve >/dev/null
check_err "eve cannot make herself admin" 'attempting to grant RBAC permissions not currently held' \
    as eve create clusterrolebinding me --clusterrole=cluster-admin --user=eve

# ---- Tokens --------------------------------------------------------------------------------------------------------------
wait_for 10 kubectl get serviceaccount default >/dev/null
kubectl create serviceaccount robot >/dev/null
kubectl create rolebinding robot --role=reader --serviceaccount=default:robot >/dev/null
TOKEN=$(kubectl create token robot)
check_out "its token reads pods" '"kind":"PodList"' with_token "$TOKEN" /api/v1/namespaces/default/pods
check_out "... but no secrets" 'cannot list resource \\"secrets\\"' with_token "$TOKEN" /api/v1/namespaces/default/secrets
check_out "a token for others is refused" '"code":401' with_token "$(kubectl create token robot --audience=vault)" /api
kubectl create secret generic tie >/dev/null
BOUND=$(kubectl create token robot --bound-object-kind=Secret --bound-object-name=tie)
check_out "a token bound to a secret" '"kind":"PodList"' with_token "$BOUND" /api/v1/namespaces/default/pods
kubectl delete secret tie >/dev/null
check_out "... ends with it" '"code":401' with_token "$BOUND" /api/v1/namespaces/default/pods
kubectl delete serviceaccount robot >/dev/null
check_out "a token ends with its account" '"code":401' with_token "$TOKEN" /api/v1/namespaces/default/pods
check_out "keys for others" '"kty":"EC"' kubectl get --raw /openid/v1/jwks
check_out "where they are" '"jwks_uri":"https://' kubectl get --raw /.well-known/openid-configuration

# ---- Bootstrap tokens ----------------------------------------------------------------------------------------------------
kubectl -n kube-system create secret generic bootstrap-token-abcdef --type=bootstrap.kubernetes.io/token \
    --from-literal=token-id=abcdef --from-literal=token-secret=0123456789abcdef \
    --from-literal=usage-bootstrap-authentication=true \
    --from-literal=auth-extra-groups=system:bootstrappers:here >/dev/null
check_out "a bootstrap token" 'User \\"system:bootstrap:abcdef\\" cannot list' with_token abcdef.0123456789abcdef /api/v1/pods
check_out "... of another secret" '"code":401' with_token abcdef.0123456789abcdee /api/v1/pods
kubectl -n kube-system delete secret bootstrap-token-abcdef >/dev/null
check_out "... ends with it" '"code":401' with_token abcdef.0123456789abcdef /api/v1/pods

# ---- Nodes ---------------------------------------------------------------------------------------------------------------
kubectl create secret generic hidden --from-literal=a=b >/dev/null
check_err "a node reads no secret of no pod of its own" "no relationship found between node 'node-1' and this object" \
    kubectl --as=system:node:node-1 --as-group=system:nodes get secret hidden
check_err "... nor another node's lease" 'can only access node lease with the same name' \
    kubectl --as=system:node:node-2 --as-group=system:nodes -n kube-node-lease get lease node-1

e2e_finish
