#!/bin/sh
# asan - the C tests and the Lua specs of the C module under address and undefined sanitizers.
#
# For:   `make asan`: leaks, overflows, use after free, undefined behaviour. The controls first.
#        The specs that know VAULT_TEST_WORKER_PRELOAD run with it: real workers, a few reloads.
# Never: leaks of nginx itself: in workers only faults count, not what is left at exit.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/asan
flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
compile() {
    make -s BUILD=$build VENV=build/venv CC="${CC:-gcc}" CFLAGS="-O1 -g" SANITIZE="$flags" "$@"
}

compile $build/control/leak $build/control/overflow || exit 1
for control in leak overflow; do
    if $build/control/$control >$build/control/$control.log 2>&1; then
        echo "asan: control: the planted $control was NOT found"
        exit 1
    fi
    grep -qE 'ERROR: (Leak|Address)Sanitizer' $build/control/$control.log || {
        cat $build/control/$control.log
        echo "asan: control: $control ended without a report"
        exit 1
    }
    echo "asan: control: the planted $control was found"
done


# The same inside LuaJIT, which is not built with the sanitizer: its runtime must come first.
preload=$(${CC:-gcc} -print-file-name=libasan.so)
lost='local ffi = require "ffi" ffi.cdef "void *malloc(size_t);" for i = 1, 200 do
    local lost = ffi.C.malloc(8) end'
if LD_PRELOAD=$preload luajit -e "$lost" >$build/control/lua.log 2>&1 ||
    ! grep -q 'ERROR: LeakSanitizer' $build/control/lua.log; then
    echo "asan: control: the planted leak in LuaJIT was NOT found"
    exit 1
fi
echo "asan: control: the planted leak in LuaJIT was found"

failed=0
compile ctest || failed=1

specs=$(grep -lE 'require[ (]*"vault' spec/*_spec.lua 2>/dev/null | tr '\n' ' ')
if [ -n "$specs" ]; then
    compile all IMDS_MOCK=build/imds_mock/ec2-metadata-mock imds-mock || exit 1
    # shellcheck disable=SC2086 # a list of files
    VAULT_PRELOAD=$preload VAULT_BUILD=$build VAULT_VENV=build/venv \
        UBSAN_OPTIONS=print_stacktrace=1 .ci/busted.sh $build $specs || failed=1
else
    echo "asan: no spec of the module"
    failed=1
fi

# Threads, reloads and exits in real workers.
specs=$(grep -ls 'VAULT_TEST_WORKER_PRELOAD' spec/nginx/*_spec.lua | tr '\n' ' ')
if [ -n "$specs" ]; then
    # shellcheck disable=SC2086 # a list of files
    VAULT_TEST_WORKER_PRELOAD=$preload VAULT_TEST_RELOADS=3 ASAN_OPTIONS=detect_leaks=0 \
        VAULT_BUILD=$build VAULT_VENV=build/venv .ci/busted.sh $build $specs || failed=1
fi
exit $failed
