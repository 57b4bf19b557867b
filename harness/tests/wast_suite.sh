#!/bin/bash
# Runs the specification's test suite; without one, says how to name it and is skipped (exit status 77).
# Usage: wast_suite.sh LOCKSTEP DIR [FILE PATTERN OF WHAT IS LEFT OUT]
set -euo pipefail

lockstep=$1 suite=$2 left_out=${3:-}
if [[ -z $suite || ! -d $suite ]]; then
    echo "skipped: there is no test suite; name a checkout of WebAssembly/testsuite with" \
        "cmake -DLOCKSTEP_WASM_TESTSUITE=DIR"
    exit 77
fi
scripts=()
for script in "$suite"/*.wast; do
    # shellcheck disable=SC2053 # a pattern
    [[ $(basename "$script") == $left_out ]] || scripts+=("$script")
done
exec "$lockstep" wast --strict-words "${scripts[@]}"
