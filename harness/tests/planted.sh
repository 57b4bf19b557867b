#!/bin/bash
# Proves that a planted difference is noticed and named: builds a program of corpus/planted/ as it is, and with
# each of its plants on either side, and expects the findings that the program's first comment lists, no others.
# corpus/planted/README.md says how a plant is written. Usage: planted.sh LOCKSTEP PROGRAM.c [PLANT]
set -euo pipefail

lockstep=$1 program=$2 only=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checked=0 failed=0 missed=0
declare -A flags=([native]="-fPIC -shared" [wasm]="--target=wasm32-wasi")

# Edits assembly by a Perl expression. `<name>` in it is the line of the program that says LINE name;
# in_die(LINE, EDIT) applies EDIT to the entry of .debug_info that is declared in that line.
edit_assembly() {
    local edit=$1 name
    while [[ $edit =~ \<([a-z-]+)\> ]]; do
        name=${BASH_REMATCH[1]}
        edit=${edit//"<$name>"/$(grep -n "/\* LINE $name \*/" "$program" | cut -d : -f 1)}
    done
    perl -0pe '
        sub in_die {
            my ($line, $edit) = @_;
            s{(\# Abbrev \[\d+\] (?:(?!\# Abbrev).)*?\t$line\s+\# DW_AT_decl_line(?:(?!\# Abbrev|\# End Of).)*)}
             { local $_ = $1; eval $edit; die $@ if $@; $_ }se;
        }
        '"$edit" "$2" >"$3"
    if cmp -s "$2" "$3"; then
        echo "its edit changes nothing: $edit" >&2
        return 1
    fi
}

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
    local field='"([^"\\]|\\.)*"|null'
    sed 's/{"kind"/\n&/g' <<<"$2" | tail -n +2 | while read -r record; do
        kind=$(json_field kind "$record") function=$(json_field function "$record")
        line=$(sed -E 's/.*"line":([0-9]+).*/\1/' <<<"$record") variable=$(json_field variable "$record")
        native=$(shown native "$record") wasm=$(shown wasm "$record")
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

# What a witness shows, as one word, without machine addresses.
shown() {
    sed -nE "s/.*\"name\":\"$1\",\"(value|state)\":\"(([^\"\\]|\\\\.)*)\".*/\2/p" <<<"$2" |
        sed -E 's/ \(?0x[0-9a-f]+\)?//; s/ //g; s/^$/-/'
}

# The findings that the program lists for a plant, in the same form; * where anything is right.
expected() {
    local plant=$1 word name kind function variable reference planted lines count=0
    mapfile -t lines < <(grep -nE "/\* SEEN( [A-Z0-9_]+)* $plant( [A-Z0-9_]+)* \*/" "$program" | cut -d : -f 1)
    while read -r word word name kind function variable reference planted; do
        echo "$kind ${function:--} ${lines[count]:-${lines[-1]:-0}} ${variable:--} ${reference:-*} ${planted:-*}"
        count=$((count + 1))
    done < <(grep -E "^ \* PLANT $plant " "$program") | sort
}

# Compares expected findings (patterns) with those found, line by line.
same_findings() {
    local -a want got
    local i
    mapfile -t want <<<"$1"
    mapfile -t got <<<"$2"
    ((${#want[@]} == ${#got[@]})) || return 1
    for ((i = 0; i < ${#want[@]}; i++)); do
        # shellcheck disable=SC2053 # a pattern, where it has a * for a value
        [[ ${got[i]} == ${want[i]//[/\\[} ]] || return 1
    done
}

complain() {
    printf '%s\n' "$@"
    failed=$((failed + 1))
}

# check NATIVE WASM: prints the JSON object; its exit status is lockstep's.
check() {
    local options=()
    if [[ $program == */ends.c ]]; then
        options=(--time-limit 500ms)
    fi
    "$lockstep" check --native "$1" --wasm "$2" --json "${options[@]}"
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
    reason=$(sed -n "s/^ \* MISS $plant //p" "$program")
    if [[ -n $reason ]]; then
        missed=$((missed + 1))
        echo "known miss: $plant on the $side side: $reason"
        if ((status != 0)); then
            complain "$plant on the $side side is no miss any more: make it a PLANT" "$got"
        fi
        return
    fi
    want=$(expected "$plant")
    if ((status != 1)); then
        complain "$plant on the $side side: exit status $status, not 1; expected" "$want" "found" "$got"
    elif ! same_findings "$want" "$got"; then
        complain "$plant on the $side side: expected" "$want" "found" "$got" "$json"
    fi
}

build native "$work/reference.so"
build wasm "$work/reference.wasm"
if ! json=$(check "$work/reference.so" "$work/reference.wasm") || [[ $json != *'"verdict":"agree"'* ]]; then
    complain "the program without plants does not agree:" "$json"
fi
for plant in $(sed -nE 's/^ \* (PLANT|MISS) ([A-Z0-9_]+) .*/\2/p' "$program" | uniq); do
    [[ -z $only || $plant == "$only" ]] || continue
    sides=$(sed -nE "s/^ \* EDIT $plant ([a-z]+) .*/\1/p" "$program")
    for side in ${sides:-native wasm}; do
        try "$plant" "$side"
    done
done
echo "$(basename "$program"): $checked pairs with a plant, $missed known misses, $failed failures"
((checked > 0 && failed == 0))
