#!/bin/sh
# coverage - which lines of csrc the C tests and the Lua specs reach.
#
# For:   `make coverage`: a figure per file and the sum, at least LEAST per cent; .ci/uncovered.txt
#        has why something is not reached, and must have it of each file below that.
#        build/coverage/lines has the lines. The control first: a report that is not enough.
# Never: a pass where a test failed.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/coverage
LEAST=90

# judge REPORT: prints what is reached of each file, with the reason for the rest; fails where the
# sum is below LEAST, or a file is for no reason. llvm-cov's columns: file, regions x3, functions
# x3, lines, missed, covered.
judge() {
    awk -v least=$LEAST '
        FNR == NR { if ($1 !~ /^#/) { name = $1; sub(/^[^ ]+ +/, ""); why[name] = $0 } next }
        $1 !~ /\.c$/ && $1 != "TOTAL" { next }
        {
            wrong = $10 + 0 < least && !($1 in why)
            bad = bad || wrong
            printf "coverage: %-24s %5d lines %7s  %s\n", $1, $8, $10, \
                (wrong ? "TOO LITTLE" : $9 + 0 != 0 && $1 in why ? why[$1] : "")
            seen = seen || $1 == "TOTAL"
        }
        END { exit bad || !seen }' .ci/uncovered.txt "$1"
}

# Two reports that are not enough, and the same ones when they are.
mkdir -p $build/control
report() {
    for one in "planted.c $1" "TOTAL $2"; do
        echo "${one% *} 0 0 0% 0 0 0% 100 9 ${one##* }%"
    done >$build/control/report
    judge $build/control/report >$build/control/said
}
if ! report 90.00 90.00 || report 90.00 89.99 || report 89.99 99.00; then
    echo "coverage: control: a report that is not enough was NOT found"
    exit 1
fi
echo "coverage: control: reports that are not enough were found"

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
judge $build/report >$build/judged || failed=1
sort $build/judged
exit $failed
