#!/bin/bash
# A small self-test that is the same on each machine: of the faults that it plants as many are noticed and rightly
# named as asked for, and all of the classes below. Programs of Csmith, and one of the corpus that has enumerations.
# Usage: selftest.sh LOCKSTEP CORPUS
set -euo pipefail

lockstep=$(realpath "$1") corpus=$(realpath "$2")
always=(row-next-line row-other-function row-lost sequence-moved variable-dropped variable-renamed variable-line
    variable-sibling type-sign type-encoding functions-swapped string-offset abbreviation enum-value)

if "$lockstep" help | grep -q '^  record '; then # traces were built in
    always+=(trace-calls-swapped trace-argument trace-result)
fi
if ! command -v llvm-dwarfdump-19 >/dev/null; then
    echo "skipped: llvm-dwarfdump-19 is missing: install the package llvm-19 (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$lockstep" selftest --json --seeds 5-7 --faults 100 --time-limit 60s "$corpus/planted/scopes.c" >"$work/recall" || {
    echo "fewer faults were noticed or rightly named than asked for:"
    cat "$work/recall"
    exit 1
}
visible=$(jq -s 'map(.visible) | add' "$work/recall")
echo "$visible visible faults"
if ((visible < 80)); then
    echo "80 at least were expected"
    exit 1
fi
for class in "${always[@]}"; do
    if ! jq -es --arg class "$class" 'any(.class == $class and .visible > 0 and .noticed == .visible)' "$work/recall" >/dev/null; then
        echo "class $class: not planted, or not always noticed:"
        jq -c --arg class "$class" 'select(.class == $class)' "$work/recall"
        exit 1
    fi
done
