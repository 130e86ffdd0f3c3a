#!/bin/bash
# test/e2e/bad_input_test.sh: hostile and mistaken requests over a real connection: the right status that says what is
# wrong and where, nothing stored, and heads that are none the worse for it.
. "$(dirname "$0")/lib.sh"
e2e_up --nodes 0 --sample=false

CM=/api/v1/namespaces/default/configmaps
PODS=/api/v1/namespaces/default/pods
JSON='content-type: application/json'
YAML='content-type: application/yaml'
PROTO='content-type: application/vnd.kubernetes.protobuf'

# refused NAME CODE REASON REGEX METHOD PATH [curl options]: that status, with that reason, and a message that matches.
refused() {
    local name=$1 code=$2 reason=$3 regex=$4 out body
    shift 4
    out=$(e2e_curl "$@" 2>&1)
    body=${out%$'\n'*}
    [ "${out##*$'\n'}" = "$code" ] && [[ $body == *'"kind":"Status"'* && $body == *"\"reason\":\"$reason\""* &&
        $body == *"\"code\":$code"* && $body =~ $regex ]]
    e2e_record $? "$name" "${*:1:2}
${out:0:1500}
(wanted $code $reason and: $regex)"
}
answered() {        # NAME CODE REGEX METHOD PATH [curl options]
    local name=$1 code=$2 regex=$3 out
    shift 3
    out=$(e2e_curl "$@" 2>&1)
    [ "${out##*$'\n'}" = "$code" ] && [[ $out =~ $regex ]]
    e2e_record $? "$name" "${out:0:1500}"
}
# A body of much from a file: repeat TEXT N
repeat() { awk -v s="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", s }'; }
raw() {             # BYTES (printf format): straight to the port over TLS; what comes back
    printf "$1" | timeout 10 openssl s_client -quiet -connect "${SERVER#https://}" -CAfile "$PKI/ca.crt" -cert "$PKI/admin.crt" \
        -key "$PKI/admin.key" 2>/dev/null
}
pids_before=$(for i in 1 2 3; do e2e_process head $i; done)
check_is "three heads run" 3 pipe "wc -w <<<'$pids_before'"

# ---- JSON ------------------------------------------------------------------------------------------------------
refused "an empty body" 400 BadRequest . POST $CM -H "$JSON" -d ''
refused "no JSON" 400 BadRequest 'json|JSON|character|line' POST $CM -H "$JSON" -d 'this is no json'
refused "JSON cut off" 400 BadRequest . POST $CM -H "$JSON" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"'
refused "an array" 400 BadRequest . POST $CM -H "$JSON" -d '[]'
refused "more after the end" 400 BadRequest . POST $CM -H "$JSON" -d '{"metadata":{"name":"x"}} {}'
refused "invalid UTF-8" 400 BadRequest . POST $CM -H "$JSON" --data-binary $'{"metadata":{"name":"x"},"data":{"a":"\xff\xfe"}}'
repeat '[' 100000 >"$TMP/deep"
refused "deep nesting" 400 BadRequest . POST $CM -H "$JSON" --data-binary @"$TMP/deep"
(printf '{"metadata":{"name":"x"},"data":'; repeat '{"a":' 50000; printf 1; repeat '}' 50000; printf '}') >"$TMP/deep"
refused "deep nesting of objects" 400 BadRequest . POST $CM -H "$JSON" --data-binary @"$TMP/deep"
(printf '{"metadata":{"name":"x"},"data":{"a":"'; repeat 0123456789abcdef 262144; printf '"}}') >"$TMP/big"
# Over HTTP/2, curl 7.88 reports no answer that ends before it has sent its body.
refused "a body of more than 3 MiB" 413 RequestEntityTooLarge . POST $CM -H "$JSON" --data-binary @"$TMP/big" --http1.1
refused "a huge number" 400 BadRequest . POST $PODS -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"terminationGracePeriodSeconds":99999999999999999999999999,"containers":[{"name":"c","image":"i"}]}}'
refused "a number for a text" 400 BadRequest . POST $CM -H "$JSON" -d '{"metadata":{"name":7}}'
refused "a text for a number" 400 BadRequest . POST $PODS -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":"http"}]}]}}'
refused "a list for an object" 400 BadRequest . POST $CM -H "$JSON" -d '{"metadata":[]}'
refused "a kind that does not belong here" 400 BadRequest . POST $CM -H "$JSON" -d \
    '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}'
refused "duplicate keys, Strict" 400 BadRequest 'duplicate field' POST "$CM?fieldValidation=Strict" -H "$JSON" -d \
    '{"metadata":{"name":"x"},"data":{"a":"1"},"data":{"a":"2"}}'
refused "an unknown field, Strict" 400 BadRequest 'unknown field .*spec.containers\[0\].imagee' POST "$PODS?fieldValidation=Strict" -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i","imagee":"j"}]}}'
answered "an unknown field, Warn: a warning" 201 'arning: 299.*unknown field' POST "$CM?fieldValidation=Warn&dryRun=All" -i -H "$JSON" -d \
    '{"metadata":{"name":"x"},"dataa":{}}'
