#!/bin/bash
# test/e2e/policy_test.sh: expressions that decide: ValidatingAdmissionPolicies with kubectl, from the first look at them to
# what they refuse, warn of and let pass.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 1 --nodes 0 --sample=false

policy() {      # NAME SPEC: a policy about ConfigMaps
    k apply -f - <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: $1}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [configmaps]}]
$2
YAML
}
binding() {     # NAME POLICY ACTIONS [MORE]
    k apply -f - <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: $1}
spec:
  policyName: $2
  validationActions: [$3]
$4
YAML
}

# ---- What does not compile is not stored -------------------------------------------------------------------
check_err "an expression that does not compile is refused" "compilation failed: ERROR: <input>:1:10: Syntax error" \
    policy broken '  validations: [{expression: "object =="}]'
check_err "one that is neither true nor false is refused" "must evaluate to bool" \
    policy broken '  validations: [{expression: "1 + 1"}]'
check_err "a variable that does not exist is told" "undefined field 'nope'|undeclared reference to 'variables'" \
    policy broken '  validations: [{expression: "variables.nope == 1"}]'

# ---- Deny -----------------------------------------------------------------------------------------------------
check "a policy is stored" policy small '  variables: [{name: keys, expression: "has(object.data) ? size(object.data) : 0"}]
  matchConditions: [{name: not-delete, expression: "request.operation != '"'DELETE'"'"}]
  validations:
  - {expression: "variables.keys <= 2", messageExpression: "'"'at most 2 keys, not '"' + string(variables.keys)"}
  - {expression: "!has(object.data) || object.data.all(k, k.matches('"'^[a-z]+\$'"'))", message: lower case only, reason: Forbidden}'
check "nothing is refused without a binding" k create configmap free --from-literal=A=1 --from-literal=b=1 --from-literal=c=1
check "a binding is stored" binding small small Deny "  matchResources: {namespaceSelector: {matchLabels: {strict: 'yes'}}}"
k create namespace strict >/dev/null; k label namespace strict strict=yes >/dev/null
check "other namespaces are not covered" k create configmap free2 --from-literal=A=1
check "what satisfies it passes" k -n strict create configmap good --from-literal=a=1
check_err "what does not is refused, with the message that an expression makes" \
    "configmaps \"bad\" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'small' denied request: at most 2 keys, not 3" \
    k -n strict create configmap bad --from-literal=a=1 --from-literal=b=1 --from-literal=c=1
check_err "and with its own" "denied request: lower case only" k -n strict create configmap bad --from-literal=A=1
check_err "updates too" "lower case only" k -n strict patch configmap good --type=merge -p '{"data":{"B":"1"}}'
check "dry runs as well" k -n strict create configmap good2 --from-literal=a=1 --dry-run=server
check "a match condition keeps deletions out of it" k -n strict delete configmap good
e2e_curl POST /api/v1/namespaces/strict/configmaps -H 'Content-Type: application/json' \
    -d '{"metadata":{"name":"x"},"data":{"A":"1"}}' >"$TMP/status"
check "the reason is the rule's" grep -q '"reason":"Forbidden".*"code":403' "$TMP/status"
e2e_curl POST /api/v1/namespaces/strict/configmaps -H 'Content-Type: application/json' \
    -d '{"metadata":{"name":"x"},"data":{"a":"1","b":"1","c":"1"}}' >"$TMP/status"
check "or Invalid" grep -q '"reason":"Invalid".*"code":422' "$TMP/status"

# ---- Warn, parameters, failures ----------------------------------------------------------------------------------
policy limits '  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConditions: [{name: ours, expression: "object != null && object.metadata.name.startsWith('"'p-'"')"}]
  validations: [{expression: "size(object.data) <= int(params.data.max)"}]' >/dev/null
binding limits limits Deny "  paramRef: {name: max, namespace: default, parameterNotFoundAction: Deny}
  matchResources: {namespaceSelector: {matchLabels: {limited: 'yes'}}}" >/dev/null
k create namespace limited >/dev/null; k label namespace limited limited=yes >/dev/null
check_err "without its parameters nothing passes" "no params found" k -n limited create configmap p-1 --from-literal=a=1
check "parameters are an object" k create configmap max --from-literal=max=1
check "they are read at each request" k -n limited create configmap p-1 --from-literal=a=1
check_err "and decide" "failed expression: size.object.data. <= int.params.data.max" \
    k -n limited create configmap p-2 --from-literal=a=1 --from-literal=b=1
k patch configmap max --type=merge -p '{"data":{"max":"x"}}' >/dev/null
check_err "an error refuses where the policy says Fail" "resulted in error" k -n limited create configmap p-2 --from-literal=a=1
k patch validatingadmissionpolicy limits --type=merge -p '{"spec":{"failurePolicy":"Ignore"}}' >/dev/null
check "and not where it says Ignore" k -n limited create configmap p-2 --from-literal=a=1

policy warns '  validations: [{expression: "object == null || object.metadata.name != '"'odd'"'", message: an odd name}]' >/dev/null
binding warns warns Warn >/dev/null
k create configmap odd >"$TMP/out" 2>&1
check "a warning lets it pass" grep -q "configmap/odd created" "$TMP/out"
check "and is shown" grep -q "Warning: Validation failed for ValidatingAdmissionPolicy 'warns' with binding 'warns': an odd name" "$TMP/out"

# ---- Who asks -------------------------------------------------------------------------------------------------------
policy who '  validations: [{expression: "request.userInfo.username.startsWith('"'system:'"') || authorizer.group('"''"').resource('"'nodes'"').check('"'delete'"').allowed()", message: not you}]' >/dev/null
binding who who Deny >/dev/null
k create clusterrole writer --verb=create --resource=configmaps >/dev/null
k create clusterrolebinding somebody --clusterrole=writer --user=somebody >/dev/null
check "the authorizer is asked for the one who writes" k create configmap w
check_err "and may say no" "denied request: not you" k create configmap w2 --as=somebody
k delete validatingadmissionpolicybinding who >/dev/null
# ---- Types -----------------------------------------------------------------------------------------------------------
policy typo '  validations: [{expression: "object.metadta.name != '"''"'"}]' >/dev/null
check "a field that the kind does not have is told in the status" wait_for 10 matches "undefined field 'metadta'" \
    k get validatingadmissionpolicy typo -o 'jsonpath={.status.typeChecking.expressionWarnings[0].warning}'
check_out "with its kind" "v1, Kind=ConfigMap: ERROR: <input>:1:7" \
    k get validatingadmissionpolicy typo -o 'jsonpath={.status.typeChecking.expressionWarnings[0].warning}'
e2e_finish
