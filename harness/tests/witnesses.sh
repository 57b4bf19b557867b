#!/bin/bash
# More than two witnesses on fixed seeds. `agree`: compiled code, stepped as native code, agrees with the native build and
# with the module's Wasm view wherever those two agree. `shown`: at the level, of the parameters and locals that
# the Wasm view shows at stops, how many the native view of the same code shows alike, in parts of a million: at least LEAST.
# Usage: witnesses.sh LOCKSTEP agree SEEDS | witnesses.sh LOCKSTEP shown SEEDS LEVEL LEAST
set -euo pipefail

lockstep=$1 what=$2
first=${3%-*} last=${3#*-} share=${LOCKSTEP_SHARE:-1}
seeds=$first-$((first + (last - first) / share)) # with LOCKSTEP_SHARE, one in so many of them
command -v jq >/dev/null || {
    echo "skipped: jq is missing: ci/deps installs it"
    exit 77
}
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# A loaded machine must not turn a slow program into a time-out. Exit status 1 is a finding, which is looked into below.
fuzz() {
    "$lockstep" fuzz --seeds "$seeds" --time-limit 5s --json "$@" >"$results" || (($? == 1))
    if jq -c 'select(.verdict == "skipped" or .verdict == "crash")' "$results" | grep .; then
        echo "a program was not compared" >&2
        exit 1
    fi
}

case $what in
agree)
    fuzz --witness native,wasm,jit
    jq -r '. as $program | .pairs[] | "\($program.seed) \(.witnesses | join(",")) \(.verdict)"' "$results"
    broken=$(jq -c 'select(.pairs[0].verdict == "agree" and any(.pairs[]; .verdict != "agree"))
                    | {seed, pairs: [.pairs[] | {witnesses, verdict}], findings}' "$results")
    agreed=$(jq -c 'select(.pairs[0].verdict == "agree") | .seed' "$results" | wc -l)
    echo "native and wasm agree on $agreed programs"
    if [[ -n $broken ]] || ((agreed == 0)); then
        echo "jit differs where they agree: $broken" >&2
        exit 1
    fi
    ;;
shown)
    fuzz --witness wasm,jit --opt "$4"
    read -r first second same rate < <(jq -s -r '[([.[].shown[0]] | add), ([.[].shown[1]] | add), ([.[].shown[2]] | add)]
        | "\(.[0]) \(.[1]) \(.[2]) \(.[2] * 1000000 / .[0] | floor)"' "$results")
    echo "$4: $first parameters and locals shown by wasm, $second by jit, $same alike: $rate parts of a million"
    jq -r '.seed as $seed | .findings[] | "\($seed) \(.kind) \(.variable // "") in \(.function):\(.line) \(.detail // "")"' "$results"
    ((rate >= $5))
    ;;
esac