refused "a fieldValidation that is none" 400 BadRequest . POST "$CM?fieldValidation=Maybe" -H "$JSON" -d '{"metadata":{"name":"x"}}'
refused "a dryRun that is none" 400 BadRequest . POST "$CM?dryRun=Some" -H "$JSON" -d '{"metadata":{"name":"x"}}'

# ---- YAML ------------------------------------------------------------------------------------------------------
answered "YAML is taken" 201 '"name":"from-yaml"' POST $CM -H "$YAML" --data-binary $'metadata:\n  name: from-yaml\ndata: {a: "1"}\n'
refused "broken YAML" 400 BadRequest . POST $CM -H "$YAML" --data-binary $'metadata:\n  name: x\n bad indent: [\n'
{   echo 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]'
    for i in 1 2 3 4 5 6 7 8 9; do echo "a$i: &a$i [$(repeat "*a$((i - 1))," 9)*a$((i - 1))]"; done
    echo 'metadata: {name: x}'; } >"$TMP/bomb"
refused "a bomb of aliases" 400 BadRequest . POST $CM -H "$YAML" --data-binary @"$TMP/bomb"
repeat '[' 100000 >"$TMP/deep"
refused "deep YAML" 400 BadRequest . POST $CM -H "$YAML" --data-binary @"$TMP/deep"
refused "duplicate keys in YAML" 400 BadRequest . POST "$CM?fieldValidation=Strict" -H "$YAML" --data-binary $'metadata: {name: x}\ndata: {a: b}\ndata: {a: c}\n'

# ---- protobuf, other types ----------------------------------------------------------------------------------------
refused "protobuf without its magic" 400 BadRequest . POST $CM -H "$PROTO" --data-binary 'junk'
refused "protobuf cut off" 400 BadRequest . POST $CM -H "$PROTO" --data-binary $'k8s\x01\x0a\xff\xff\xff\x0f'
head -c 4000 /dev/urandom >"$TMP/noise"
refused "noise as protobuf" 400 BadRequest . POST $CM -H "$PROTO" --data-binary @"$TMP/noise"
refused "noise as JSON" 400 BadRequest . POST $CM -H "$JSON" --data-binary @"$TMP/noise"
refused "noise as YAML" 400 BadRequest . POST $CM -H "$YAML" --data-binary @"$TMP/noise"
refused "another media type" 415 UnsupportedMediaType . POST $CM -H 'content-type: text/csv' -d 'a,b'
refused "an Accept that cannot be met" 406 NotAcceptable . GET $CM -H 'accept: text/csv'

# ---- Names and rules -------------------------------------------------------------------------------------------------
refused "no name" 422 Invalid 'name or generateName is required' POST $CM -H "$JSON" -d '{"data":{}}'
refused "a bad name" 422 Invalid 'metadata.name.*Invalid value' POST $CM -H "$JSON" -d '{"metadata":{"name":"Bad Name"}}'
refused "a bad label" 422 Invalid 'metadata.labels' POST $CM -H "$JSON" -d '{"metadata":{"name":"x","labels":{"a":"b c"}}}'
refused "a bad key" 422 Invalid 'data\[' POST $CM -H "$JSON" -d '{"metadata":{"name":"x"},"data":{"a b":"1"}}'
refused "another namespace than the path's" 400 BadRequest 'namespace' POST $CM -H "$JSON" -d '{"metadata":{"name":"x","namespace":"kube-system"}}'
refused "a pod without containers" 422 Invalid 'spec.containers.*Required value' POST $PODS -H "$JSON" -d '{"metadata":{"name":"x"},"spec":{}}'
refused "causes name the fields" 422 Invalid '"field":"spec.containers\[0\].image"' POST $PODS -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c"}]}}'
refused "limits below requests" 422 Invalid 'resources.requests' POST $PODS -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}}]}}'
refused "a quantity that is none" 400 BadRequest 'quantit' POST $PODS -H "$JSON" -d \
    '{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"much"}}}]}}'

# ---- Versions, updates, patches --------------------------------------------------------------------------------------
answered "create" 201 . POST $CM -H "$JSON" -d '{"metadata":{"name":"v"},"data":{"n":"0"}}'
old=$(kubectl get configmap v -o jsonpath='{.metadata.resourceVersion}')
answered "update" 200 . PUT $CM/v -H "$JSON" -d "{\"metadata\":{\"name\":\"v\",\"resourceVersion\":\"$old\"},\"data\":{\"n\":\"1\"}}"
refused "update with the old resourceVersion" 409 Conflict 'the object has been modified' PUT $CM/v -H "$JSON" -d \
    "{\"metadata\":{\"name\":\"v\",\"resourceVersion\":\"$old\"},\"data\":{\"n\":\"2\"}}"
refused "patch with the old resourceVersion" 409 Conflict 'the object has been modified' PATCH $CM/v -H 'content-type: application/merge-patch+json' -d \
    "{\"metadata\":{\"resourceVersion\":\"$old\"},\"data\":{\"n\":\"2\"}}"
refused "update with the uid of another" 409 Conflict . PUT $CM/v -H "$JSON" -d \
    '{"metadata":{"name":"v","uid":"00000000-0000-0000-0000-000000000000"},"data":{"n":"2"}}'
