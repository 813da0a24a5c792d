#!/bin/sh
# longrun - a gateway under mixed load, rotations, faults, kills and reloads.
#
# For:   `make longrun`: LONGRUN_SECONDS of it. Everything that is served was valid then, memory and
#        descriptors of the workers stay flat, the log shows no crash. The control first: wrong
#        answers and lost memory that are planted.
# Never: figures of speed. The seed is printed; LONGRUN_SEED repeats it, but for the machine's part.
set -u
cd "$(dirname "$0")/.." || exit 1

# Its folders lie in one, which goes with it.
TMPDIR=$(mktemp -d)
export TMPDIR
chmod 755 "$TMPDIR"
[ -n "${VAULT_TEST_KEEP:-}" ] || trap 'rm -rf "$TMPDIR"' EXIT
export LUA_PATH="./?.lua;lua/?.lua;lua/?/init.lua;;"
seed=${LONGRUN_SEED:-$(date +%s)}
log=$TMPDIR/control.log

if luajit spec/support/longrun.lua 18 "$seed" planted >"$log" 2>&1; then
    echo "longrun: control: what is planted was NOT found"
    exit 1
fi
for found in 'FAILED: an answer: .* p0' 'FAILED: memory of worker'; do
    grep -q "$found" "$log" || {
        cat "$log"
        echo "longrun: control: no \"$found\""
        exit 1
    }
done
echo "longrun: control: the planted wrong answers and the planted leak were found"

luajit spec/support/longrun.lua "${LONGRUN_SECONDS:-1800}" "$seed"
