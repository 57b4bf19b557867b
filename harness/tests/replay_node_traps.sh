#!/bin/bash
# Every trap of WebAssembly, also in a start function and behind calls through tables: recorded, and replayed in Node,
# which has to show the same trap at the same pc. Without Node 18 or newer the test is skipped, which is exit status 77.
# Usage: replay_node_traps.sh LOCKSTEP
set -euo pipefail

lockstep=$(realpath "$1")
if ! [[ $("${NODE:-node}" --version 2>/dev/null) =~ ^v(1[89]|[2-9][0-9]) ]]; then
    echo "skipped: there is no Node of version 18 or newer; install the package nodejs (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# module START BODY: a WASI command that prints by an import that its table has, with more in its start function and main.
module() {
    cat <<EOF
(module
  (import "wasi_snapshot_preview1" "fd_write" (func \$write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func \$again (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func \$exit (param i32)))
  (type \$writes (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 2)
  (table \$functions 4 8 funcref)
  (table \$things 3 5 externref)
  (elem (table \$functions) (i32.const 1) func \$write \$many)
  (elem \$passive func \$many \$again)
  (global \$starts (mut i32) (i32.const 0))
  (global \$reference funcref (ref.func \$write))
  (global \$vector v128 (v128.const i32x4 1 2 3 4))
  (data (i32.const 16) "\\20\\00\\00\\00\\06\\00\\00\\00")
  (data (i32.const 32) "hello\\n")
  (data \$text "abc")
  (func \$many (param i32) (result i32 f32 i64)
    (local.get 0) (f32.div (f32.const 0) (f32.const 0)) (i64.const 5))
  (func \$call (param i32)
    (drop (call_indirect \$functions (type \$writes)
      (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8) (local.get 0))))
  (func \$start
    (call \$call (i32.const 1)) (global.set \$starts (i32.add (global.get \$starts) (i32.const 1))) $1)
  (start \$start)
  (func (export "an odd name: \\c3\\a9 \\f0\\9f\\98\\80 \\22") (call \$call (i32.const 1)))
  (func (export "_start") (local f32)
    (call \$call (i32.const 1)) (if (i32.ne (global.get \$starts) (i32.const 1)) (then unreachable))
    (local.set 0 (f32.div (f32.const 0) (f32.const 0)))
    $2))
EOF
}

# same STATUS MESSAGE START BODY
programs=0 failed=0
same() {
    local status=0 replayed=0

    module "$3" "$4" >program.wat
    wat2wasm --debug-names program.wat -o program.wasm
    "$lockstep" record -o trace program.wasm >stdout 2>stderr </dev/null || status=$?
    "$lockstep" replay --engine node trace >again.stdout 2>again.stderr </dev/null || replayed=$?
    programs=$((programs + 1))
    sed -i 's/^lockstep record: /lockstep replay: /' stderr
    if [[ $(<stderr) != *"$2"* ]] || ((status != $1 || replayed != $1)) ||
        ! cmp -s stdout again.stdout || ! cmp -s stderr again.stderr; then
        echo "FAIL $3$4: exit status $status, of the replay $replayed; expected $1 and '$2'"
        head -n 5 stderr again.stderr
        failed=$((failed + 1))
    fi
}

same 134 'unreachable' 'unreachable' ''
same 9 '' '(call $exit (i32.const 9))' ''
same 77 '' '' '(call $exit (i32.const 77))'
same 5 '' '' '(drop (memory.grow (i32.const 1))) (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
    (drop (table.grow $things (ref.null extern) (i32.const 2))) (call $exit (table.size $things))'
memory='out of bounds memory access'
same 134 "$memory" '' '(i64.store offset=4294967295 (i32.const 5) (i64.const 1))'
same 134 "$memory" '' '(drop (v128.load (i32.const 65530)))'
same 134 "$memory" '' '(drop (v128.load32_lane 1 (i32.const 65534) (global.get $vector)))'
same 134 "$memory" '' '(memory.init $text (i32.const 65535) (i32.const 0) (i32.const 3))'
same 134 "$memory" '' '(memory.fill (i32.const 65535) (i32.const 0) (i32.const 3))'
same 134 "$memory" '' '(memory.copy (i32.const 65535) (i32.const 0) (i32.const 3))'
table='out of bounds table access'
same 134 "$table" '' '(table.init $functions $passive (i32.const 3) (i32.const 0) (i32.const 2))'
same 134 "$table" '' '(table.copy $functions $functions (i32.const 3) (i32.const 0) (i32.const 2))'
same 134 "$table" '' '(table.fill $things (i32.const 3) (ref.null extern) (i32.const 2))'
same 134 "$table" '' '(drop (table.get $things (i32.const 3)))'
same 134 "$table" '' '(table.set $things (i32.const 3) (ref.null extern))'
same 134 'uninitialized element' '' '(call $call (i32.const 0))'
same 134 'indirect call type mismatch' '' '(call $call (i32.const 2))'
same 134 'undefined element' '' '(call $call (i32.const 9))'
same 134 'integer divide by zero' '' '(drop (i64.rem_s (i64.const 1) (i64.extend_i32_u (i32.const 0))))'
same 134 'integer overflow' '' '(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))'
same 134 'integer overflow' '' '(drop (i64.trunc_f32_u (f32.mul (f32.const 1e30) (f32.const 2))))'
same 134 'invalid conversion to integer' '' '(drop (i32.trunc_f32_u (f32.mul (local.get 0) (f32.const 2))))'
echo "replayed in Node: $programs programs, $failed differ"
((failed == 0))
