#!/bin/sh
# fuzz - every fuzz target for FUZZ_SECONDS, two at a time.
#
# For:   `make fuzz`: address and undefined sanitizers on; the stored corpus is read, what is found
#        new goes to build/fuzz/corpus. The grammar of references, which is Lua, is a target too.
#        The controls first. FUZZ_TARGETS="json ini" chooses.
# Never: a pass for a target that did not run.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/fuzz
seconds=${FUZZ_SECONDS:-60}
flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
compile() {
    make -s BUILD=$build CC="${CLANG:-clang}" CFLAGS="-O1 -g" \
        SANITIZE="$flags -fsanitize=fuzzer-no-link" "$@"
}

reference() {
    LUA_PATH="./?.lua;lua/?.lua;;" luajit spec/support/fuzz_reference.lua \
        "$1" "$2" spec/fuzz/corpus/reference
}

# One target: name and seconds; its log ends with "exit N".
if [ "${1:-}" = one ]; then
    name=$2
    mkdir -p "$build/corpus/$name" "$build/found"
    if [ "$name" = fuzz_reference ]; then
        reference "$seconds" "$build/found/reference" >"$build/$name.log" 2>&1
        echo "exit $?" >>"$build/$name.log"
        exit 0
    fi
    "$build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/found/$name-" "$build/corpus/$name" \
        "spec/fuzz/corpus/${name#fuzz_}" >"$build/$name.log" 2>&1
    echo "exit $?" >>"$build/$name.log"
    exit 0
fi

compile $build/control/fuzz_overflow || exit 1
mkdir -p $build/found
if $build/control/fuzz_overflow -max_total_time=60 -artifact_prefix=$build/control/ \
    >$build/control/fuzz_overflow.log 2>&1; then
    echo "fuzz: control: the planted overflow was NOT found"
    exit 1
fi
grep -q 'ERROR: AddressSanitizer' $build/control/fuzz_overflow.log || exit 1
echo "fuzz: control: the planted overflow was found"
if FUZZ_PLANTED=1 reference 60 $build/control/reference >$build/control/reference.log 2>&1 ||
    ! grep -q 'planted; the text is in' $build/control/reference.log; then
    echo "fuzz: control: the planted break of the grammar's rules was NOT found"
    exit 1
fi
echo "fuzz: control: the planted break of the grammar's rules was found"

compile -k fuzzers || exit 1
targets=${FUZZ_TARGETS:-$(cd spec/fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//') reference}
[ -n "$targets" ] || { echo "fuzz: no targets"; exit 1; }
# shellcheck disable=SC2086 # a list of names
printf 'fuzz_%s\n' $targets | FUZZ_SECONDS=$seconds xargs -P 2 -n 1 .ci/fuzz.sh one

passed=0
failed=0
for name in $targets; do
    log=$build/fuzz_$name.log
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    if grep -q '^exit 0$' "$log" && [ "${runs:-0}" -gt 0 ]; then
        passed=$((passed + 1))
        echo "fuzz: $name: $runs runs"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        echo "fuzz: $name FAILED; inputs are in $build/found"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
