#!/bin/bash
# test/e2e/client_node_test.sh: the official JavaScript client, @kubernetes/client-node 1.x, against three heads and
# a node with real containers.  The checks are in client_node/, which tells each result in a line; here they are
# counted.  The library comes from npm into build/npm, once; without Node.js or the registry the test says so and
# counts nothing.
. "$(dirname "$0")/lib.sh"
LIBRARY=$E2E_REPO/build/npm

skip() {
    echo "skipped: $1"
    e2e_finish
}

node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null || skip "needs Node.js 18 or newer"
if [ ! -d "$LIBRARY/node_modules/@kubernetes/client-node" ]; then
    mkdir -p "$LIBRARY"
    timeout 60 npm install --prefix "$LIBRARY" --cache "$TMP/npm" --no-audit --no-fund --fetch-retries=0 \
        --fetch-timeout=20000 @kubernetes/client-node@1 >"$TMP/npm.out" 2>&1 || skip "npm has no @kubernetes/client-node for us"
fi

e2e_up --nodes 1 --sample=false
export HEAD_PIDS="$(e2e_process head 1) $(e2e_process head 2) $(e2e_process head 3)" LEADER=$(e2e_leader) SCRATCH=$TMP
while IFS=$'\t' read -r status name detail; do
    case $status in
    ok | FAIL) e2e_record "$([ "$status" = ok ]; echo $?)" "$name" "${detail//$'\v'/$'\n'}" ;;
    *) echo "$status $name $detail" ;;
    esac
done < <(timeout 120 node --no-warnings "$E2E_REPO/test/e2e/client_node/main.mjs" "$LIBRARY" 2>&1
         echo "ended with $?" >"$TMP/node.out")
check_is "the client has come to its end" "ended with 0" cat "$TMP/node.out"
e2e_finish
