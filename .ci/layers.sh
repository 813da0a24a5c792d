#!/bin/sh
# layers - who may touch what, read off the source.
#
# For:   `make layers`: one line per rule, "what: files that do"; any other file is a failure.
#        Comments do not count. A control plants breaks of the rules in copies and must see them
#        found.
# Never: style (lint.sh).
#
# VAULT_LAYERS_ROOT is the tree to look at, for the control.
set -u
cd "$(dirname "$0")/.." || exit 1
root=${VAULT_LAYERS_ROOT:-.}
failed=0
passed=0

# The same tree without its comments.
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
(cd "$root" && find csrc lua -type d) | (cd "$bare" && xargs mkdir -p) || exit 1
(cd "$root" && find csrc lua \( -name '*.[ch]' -o -name '*.lua' \) \
    -exec awk -v to="$bare" -f .ci/uncomment.awk {} +) || exit 1

# rule WHAT PATTERN ALLOWED FILES...: the files that match PATTERN (extended) must be among the
# words of ALLOWED.
rule() {
    what=$1
    pattern=$2
    allowed=$3
    shift 3
    found=
    wrong=
    for file in $(grep -lsE "$pattern" "$@"); do
        name=${file##*/}
        found="$found $name"
        case " $allowed " in
        *" $name "*) ;;
        *) wrong="$wrong $name" ;;
        esac
    done
    echo "layers: $what:${found:- none}"
    if [ -n "$wrong" ]; then
        echo "layers: $what: NOT ALLOWED in$wrong"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

word() {
    echo "(^|[^A-Za-z0-9_.>\"])($1)"
}

