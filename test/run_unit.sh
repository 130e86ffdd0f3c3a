#!/bin/bash
# Runs the given unit test programs and adds up their closing lines.
passed=0 failed=0
for t in "$@"; do
    out=$(timeout 300 "$t" 2>&1); rc=$?
    last=$(tail -n 1 <<<"$out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        [ "${BASH_REMATCH[2]}" = 0 ] && [ $rc = 0 ] || { echo "$out"; [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1)); }
    else
        echo "$out"; echo "$t ended with status $rc"; failed=$((failed + 1))
    fi
    printf '%-50s %s\n' "${t#*/test/}" "$last"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