refused "delete with the uid of another" 409 Conflict . DELETE $CM/v -H "$JSON" -d \
    '{"preconditions":{"uid":"00000000-0000-0000-0000-000000000000"}}'
refused "a resourceVersion that is none" 400 BadRequest . GET "$CM?resourceVersion=x"
refused "a list at a revision that is yet to come" 504 Timeout 'Too large resource version' GET "$CM?resourceVersion=999999999&resourceVersionMatch=NotOlderThan"
refused "a broken continue token" 400 BadRequest 'continue' GET "$CM?limit=1&continue=bogus"
refused "a broken selector" 400 BadRequest . GET "$CM?labelSelector=a%20in%20%28"
refused "a field that cannot be selected" 400 BadRequest 'field label not supported' GET "$CM?fieldSelector=data.n%3D1"
refused "a name changed" 400 BadRequest 'name' PUT $CM/v -H "$JSON" -d '{"metadata":{"name":"w"},"data":{}}'
refused "a JSON patch whose path is not there" 422 Invalid . PATCH $CM/v -H 'content-type: application/json-patch+json' -d '[{"op":"remove","path":"/data/none"}]'
refused "a JSON patch that is none" 400 BadRequest . PATCH $CM/v -H 'content-type: application/json-patch+json' -d '{"op":"add"}'
refused "a patch of another type" 415 UnsupportedMediaType . PATCH $CM/v -H 'content-type: text/plain' -d 'x'
(printf '['; repeat '{"op":"test","path":"/data/n","value":"1"},' 10001; printf '{"op":"test","path":"/data/n","value":"1"}]') >"$TMP/ops"
refused "a JSON patch of too many operations" 413 RequestEntityTooLarge . PATCH $CM/v -H 'content-type: application/json-patch+json' --data-binary @"$TMP/ops"
{   printf '[{"op":"add","path":"/data/a","value":"'; repeat 0123456789abcdef 4096; printf '"}'
    for i in $(seq 100); do printf ',{"op":"copy","from":"/data/a","path":"/data/k%d"}' "$i"; done; printf ']'; } >"$TMP/ops"
refused "a JSON patch that grows by copying" 413 RequestEntityTooLarge . PATCH $CM/v -H 'content-type: application/json-patch+json' --data-binary @"$TMP/ops"
check_is "... nothing of all that was stored" 1 kubectl get configmap v -o jsonpath='{.data.n}'

# ---- Where there is nothing -------------------------------------------------------------------------------------------
refused "an object that is not there" 404 NotFound 'configmaps \\"nope\\" not found' GET $CM/nope
answered "a path that is not there" 404 . GET /apis/nothing/v1/things
refused "a method that is not served" 405 MethodNotAllowed . POST $CM/v -H "$JSON" -d '{}'
refused "a path with dots" 400 BadRequest . GET /api/v1/../../etc/passwd --path-as-is
answered "without a certificate" 403 Forbidden GET $CM --cert '' --key ''
check_out "with a wrong token" '"code":401' curl -sS --cacert "$PKI/ca.crt" -H 'authorization: Bearer wrong' "$SERVER$CM"

# ---- HTTP itself: what stands above was said in HTTP/2, which curl prefers ---------------------------------------------------------------------------------------------------------
version() { curl -sS --cacert "$PKI/ca.crt" -o /dev/null -w '%{http_version}' "$1" "$SERVER/version"; }
check_is "HTTP/2 with those who speak it" 2 version --http2
check_is "... HTTP/1.1 with others" 1.1 version --http1.1
check_out "no HTTP" '400 Bad Request' raw 'this is not http\r\n\r\n'
check_out "a bad header" '400 Bad Request' raw 'GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n'
check_out "a length that is none" '400 Bad Request' raw 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'
check_out "two lengths" '400 Bad Request' raw 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'
check_out "a length and chunks" '400 Bad Request' raw 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
check_out "a chunk size that is none" '400 Bad Request' raw 'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
check_out "a very long path" '414|431|400' raw "GET /$(repeat a 100000) HTTP/1.1\r\nHost: x\r\n\r\n"
check_out "too many headers" '431|400' raw "GET / HTTP/1.1\r\n$(repeat 'a: b\r\n' 20000)\r\n"
check "no TLS" fails curl -sS --max-time 5 "http://${SERVER#https://}/"
for i in 1 2 3 4 5; do
    head -c 20000 /dev/urandom | timeout 5 bash -c "cat >/dev/tcp/127.0.0.1/${SERVER##*:}" 2>/dev/null
done

# ---- None the worse ---------------------------------------------------------------------------------------------------------
check_is "nothing was stored but what was valid" 'from-yaml kube-root-ca.crt v' kubectl get configmaps -o jsonpath='{.items[*].metadata.name}'
check_is "... no pod either" '' kubectl get pods -o name
check_is "the same three heads run" "$pids_before" pipe "echo '$(for i in 1 2 3; do e2e_process head $i; done)'"
check_out "they serve" ok kubectl get --raw /readyz
check "they write" kubectl create configmap after
e2e_finish
