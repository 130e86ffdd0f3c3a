#!/bin/bash
# test/e2e/conformance_test.sh: what the published list of Kubernetes' conformance tests names for the API's machinery,
# each by its own words: verbs on every kind that it walks through, watches, tables, chunks, discovery, garbage
# collection, namespaces, quotas, events, budgets, field validation, server-side apply.  Requests are those of curl
# and kubectl; nodes only seem to run their pods.
. "$(dirname "$0")/lib.sh"
e2e_up --nodes 0 --hollow-nodes 2 --sample=false
NS=/api/v1/namespaces/conf

# ask METHOD PATH [BODY [TYPE]]: the answer in $TMP/answer and, with its status behind, on the standard output.
ask() {
    local body=()

    [ -z "$3" ] || body=(-H "Content-Type: ${4:-application/json}" --data-binary "$3")
    e2e_curl "$1" "$2" "${body[@]}" "${ASK[@]}" | tee "$TMP/answer"
}
# status WANTED METHOD PATH [BODY [TYPE]]
status() {
    local want=$1 out

    shift
    out=$(ask "$@")
    printf '%s\n' "$out"
    [ "${out##*$'\n'}" = "$want" ]
}
MERGE=application/merge-patch+json
APPLY=application/apply-patch+yaml
accepting() { local ASK=(-H "Accept: $1"); shift; "$@"; }
field() { kubectl get "$1" "$2" -n conf -o jsonpath="$3"; }

check "a namespace" kubectl create namespace conf

# ---- Every kind's operations ------------------------------------------------------------------------------------

