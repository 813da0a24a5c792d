#!/bin/sh
# tsan - the tests of everything that shares data between threads, under the thread sanitizer.
#
# For:   `make tsan`: the programs whose test or source knows a thread. The control first.
# Never: programs without a thread: they prove nothing here.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/tsan
flags="-fsanitize=thread -fno-omit-frame-pointer"
compile() {
    make -s BUILD=$build VENV=build/venv CC="${CC:-clang}" CFLAGS="-O1 -g" SANITIZE="$flags" "$@"
}
# The sanitizer of clang 14 cannot place its shadow where addresses are too random.
fixed() {
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        "$@"
    fi
}

export TSAN_OPTIONS="second_deadlock_stack=1"
compile $build/control/race || exit 1
fixed $build/control/race >$build/control/race.log 2>&1
grep -q 'WARNING: ThreadSanitizer: data race' $build/control/race.log || {
    cat $build/control/race.log
    echo "tsan: control: the planted race was NOT found"
    exit 1
}
echo "tsan: control: the planted race was found"

tests=
for file in spec/c/test_*.c; do
    name=$(basename "$file" .c)
    name=${name#test_}
    if grep -qsE 'pthread|io_thread\.h|stdatomic' "$file" "csrc/$name.c"; then
        tests="$tests $name"
    fi
done
compile TESTS="$tests" venv programs || exit 1
# shellcheck disable=SC2086 # a list of names
set -- $tests
for name in "$@"; do
    shift
    set -- "$@" "$build/test/test_$name"
done
fixed .ci/ctest.sh "$@"
