#!/bin/bash
# Tests the DWARF of compiled code. llvm-dwarfdump finds no error in it, for Csmith programs at each level of optimisation;
# and GDB shows of a guest, stop by stop, what it shows of the native build: the backtrace, parameters, locals and globals.
# Programs whose parameters clang's Wasm DWARF loses (corpus/known) are not among the seeds. Without a tool the test is
# skipped, which is exit status 77.
# Usage: native_dwarf.sh LOCKSTEP verify|gdb SEED...
set -euo pipefail

lockstep=$(realpath "$1") what=$2
shift 2
story=$(realpath "$(dirname "$0")")/gdb_story.py
stops=40

need() {
    command -v "$1" >/dev/null || {
        echo "skipped: $1 is missing: ci/deps installs it"
        exit 77
    }
}
need clang-19
need csmith
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work DEBUGINFOD_URLS='' ASAN_OPTIONS=detect_leaks=0
cd "$work"
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

# compile OPTIMISATION OUTPUT OPTION...: links without -O, which would have the driver run wasm-opt.
compile() {
    clang-19 --target=wasm32-wasi -w -g "$1" -ftrivial-auto-var-init=zero -I/usr/include/csmith -c program.c -o unit.o
    clang-19 --target=wasm32-wasi "${@:3}" unit.o -o "$2"
}

verify() {
    local level version dumper
    for level in -O0 -O1 -O2; do
        compile "$level" program.wasm
        "$lockstep" transform program.wasm --visitor native -o program.elf --json >stat ||
            fail "seed $1 at $level: transform"
        for version in 14 19; do
            dumper=llvm-dwarfdump-$version
            command -v "$dumper" >/dev/null || continue
            "$dumper" --verify program.elf >report 2>&1 ||
                fail "seed $1 at $level, $dumper: $(grep -m 3 error report)"
        done
        "$dumper" --debug-line program.elf >rows
        grep -q prologue_end rows || fail "seed $1 at $level: no line rows"
    done
}

# tell SIDE COMMAND...: what GDB shows of it.
tell() {
    timeout 200 gdb -nx -q -batch -ex "python STORY='$1.story'; STOPS=$stops; SOURCE='program.c'" -x "$story" \
        --args "${@:2}" >"$1.log" 2>&1 </dev/null || fail "GDB on $1: $(tail -n 3 "$1.log")"
}

compare() {
    compile -O0 program.wasm -Wl,--global-base=65536,--no-gc-sections
    clang-19 -w -g -O0 -ftrivial-auto-var-init=zero -I/usr/include/csmith program.c -o program
    tell native ./program
    tell guest "$lockstep" run -g program.wasm
    [[ $(grep -c '^at ' native.story) -ge 10 ]] || fail "seed $1: fewer than ten stops"
    diff native.story guest.story >difference || fail "seed $1: $(head -n 6 difference)"
}

case $what in
verify) need llvm-dwarfdump-19 ;;
gdb) need gdb ;;
esac
for seed; do
    "$lockstep" generate --seed "$seed" -o program.c
    case $what in
    verify) verify "$seed" ;;
    gdb) compare "$seed" ;;
    esac
done
exit "$failed"
