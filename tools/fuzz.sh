#!/bin/sh
# fuzz.sh BUILD SECONDS: runs every fuzz target of BUILD for so many seconds, from
# the inputs kept in core/fuzz/corpus and http/fuzz/corpus, and ends with "N
# passed, N failed".
#
# New inputs go to BUILD/corpus/TARGET. To keep what is worth keeping:
#     BUILD/fuzz_TARGET -merge=1 core/fuzz/corpus/TARGET BUILD/corpus/TARGET
set -u

build=$1
seconds=$2
passed=0
failed=0

for target in "$build"/fuzz_*; do
    name=${target##*/fuzz_}
    echo "== $name"
    mkdir -p "$build/corpus/$name"
    set -- "$build/corpus/$name"
    for folder in core http; do
        if [ -d "$folder/fuzz/corpus/$name" ]; then set -- "$@" "$folder/fuzz/corpus/$name"; fi
        if [ -f "$folder/fuzz/$name.dict" ]; then set -- "-dict=$folder/fuzz/$name.dict" "$@"; fi
    done
    log=$build/$name.log
    if "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/" "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        grep 'number_of_executed_units' "$log"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
