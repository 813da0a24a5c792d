#!/bin/sh
# symbols - what the module shows to the process that loads it.
#
# For:   `make symbols`: luaopen_vault_core alone is defined, LuaJIT is not linked, relocations are
#        read-only, the code stays mapped.
# Never: what the module needs from others.
set -u
core=$1
failed=0

expect() {
    if [ "$2" = "$3" ]; then
        echo "symbols: $1: $3"
    else
        echo "symbols: $1: \"$3\" instead of \"$2\""
        failed=$((failed + 1))
    fi
}

flag() {
    readelf -dW "$core" | grep -cE "$1"
}

expect "defined" "luaopen_vault_core" \
    "$(nm -D --defined-only "$core" | awk '{ print $3 }' | tr '\n' ' ' | sed 's/ $//')"
expect "links to Lua" 0 "$(flag 'NEEDED.*lua')"
expect "bound at load" 1 "$(flag 'FLAGS_1.* NOW')"
expect "never unloaded" 1 "$(flag 'FLAGS_1.* NODELETE')"
expect "relocations read-only" 1 "$(readelf -lW "$core" | grep -c GNU_RELRO)"
echo "symbols: $((5 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
