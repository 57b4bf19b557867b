#!/bin/bash
# Records generated programs and replays each in Node: it has to print the same and end the same. Without Node 18 or
# newer the test is skipped, which is exit status 77.
# Usage: replay_node.sh LOCKSTEP csmith|wasi FIRST-LAST [-O0]
set -euo pipefail

lockstep=$(realpath "$1") source=$2 seeds=$3 level=${4:--O1}
if ! [[ $("${NODE:-node}" --version 2>/dev/null) =~ ^v(1[89]|[2-9][0-9]) ]]; then
    echo "skipped: there is no Node of version 18 or newer; install the package nodejs (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# record: runs the program as its seed says, recorded, in the folder that it runs with.
record() {
    local command="lockstep run 'program.wasm'"

    cd setup
    if [[ -f command ]]; then
        command=$(<command)
    fi
    command=${command/#lockstep run \'program.wasm\'/}
    eval "timeout 60 '$lockstep' record -o ../trace ../program.wasm $command"
}

# same SEED: false, with a line that says why, when Node's replay is not the recorded run. A program that runs on and on
# tells nothing.
same() {
    local options=(--source "$source" --seed "$1") status=0 replayed=0 stream

    rm -rf setup trace
    if [[ $source == wasi ]]; then
        options+=(--setup setup)
    else
        mkdir setup
    fi
    "$lockstep" generate "${options[@]}" -o program.c
    clang-19 --target=wasm32-wasi "$level" -w -I/usr/include/csmith program.c -o program.wasm
    (record) </dev/null >stdout 2>stderr || status=$?
    ((status != 124)) || return 0
    timeout 300 "$lockstep" replay --engine node --wasm program.wasm trace \
        </dev/null >again.stdout 2>again.stderr || replayed=$?
    for stream in stdout stderr; do
        if ! sed 's/^lockstep record: /lockstep replay: /' $stream | cmp -s - again.$stream; then
            echo "FAIL $source seed $1: $stream of the replay differs:"
            head -n 5 again.stderr
            return 1
        fi
    done
    if ((status != replayed)); then
        echo "FAIL $source seed $1: exit status $status, of the replay $replayed"
        return 1
    fi
    programs=$((programs + 1))
}

programs=0 failed=0
for ((seed = ${seeds%-*}; seed <= ${seeds#*-}; seed++)); do
    same "$seed" || failed=$((failed + 1))
done
echo "$source, replayed in Node: $programs programs the same, $failed differ"
((programs > 0 && failed == 0))
