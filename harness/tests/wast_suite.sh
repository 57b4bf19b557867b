#!/bin/bash
# Runs the specification's test suite; without one, says how to name it and is skipped (exit status 77).
# Usage: wast_suite.sh LOCKSTEP ENGINE DIR
set -euo pipefail

lockstep=$1 engine=$2 suite=$3
if [[ -z $suite || ! -d $suite ]]; then
    echo "skipped: there is no test suite; name a checkout of WebAssembly/testsuite with" \
        "cmake -DLOCKSTEP_WASM_TESTSUITE=DIR"
    exit 77
fi
exec "$lockstep" wast --engine "$engine" --strict-words --suite "$suite"
