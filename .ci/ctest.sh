#!/bin/sh
# ctest - runs cmocka programs and counts their tests.
#
# For:   `make ctest`: each argument is a program; one line each, the failures' output, the sum.
# Never: a pass for a program that ran no test, or that died before its end. A test that skips
#        itself, since this machine has nothing for it, is told of and counts for nothing.
#
# CTEST_TIMEOUT is in seconds per program.
set -u

passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

[ $# -gt 0 ] || { echo "ctest: no test programs" >&2; exit 1; }

for program in "$@"; do
    CMOCKA_MESSAGE_OUTPUT=TAP timeout "${CTEST_TIMEOUT:-300}" "$program" >"$log" 2>&1
    status=$?
    skipped=$(grep -cE '^(not )?ok [0-9]+ # SKIP' "$log")
    good=$(grep '^ok ' "$log" | grep -cv '# SKIP')
    bad=$(grep '^not ok ' "$log" | grep -cv '# SKIP')
    planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    # A program that stops early, or passes nothing, failed once more than it says.
    if [ "$bad" -eq 0 ]; then
        if [ $status -ne 0 ] || [ "$good" -eq 0 ] || [ $((good + skipped)) -ne "$planned" ]; then
            bad=1
        fi
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        cat "$log"
        echo "ctest: $program FAILED: $good passed, $bad failed, $planned planned, exit $status"
    else
        echo "ctest: $program: $good passed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
    fi
done

echo "ctest: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
