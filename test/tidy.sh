#!/bin/bash
# test/tidy.sh: the house rules that a program can check: layers, lengths, calls that belong to net/, leftovers.
#
# Functions longer than 70 lines that are there already stand in test/tidy_known.txt with their length; that list may
# only shrink: an entry that grew, or that is not needed any more, is an error too.  `make tidy`
cd "$(dirname "$0")/.." || exit 1
shopt -s nullglob globstar
passed=0 failed=0

LINES_PER_FILE=1000
LINES_PER_FUNCTION=70
COLUMNS_PER_LINE=110

sources() { for folder in "$@"; do printf '%s\n' "$folder"/**/*.[ch]; done; }
ALL=(net raft store api sched ctrl node tools test)

# verdict NAME OFFENDERS: one check; offenders are lines, none is good.
verdict() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n%s\n' "$1" "$(sed 's/^/      /' <<<"$2")"
    fi
}

# ---- Layers: a folder may include only what lies below it (DESIGN: "The folders, from the ground up") ----------
includes() {    # FOLDER: "file:line folder/header" for every include by quotes
    sources "$1" | xargs grep -noE '^#include "[^"]+"' /dev/null | sed -E 's/#include "([^"]+)"/\1/; s/:([^:]*)$/ \1/'
}
layer() {       # FOLDER MAY...: prefixes that it may include
    local folder=$1 may
    shift
    may=$(IFS='|'; echo "$*")
    verdict "$folder/ includes only what lies below it" "$(includes "$folder" | grep -vE " ($may)")"
}
# What sched, ctrl and node see of api: the client, and the library of values. No server, no store.
CLIENT='api/(client|informer|shared|event_recorder|json|json_scan|pod_rules|quantity|quota|selector|schema|time_fmt|names|utf8|policy/type_check)\.h'
layer net   net/
layer raft  raft/ net/
layer store store/ raft/ net/
layer api   api/ store/ net/ schema_tables
layer sched sched/ net/ "$CLIENT"
layer ctrl  ctrl/ net/ "$CLIENT"
layer node  node/ net/ "$CLIENT"

# ---- Lengths ------------------------------------------------------------------------------------------------------
verdict "files are at most $LINES_PER_FILE lines" "$(sources "${ALL[@]}" | xargs wc -l |
    awk -v max=$LINES_PER_FILE '$2 != "total" && $1 > max { print $2 ": " $1 }')"

# Functions begin with { and end with } in the first column; their name stands in the line before.
long_functions() {
    sources "${ALL[@]}" | xargs awk -v max=$LINES_PER_FUNCTION '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR; name = before }
        /^\}/ { if (start && FNR - start + 1 > max) {
                    sub(/\(\*?/, "(", name); match(name, /[A-Za-z0-9_]+\(/)
                    if (name ~ /^TEST/) { sub(/\).*/, "", name); sub(/.*\(/, "", name) }
                    else name = substr(name, RSTART, RLENGTH - 1)
                    print FILENAME ":" name, FNR - start + 1
                }
                start = 0 }
        !/^[[:space:]]/ && !/^[{}]/ { before = $0 }'
}
verdict "functions are at most $LINES_PER_FUNCTION lines, known ones do not grow" "$(awk '
    FNR == NR { if (!/^#/ && $1 ~ /:/) known[$1] = $2; next }
    !($1 in known) { print $1 ": " $2 " lines" }
    ($1 in known) && $2 > known[$1] { print $1 ": grew from " known[$1] " to " $2 " lines" }
    ($1 in known) && $2 < known[$1] { print $1 ": shrank to " $2 " lines: say so in test/tidy_known.txt" }
    { seen[$1] = 1 }
    END { for (k in known) if (!(k in seen)) print k ": is short now or gone: remove it from test/tidy_known.txt" }
    ' test/tidy_known.txt <(long_functions))"

# Columns are characters; folders with long lines from earlier stand in test/tidy_known.txt with their number.
long_lines() {
    for folder in net raft store api sched ctrl node tools; do
        n=$(sources "$folder" | xargs cat | LC_ALL=C sed 's/[\x80-\xBF]//g' | awk -v max=$COLUMNS_PER_LINE 'length($0) > max' | wc -l)
        [ "$n" = 0 ] || echo "$folder/ $n"
    done
}
verdict "lines are at most $COLUMNS_PER_LINE columns, folders with longer ones get no more" "$(awk '
    FNR == NR { if (!/^#/ && $1 ~ /\/$/) known[$1] = $2; next }
    $2 > known[$1] { print $1 ": " $2 " long lines, known are " known[$1] + 0 }
    { seen[$1] = 1 }
    END { for (k in known) if (!(k in seen)) print k ": has none now: remove it from test/tidy_known.txt" }
    ' test/tidy_known.txt <(long_lines))"

# ---- Calls ----------------------------------------------------------------------------------------------------------
# Comments and strings do not count; nor does api/gen/, a program of the build.
code() { sources "$@" | grep -v '^api/gen/' | xargs awk '
    FNR == 1 { inside = 0 }
    { line = $0
      gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
      if (inside) { if (!sub(/^.*\*\//, "", line)) line = ""; else inside = 0 }
      gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
      if (sub(/\/\*.*/, "", line)) inside = 1
      sub(/\/\/.*/, "", line)
      if (line ~ /[^ ]/) print FILENAME ":" FNR ": " line }'; }

OS='uv_[a-z_]+|time|gettimeofday|clock_gettime|clock|rand|random|srand|drand48|getrandom|open|openat|creat|fopen|socket|accept4|fork|vfork|execv?[pe]*|posix_spawnp?|system|popen|sleep|usleep|nanosleep|poll|select|epoll_[a-z]+|pthread_[a-z_]+|getenv|mmap|kill|unlink|rename|fsync|fdatasync'
verdict "time, chance, sockets, files and processes come through net/ (\"Two worlds, one code\")" \
    "$(code raft store api sched ctrl | grep -E "(^|[^a-zA-Z0-9_.>])($OS)\(")"
verdict "no call that writes without a bound" \
    "$(code net raft store api sched ctrl node tools | grep -E '(^|[^a-zA-Z0-9_])(strcpy|strcat|strncat|vsprintf|gets|strtok|alloca)\(')"
verdict "memory comes from mem_* and arenas" \
    "$(code raft store api sched ctrl node | grep -E '(^|[^a-zA-Z0-9_.>])(malloc|calloc|realloc|free|strdup|asprintf)\(')"
verdict "libraries do not print or exit" \
    "$(code raft store api sched ctrl node | grep -E '(^|[^a-zA-Z0-9_.>])(printf|puts|putchar|perror|exit|abort)\(')"

# ---- Leftovers and heads ----------------------------------------------------------------------------------------------
mark='TODO|FIXME|XX''X|HA''CK'
verdict "nothing is left to do" "$(sources "${ALL[@]}" | xargs grep -nwE "$mark" /dev/null)"
verdict "every file says first what it is" "$(sources "${ALL[@]}" | while read -r f; do
    [[ $(head -c 2 "$f") == '/*' ]] || echo "$f"; done)"
verdict "no tabs, no blanks at the end of a line" "$(sources "${ALL[@]}" | xargs grep -nE $'\t|[ \t]+$' /dev/null)"
verdict "headers are guarded" "$(sources "${ALL[@]}" | grep '\.h$' | while read -r f; do
    grep -qE '^#ifndef [A-Z0-9_]+_H$' "$f" || echo "$f"; done)"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
