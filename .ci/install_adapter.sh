#!/bin/sh
# install_adapter - puts an adapter's files where its gateway finds them, over nothing but our own.
#
# For:   `make install-kong` and `install-apisix`, and the rocks, which call these: the first
#        argument is the folder of Lua modules, then come files of lua/. DESTDIR stands before it.
# Never: a file over, or hidden by, one that somebody else brought: Kong Enterprise has a
#        kong/vaults/aws of its own. Then nothing at all is installed.
set -eu

to=$1
shift
mark='Part of lua-resty-vaults'

# Every folder in which a gateway of this machine would look, a line each.
places() {
    echo "${DESTDIR:-}$to"
    [ -z "${DESTDIR:-}" ] || return 0
    # LuaRocks gathers a rock's files in a folder of the rock's own, and copies them from there.
    case $to in
    */luarocks/rocks*) echo "${to%%/lib*/luarocks/rocks*}/share/lua/5.1" ;;
    esac
    printf '%s;/usr/local/share/lua/5.1/?.lua;/usr/share/lua/5.1/?.lua\n' "${LUA_PATH:-}" |
        tr ';' '\n' | sed -n 's|/?\.lua$||p'
}

# The file's own path, and the other one that Lua takes for the same module.
names() {
    echo "$1"
    case $1 in
    */init.lua) echo "${1%/init.lua}.lua" ;;
    *) echo "${1%.lua}/init.lua" ;;
    esac
}

for file in "$@"; do
    names "${file#lua/}" | while read -r name; do
        places | while read -r place; do
            if [ -e "$place/$name" ] && ! grep -q "$mark" "$place/$name"; then
                echo "install: $place/$name is not of lua-resty-vaults: nothing is installed" >&2
                exit 1
            fi
        done
    done
done

for file in "$@"; do
    target=${DESTDIR:-}$to/${file#lua/}
    install -d "$(dirname "$target")"
    install -m 644 "$file" "$target"
done
