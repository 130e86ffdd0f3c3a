#!/bin/bash
# test/run_all.sh BUILD: every test of the project, with programs built in BUILD; the closing line counts all of them.
cd "$(dirname "$0")/.." || exit 1
build=$1
passed=0 failed=0
SIM_SEEDS=${SIM_SEEDS:-300}

# step NAME COMMAND...: its output as it comes, its closing line into the sum.
step() {
    local name=$1 last began=$SECONDS

    shift
    printf '\n==== %s\n' "$name"
    exec 3>&1
    last=$("$@" </dev/null 2>&1 | tee -a /dev/fd/3 | tail -n 1)
    exec 3>&-
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
        echo "$name: ended without a count"
    fi
    printf '==== %s: %d s\n' "$name" $((SECONDS - began))
}

step "house rules" test/tidy.sh
step "unit tests" test/run_unit.sh $(find test -name '*_test.c' | sort | sed "s|^test/\(.*\)\.c$|$build/test/\1|")
step "simulated clusters" "$build/test/sim/sim" "$SIM_SEEDS"
step "simulated clusters, over HTTP" "$build/test/sim/simapi" "$((SIM_SEEDS / 3))"
step "clusters with kubectl and containers" test/run_e2e.sh

printf '\n'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
