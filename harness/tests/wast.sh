#!/bin/bash
# Tests lockstep wast: the project's own scripts pass; each of wrong/ fails with the line that its first comment
# expects, beside scripts that go on; what cannot be run is exit status 2 and one line.
# Usage: wast.sh LOCKSTEP corpus/wast
set -euo pipefail

lockstep=$(realpath "$1")
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
unset LOCKSTEP_WASM_TESTSUITE
failed=0

# expect STATUS TEXT ARGUMENTS...
expect() {
    local wanted=$1 text=$2 output status=0
    shift 2
    output=$("$lockstep" wast "$@" 2>&1) || status=$?
    if [[ $status != "$wanted" || $output != *"$text"* ]]; then
        printf 'lockstep wast %s: exit status %s, expected %s and: %s\n%s\n' "$*" "$status" "$wanted" "$text" "$output"
        failed=$((failed + 1))
    fi
}

for engine in compiled interp; do
    expect 0 ' passed, 0 failed, 1 left out (text form), 0 with an error in other words' --engine $engine \
        --strict-words --suite .
    for script in wrong/*.wast; do
        text=$(sed -n '1s/^;; EXPECT //p' "$script")
        expect 1 "$script${text:?of $script}" --engine $engine --limit 1s "$script"
    done
done

# A script that fails, or that never ends, does not keep the next one from running.
expect 1 'values.wast: 27 passed, 0 failed' --verbose --limit 1s wrong/no-end.wast wrong/get-value.wast values.wast
expect 1 'wast: 2 files' --limit 1s wrong/no-end.wast values.wast

# Other words of the right class.
echo '(assert_invalid (module (func (result i32))) "type mishap")' >"$work/words.wast"
expect 0 ':1: assert_invalid: other words: expected "type mishap", got: function 0: at byte' "$work/words.wast"
expect 1 '1 passed, 0 failed, 0 left out (text form), 1 with an error in other words' --strict-words "$work/words.wast"

# A converted script, alone and as JSON.
(cd "$work" && wast2json "$OLDPWD/wrong/get-value.wast" -o converted.json)
expect 1 'wrong/get-value.wast:3: assert_return' "$work/converted.json"
expect 1 '"passed":1,"failed":1,"left_out":0,"other_words":0' --json "$work/converted.json"
expect 1 '"remarks":[{"line":3,"command":"assert_return","passed":false,"text":"g: expected i32 2, got i32 1"}]' \
    --json "$work/converted.json"

expect 2 'needs FILE.wast, or --suite DIR'
expect 2 'not both' --suite . values.wast
expect 2 'cannot open missing.wast: No such file' missing.wast
expect 2 'wast: 1 file,' missing.wast values.wast
expect 2 'cannot open the suite missing' --suite missing
mkdir "$work/empty"
expect 2 'there is no .wast file in' --suite "$work/empty"
expect 2 "there is no engine 'magic'" --engine magic values.wast
echo '(module' >"$work/broken.wast"
expect 2 'broken.wast: wast2json cannot convert it: ' "$work/broken.wast"
echo '{"commands": [{"type": "assert_magic", "line": 7}]}' >"$work/broken.json"
expect 2 "broken.json: command 1, line 7: unknown command 'assert_magic'" "$work/broken.json"
PATH=$work expect 2 'wast2json is missing: install the package wabt' values.wast

rm -rf "$work"/*.wast "$work"/*.json "$work"/*.wasm "$work/empty"
if [[ -n $(ls -A "$work") ]]; then
    echo "left behind: $(ls -A "$work")"
    failed=$((failed + 1))
fi
exit $((failed > 0))
