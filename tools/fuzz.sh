#!/bin/sh
# fuzz.sh BUILD SECONDS: runs every fuzz target of BUILD for so many seconds, from
# the inputs kept in core/fuzz/corpus and http/fuzz/corpus, JOBS of them at once,
# and ends with "N passed, N failed".
#
# New inputs go to BUILD/corpus/TARGET. To keep what is worth keeping:
#     BUILD/fuzz_TARGET -merge=1 core/fuzz/corpus/TARGET BUILD/corpus/TARGET
set -u

build=$1
seconds=$2
passed=0
failed=0

# Runs one target; BUILD/NAME.status has its exit status, also when it dies.
fuzz() {
    name=$1
    set -- "$build/corpus/$name"
    for folder in core http; do
        if [ -d "$folder/fuzz/corpus/$name" ]; then set -- "$@" "$folder/fuzz/corpus/$name"; fi
        if [ -f "$folder/fuzz/$name.dict" ]; then set -- "-dict=$folder/fuzz/$name.dict" "$@"; fi
    done
    "$build/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/" "$@" >"$build/$name.log" 2>&1
    echo $? >"$build/$name.status"
}

running=0
for target in "$build"/fuzz_*; do
    name=${target##*/fuzz_}
    mkdir -p "$build/corpus/$name"
    rm -f "$build/$name.status"
    fuzz "$name" &
    running=$((running + 1))
    if [ "$running" -ge "${JOBS:-1}" ]; then
        wait
        running=0
    fi
done
wait

for target in "$build"/fuzz_*; do
    name=${target##*/fuzz_}
    echo "== $name"
    if [ "$(cat "$build/$name.status" 2>/dev/null)" = 0 ]; then
        passed=$((passed + 1))
        grep 'number_of_executed_units' "$build/$name.log"
    else
        failed=$((failed + 1))
        tail -n 60 "$build/$name.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
