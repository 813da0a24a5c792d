#!/bin/sh
# coverage - which lines of csrc the C tests and the Lua specs reach.
#
# For:   `make coverage`: a figure per file and the sum; build/coverage/lines has the lines.
# Never: a gate by itself: a failure here is a failed test.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/coverage
compile() {
    make -s BUILD=$build CC="${CLANG:-clang}" CFLAGS="-O0 -g" VENV=build/venv \
        IMDS_MOCK=build/imds_mock/ec2-metadata-mock \
        SANITIZE="-fprofile-instr-generate -fcoverage-mapping" "$@"
}
rm -f $build/*.profraw
# One file per process, nginx's workers included: spec/support/nginx.lua hands the name on.
LLVM_PROFILE_FILE=$(pwd)/$build/%p-%m.profraw
export LLVM_PROFILE_FILE

failed=0
compile all programs || exit 1
compile ctest || failed=1
compile busted || failed=1

find $build -name '*.profraw' -size +0 >$build/profiles
llvm-profdata merge -sparse -f $build/profiles -o $build/all.profdata || exit 1
set -- $build/vault/core.so
for program in $build/test/test_*; do
    case $program in
    *.d) ;;
    *) set -- "$@" -object "$program" ;;
    esac
done
llvm-cov show "$@" -instr-profile=$build/all.profdata csrc >$build/lines 2>/dev/null
llvm-cov report "$@" -instr-profile=$build/all.profdata csrc >$build/report 2>/dev/null ||
    exit 1
# Columns: file, regions x3, functions x3, lines, missed, covered.
awk '/\.c / || /^TOTAL/ { printf "coverage: %-24s %5d lines %7s\n", $1, $8, $10 }' $build/report |
    sort
exit $failed
