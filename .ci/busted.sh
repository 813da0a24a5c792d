#!/bin/sh
# busted - runs the Lua specs and counts them.
#
# For:   `make busted`: the first argument is the build folder, whose vault/core.so is used; then
#        the specs, all of spec/ where there are none.
# Never: a pass for a run in which no spec ran, or with a spec left pending.
#
# VAULT_PRELOAD is put before the Lua process alone, not before what it starts (a sanitizer's
# runtime, in asan.sh).
set -u

build=$1
shift
# The specs' folders lie in one: a spec that fails on its way leaves nothing behind.
TMPDIR=$(mktemp -d)
export TMPDIR
chmod 755 "$TMPDIR"
log=$TMPDIR/log
[ -n "${VAULT_TEST_KEEP:-}" ] || trap 'rm -rf "$TMPDIR"' EXIT

# .busted has the rest.
[ $# -gt 0 ] || set -- spec
LD_PRELOAD=${VAULT_PRELOAD:-} luajit "$(command -v busted)" --ignore-lua \
    --helper=spec/support/helper.lua --cpath="$build/?.so" "$@" >"$log" 2>&1
status=$?
cat "$log"

# busted prints one such line for each run.
line=$(grep -aE '^[0-9]+ success(es)? / [0-9]+ failures? / [0-9]+ errors? / [0-9]+ pending' \
    "$log" | tail -n 1)
[ -n "$line" ] || { echo "busted: 0 passed, 1 failed (no summary, exit $status)"; exit 1; }
# shellcheck disable=SC2086 # the words of the line
set -- $line
failed=$(($4 + $7 + ${10}))
if [ "$failed" -eq 0 ] && { [ $status -ne 0 ] || [ "$1" -eq 0 ]; }; then
    failed=1
fi
echo "busted: $1 passed, $failed failed"
[ "$failed" -eq 0 ]
