#!/bin/bash
# What is run again before it is told. Control builds: a known defect that asks for one names a finding that the control does not show, and no other; nor
# what cannot be built again, or not by these compilers. Usage: control.sh LOCKSTEP CORPUS
set -euo pipefail
lockstep=$(realpath "$1") known=$(realpath "$2")/known
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/known"

# defect WORDS: a list that knows every difference of places, when it is gone with these.
defect() {
    printf '{"signatures": ["line_missing/*", "location/*"], "compilers": ["*clang*"], "reason": "r", "evidence": "e",
        "reproducer": "r.c", "gone_with": "%s"}' "$1" >"$work/known/one.json"
}

# expect WHAT STATUS GONE ARGUMENTS...: the exit status, and how many findings are gone with the words.
expect() {
    local what=$1 status=$2 gone=$3 got=0 found
    shift 3
    "$lockstep" check --known "$work/known" --json --time-limit 20s "$@" >"$work/out" || got=$?
    found=$(jq '[.findings[] | select(.gone_with and .known)] | length' "$work/out")
    if [[ $got != "$status" || $found != "$gone" ]]; then
        echo "FAILED: $what: exit status $got, $found gone"
        cat "$work/out"
        exit 1
    fi
    echo "$what: as expected"
}

defect "-mllvm -fast-isel=0"
expect "the selector's defect" 0 3 "$known/store-of-value-just-loaded.c"
expect "the same with the engine's other half as a witness" 0 3 --witness native,wasm,jit "$known/store-of-value-just-loaded.c"
expect "a defect of something else" 1 0 "$known/block-in-front-of-loop.c"
expect "another compiler's side" 1 0 --witness native,wasm:clang-14 "$known/address-shared-in-module.c"
clang-19 -g -O0 -w -fPIC -shared "$known/native-store-of-value-just-loaded.c" -o "$work/p.so"
clang-19 -g -O0 -w --target=wasm32-wasi "$known/native-store-of-value-just-loaded.c" -o "$work/p.wasm"
expect "a pair that was built elsewhere" 1 0 --native "$work/p.so" --wasm "$work/p.wasm"

# One side takes three times as long as it may, then for ever.
cat >"$work/loop.c" <<'END'
#ifdef __wasm__
enum { is_slow = 1 };
#else
enum { is_slow = 0 };
#endif
int main(void) { unsigned sum = 0; for (unsigned i = 0; i < is_slow * ROUNDS; i AGAIN) sum += sum >> 3 ^ i; return sum == 7; }
END
sed 's/AGAIN/++/; s/ROUNDS/100000000u/' "$work/loop.c" >"$work/slow.c"
sed 's/AGAIN/+= 2/; s/ROUNDS/0xffffffffu/' "$work/loop.c" >"$work/endless.c"
expect "a side that is slow" 0 0 --time-limit 60s "$work/slow.c"
seconds=$(jq .seconds.step "$work/out")
expect "a side that is slower than the limit" 0 0 --time-limit "$(jq -n "$seconds * 300 | floor")ms" "$work/slow.c"
expect "a side without an end" 1 0 --time-limit 400ms "$work/endless.c"

defect "-no-such-option"
expect "words that no compiler takes" 1 0 "$known/store-of-value-just-loaded.c"
