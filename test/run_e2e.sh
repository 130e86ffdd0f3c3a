#!/bin/bash
# test/run_e2e.sh [NAME...]: the end-to-end tests (test/e2e/NAME_test.sh; all without a name), one after the other; the closing
# line counts all of them.
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
files=("${@/#/test/e2e/}")
[ $# != 0 ] && files=("${files[@]/%/_test.sh}") || files=(test/e2e/*_test.sh)

for file in "${files[@]}"; do
    began=$SECONDS
    exec 3>&1
    # What a test says is shown as it comes; its last line is the count.  TERM lets it take its cluster down.
    last=$(timeout -k 30 300 "$file" </dev/null 2>&1 | tee -a /dev/fd/3 | tail -n 1)
    exec 3>&-
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
        last="ended without a count: ${last:-no output}"
    fi
    printf '%-50s %s (%d s)\n' "$file" "$last" $((SECONDS - began))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
