#!/bin/sh
# deps - installs what building, running and testing need, on Debian and Ubuntu.
#
# For:   `make deps`: quick and silent where nothing is missing, non-interactive where something is.
# Never: starting the system's nginx or PostgreSQL, touching what is installed already, other
#        distributions.
set -eu

# luajit2, never luajit: they conflict, and nginx's lua module depends on luajit2's library. Each
# word is a package; with "|", the first that this release has.
packages="
gcc libc6-dev make pkg-config libcurl4-openssl-dev libssl-dev libexpat1-dev
libluajit2-5.1-dev|libluajit-5.1-dev
nginx libnginx-mod-http-lua lua-resty-core lua-resty-lrucache lua-cjson lua-yaml luajit2|luajit
lua-busted lua-check luarocks libcmocka-dev valgrind libc6-dbg
clang clang-tidy clang-format libclang-rt-dev|libclang-rt-14-dev|clang llvm
python3 python3-venv curl openssl ca-certificates procps iproute2 shellcheck wrk
postgresql lua-sql-postgres
"

# Any Go that is there will do, wherever it is from: it builds instance metadata's mock.
if ! command -v go >/dev/null && [ ! -x /usr/local/go/bin/go ]; then
    packages="$packages golang-1.23-go|golang-go"
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: not Debian or Ubuntu; see .ci/deps.sh for what is needed" >&2
    exit 0
fi

installed() {
    dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^ii'
}

# Prints the packages that are missing; $1 is a command that tells whether a release has a package.
missing() {
    for word in $packages; do
        choice=
        # A choice that is installed wins over an earlier one that is not.
        for package in $(echo "$word" | tr '|' ' '); do
            if installed "$package"; then
                choice=
                continue 2
            fi
            [ -n "$choice" ] || ! "$1" "$package" || choice=$package
        done
        echo "${choice:-${word%%|*}}"
    done
}

available() {
    apt-cache show --no-all-versions "$1" 2>/dev/null | grep -q '^Package:'
}

[ -n "$(missing true)" ] || exit 0

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# nginx's and PostgreSQL's packages start a server when they are installed; meanwhile this says no.
policy=/usr/sbin/policy-rc.d
refuse_services() {
    [ ! -e $policy ] || return 0
    trap 'as_root rm -f $policy' EXIT
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
}

# One broken source of packages need not stop the others.
as_root apt-get update -q || echo "deps: apt-get update failed in part" >&2
wanted=$(missing available)
refuse_services
# shellcheck disable=SC2086 # a list of words
as_root apt-get install -q -y --no-install-recommends $wanted
