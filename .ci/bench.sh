#!/bin/sh
# bench - runs every program of bench/, then prints a table of what they said.
#
# For:   `make bench`: build folder and LuaJIT as arguments; C programs are built already. The JSON
#        lines stay in bench.jsonl in the build folder. docs/bench.md says how to read them.
# Never: a verdict: figures depend on the machine; each program prints its limit beside them.
set -u
build=$1
luajit=$2
failed=0
export LUA_PATH="./?.lua;lua/?.lua;lua/?/init.lua;;"
export LUA_CPATH="$build/?.so;;"

# The server that fetch.c and gateway.lua ask runs around all of it.
if [ -z "${VAULT_BENCH_URL:-}" ]; then
    exec "$luajit" bench/support/upstream.lua sh "$0" "$@"
fi

results=$build/bench.jsonl
said=$build/bench.said
: >"$results"

# A program's exit code is lost in a pipe, so its lines go by way of a file.
run() {
    name=$1
    shift
    echo "== $name"
    "$@" >"$said" || { echo "bench: $name failed"; failed=1; }
    cat "$said"
    grep '^{' "$said" >>"$results"
}

for program in bench/*; do
    name=$(basename "$program")
    case $name in
    *.c) run "$name" "$build/bench/${name%.c}" ;;
    *.lua) run "$name" "$luajit" "$program" ;;
    *.sh) run "$name" sh "$program" ;;
    esac
done
rm -f "$said"
"$luajit" bench/support/table.lua "$results" || failed=1
exit $failed
