#!/bin/bash
# Proves that a planted difference is noticed and named: builds a program of corpus/planted/ as it is, and with
# each of its plants on either side, and expects the findings that the program's first comment lists, no others.
# corpus/planted/README.md says how a plant is written. With LOCKSTEP_SHARE, one in so many pairs is built. Usage: planted.sh LOCKSTEP PROGRAM.c [PLANT]
set -euo pipefail
source "$(dirname "$0")/planted_lines.sh"

lockstep=$(realpath "$1") program=$(basename "$2") only=${3:-}
cd "$(dirname "$2")"
work=$(mktemp -d)
mkdir "$work/known"
trap 'rm -rf "$work"' EXIT
checked=0 failed=0 missed=0 number=0 share=${LOCKSTEP_SHARE:-1}
[[ -z $only ]] || share=1

# build SIDE OUTPUT [PLANT]
build() {
    local side=$1 output=$2 plant=${3:-} edit
    local compile=(clang-19 ${flags[$side]} -g -O0 -w)

    edit=$(sed -n "s/^ \* EDIT $plant $side //p" "$program")
    if [[ -z $plant || -z $edit ]]; then
        "${compile[@]}" ${plant:+"-D$plant"} "$program" -o "$output"
    else
        "${compile[@]}" -S "$program" -o "$output.before.s"
        edit_assembly "$edit" "$output.before.s" "$output.s"
        "${compile[@]}" "$output.s" -o "$output"
    fi
}

# The findings of a JSON object, one a line: kind function line variable reference-value planted-value.
findings() {
    local planted=$1 record kind function line variable native wasm
    sed 's/{"kind"/\n&/g' <<<"$2" | tail -n +2 | while read -r record; do
        kind=$(json_field kind "$record") function=$(json_field function "$record")
        line=$(sed -E 's/.*"line":([0-9]+).*/\1/' <<<"$record") variable=$(json_field variable "$record")
        native=$(shown native "$record") wasm=$(shown wasm "$record")
        if [[ $kind == location ]]; then # both places are in the values
            function=- line=0
        fi
        if [[ $planted == wasm ]]; then
            echo "$kind $function $line $variable $native $wasm"
        else
            echo "$kind $function $line $variable $wasm $native"
        fi
    done | sort
}

json_field() {
    sed -nE "s/.*\"$1\":(\"([^\"]*)\"|null).*/\2/p" <<<"$2" | sed 's/^$/-/'
}

# What a witness shows, as one word, without quotes and machine addresses; of a place, the function and line.
shown() {
    sed -nE "s/.*\"name\":\"$1\",\"(value|state)\":\"(([^\"\\]|\\\\.)*)\".*/\2/p" <<<"$2" |
        sed -E 's/ \(?0x[0-9a-f]+\)?//; s/^([^ ]+) at [^:]+(:[0-9]+).*/\1\2/; s/[ \\"]//g; s/^$/-/'
}

# The lines that say SEEN NAME.
seen() {
    grep -nE "/\\* SEEN( [A-Za-z0-9_]+)* $1( [A-Za-z0-9_]+)* \\*/" "$program" | cut -d : -f 1
}

# The findings that the program lists for a plant, in the same form; * where anything is right. The first is
# seen in the first line that says so, the second in the second; without any, in the line of its function.
expected() {
    local plant=$1 word kind function variable reference planted line lines count=0
    mapfile -t lines < <(seen "$plant")
    while read -r word word word kind function variable reference planted; do
        if [[ $function == - ]]; then
            line=0
        elif ((${#lines[@]} > 0)); then
            line=${lines[count < ${#lines[@]} ? count : ${#lines[@]} - 1]}
        else
            line=$(seen "$function" | head -n 1)
        fi
        with_lines "$kind $function ${line:-0} ${variable:--} ${reference:-*} ${planted:-*}"
        count=$((count + 1))
    done < <(grep -E "^ \* PLANT $plant " "$program") | sort
}

# Compares the expected findings (patterns) with those found: each is there, and no other is but of the kinds
# that the program lists as MORE.
same_findings() {
    local plant=$1 want got found more i

    [[ -n $2 && -n $3 ]] || return 1
    mapfile -t want <<<"$2"
    mapfile -t got <<<"$3"
    more=$(sed -n "s/^ \* MORE $plant //p" "$program")
    for found in "${got[@]}"; do
        for i in "${!want[@]}"; do
            # shellcheck disable=SC2053 # a pattern, where it has a *
            if [[ $found == ${want[i]//[/\\[} ]]; then
                unset "want[i]"
                continue 2
            fi
        done
        [[ " $more " == *" ${found%% *} "* ]] || return 1
    done
    ((${#want[@]} == 0))
}

complain() {
    printf '%s\n' "$@"
    failed=$((failed + 1))
}

# check NATIVE WASM: prints the JSON object; its exit status is lockstep's.
check() {
    local limit=10s # a loaded machine must not turn a slow program into a time-out

    if [[ $program == ends.c ]]; then # some of its plants run until then
        limit=1s
    fi
    # No finding is to be taken for a known one.
    "$lockstep" check --native "$1" --wasm "$2" --json --time-limit "$limit" --known "$work/known"
}

# try PLANT SIDE
try() {
    local plant=$1 side=$2 native=$work/reference.so wasm=$work/reference.wasm json status=0 want got reason
    if [[ $side == native ]]; then
        native=$work/planted.so
        build native "$native" "$plant"
    else
        wasm=$work/planted.wasm
        build wasm "$wasm" "$plant"
    fi
    json=$(check "$native" "$wasm") || status=$?
    checked=$((checked + 1))
    got=$(findings "$side" "$json")
    want=$(expected "$plant")
    reason=$(sed -n "s/^ \* MISS $plant //p" "$program")
    if ((status == 1)) && { [[ -z $want ]] || same_findings "$plant" "$want" "$got"; }; then
        [[ -z $reason ]] || complain "$plant on the $side side is no miss any more: make it a PLANT" "$got"
    elif [[ -n $reason ]] && ((status <= 1)); then
        missed=$((missed + 1))
        echo "known miss: $plant on the $side side: $reason"
    else
        complain "$plant on the $side side, exit status $status: expected" "$want" "found" "$got"
    fi
}

build native "$work/reference.so"
build wasm "$work/reference.wasm"
if ! json=$(check "$work/reference.so" "$work/reference.wasm") || [[ $json != *'"verdict":"agree"'* ]]; then
    complain "the program without plants does not agree:" "$json"
fi
for plant in $(sed -nE 's/^ \* (PLANT|MISS) ([A-Z0-9_]+) .*/\2/p' "$program" | awk '!seen[$0]++'); do
    [[ -z $only || $plant == "$only" ]] || continue
    sides=$(sed -nE "s/^ \* EDIT $plant ([a-z]+) .*/\1/p" "$program")
    for side in ${sides:-native wasm}; do
        ((number++ % share == 0)) || continue
        try "$plant" "$side"
    done
done
echo "$program: $checked pairs with a plant, $missed known misses, $failed failures"
((checked > 0 && failed == 0))
