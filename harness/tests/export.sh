#!/bin/bash
# Records WASI programs, exports each trace as a test, and runs that: on both engines of lockstep without a
# difference, and on Node with those of the list of known differences alone. A difference that is not in the
# list fails, and so does one of the list that none of the programs shows any more.
# Usage: export.sh LOCKSTEP KNOWN.json generated SEED...
#        export.sh LOCKSTEP KNOWN.json suite FOLDER
set -euo pipefail
shopt -s globstar nullglob

export LOCKSTEP=$1
known=$2 programs=$3
shift 3
for tool in jq zstd clang-19; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing: ci/deps installs it" >&2
        exit 1
    fi
done
if [[ $programs == suite && ! -d ${1:-} ]]; then
    echo "skipped: no folder '${1:-}' with the WASI test suite; configure with -DLOCKSTEP_WASI_TESTSUITE=FOLDER"
    exit 77
fi
engines=(lockstep interp)
node=$(node --version 2>/dev/null || true)
if [[ $node ]]; then
    engines+=(node)
else
    echo "Node is missing: what it does is not looked at"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t patterns < <(jq -r --arg programs "$programs" \
    '.[] | select(.programs | index($programs)) | .differences[]' "$known")
: >"$work/differences"
failed=0

# complain WHAT: with the differences that the last run printed.
complain() {
    echo "FAIL $1"
    grep -a '^not ok' "$work/stderr" | head -n 20 | sed 's/^/    /' || true
    failed=1
}

# is_known DIFFERENCE
is_known() {
    local pattern

    for pattern in "${patterns[@]}"; do
        # shellcheck disable=SC2053 # a pattern it is
        [[ $1 != $pattern ]] || return 0
    done
    return 1
}

# try NAME TRACE WASM OPTIONS...: exports the trace and runs the test.
try() {
    local name=$1 trace=$2 wasm=$3 engine status difference
    shift 3

    rm -rf "$work/test"
    if ! "$LOCKSTEP" trace export "$trace" --wasm "$wasm" -o "$work/test" "$@"; then
        complain "$name: the export failed"
        return
    fi
    for engine in "${engines[@]}"; do
        status=0
        timeout 120 "$work/test/run" "$engine" >/dev/null 2>"$work/stderr" || status=$?
        if ! grep -aq '^# [0-9]* calls made, ' "$work/stderr"; then
            complain "$name on $engine: not made to its end, exit status $status"
            tail -n 5 "$work/stderr"
            continue
        fi
        if [[ $engine != node ]]; then
            ((status == 0)) || complain "$name on $engine"
            continue
        fi
        while IFS= read -r difference; do
            echo "$difference" >>"$work/differences"
            if ! is_known "$difference"; then
                echo "FAIL $name on $engine: not a known difference: $difference"
                failed=1
            fi
        done < <(grep -a '^not ok' "$work/stderr" | sed -E 's/^not ok [0-9]+ //' | sort -u)
    done
}

# Programs that lockstep generates, by their seeds.
generated() {
    local seed

    for seed in "$@"; do
        rm -rf "$work/setup" "$work/start"
        "$LOCKSTEP" generate --source wasi --seed "$seed" -o "$work/program.c" --setup "$work/setup"
        cp -a "$work/setup" "$work/start"
        clang-19 --target=wasm32-wasi -O1 -w "$work/program.c" -o "$work/setup/program.wasm"
        sed "s|^lockstep run|\"\$LOCKSTEP\" record -o ../trace|" "$work/setup/command" >"$work/record"
        (cd "$work/setup" && bash ../record >/dev/null 2>&1) || true
        try "seed $seed" "$work/trace" "$work/setup/program.wasm" \
            --dir "$work/start/root::/" --dir "$work/start/extra::/extra"
    done
}

# The prebuilt programs of WebAssembly/wasi-testsuite.
suite() {
    local suite=$1 program json options args root

    if [[ -f $suite/wasm32-wasip1.tar.zst ]]; then
        mkdir "$work/suite"
        tar --zstd -xf "$suite/wasm32-wasip1.tar.zst" -C "$work/suite"
        suite=$work/suite
    fi
    echo '{}' >"$work/none.json"
    for program in "$suite"/**/*.wasm; do
        json=${program%.wasm}.json
        [[ -f $json ]] || json=$work/none.json
        eval "options=($(jq -r '.env // {} | to_entries | map("--env", "\(.key)=\(.value)") | @sh' "$json"))"
        eval "args=($(jq -r '.args // [] | @sh' "$json"))"
        root=$(jq -r '.root // ""' "$json")
        if [[ $root ]]; then
            rm -rf "$work/root"
            cp -r "$(dirname "$program")/$root" "$work/root"
            options+=(--dir "$work/root::/")
        fi
        rm -f "$work/trace"
        timeout 60 "$LOCKSTEP" record "${options[@]}" "$program" -o "$work/trace" -- "${args[@]}" \
            </dev/null >/dev/null 2>&1 || true
        # Programs without a call have nothing to export.
        if "$LOCKSTEP" trace export "$work/trace" --json >/dev/null 2>"$work/stderr"; then
            try "${program#"$suite"/}" "$work/trace" "$program" ${root:+--dir "$(dirname "$program")/$root::/"}
        elif ! grep -q 'calls no function of WASI' "$work/stderr"; then
            cat "$work/stderr"
            failed=1
        fi
    done
}

"$programs" "$@"
for pattern in "${patterns[@]}"; do
    [[ $node == v20.* ]] || break # the list is that version's
    shown=0
    while IFS= read -r difference; do
        # shellcheck disable=SC2053
        [[ $difference != $pattern ]] || shown=1
    done < <(sort -u "$work/differences")
    if ((!shown)); then
        echo "FAIL no program shows the known difference: $pattern"
        failed=1
    fi
done
((!failed))
