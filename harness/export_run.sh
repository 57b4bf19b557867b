#!/bin/bash
# Runs this test on an engine: with the arguments, variables and standard input that were recorded, in new copies
# of the folders. Differences are lines on standard error; exit status 0 without one, 1 with some.
# Usage: run lockstep|interp|node|wasmtime
# LOCKSTEP, NODE, WASMTIME and CC in the environment name other commands than lockstep, node, wasmtime, clang-19.
set -euo pipefail

engine=${1:-}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup" # args, env, dirs
test=$here/test.wasm
if [[ ! -f $test || $here/test.c -nt $test ]]; then
    "${CC:-clang-19}" --target=wasm32-wasi -O1 -nostdlib "$here/test.c" -o "$test"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
words=()
for i in "${!dirs[@]}"; do
    cp -a "$here/dirs/$i" "$work/$i"
    words+=(--dir "$work/$i::${dirs[i]}")
done
for variable in "${env[@]}"; do
    words+=(--env "$variable")
done
case $engine in
lockstep) "${LOCKSTEP:-lockstep}" run --engine compiled "${words[@]}" "$test" -- "${args[@]:1}" ;;
interp) "${LOCKSTEP:-lockstep}" run --engine interp "${words[@]}" "$test" -- "${args[@]:1}" ;;
node) "${NODE:-node}" --no-warnings "$here/run.mjs" "${words[@]}" "$test" -- "${args[@]:1}" ;;
wasmtime) "${WASMTIME:-wasmtime}" run "${words[@]}" "$test" "${args[@]:1}" ;;
*)
    echo "usage: run lockstep|interp|node|wasmtime" >&2
    exit 2
    ;;
esac <"$here/input"
