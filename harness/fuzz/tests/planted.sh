#!/bin/bash
# Checks that a crash of a fuzz target is reported as one, by the program that replays inputs and by the fuzzer
# that the target is built for (libFuzzer, or AFL++ when afl-fuzz can drive it).
# Usage: planted.sh REPLAY plain|asan [FUZZER]
set -euo pipefail

replay=$1 kind=$2 fuzzer=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ulimit -c 0
failed=0

fail() {
    echo "planted: $*" >&2
    failed=1
}

# expect_crash NAME COMMAND...: a signal ends it, or a sanitizer's or libFuzzer's report says why it ended.
expect_crash() {
    local name=$1 status=0 report
    shift
    "$@" >"$work/log" 2>&1 || status=$?
    report=$(grep -cE '(ERROR|SUMMARY): (AddressSanitizer|UndefinedBehaviorSanitizer|libFuzzer)' "$work/log") || true
    # No report of a fault: the sanitizer's handler did not get the signal. It asks for no SIGABRT and SIGILL.
    if ((status == 0 || (status < 128 && report == 0))) || [[ $kind == asan && $name == [WO] && $report == 0 ]]; then
        fail "$name: $* ends with status $status and $report reports:"
        cat "$work/log" >&2
    fi
}

bugs=(W I A)
[[ $kind == plain ]] || bugs+=(O)
mkdir "$work/seeds"
for bug in "${bugs[@]}"; do
    printf 'BUG%s' "$bug" >"$work/seeds/$bug"
    expect_crash "$bug" "$replay" "$work/seeds/$bug"
    [[ -z $fuzzer ]] || expect_crash "$bug" "$fuzzer" "$work/seeds/$bug"
done
printf 'BUG' >"$work/sound"
"$replay" "$work/sound" 2>/dev/null || fail "an input without a bug is reported"

# From an input next to a bug, the fuzzer finds one.
if [[ -n $fuzzer ]]; then
    mkdir "$work/start" "$work/found"
    printf 'BUF.' >"$work/start/near"
    if grep -q __AFL_SHM_ID "$fuzzer"; then
        AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_BENCH_UNTIL_CRASH=1 \
            timeout 100 afl-fuzz -V 60 -i "$work/start" -o "$work/found" -- "$fuzzer" >"$work/log" 2>&1 || true
        compgen -G "$work/found/default/crashes/id*" >/dev/null || {
            fail "afl-fuzz does not find a bug:"
            tail -n 20 "$work/log" >&2
        }
    else
        expect_crash search "$fuzzer" -max_total_time=60 -artifact_prefix="$work/found/" "$work/start"
        compgen -G "$work/found/crash-*" >/dev/null || fail "libFuzzer does not find a bug"
    fi
fi
exit $failed