# operations COLLECTION NAME BODY [update]: create, get, list, watch, patch, update, delete, delete a collection, as the
# tests "... API should support ... operations" do.
operations() {
    local all=$1 one=$1/$2 kind=${1##*/} object

    object="{\"metadata\":{\"name\":\"$2\",\"labels\":{\"walk\":\"yes\"}},$3}"
    rv=$(ask GET "$all?limit=1" | grep -o '"resourceVersion":"[0-9]*"' | head -n 1 | grep -o '[0-9]*')
    check "$kind: create" status 201 POST "$all" "$object"
    check_out "$kind: again: AlreadyExists" '"reason":"AlreadyExists"' ask POST "$all" "$object"
    check "$kind: get" status 200 GET "$one"
    check_out "$kind: list by label" "\"name\":\"$2\"" ask GET "$all?labelSelector=walk%3Dyes"
    check "$kind: patch" status 200 PATCH "$one" '{"metadata":{"annotations":{"patched":"true"}}}' $MERGE
    check "$kind: update" status 200 PUT "$one" "$(head -n -1 <(ask GET "$one") | sed 's/"patched":"true"/"updated":"true"/')"
    check_out "$kind: it is updated" '"updated":"true"' ask GET "$one"
    check_out "$kind: watch: added, modified" 'ADDED.*MODIFIED.*MODIFIED' briefly ask GET \
        "$all?watch=true&resourceVersion=$rv&labelSelector=walk%3Dyes"
    check "$kind: delete" status 200 DELETE "$one"
    check_out "$kind: gone: NotFound" '"reason":"NotFound"' ask GET "$one"
    check "$kind: create again" status 201 POST "$all" "$object"
    check "$kind: delete a collection" status 200 DELETE "$all?labelSelector=walk%3Dyes"
    check_out "$kind: it is empty" '"items":\[\]' ask GET "$all?labelSelector=walk%3Dyes"
}
flat() { "$@" | tr '\n' ' '; }
briefly() { local ASK=(--max-time 0.25); flat "$@" 2>/dev/null; }

TEMPLATE='"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}'
NEVER='"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}'
SUBJECT='"rules":[{"subjects":[{"kind":"User","user":{"name":"u"}}],"nonResourceRules":[{"verbs":["*"],"nonResourceURLs":["*"]}]}]'
while IFS='|' read -r all name body; do
    operations "$all" "$name" "$body"
done <<END
$NS/configmaps|walk|"data":{"a":"b"}
$NS/secrets|walk|"stringData":{"a":"b"}
$NS/serviceaccounts|walk|"automountServiceAccountToken":false
$NS/endpoints|walk|"subsets":[{"addresses":[{"ip":"10.9.9.9"}],"ports":[{"port":80}]}]
$NS/limitranges|walk|"spec":{"limits":[{"type":"Container","default":{"cpu":"1"}}]}
$NS/podtemplates|walk|$TEMPLATE
$NS/services|walk|"spec":{"ports":[{"port":80}]}
/apis/apps/v1/namespaces/conf/controllerrevisions|walk|"data":{"a":1},"revision":1
/apis/batch/v1/namespaces/conf/cronjobs|walk|"spec":{"schedule":"0 0 1 1 *","suspend":true,"jobTemplate":{"spec":{$NEVER}}}
/apis/coordination.k8s.io/v1/namespaces/conf/leases|walk|"spec":{"holderIdentity":"h"}
/apis/discovery.k8s.io/v1/namespaces/conf/endpointslices|walk|"addressType":"IPv4","endpoints":[]
/apis/events.k8s.io/v1/namespaces/conf/events|walk|"eventTime":"2026-01-01T00:00:00.000001Z","reportingController":"c.d/e","reportingInstance":"i","action":"A","reason":"R","type":"Normal","regarding":{"kind":"Pod","name":"p","namespace":"conf"}
/apis/networking.k8s.io/v1/namespaces/conf/ingresses|walk|"spec":{"defaultBackend":{"service":{"name":"s","port":{"number":80}}}}
/apis/policy/v1/namespaces/conf/poddisruptionbudgets|walk|"spec":{"minAvailable":1,"selector":{"matchLabels":{"no":"pod"}}}
/apis/networking.k8s.io/v1/ingressclasses|walk|"spec":{"controller":"example.com/c"}
/apis/node.k8s.io/v1/runtimeclasses|walk|"handler":"h"
/apis/scheduling.k8s.io/v1/priorityclasses|walk|"value":7
/apis/storage.k8s.io/v1/storageclasses|walk|"provisioner":"p"
/apis/storage.k8s.io/v1/csidrivers|walk|"spec":{}
/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas|walk|"spec":{"priorityLevelConfiguration":{"name":"exempt"},$SUBJECT}
/apis/certificates.k8s.io/v1/certificatesigningrequests|walk|"spec":{"request":"$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=x 2>/dev/null | base64 -w0)","signerName":"example.com/s","usages":["client auth"]}
END

# ---- Watchers ---------------------------------------------------------------------------------------------------

cm() { ask "$@" >"$TMP/last"; }
watched() { local ASK=(--max-time 0.25); ask GET "$NS/configmaps?watch=true&$1" 2>/dev/null | grep -o '"type":"[A-Z]*"' | cut -d'"' -f4 | xargs; }
rv() { grep -o '"resourceVersion":"[0-9]*"' "$TMP/last" | head -n 1 | grep -o '[0-9]*'; }
cm POST $NS/configmaps '{"metadata":{"name":"w","labels":{"l":"A"}}}'; first=$(rv)
cm PATCH $NS/configmaps/w '{"data":{"mutation":"1"}}' $MERGE; second=$(rv)
cm PATCH $NS/configmaps/w '{"metadata":{"labels":{"l":"B"}}}' $MERGE
cm PATCH $NS/configmaps/w '{"metadata":{"labels":{"l":"A"}}}' $MERGE
cm DELETE $NS/configmaps/w
check_is "watch: add, update, delete; the selector's borders are additions and deletions" "MODIFIED DELETED ADDED DELETED" \
    watched "resourceVersion=$first&labelSelector=l%3DA"
check_is "watch: started from a resourceVersion" "MODIFIED MODIFIED DELETED" watched "resourceVersion=$second&fieldSelector=metadata.name%3Dw"
background e2e_curl GET "$NS/configmaps?watch=true&timeoutSeconds=2&resourceVersion=$second" >"$TMP/w1"; one=$BACKGROUND
background e2e_curl GET "$NS/configmaps?watch=true&timeoutSeconds=2&resourceVersion=$second" >"$TMP/w2"; two=$BACKGROUND
for i in 1 2 3 4 5; do cm POST $NS/configmaps "{\"metadata\":{\"name\":\"order-$i\"}}"; done
wait $one $two
check "watches at the same time see the same, in the same order" cmp "$TMP/w1" "$TMP/w2"
check "... and all of it" grep -q order-5 "$TMP/w1"

# ---- Chunks and tables --------------------------------------------------------------------------------------------

page() { ask GET "$NS/configmaps?limit=2${1:+&continue=$1}"; }
token() { grep -o '"continue":"[^"]*"' "$TMP/answer" | cut -d'"' -f4; }
check_out "chunks: the first tells how many remain" '"remainingItemCount":' page
before=$(grep -o '"resourceVersion":"[0-9]*"' "$TMP/answer" | head -n 1) next=$(token) pages=1
while [ -n "$next" ] && [ $pages -lt 20 ]; do
    page "$next" >/dev/null
    [ "$before" = "$(grep -o '"resourceVersion":"[0-9]*"' "$TMP/answer" | head -n 1)" ] || break
    next=$(token) pages=$((pages + 1))
done
check "chunks: all of one revision, to the end ($pages)" test $pages -ge 3 -a -z "$next"
TABLE='application/json;as=Table;v=v1;g=meta.k8s.io'
check_out "tables: rows and their columns" '"kind":"Table".*"name":"Name".*"rows":\[' accepting "$TABLE" ask GET /api/v1/nodes
check_out "tables: in chunks" '"continue":"[^"]+"' accepting "$TABLE" ask GET "$NS/configmaps?limit=2"
check "tables: 406 where there is none" accepting "$TABLE" status 406 POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews \
    '{"spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}'
check_out "metadata alone" '"kind":"PartialObjectMetadataList"' \
    accepting 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' ask GET /api/v1/nodes

# ---- Discovery, version, reviews -------------------------------------------------------------------------------------

groups=$(ask GET /apis | grep -o '"name":"[^"]*","versions"' | cut -d'"' -f4)
preferred() {
    local g

    for g in $groups; do
        ask GET "/apis/$g" | tr -d '\n' | grep -qE '"preferredVersion":\{"groupVersion":"('"$g"'/[a-z0-9]+)".*' || return 1
        ask GET "/apis/$(grep -o '"preferredVersion":{"groupVersion":"[^"]*"' "$TMP/answer" | cut -d'"' -f6)" |
            grep -q '"kind":"APIResourceList"' || return 1
    done
    [ -n "$groups" ]
}
check "discovery: a preferred version of each group, which is there" preferred
check_out "discovery: aggregated" 'APIGroupDiscoveryList' \
    accepting 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' ask GET /apis
check_out "version: whole numbers" '"major": ?"1".*"minor": ?"[0-9]+"' flat ask GET /version
check_out "SubjectAccessReview" '"allowed":true' ask POST /apis/authorization.k8s.io/v1/subjectaccessreviews \
    '{"spec":{"user":"x","groups":["system:masters"],"resourceAttributes":{"verb":"get","resource":"pods"}}}'
check_out "SelfSubjectReview" '"username":' ask POST /apis/authentication.k8s.io/v1/selfsubjectreviews '{}'
check_out "OpenID configuration" '"issuer":' ask GET /.well-known/openid-configuration
check_out "OpenID keys" '"keys":\[' ask GET /openid/v1/jwks
check "kube-root-ca.crt is in the namespace" kubectl get configmap kube-root-ca.crt -n conf
check "kube-root-ca.crt: deleted" kubectl delete configmap kube-root-ca.crt -n conf
check "... and made again" wait_for 10 kubectl get configmap kube-root-ca.crt -n conf
check_out "the API server is a service" '443' kubectl get service kubernetes -o jsonpath='{.spec.ports[0].port}'
check_out "... with endpoints" '[0-9]+\.' kubectl get endpoints kubernetes -o jsonpath='{.subsets[0].addresses[0].ip}'
check_out "... and a slice" 'kubernetes' kubectl get endpointslices -l kubernetes.io/service-name=kubernetes -o name

# ---- Field validation, immutability, bad names ---------------------------------------------------------------------------

D=/apis/apps/v1/namespaces/conf/deployments
bad="{\"metadata\":{\"name\":\"strict\"},\"unknown1\":1,\"spec\":{\"unknown\":1,\"replicas\":1,\"replicas\":2,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},$TEMPLATE}}"
check_out "fieldValidation=Strict" 'strict decoding error:.*unknown field.*duplicate field' ask POST "$D?fieldValidation=Strict&dryRun=All" "$bad"
check "fieldValidation=Ignore" status 201 POST "$D?fieldValidation=Ignore&dryRun=All" "$bad"
check_out "fieldValidation=Warn" '[Ww]arning:' pipe "curl -sS -D - -o /dev/null --cacert '$PKI/ca.crt' --cert '$PKI/admin.crt' --key '$PKI/admin.key' \
    -H 'Content-Type: application/json' -d '$bad' '$SERVER$D?fieldValidation=Warn&dryRun=All'"
check "a ConfigMap with an empty key is refused" status 422 POST $NS/configmaps '{"metadata":{"name":"e"},"data":{"":"x"}}'
check "a Secret with an empty key is refused" status 422 POST $NS/secrets '{"metadata":{"name":"e"},"data":{"":"eA=="}}'
check "an immutable ConfigMap" status 201 POST $NS/configmaps '{"metadata":{"name":"fixed"},"immutable":true,"data":{"a":"b"}}'
check "... does not change" status 422 PATCH $NS/configmaps/fixed '{"data":{"a":"c"}}' $MERGE
check "... nor become mutable" status 422 PATCH $NS/configmaps/fixed '{"immutable":false}' $MERGE

# ---- Server-side apply -----------------------------------------------------------------------------------------------------

applied='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"a":"1"}}'
check "apply creates" status 201 PATCH "$NS/configmaps/ssa?fieldManager=one" "$applied" $APPLY
check_out "another manager's value: a conflict that names the first" 'conflict with ."one.": .data.a' \
    ask PATCH "$NS/configmaps/ssa?fieldManager=two" "${applied/\"1\"/\"2\"}" $APPLY
check "... by force" status 200 PATCH "$NS/configmaps/ssa?fieldManager=two&force=true" "${applied/\"1\"/\"2\"}" $APPLY
check "... who applies no field gives them up" status 200 PATCH "$NS/configmaps/ssa?fieldManager=two" "${applied/,\"data\":\{\"a\":\"1\"\}/}" $APPLY
check_is "... and it goes" '' field configmap ssa '{.data}'
empty='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"empty"},"data":{}}'
check "an empty map" status 201 PATCH "$NS/configmaps/empty?fieldManager=one" "$empty" $APPLY
check "... of two managers" status 200 PATCH "$NS/configmaps/empty?fieldManager=two" "$empty" $APPLY

# ---- Namespaces ------------------------------------------------------------------------------------------------------------

check "namespace: patch" status 200 PATCH $NS '{"metadata":{"labels":{"patched":"yes"}}}' $MERGE
check_out "namespace: update" '"updated":"yes"' ask PUT $NS "$(head -n -1 <(ask GET $NS) | sed 's/"patched":"yes"/"updated":"yes"/')"
check_out "namespace: status" '"type":"Test"' ask PATCH $NS/status '{"status":{"conditions":[{"type":"Test","status":"True"}]}}' $MERGE
check "namespace: create another" kubectl create namespace gone
check "namespace: a finalizer" status 200 PUT /api/v1/namespaces/gone/finalize \
    '{"metadata":{"name":"gone"},"spec":{"finalizers":["kubernetes","example.com/hold"]}}'
check "namespace: with a pod" kubectl run p -n gone --image=i
check "namespace: with a service" kubectl create service clusterip s -n gone --tcp=80
check "namespace: deleted" status 200 DELETE /api/v1/namespaces/gone
check "namespace: its pods are removed" wait_for 15 matches '"items":\[\]' ask GET /api/v1/namespaces/gone/pods
check "namespace: its services are removed" wait_for 15 matches '"items":\[\]' ask GET /api/v1/namespaces/gone/services
check_out "namespace: it stays for its finalizer" 'Terminating' kubectl get namespace gone
check "namespace: without" status 200 PUT /api/v1/namespaces/gone/finalize '{"metadata":{"name":"gone"},"spec":{"finalizers":["kubernetes"]}}'
check "namespace: it goes" wait_for 15 fails kubectl get namespace gone

# ---- Garbage collection ------------------------------------------------------------------------------------------------------

make_deployment() { kubectl create deployment "$1" -n conf --image=i --replicas=2; }
sets() { kubectl get replicasets -n conf -l "app=$1" -o name; }
delete_with() { ask DELETE "$D/$1" "{\"propagationPolicy\":\"$2\"}"; }
check "a deployment" make_deployment gc
check "... makes its set" wait_for 10 matches 'replicaset' sets gc
check_out "... deleted, not orphaning" '"(Success|Deployment)"' delete_with gc Background
check "... the set goes" wait_for 15 matches '^$' sets gc
check "... and its pods" wait_for 15 matches '^$' kubectl get pods -n conf -l app=gc -o name
check "a deployment" make_deployment orphan
check "... makes its set" wait_for 10 matches 'replicaset' sets orphan
check_out "... deleted, orphaning" 'Success|Deployment' delete_with orphan Orphan
check "... goes" wait_for 10 fails kubectl get deployment orphan -n conf
check_out "... the set stays" 'replicaset' sets orphan
check_is "... without an owner" '' kubectl get replicasets -n conf -l app=orphan -o jsonpath='{.items[0].metadata.ownerReferences}'
check "a deployment" make_deployment fore
check "... with pods" wait_for 10 matches 'pod/' kubectl get pods -n conf -l app=fore -o name
check_out "... deleted in the foreground" 'foregroundDeletion' delete_with fore Foreground
check "... goes after its pods" wait_for 15 fails kubectl get deployment fore -n conf
check_is "... which are gone then" '' kubectl get pods -n conf -l app=fore --field-selector=status.phase=Running -o name

# ---- Quotas, limits, budgets, scale --------------------------------------------------------------------------------------------

check "a quota" kubectl create quota q -n conf --hard=configmaps=20,services=1
check "... is counted" wait_for 10 matches '[0-9]' field quota q '{.status.used.services}'
check "... a service within" kubectl create service clusterip in -n conf --tcp=80
check "... is counted too" wait_for 10 matches '^1$' field quota q '{.status.used.services}'
check_err "... one beyond is refused" 'exceeded quota: q' kubectl create service clusterip beyond -n conf --tcp=80
check "... a larger quota" kubectl patch quota q -n conf -p '{"spec":{"hard":{"services":"2"}}}'
check "... and it fits" wait_for 10 kubectl create service clusterip beyond -n conf --tcp=80
check "... quota status" status 200 PATCH $NS/resourcequotas/q/status '{"status":{"hard":{"services":"2"}}}' $MERGE
check "... deleted" kubectl delete quota q -n conf
check "a limit range" status 201 POST $NS/limitranges '{"metadata":{"name":"l"},"spec":{"limits":[{"type":"Container","default":{"cpu":"500m"},"defaultRequest":{"cpu":"100m"},"max":{"cpu":"1"}}]}}'
check_is "... its defaults are complete" '500m 100m 1' field limitrange l \
    '{.spec.limits[0].default.cpu} {.spec.limits[0].defaultRequest.cpu} {.spec.limits[0].max.cpu}'
check "... deleted" kubectl delete limitrange l -n conf
check "a pod" kubectl run limited -n conf --image=i
check "pods of a budget" kubectl create deployment pdb -n conf --image=i --replicas=2
check "... are ready" kubectl rollout status deployment/pdb -n conf --timeout=20s
check "a budget" kubectl create pdb b -n conf --selector=app=pdb --min-available=2
check "... its status is observed" wait_for 10 matches '^2$' field pdb b '{.status.currentHealthy}'
pod=$(kubectl get pods -n conf -l app=pdb -o jsonpath='{.items[0].metadata.name}')
evict() { ask POST "$NS/pods/$pod/eviction" "{\"metadata\":{\"name\":\"$pod\"}}"; }
check_out "... blocks an eviction" '"reason":"TooManyRequests".*DisruptionBudget' evict
check "... updated" kubectl patch pdb b -n conf --type=merge -p '{"spec":{"minAvailable":1}}'
check "... it lets go" wait_for 10 matches '201$' evict
check_out "scale: read" '"kind":"Scale".*"replicas":2' ask GET "$D/pdb/scale"
check "scale: patch" status 200 PATCH "$D/pdb/scale" '{"spec":{"replicas":1}}' $MERGE
check_is "scale: it is" 1 field deployment pdb '{.spec.replicas}'

# ---- Pods, services, accounts ------------------------------------------------------------------------------------------------------

check "pod status: patch" status 200 PATCH $NS/pods/limited/status '{"status":{"message":"Patched"}}' $MERGE
check "service status: patch" status 200 PATCH $NS/services/in/status '{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.1"}]}}}' $MERGE
check_is "... it is kept" 203.0.113.1 field service in '{.status.loadBalancer.ingress[0].ip}'
check "a token for an audience" pipe "KUBECONFIG=$KUBECONFIG $KUBECTL create token default -n conf --audience=x --duration=10m | grep -q '\..*\.'"
check "pods are deleted as a collection" status 200 DELETE "$NS/pods?labelSelector=run%3Dlimited"
check "... it is gone" wait_for 10 fails kubectl get pod limited -n conf
check_out "health: each check by name" '\[\+\]ping ok' ask GET '/readyz?verbose'
check_out "health: without one" 'excluded: ok|ok' ask GET '/readyz?verbose&exclude=ping'
e2e_finish
