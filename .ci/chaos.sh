#!/bin/sh
# chaos - every allocation fails once.
#
# For:   `make chaos`: the tests named *allocation* or *no_memory* of every program, under the
#        address sanitizer, and a look whether a source that allocates has one. The control first.
# Never: the other tests.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/asan
flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
compile() {
    make -s BUILD=$build VENV=build/venv CC="${CC:-gcc}" CFLAGS="-O1 -g" SANITIZE="$flags" "$@"
}

export VAULT_TEST_FILTER
VAULT_TEST_FILTER="*allocation*"
compile $build/control/unchecked || exit 1
if .ci/ctest.sh $build/control/unchecked >$build/control/unchecked.log 2>&1; then
    echo "chaos: control: the planted unchecked allocation was NOT found"
    exit 1
fi
echo "chaos: control: the planted unchecked allocation was found"

compile venv programs || exit 1
failed=0
passed=0

# The programs that have a test with $1 in its name.
run() {
    VAULT_TEST_FILTER="*$1*"
    # shellcheck disable=SC2046 # a list of files
    set -- $(grep -lE "^static void \w*$1\w*\(void" spec/c/test_*.c |
        sed "s|^spec/c/\(.*\)\.c$|$build/test/\1|")
    [ $# -gt 0 ] || return
    .ci/ctest.sh "$@" >"$build/chaos.log" 2>&1 || failed=$((failed + 1))
    grep -v '^ctest: [0-9]* passed' "$build/chaos.log"
    passed=$((passed + $(sed -n 's/^ctest: \([0-9]*\) passed, .*/\1/p' "$build/chaos.log")))
}
run allocation
run no_memory

for source in csrc/*.c; do
    test=spec/c/test_$(basename "$source")
    if grep -qE '= vault_(alloc|copy)\(|vault_buffer_(append|text|reserve)\(' "$source" &&
        [ -f "$test" ] &&
        ! grep -qE '^static void \w*(allocation|no_memory)\w*\(void' "$test"; then
        echo "chaos: $source allocates, but $test has no test named *allocation* or *no_memory*"
        failed=$((failed + 1))
    fi
done
echo "chaos: $passed passed, $failed failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
