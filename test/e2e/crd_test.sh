#!/bin/bash
# test/e2e/crd_test.sh: kinds that users define, as kubectl sees them: definitions shaped like those of a certificate manager, a
# deployer and a monitoring operator; served at once by every head, checked, defaulted, applied, scaled, explained, deleted.
. "$(dirname "$0")/lib.sh"
e2e_up --nodes 0 --sample=false

CRDS=$E2E_REPO/test/e2e/crds
JSON='content-type: application/json'
heads=$(grep -ho 'serves the API on [0-9.:]*' "$TMP"/data/head-*.log | sed 's/.* //' | sort -u)

# refused NAME REGEX COMMAND...: it fails and says so.
refused() {
    local name=$1 regex=$2 out
    shift 2
    out=$("$@" 2>&1)
    [ $? -ne 0 ] && [[ $out =~ $regex ]]
    e2e_record $? "$name" "$out"
}
# says NAME REGEX COMMAND...: it succeeds and says so.
says() {
    local name=$1 regex=$2 out
    shift 2
    out=$("$@" 2>&1) && [[ $out =~ $regex ]]
    e2e_record $? "$name" "$out"
}
# At one head: at HOST:PORT METHOD PATH [curl options]
at() { local head=$1; shift; SERVER=https://$head e2e_curl "$@"; }

# ---- Definitions ---------------------------------------------------------------------------------------------
says "three definitions are applied" 'monitors.watch.example.com created' k apply -f "$CRDS"
says "they are established" 'condition met' k wait --for=condition=Established --timeout=10s crd certificates.keys.example.com \
    applications.deploy.example.com monitors.watch.example.com
says "applying them again changes nothing" 'monitors.watch.example.com unchanged' k apply -f "$CRDS"
says "and so does server-side apply" serverside-applied k apply --server-side --force-conflicts -f "$CRDS"
says "kubectl knows their names" 'certificates +cert,certs +keys.example.com/v1 +true +Certificate' k api-resources
refused "a schema that is none" 'Unsupported value: "text"' k create -f - <<'X'
{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"bads.keys.example.com"},"spec":{"group":"keys.example.com",
"scope":"Cluster","names":{"plural":"bads","kind":"Bad"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
{"type":"object","properties":{"a":{"type":"text"}}}}}]}}
X
refused "a rule that does not compile" "undefined field 'b'" k create -f - <<'X'
{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"bads.keys.example.com"},"spec":{"group":"keys.example.com",
"scope":"Cluster","names":{"plural":"bads","kind":"Bad"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
{"type":"object","properties":{"a":{"type":"integer"}},"x-kubernetes-validations":[{"rule":"self.b > 0"}]}}}]}}
X
refused "a rule that costs too much" 'estimated rule cost' k create -f - <<'X'
{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"bads.keys.example.com"},"spec":{"group":"keys.example.com",
"scope":"Cluster","names":{"plural":"bads","kind":"Bad"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}},"x-kubernetes-validations":[{"rule":"self.a.all(x, self.a.all(y, x == y))"}]}}}]}}
X

# ---- Objects -------------------------------------------------------------------------------------------------
cert() { printf '{"apiVersion":"keys.example.com/%s","kind":"Certificate","metadata":{"name":"%s"},"spec":%s}' "$1" "$2" "$3"; }
GOOD='{"secretName":"tls","commonName":"a.b","issuerRef":{"name":"ca"}}'
says "an object is created" created k create -f <(cert v1 good "$GOOD")
check_is "defaults are filled in" "Issuer RSA Always" k get cert good -o jsonpath='{.spec.issuerRef.kind} {.spec.privateKey.algorithm} {.spec.privateKey.rotationPolicy}'
refused "an unknown field is told" 'unknown field "spec.sekretName"' k create -f <(cert v1 bad '{"sekretName":"x"}')
refused "all that is wrong is told" 'spec.issuerRef.name: .*at least 1 chars.*' k create -f <(cert v1 bad '{"secretName":"x","commonName":"a","issuerRef":{"name":""}}')
refused "what is required" 'spec.secretName: Required value' k create -f <(cert v1 bad '{"commonName":"a","issuerRef":{"name":"x"}}')
refused "a rule in CEL" 'at least one of commonName and dnsNames is needed' k create -f <(cert v1 bad '{"secretName":"x","issuerRef":{"name":"x"}}')
refused "a rule about a field" 'spec.renewBefore: .*renewBefore must be less than duration' k create -f \
    <(cert v1 bad '{"secretName":"x","commonName":"a","issuerRef":{"name":"x"},"duration":"1h","renewBefore":"2h"}')
