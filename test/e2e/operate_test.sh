#!/bin/bash
# test/e2e/operate_test.sh: what an operator sees and sets: coracle status, quotas and alarms, compaction by itself.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 3 --nodes 0 --sample=false

# ---- Status --------------------------------------------------------------------------------------------------------------
status() { timeout --foreground 30 "$CORACLE" status "$@"; }
row() { status | awk -v row="$1" '$1 == row { $1 = ""; print }'; }
one_leads() { [ "$(row role | grep -o leader | wc -l)" = 1 ]; }
check "three heads, one of which leads" wait_for 10 one_leads
check_out "as a table" '^( [0-9]+){3}$' row term
check_out "... to its end" '^( [0-9]+m?[0-9]*s){3}$' row uptime
check_out "... watched without a terminal: lines" 'head-3 id=3 .* up=true role=' pipe "timeout 3 '$CORACLE' status -w --interval 200ms | head -n 6"
check_out "... watched as JSON: a document a line" '^\{"heads":\[\{"id":1' pipe "timeout 3 '$CORACLE' status -w -o json --interval 200ms | head -n 2"
pid=$(e2e_process head 2)
kill -STOP "$pid"
check_out "a head that hangs is shown as down, the others as ever" '^ (leader|follower) DOWN (leader|follower)$' row role
check_err "... and said so" 'head-2 does not answer at https://.*: no complete answer in time' pipe "'$CORACLE' status >&2"
kill -CONT "$pid"
check_err "nobody answers" 'no head answers' status --server https://127.0.0.1:1
e2e_finish
