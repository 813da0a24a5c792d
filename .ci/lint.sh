#!/bin/sh
# lint - rules that a reader should not have to check.
#
# For:   `make lint`: every check runs, each prints one line and, where it fails, why. A control
#        plants a break of each rule in a copy, and must see it found.
# Never: who may touch what (layers.sh); behaviour (the tests).
#
# VAULT_LINT_ROOT is the tree to look at, for the control.
set -u
cd "${VAULT_LINT_ROOT:-$(dirname "$0")/..}" || exit 1

passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# check WHAT COMMAND...: passes where the command exits 0; its output is shown where it does not.
check() {
    what=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "lint: $what: ok"
    else
        failed=$((failed + 1))
        cat "$log"
        echo "lint: $what: FAILED"
    fi
}

# Files of ours below the folders or names given, those that exist.
ours() {
    find "$@" -type f ! -path '*/corpus/*' ! -path '*/vectors/*' ! -name '*.pyc' 2>/dev/null
}

c_files() {
    ours csrc spec/c spec/fuzz spec/controls spec/support bench | grep '\.[ch]$'
}

includes() {
    pkg-config --cflags luajit 2>/dev/null || pkg-config --cflags lua5.1
}

# Line length, complexity: .luacheckrc.
lua_is_clean() {
    set -- lua spec
    for more in bench examples bin/vaults .luacheckrc .busted ./*.rockspec; do
        if [ -e "$more" ]; then set -- "$@" "$more"; fi
    done
    luacheck --no-color -q "$@"
}

format_is_right() {
    c_files | xargs clang-format --dry-run -Werror
}

# Body of at most 60 lines, at most 5 parameters; .clang-tidy has the numbers. What a header
# declares may have more parameters: it was weighed there.
functions_are_small() {
    declared=$(mktemp) || return 1
    cat csrc/*.h | tr -c 'A-Za-z0-9_\n' ' ' | tr '\n' ' ' >"$declared"
    # shellcheck disable=SC2046 # flags, apart
    clang-tidy --quiet csrc/*.c -- -std=c11 -D_GNU_SOURCE -Icsrc $(includes) 2>/dev/null |
        awk -v file="$declared" '
            BEGIN { getline declared < file }
            / error: /                 { print; bad = 1 }
            /warning: function .* exceeds/ { split($0, part, "\047"); name = part[2]; at = $1 }
            /note: [0-9]+ .*threshold/ {
                if (/ parameters / && index(declared " ", " " name " "))
                    next
                print at, name ":", $0
                bad = 1
            }
            END { exit bad }'
    code=$?
    rm -f "$declared"
    return $code
}

headers_stand_alone() {
    code=0
    for header in csrc/*.h; do
        # shellcheck disable=SC2046 # flags, apart
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-function -Icsrc \
            $(includes) -fsyntax-only -x c - <<END || { echo "$header"; code=1; }
#include "$(basename "$header")"
int vault_lint_nothing;
END
    done
    return $code
}

# The Lua border has no C test: spec/core_spec.lua drives it through Lua.
c_has_tests() {
    code=0
    for file in csrc/*.c; do
        name=$(basename "$file" .c)
        case $name in
        module*) test=spec/core_spec.lua ;;
        *) test=spec/c/test_$name.c ;;
        esac
        [ -f "$test" ] || { echo "$file has no $test"; code=1; }
    done
    return $code
}

# What lies outside of lua/vault/ is an adapter: its spec is named after the module it makes.
lua_has_specs() {
    code=0
    for file in $(ours lua); do
        case $file in
        lua/vault/*) name=$(basename "$file" .lua) ;;
        *) name=$(echo "$file" | sed 's|^lua/||; s|\.lua$||; s|/init$||; s|/schema$||; s|/|_|g') ;;
        esac
        [ -f "spec/${name}_spec.lua" ] || [ -f "spec/nginx/${name}_spec.lua" ] ||
            { echo "$file has no spec/${name}_spec.lua"; code=1; }
    done
    return $code
}

# By that an installation tells them from another's: install_adapter.sh.
adapters_are_marked() {
    ! find lua -name '*.lua' ! -path 'lua/vault/*' -exec grep -L 'Part of lua-resty-vaults' {} + |
        grep .
}

# What no runner would pick up is not a test.
spec_skips_nothing() {
    skipped=$(
        find spec -name '*.lua' ! -name '*_spec.lua' ! -path 'spec/support/*'
        find spec -name '*.c' ! -path 'spec/c/test_*' ! -path 'spec/fuzz/fuzz_*' \
            ! -path 'spec/controls/*' ! -path 'spec/support/*' ! -path '*/vectors/*'
        find spec -name '*_spec.lua' -path 'spec/support/*'
        for target in spec/fuzz/fuzz_*.c; do
            name=$(basename "$target" .c)
            [ -n "$(ls "spec/fuzz/corpus/${name#fuzz_}" 2>/dev/null)" ] ||
                echo "$target has no corpus"
        done
    )
    echo "$skipped"
    [ -z "$skipped" ]
}

files_are_short() {
    long=$(ours Makefile csrc lua spec bench examples bin .ci |
        xargs awk 'FNR == 401 { print FILENAME " is over 400 lines" }')
    echo "$long"
    [ -z "$long" ]
}

lines_are_short() {
    long=$(ours Makefile csrc spec bench examples bin .ci | grep -vE '\.(tsv|txt|sum)$' |
        xargs awk 'length > 100 { print FILENAME ":" FNR " is over 100 columns" }')
    echo "$long"
    [ -z "$long" ]
}

# csrc/version.h says it; the others must agree.
version_is_one() {
    version=$(sed -n 's/^#define VAULT_VERSION "\(.*\)"$/\1/p' csrc/version.h)
    name=lua-resty-vaults
    specs=$(for each in "" -apisix -kong; do echo "$name$each-$version-1.rockspec"; done)
    [ -n "$version" ] && [ "$(find . -maxdepth 1 -name '*.rockspec' -printf '%P\n' |
        LC_ALL=C sort)" = "$specs" ] &&
        [ "$(cat ./*.rockspec | grep -c "^version = \"$version-1\"$")" = 3 ] &&
        [ "$(cat ./*.rockspec | grep -c "\"$name == $version\"")" = 2 ] &&
        grep -qE "^## $version( |$)" CHANGELOG.md || {
        echo "version.h, the rockspecs and CHANGELOG.md do not agree on \"$version\""
        return 1
    }
}

scripts_are_clean() {
    set --
    for file in .ci/*.sh .ci/run examples/*.sh bench/*.sh; do
        if [ -f "$file" ]; then set -- "$@" "$file"; fi
    done
    shellcheck -S warning "$@"
}

python_compiles() {
    for file in $(ours spec bench examples | grep '\.py$'); do
        python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file" ||
            return 1
    done
}

tree() {
    find . \( -path ./.git -o -path ./build -o -path '*/vectors' -o -path '*/corpus' \) -prune \
        -o -type f ! -name LICENSE ! -name '*.pyc' -print
}