c=$bare/csrc
l=$bare/lua/vault
lua=$(find "$bare/lua" -name '*.lua')
adapters=$(find "$bare/lua/kong" "$bare/lua/apisix" -name '*.lua')
# Which C file is for what: its room comment says it.
rule "Lua's headers" '#include <(lua|lauxlib|lualib|luajit)' \
    "$(cd "$c" && echo module*.[ch])" "$c"/*.[ch]
rule "libcurl" '#include <curl/|'"$(word 'curl_[a-z]+_|CURL[A-Zmo]')" \
    "http.c http.h http_settings.c http_settings.h http_outcome.c http_outcome.h http_lines.c \
http_lines.h loop.c" "$c"/*.[ch]
rule "OpenSSL" '#include <openssl/' "sigv4.c digest.c buffer.c thread.c" "$c"/*.[ch]
rule "expat" '#include <expat'"|$(word 'XML_[A-Z]')" "sts_answer.c" "$c"/*.[ch]
rule "environ" "$(word 'getenv|secure_getenv|environ')"'([^A-Za-z0-9_]|$)' "environment.c" \
    "$c"/*.[ch]
rule "clock" "$(word 'time|clock_gettime|gettimeofday|clock|ftime')\\(" \
    "moment.c" "$c"/*.[ch]
rule "bare allocation" \
    "$(word 'malloc|calloc|realloc|free|strdup|strndup|asprintf|aligned_alloc|getline')\\(" \
    "arena.c" "$c"/*.[ch]
rule "mappings" "$(word 'mmap|munmap|mremap|madvise|mlock')\\(" "arena.c process.c" "$c"/*.[ch]
rule "sockets" '#include <(sys/socket|sys/un|netinet/|netdb|poll|sys/epoll)' \
    "wake.c http.c container_address.c program.c program_attendant.c" "$c"/*.[ch]
rule "files" "$(word 'fopen|open|openat')\\(" \
    "file.c atomic_file.c wake.c program.c program_attendant.c" "$c"/*.[ch]
rule "changes on disk" \
    "$(word 'rename(at2?)?|unlink(at)?|mkdir(at|temp|dtemp)?|rmdir|(sym)?link(at)?|fsync')\\(" \
    "atomic_file.c wake.c" "$c"/*.[ch]
rule "processes" "$(word 'v?fork|_Fork|clone|execv[a-z]*|posix_spawnp?|popen|system|waitp?id')\\(" \
    "program.c program_attendant.c program_exec.c" "$c"/*.[ch]
rule "memory and locks between fork and exec" \
    "$(word 'vault_(alloc|free|copy|wipe|buffer|message)|[a-z]*printf|strerror|pthread_')" "" \
    "$c"/program_attendant.c
rule "protocol that performs" "$(word 'poll|send|recv|connect|curl_[a-z_]*')\\(" "" \
    "$c"/credentials*.[ch] "$c"/secretsmanager*.[ch] "$c"/endpoint.[ch] "$c"/json*.[ch] \
    "$c"/ini.[ch] "$c"/sts_*.[ch] "$c"/iso8601.[ch] "$c"/credential_*.[ch] "$c"/identity*.[ch] \
    "$c"/caller.[ch] "$c"/region.[ch] "$c"/service_endpoint.[ch] "$c"/fetch*.[ch] \
    "$c"/clock_skew.[ch]
rule "AWS words in transport" 'X-Amz|secretsmanager|GetSecretValue|AKIA' "" "$c"/http*.[ch] \
    "$c"/io_thread.[ch] "$c"/loop.[ch] "$c"/wake.[ch] "$c"/program*.[ch]
rule "typedef of a struct" '^ *typedef +(struct|union)' "" "$c"/*.[ch]
rule "an included .c file" '#include "[^"]*\.c"' "" "$c"/*.[ch]
rule "the engine in Lua" 'core\.(port|run|explain)' "collector.lua" $lua
rule "another program in Lua" 'core\.(exec|variables)' "exec.lua" $lua
rule "os.getenv" 'os\.getenv' "" $lua
rule "ngx in pure Lua" '(^|[^A-Za-z0-9_."])ngx\.|require *\(? *"(ngx|resty)\.' "" \
    "$l"/reference.lua "$l"/schema.lua "$l"/config.lua "$l"/allow.lua "$l"/entities.lua \
    "$l"/state.lua "$l"/sources.lua "$l"/vaults.lua
rule "globals set at require" '^ *_G[.[]|^require *=' "" $lua
rule "a host's names" '_G\.(kong|native_timer_at)|"apisix\.' "init.lua apisix.lua" $lua
rule "a cache under a host's own" \
    'require *\(? *"vault(\.(cache|fetch|held|init|node|refresh|resolve|vaults))?"' "" $adapters \
    "$l"/apisix.lua
rule "a guest that caches" 'require *\(? *"vault(\.(cache|held|init|node|refresh|resolve))?"' "" \
    "$l"/guest.lua

# Every file opens with its room: what it is for, what may not enter.
without=
for file in "$root"/csrc/*.[ch] $(find "$root/lua" -name '*.lua'); do
    head -n 14 "$file" | awk '/For:/ { a = 1 } /Never:/ { b = 1 } END { exit !(a && b) }' ||
        without="$without $(basename "$file")"
done
if [ -n "$without" ]; then
    echo "layers: room comment: MISSING in$without"
    failed=$((failed + 1))
else
    echo "layers: room comment: in every file"
    passed=$((passed + 1))
fi

# The control: each planted line must fail the rule of its number in the copy.
plant() {
    copy=$(mktemp -d)
    cp -r csrc lua .ci "$copy/"
    printf '%s\n' "$3" >>"$copy/$2"
    said=$(VAULT_LAYERS_ROOT=$copy sh .ci/layers.sh)
    code=$?
    rm -rf "$copy"
    if [ $code -eq 0 ] || ! echo "$said" | grep -qE "^layers: $1: (NOT ALLOWED|MISSING)"; then
        echo "layers: control: a planted break of \"$1\" was NOT found"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

if [ -z "${VAULT_LAYERS_ROOT:-}" ]; then
    plant "Lua's headers" csrc/fetch.c '#include <lua.h>'
    plant "libcurl" csrc/fetch.c 'int x = curl_easy_init();'
    plant "OpenSSL" csrc/http.c '#include <openssl/evp.h>'
    plant "expat" csrc/credentials_sts.c '#include <expat.h>'
    plant "environ" csrc/endpoint.c 'const char *x = getenv("HOME");'
    plant "clock" csrc/sigv4.c 'long x = time(0);'
    plant "bare allocation" csrc/ini.c 'void y(void *x) { free(x); }'
    plant "mappings" csrc/buffer.c 'int y(void *x) { return madvise(x, 1, 1); }'
    plant "sockets" csrc/fetch.c '#include <sys/socket.h>'
    plant "files" csrc/identity.c 'int y(void) { return open("/x", 0); }'
    plant "changes on disk" csrc/file.c 'int y(void) { return unlink("/x"); }'
    plant "processes" csrc/credentials_process.c 'int y(void) { return fork(); }'
    plant "memory and locks between fork and exec" csrc/program_attendant.c \
        'void *y(void) { return vault_alloc(1); }'
    plant "protocol that performs" csrc/credentials.c 'int y(void) { return poll(0, 0, 1); }'
    plant "protocol that performs" csrc/identity.c 'int y(void) { return send(0, 0, 1, 0); }'
    plant "an included .c file" csrc/fetch.c '#include "ini.c"'
    plant "another program in Lua" lua/vault/cli.lua 'core.exec({}, {})'
    plant "os.getenv" lua/vault/env.lua 'local x = os.getenv("HOME")'
    plant "ngx in pure Lua" lua/vault/reference.lua 'local x = ngx.now()'
    plant "a host's names" lua/vault/guest.lua 'local x = _G.kong'
    plant "a cache under a host's own" lua/kong/vaults/aws/init.lua 'local x = require "vault"'
    plant "a guest that caches" lua/vault/guest.lua 'local x = require "vault.cache"'
    plant "os.getenv" lua/apisix/secret/awssm.lua 'local x = os.getenv("HOME")'
    plant "room comment" csrc/no_room.c 'int x;'
    plant "room comment" lua/kong/no_room.lua 'local x = 1'
fi

echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
