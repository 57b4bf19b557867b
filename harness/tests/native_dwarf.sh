#!/bin/bash
# Tests the DWARF of compiled code. llvm-dwarfdump finds no error in it, for Csmith programs at each level of optimisation;
# and GDB shows of a guest, stop by stop, what it shows of the native build: the backtrace, parameters, locals and globals.
# Programs whose parameters clang's Wasm DWARF loses (corpus/known) are not among the seeds. Without a tool the test is
# skipped, which is exit status 77.
# With LOCKSTEP_SHARE, one in so many of the seeds is taken.
# `rust` judges Rust programs of the WASI test suite: their DWARF verifies, and a backtrace names Rust functions.
# Usage: native_dwarf.sh LOCKSTEP verify|gdb SEED...
#        native_dwarf.sh LOCKSTEP rust SUITE
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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work DEBUGINFOD_URLS='' ASAN_OPTIONS=detect_leaks=0
cd "$work"
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

# verify_image WHAT: program.elf, by each llvm-dwarfdump that is here.
verify_image() {
    local version dumper
    for version in 14 19; do
        dumper=llvm-dwarfdump-$version
        command -v "$dumper" >/dev/null || continue
        "$dumper" --verify program.elf >report 2>&1 || fail "$1, $dumper: $(grep -m 3 error report)"
    done
}

# compile OPTIMISATION OUTPUT OPTION...: links without -O, which would have the driver run wasm-opt.
compile() {
    clang-19 --target=wasm32-wasi -w -g "$1" -ftrivial-auto-var-init=zero -I/usr/include/csmith -c program.c -o unit.o
    clang-19 --target=wasm32-wasi "${@:3}" unit.o -o "$2"
}

verify() {
    local level
    for level in -O0 -O1 -O2; do
        compile "$level" program.wasm
        "$lockstep" transform program.wasm --visitor native -o program.elf --json >stat ||
            fail "seed $1 at $level: transform"
        verify_image "seed $1 at $level"
        llvm-dwarfdump-19 --debug-line program.elf >rows
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

# Functions, inlined ones and lines of the standard library, from where the guest prints to the host.
backtrace() {
    cat >script <<'END'
set breakpoint pending on
set backtrace past-main
break core::fmt::write
run
bt
END
    timeout 100 gdb -nx -q -batch -x script --args "$lockstep" run -g "$1" >log 2>&1 </dev/null || true
    sed -n '/^#0/,$p' log | tr '\n' ' ' >stack
    [[ $(cat stack) == *'core::fmt::write'*'std::io::Write::write_fmt<'*' at library/std/src/io/mod.rs:'*'std::rt::lang_start_internal'*rt_x86_64_enter*hx_wasi_command_drive* ]] ||
        fail "backtrace of $1: $(tail -n 5 log)"
}

rust() {
    local names=(fd_readdir.wasm path_rename.wasm poll_oneoff_stdio.wasm) name module
    if [[ -f $1/wasm32-wasip1.tar.zst ]]; then
        tar --zstd -xf "$1/wasm32-wasip1.tar.zst" -C "$work" --wildcards "${names[@]/#/*/rust/*/}"
        set -- "$work"
    fi
    for name in "${names[@]}"; do
        module=$([[ ! -d $1 ]] || find "$1" -path "*/rust/*/$name" | head -n 1)
        if [[ -z $module ]]; then
            echo "skipped: no Rust programs in '$1': configure with -DLOCKSTEP_WASI_TESTSUITE=FOLDER"
            exit 77
        fi
        "$lockstep" transform "$module" --visitor native -o program.elf || fail "$name: transform"
        verify_image "$name"
    done
    backtrace "$(find "$1" -path '*/rust/*/path_rename.wasm' | head -n 1)"
}

case $what in
verify) need llvm-dwarfdump-19 && need clang-19 && need csmith ;;
gdb) need gdb && need clang-19 && need csmith ;;
rust)
    need llvm-dwarfdump-19 && need gdb
    rust "${1:-}"
    exit "$failed"
    ;;
esac
number=0
for seed; do
    ((number++ % ${LOCKSTEP_SHARE:-1} == 0)) || continue
    "$lockstep" generate --seed "$seed" -o program.c
    case $what in
    verify) verify "$seed" ;;
    gdb) compare "$seed" ;;
    esac
done
exit "$failed"