refused "a rule about changes" 'secretName cannot change' k patch cert good --type merge -p '{"spec":{"secretName":"other"}}'
says "other changes pass" patched k patch cert good --type merge -p '{"spec":{"isCA":true}}'
refused "strategic patches are refused" 'not supported' k patch cert good --type strategic -p '{"spec":{"isCA":false}}'
says "a deprecated version works and warns" 'Warning: keys.example.com/v1alpha2 Certificate is deprecated' k get certificates.v1alpha2.keys.example.com good
check_is "it is the same object" keys.example.com/v1alpha2 k get certificates.v1alpha2.keys.example.com good -o jsonpath='{.apiVersion}'
says "columns" 'NAME +READY +SECRET +AGE' k get cert
says "status alone" patched k patch cert good --subresource status --type merge -p '{"status":{"conditions":[{"type":"Ready","status":"True"}]},"spec":{"isCA":false}}'
says "wide columns" 'good +True +tls +ca' k get cert -o wide
says "kubectl waits for conditions" 'condition met' k wait --for=condition=Ready --timeout=5s cert/good
check_is "by a field of its own" certificate.keys.example.com/good k get cert --field-selector spec.secretName=tls -o name
says "explain" 'What the certificate shall be' k explain cert.spec
says "explain, deeper" 'rotationPolicy' k explain cert.spec.privateKey
says "server-side dry run stores nothing" 'server dry run' k apply --dry-run=server -f <(cert v1 dry "$GOOD")
refused "nothing was stored" NotFound k get cert dry

app='{"apiVersion":"deploy.example.com/v1alpha1","kind":"Application","metadata":{"name":"a"},"spec":{"project":"p","destination":{"server":"https://x.y"},
"source":{"repoURL":"r","helm":{"valuesObject":{"any":{"thing":[1,{"goes":true}]}}}}}}'
says "free-form values" created k create -f <(echo "$app")
check_is "are kept" true k get app a -o jsonpath='{.spec.source.helm.valuesObject.any.thing[1].goes}'
refused "alternatives" 'oneOf' k patch app a --type merge -p '{"spec":{"sources":[{"repoURL":"q"}]}}'
says "without a status subresource status is a field" patched k patch app a --type merge -p '{"status":{"sync":{"status":"Synced"}}}'
says "which columns show" Synced k get apps.deploy.example.com

mon='{"apiVersion":"watch.example.com/v1","kind":"Monitor","metadata":{"name":"m"},"spec":{"resources":{"limits":{"cpu":2,"memory":"1Gi"}},
"endpoints":[{"targetPort":80},{"targetPort":"web"}],"containers":[{"name":"x","image":"i","ports":[{"containerPort":80}]}]}}'
says "numbers or texts" serverside-applied k apply --server-side --field-manager one -f <(echo "$mon")
refused "but not others" 'should match' k patch mon m --type merge -p '{"spec":{"resources":{"limits":{"cpu":"lots"}}}}'
says "another manager adds its own" serverside-applied k apply --server-side --field-manager two -f - <<'X'
{"apiVersion":"watch.example.com/v1","kind":"Monitor","metadata":{"name":"m"},"spec":{"containers":[{"name":"y"},{"name":"x","args":["-v"]}]}}
X
check_is "beside those of the first" "i -v" k get mon m -o jsonpath='{.spec.containers[?(@.name=="x")].image} {.spec.containers[?(@.name=="x")].args[0]}'
refused "but takes nothing away" 'conflict with "one"' k apply --server-side --field-manager two -f - <<'X'
{"apiVersion":"watch.example.com/v1","kind":"Monitor","metadata":{"name":"m"},"spec":{"containers":[{"name":"x","image":"j"}]}}
X
says "kubectl scale" scaled k scale mon m --replicas 3
says "kubectl get all shows it" 'monitor.watch.example.com/m +3' k get all
says "apply from the client's side" configured k apply -f <(echo "$mon" | sed 's/"spec":{/"spec":{"paused":true,/')

# ---- Every head, at once ---------------------------------------------------------------------------------------
one='{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"quicks.keys.example.com"},"spec":{"group":"keys.example.com",
"scope":"Cluster","names":{"plural":"quicks","kind":"Quick"},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
{"type":"object","properties":{"n":{"type":"integer"}}}}}]}}'
e2e_curl POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions -H "$JSON" -d "$one" >/dev/null
k wait --for=condition=Established --timeout=5s crd quicks.keys.example.com >/dev/null 2>&1
n=0
for head in $heads; do
    n=$((n + 1))
    says "head $n serves it" $'\n201' at "$head" POST /apis/keys.example.com/v1/quicks -H "$JSON" -d '{"apiVersion":"keys.example.com/v1","kind":"Quick","metadata":{"name":"q'$n'"},"n":1}'
    says "head $n tells of it" quicks at "$head" GET /apis/keys.example.com/v1
    says "head $n has its document" v1.Quick at "$head" GET /openapi/v3/apis/keys.example.com/v1
done
check_is "three heads were asked" 3 echo "$n"
hashes=$(for head in $heads; do at "$head" GET /openapi/v3 | grep -o 'apis/keys.example.com/v1?hash=[0-9A-F]*'; done | sort -u | wc -l)
check_is "all heads give its document one hash" 1 echo "$hashes"

# ---- Ends ------------------------------------------------------------------------------------------------------
k create ns gone >/dev/null
echo "$mon" | k -n gone create -f - >/dev/null
says "a namespace goes with its objects" deleted k delete ns gone --timeout=20s
says "a definition goes with its objects" deleted k delete crd certificates.keys.example.com --timeout=20s
refused "nothing is served any more" NotFound k get --raw /apis/keys.example.com/v1/certificates
k create -f "$CRDS/certificate.yaml" >/dev/null
k wait --for=condition=Established --timeout=5s crd certificates.keys.example.com >/dev/null
check_is "and nothing is left" "" k get cert -o name
e2e_finish
