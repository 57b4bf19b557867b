#!/bin/bash
# Runs the prebuilt programs of WebAssembly/wasi-testsuite with `lockstep run` and fails on each that does not
# end as the JSON file beside it says. SUITE is a folder with wasm32-wasip1.tar.zst, or with the programs
# themselves; without one the test is skipped, which is exit status 77.
# With a second engine each program is recorded instead, and then replayed on that one, with its files gone:
# it has to print the same and end the same.
# Usage: wasi_testsuite.sh LOCKSTEP ENGINE SUITE [REPLAY_ENGINE]
set -euo pipefail
shopt -s globstar nullglob

lockstep=$1 engine=$2 suite=${3:-} replay=${4:-}
if [[ ! -d $suite ]]; then
    echo "skipped: no folder '$suite' with the WASI test suite; configure with -DLOCKSTEP_WASI_TESTSUITE=FOLDER"
    exit 77
fi
for tool in jq zstd; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing: install the package $tool (ci/deps does)" >&2
        exit 1
    fi
done
if [[ $replay == node ]] && ! [[ $("${NODE:-node}" --version 2>/dev/null) =~ ^v(1[89]|[2-9][0-9]) ]]; then
    echo "skipped: there is no Node of version 18 or newer; install the package nodejs (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
command=(run)
if [[ $replay ]]; then
    command=(record -o "$work/trace")
fi
trap 'rm -rf "$work"' EXIT

if [[ -f $suite/wasm32-wasip1.tar.zst ]]; then
    mkdir "$work/suite"
    tar --zstd -xf "$suite/wasm32-wasip1.tar.zst" -C "$work/suite"
    suite=$work/suite
fi

# complain PROGRAM WHAT EXPECTED GOT
complain() {
    echo "FAIL ${1#"$suite"/}: $2: expected $3, got $4"
    sed 's/^/    /' "$work/stderr" | head -n 20
}

# run PROGRAM: false, with a line that says why, when it does not end as it should.
run() {
    local program=$1 json=${1%.wasm}.json options=() args=() root='' status=0 want_status want_stdout

    [[ -f $json ]] || json=$work/none.json
    eval "options=($(jq -r '.env // {} | to_entries | map("--env", "\(.key)=\(.value)") | @sh' "$json"))"
    eval "args=($(jq -r '.args // [] | @sh' "$json"))"
    root=$(jq -r '.root // ""' "$json")
    want_status=$(jq -r '.exit_code // 0' "$json")
    if [[ -n $root ]]; then
        rm -rf "$work/root"
        cp -r "$(dirname "$program")/$root" "$work/root"
        options+=(--dir "$work/root::/")
    fi
    timeout 60 "$lockstep" "${command[@]}" --engine "$engine" "${options[@]}" "$program" -- "${args[@]}" \
        </dev/null >"$work/stdout" 2>"$work/stderr" || status=$?
    if ((status != want_status)); then
        complain "$program" "exit status" "$want_status" "$status"
        return 1
    fi
    want_stdout=$(jq '.stdout' "$json")
    if [[ $want_stdout != null ]] && ! jq -j '.stdout' "$json" | cmp -s - "$work/stdout"; then
        complain "$program" "standard output" "$want_stdout" "$(jq -Rs . "$work/stdout")"
        return 1
    fi
    if [[ $replay ]]; then
        run_again "$program" "$want_status"
    fi
}

# run_again PROGRAM STATUS: the same for the replay of what was recorded.
run_again() {
    local program=$1 status=0 stream

    rm -rf "$work/root"
    mv "$work/stdout" "$work/recorded.stdout"
    mv "$work/stderr" "$work/recorded.stderr"
    timeout 60 "$lockstep" replay --engine "$replay" "$work/trace" \
        </dev/null >"$work/stdout" 2>"$work/stderr" || status=$?
    if ((status != $2)); then
        complain "$program" "exit status of the replay" "$2" "$status"
        return 1
    fi
    for stream in stdout stderr; do
        if ! sed 's/^lockstep record: /lockstep replay: /' "$work/recorded.$stream" | cmp -s - "$work/$stream"; then
            complain "$program" "$stream of the replay" "$(jq -Rs . "$work/recorded.$stream")" \
                "$(jq -Rs . "$work/$stream")"
            return 1
        fi
    done
}

echo '{}' >"$work/none.json"
programs=0 passed=0
for program in "$suite"/**/*.wasm; do
    programs=$((programs + 1))
    if run "$program"; then
        passed=$((passed + 1))
    fi
done
echo "$engine${replay:+, replayed $replay}: $passed of $programs pass"
((programs > 0 && passed == programs))
