#!/bin/bash
# Steps the first COUNT of the corpus's fixed seeds (or one in LOCKSTEP_SHARE of so many) and fails on an unknown
# finding or a program that was skipped. Usage: fixed_seeds.sh LOCKSTEP SEEDS.txt COUNT
set -euo pipefail

lockstep=$1 seeds=$2 share=${LOCKSTEP_SHARE:-1}
left=$((($3 + share - 1) / share))
output=$(mktemp)
trap 'rm -f "$output"' EXIT

while read -r range; do
    [[ -z $range || $range == \#* ]] && continue
    first=${range%-*} last=${range#*-}
    if ((last - first + 1 > left)); then
        last=$((first + left - 1))
    fi
    ((left -= last - first + 1)) || true
    # A loaded machine must not turn a slow program into a time-out.
    "$lockstep" fuzz --seeds "$first-$last" --time-limit 5s | tee "$output"
    if grep -q 'skipped' "$output"; then
        echo "a fixed seed was skipped" >&2
        exit 1
    fi
    ((left > 0)) || break
done <"$seeds"
