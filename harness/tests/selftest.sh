#!/bin/bash
# A small self-test that is the same on each machine: of the faults that it plants in each side as many are noticed and
# rightly named as asked for, and all of the classes below. Programs of Csmith, and one of the corpus that has
# enumerations. Then one fault that cannot be noticed, which has to be kept and explained.
# Usage: selftest.sh LOCKSTEP CORPUS
set -euo pipefail

lockstep=$(realpath "$1") corpus=$(realpath "$2")
always=(row-next-line row-other-function row-lost sequence-moved variable-dropped variable-renamed variable-line
    variable-sibling type-sign type-encoding functions-swapped string-offset abbreviation enum-value)
sides=(native wasm)

if "$lockstep" help | grep -q '^  record '; then # traces were built in
    sides+=(trace)
fi
if ! command -v llvm-dwarfdump-19 >/dev/null; then
    echo "skipped: llvm-dwarfdump-19 is missing: install the package llvm-19 (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# plant OPTION...: adds to `recall`.
plant() {
    if ! "$lockstep" selftest --json --time-limit 60s "$@" >>recall; then
        echo "fewer faults were noticed or rightly named than asked for:"
        cat recall
        exit 1
    fi
}

plant --side both --seeds 5-6 --faults 200 "$corpus/planted/scopes.c"
if [[ ${sides[*]} == *trace* ]]; then # one of the seven is a result that the guest does not look at
    plant --side trace --seeds 5-5 --named 85
fi

# expect_all SIDE CLASS...: there were faults of the class, and all were noticed.
expect_all() {
    local side=$1 class
    shift
    for class in "$@"; do
        if ! jq -es --arg side "$side" --arg class "$class" 'any(.side == $side and .class == $class and
            .visible > 0 and .noticed == .visible)' recall >/dev/null; then
            echo "$side $class: not planted, or not always noticed:"
            jq -c --arg class "$class" 'select(.class == $class)' recall
            exit 1
        fi
    done
}

for side in "${sides[@]}"; do
    visible=$(jq -s --arg side "$side" 'map(select(.side == $side).visible) | add' recall)
    echo "$side: $visible visible faults"
    if [[ $side == trace ]]; then
        expect_all trace trace-calls-swapped trace-argument trace-result
    else
        ((visible >= 60)) || { echo "60 at least were expected"; exit 1; }
        expect_all "$side" "${always[@]}"
    fi
done

status=0
"$lockstep" selftest --side left 2>wrong || status=$?
if ((status != 2)) || ! grep -q "'left' is none of native, wasm, both, trace and all" wrong; then
    echo "--side left: exit status $status: $(<wrong)"
    exit 1
fi

# A leaf's frame begins where its stack pointer is, so that another frame base is the same place.
cat >leaf.c <<'END'
int main(void) {
    int a = 1;
    a += 2;
    return a - 3;
}
END
status=0
"$lockstep" selftest --side native --class frame-base-local --tries 1 --keep kept leaf.c >missed || status=$?
kept=(kept/*)
if ((status != 1)) || [[ ${kept[*]} != kept/0-native-frame-base-local-0 ]] ||
    ! grep -q '^missed native frame-base-local 1x: a wrong place with the right value at each stop$' missed; then
    echo "a fault that cannot be noticed: exit status $status, kept: ${kept[*]}"
    cat missed
    exit 1
fi
for file in base.so fault.so; do
    llvm-dwarfdump-19 --debug-info "${kept[0]}/$file" | grep -o 'DW_AT_frame_base.*' >"$file.base"
done
if ! grep -q RBP base.so.base || ! grep -q RSP fault.so.base || ! cmp -s "${kept[0]}/program.c" leaf.c ||
    ! grep -q '^missed: a wrong place' "${kept[0]}/fault.txt" || [[ ! -s ${kept[0]}/program.wasm ]]; then
    echo "what was kept is not what was missed:"
    head "${kept[0]}"/fault.txt ./*.base
    exit 1
fi
