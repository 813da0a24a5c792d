#!/bin/sh
# bench - runs every program of bench/.
#
# For:   `make bench`: build folder and LuaJIT as arguments; C programs are built already.
# Never: a verdict: figures depend on the machine; each program prints its limit beside them.
set -u
build=$1
luajit=$2
failed=0
export LUA_PATH="./?.lua;lua/?.lua;lua/?/init.lua;;"
export LUA_CPATH="$build/?.so;;"

run() {
    echo "== $1"
    shift
    "$@" || { echo "bench: $1 failed"; failed=1; }
}

for program in bench/*; do
    name=$(basename "$program")
    case $name in
    *.c) run "$name" "$build/bench/${name%.c}" ;;
    *.lua) run "$name" "$luajit" "$program" ;;
    *.sh) run "$name" sh "$program" ;;
    esac
done
exit $failed