# Paths of the machine where it was written.
no_machine_paths() {
    ! tree | xargs grep -nIE '(^|[^A-Za-z0-9_.$}])/(work|root|tmp/brief)/[a-z.]'
}

no_loose_ends() {
    ! tree | xargs grep -nIE '[ 	]+$|TO[D]O|FIX[M]E'
}

check "luacheck" lua_is_clean
check "clang-format" format_is_right
check "clang-tidy: size of functions" functions_are_small
check "every header compiles alone" headers_stand_alone
check "every C file has its test" c_has_tests
check "every Lua module has its spec" lua_has_specs
check "adapters say whose they are" adapters_are_marked
check "no runner skips a file of spec/" spec_skips_nothing
check "files of at most 400 lines" files_are_short
check "lines of at most 100 columns" lines_are_short
check "one version" version_is_one
check "shellcheck" scripts_are_clean
check "python compiles" python_compiles
check "no machine's paths" no_machine_paths
check "no trailing blanks, nothing left to do" no_loose_ends

# A break of every rule, in the copy that is the working directory.
plant() {
    echo 'local unused = 1' >>lua/vault/env.lua
    echo 'int  vault_lint_format ;' >>csrc/utf8.c
    { echo 'int vault_lint_long(int x) {'; yes 'x++;' | head -n 70; echo 'return x; }'; } \
        >>csrc/base64.c
    echo 'vault_lint_unknown vault_lint_alone(void);' >>csrc/utf8.h
    echo '/* no test */' >csrc/lint_untested.c
    echo '-- no spec' >lua/vault/lint_untested.lua
    echo '-- whose?' >lua/apisix/secret/lint_unmarked.lua
    echo '-- no runner' >spec/lint_skipped.lua
    yes 'local x' | head -n 401 >lua/vault/lint_long.lua
    printf '%0101d\n' 0 >>bin/vaults
    sed -i 's/^## [0-9].*/## 0.0/' CHANGELOG.md
    echo 'lint_unused=1' >>.ci/deps.sh
    echo 'def' >spec/support/lint_malformed.py
    echo "/wo""rk/lint" >>README.md
    echo 'blank ' >>LICENSE.md
}

control() {
    copy=$(mktemp -d) || return 1
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$copy"
    (cd "$copy" && plant)
    said=$(VAULT_LINT_ROOT=$copy sh .ci/lint.sh)
    rm -rf "$copy"
    missed=$(echo "$said" | grep '^lint: .*: ok$')
    found=$(echo "$said" | grep -c '^lint: .*: FAILED$')
    if [ -n "$missed" ] || [ "$found" -ne "$passed" ]; then
        echo "$missed"
        echo "lint: control: a planted break was NOT found"
        failed=$((failed + 1))
    else
        echo "lint: control: all $found planted breaks were found"
    fi
}

if [ -z "${VAULT_LINT_ROOT:-}" ] && [ "$failed" -eq 0 ]; then
    control
fi
echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
