#!/bin/bash
# test/run_fuzz.sh SECONDS PROGRAM...: runs each libFuzzer program for so long, from the seeds in test/fuzz/corpus/NAME
# and what earlier runs found (build-fuzz/corpus/NAME).  The input of a failure stays in build-fuzz/.
seconds=$1; shift
failed=0
for program in "$@"; do
    name=${program##*/fuzz_}
    found=build-fuzz/corpus/$name
    seeds=test/fuzz/corpus/$name
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    if out=$("$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
             -artifact_prefix=build-fuzz/"$name"- "$found" $seeds 2>&1); then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$out")
        printf '%-20s ok, %s runs\n' "$name" "$runs"
    else
        tail -n 60 <<<"$out"
        printf '%-20s FAILED\n' "$name"
        failed=1
    fi
done
exit $failed
