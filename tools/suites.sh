#!/bin/sh
# suites.sh BUILD SUITE...: runs suites (c, lua, lint) against a build folder and
# ends with one line for all of them, "N passed, N failed". It fails when anything
# did; a suite that breaks off, or fails without naming a failed test, counts as
# one more failure.
#
# PRELOAD: a library the Lua suite is run under, for the sanitized core.
set -u

build=$1
shift
logs=$build/logs
mkdir -p "$logs"
passed=0
failed=0

# A suite's counts and exit status into the totals.
add() {
    name=$1 ok=$2 bad=$3 status=$4
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        echo "$name: exit status $status without a failed test: counted as one" >&2
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    echo "$name: $ok passed, $bad failed"
}

# ctest writes everything every test said to one log, one block a test. In each
# the harness's last line has the counts; a test that died has none, and one
# that failed after it (a leak found at exit) has a wrong one.
c_counts() {
    awk '
        / Testing: /                          { tests++; p = f = 0; said = 0 }
        /^[0-9]+ checks; [0-9]+ passed, [0-9]+ failed$/ { p = $3; f = $5; said = 1 }
        /^Test (Passed|Failed)\.$/ {
            if (!said || ($2 == "Failed." && f == 0)) f++
            passed += p; failed += f; ended++
        }
        END { print passed + 0, failed + tests - ended }
    ' "$1"
}

run_c() {
    log=$build/Testing/Temporary/LastTest.log
    rm -f "$log"
    ctest --test-dir "$build" --output-on-failure --no-tests=error -j "${JOBS:-1}"
    status=$?
    if [ -f "$log" ]; then counts=$(c_counts "$log"); else counts="0 1"; fi
    add C "${counts% *}" "${counts#* }" "$status"
}

# busted ends with "12 successes / 0 failures / 0 errors / 0 pending : 0.1 seconds".
lua_counts() {
    awk '
        $2 ~ /^success/ && $5 ~ /^failure/ && $8 ~ /^error/ {
            passed = $1; failed = $4 + $7; ended = 1
        }
        END { print passed + 0, ended ? failed : 1 }
    ' "$1"
}

# Some spec files at a time, JOBS such batches at once. Each leaves a log and an
# exit status; one that was killed leaves no status, which counts as a failure.
BATCH=8

run_lua() {
    rm -f "$logs"/busted.*
    # luajit by itself, not through .busted: a crash keeps its exit status.
    # LuaJIT frees little at exit: leaks are looked for in the C tests.
    # shellcheck disable=SC2016 # the inner shell expands it
    find spec -name '*_spec.lua' | LC_ALL=C sort |
        POSTERN_BUILD=$build xargs -n "$BATCH" -P "${JOBS:-1}" sh -c '
            log=$0/busted.$$
            : >"$log.log"
            ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=${PRELOAD:-} \
                luajit "$(command -v busted)" --ignore-lua -o plainTerminal "$@" >"$log.log" 2>&1
            echo $? >"$log.status"
            cat "$log.log"' "$logs"
    lua_passed=0 lua_failed=0
    for log in "$logs"/busted.*.log; do
        counts=$(lua_counts "$log")
        ok=${counts% *} bad=${counts#* }
        status=$(cat "${log%.log}.status" 2>/dev/null || echo 1)
        if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
            echo "lua: $log: exit status $status without a failed test: counted as one" >&2
            bad=1
        fi
        lua_passed=$((lua_passed + ok)) lua_failed=$((lua_failed + bad))
    done
    [ "$lua_passed" -gt 0 ] || lua_failed=$((lua_failed + 1))
    add Lua "$lua_passed" "$lua_failed" 0
}

run_lint() {
    if luacheck -q .; then add lint 1 0 0; else add lint 0 1 1; fi
}

for suite in "$@"; do
    echo "== $suite"
    case $suite in
    c) run_c ;;
    lua) run_lua ;;
    lint) run_lint ;;
    *) add "$suite (no such suite)" 0 1 2 ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
