#!/bin/bash
# Proves that a build which contradicts itself is found out: builds a program of corpus/self/ with each of the
# edits that its first comment lists, and expects findings of the kinds that are named there. Unedited, it must
# agree. With LOCKSTEP_SHARE, one in so many edits is tried. Usage: self_planted.sh LOCKSTEP PROGRAM.c [NAME]
set -euo pipefail
source "$(dirname "$0")/planted_lines.sh"

lockstep=$(realpath "$1") program=$(realpath "$2") only=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/known"
checked=0 failed=0 number=0

# edit FILE PERL: in place; it is an error when that changes nothing.
edit() {
    perl -0777 -pe '
        my $end = qr{(?:(?!\# Abbrev \[|\# End Of).)*}s;
        sub entry { my ($entry, $edit) = @_; $_ = $entry; eval $edit; die $@ if $@; $_ }
        sub die_at {
            my ($line, $edit) = @_;
            s{(\# Abbrev \[\d+\] (?:(?!\# Abbrev).)*?\t$line\s+\# DW_AT_decl_line$end)}{local $_; entry($1, $edit)}se;
        }
        sub block {
            my ($number, $edit) = @_;
            my $count = 0;
            s{(\# Abbrev \[\d+\] \S+ DW_TAG_lexical_block$end)}{local $_; ++$count == $number ? entry($1, $edit) : $1}gse;
        }
        '"${2//die(/die_at(}" "$1" >"$1.edited"
    if cmp -s "$1" "$1.edited"; then
        echo "FAILED: the edit changes nothing: $2" >&2
        return 1
    fi
    mv "$1.edited" "$1"
}

# build BUILD LEVEL OUTPUT [HOW PERL]
build() {
    local build=$1 level=$2 output=$3 how=${4:-} perl=${5:-}
    local compile=(clang-19 ${flags[$build]} -g -w) input=$program
    if [[ $how == EDIT ]]; then
        "${compile[@]}" "$level" -S "$program" -o "$work/program.s"
        edit "$work/program.s" "$perl"
        input=$work/program.s
    fi
    # Linked on its own: an optimising driver would run binaryen, which takes the line table away.
    "${compile[@]}" "$level" -c "$input" -o "$work/program.o"
    "${compile[@]}" "$work/program.o" -o "$output"
    [[ $how != BYTES ]] || edit "$output" "$perl"
}

# check NAME BUILD LEVEL KINDS [HOW PERL]: KINDS of which each must be there; "none".
check() {
    local name=$1 build=$2 level=$3 kinds=$4 found status=0 kind
    rm -f "$work"/program.*
    build "$build" "$level" "$work/program.$build" "${@:5}" || { failed=$((failed + 1)); return; }
    "$lockstep" check --self "--$build" "$work/program.$build" --opt "$level" --known "$work/known" --json \
        >"$work/result.json" || status=$?
    found=$({ grep -o '"kind":"[a-z]*"' "$work/result.json" | cut -d '"' -f 4 | sort -u | tr '\n' ' '; } || true)
    checked=$((checked + 1))
    if [[ $kinds == none ]]; then
        [[ $status == 0 && -z $found ]] && return
    else
        for kind in ${kinds//,/ }; do
            [[ " $found" == *" $kind "* ]] || status=missing
        done
        [[ $status == 1 ]] && return
    fi
    echo "FAILED: $name, $build $level: expected $kinds, found ${found:-nothing} (status $status)"
    cat "$work/result.json"
    failed=$((failed + 1))
}

if [[ -z $only ]]; then
    for level in -O0 -O1 -O2; do
        check unedited native "$level" none
        check unedited wasm "$level" none
    done
fi
while read -r _ how name build level kinds perl; do
    [[ -z $only || $name == "$only" ]] || continue
    [[ -n $only ]] || ((number++ % ${LOCKSTEP_SHARE:-1} == 0)) || continue
    check "$name" "$build" "$level" "$kinds" "$how" "$(with_lines "$perl")"
done < <(grep -E '^ \* (EDIT|BYTES) ' "$program")
echo "$checked checked, $failed failed"
[[ $failed == 0 && $checked -gt 0 ]]
