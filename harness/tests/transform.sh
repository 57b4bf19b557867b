#!/bin/bash
# Tests lockstep transform: what comes out means what came in, in either version of DWARF, as llvm-dwarfdump and the
# stepper's own model tell; and it verifies wherever the input does. Programs are those of the corpus by each compiler
# that is here, and the Rust programs of the WASI test suite where SUITE has them. Without llvm-dwarfdump-19 the test is
# skipped, which is exit status 77.
# Usage: transform.sh LOCKSTEP STEPPER_TEST_TRANSFORM CORPUS [SUITE]
set -euo pipefail
shopt -s nullglob

lockstep=$1 same_model=$2 corpus=$3 suite=${4:-}
text=$(dirname "$0")/dwarf_text.py
dwarfdump=llvm-dwarfdump-19
if ! command -v "$dwarfdump" >/dev/null; then
    echo "skipped: $dwarfdump is missing: install the package llvm-19 (ci/deps does)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

# The line rows of a module, with files by their names: DWARF 4 counts files from 1, DWARF 5 from 0.
rows() {
    "$dwarfdump" --debug-line "$1" | awk '
        /^debug_line\[/ { split("", directory); split("", file) }
        /^include_directories\[/ { sub(/^[^[]*\[ */, ""); number = $0 + 0; sub(/^[^"]*/, ""); directory[number] = number ? $0 : "" }
        /^file_names\[/ { sub(/^[^[]*\[ */, ""); number = $0 + 0 }
        $1 == "name:" { file[number] = substr($0, index($0, "\"")) }
        $1 == "dir_index:" { file[number] = directory[$2] file[number] }
        /^0x/ { $4 = file[$4]; print }'
}

# check MODULE VERSION...
check() {
    local module=$1 name version
    name=$(basename "$module")
    shift
    "$text" "$dwarfdump" "$module" >"$work/before"
    rows "$module" >"$work/rows"
    for version; do
        "$lockstep" transform "$module" -o "$work/after.wasm" --dwarf "$version"
        "$text" "$dwarfdump" "$work/after.wasm" | diff "$work/before" - >"$work/diff" ||
            fail "$name in DWARF $version: $(head -n 6 "$work/diff")"
        rows "$work/after.wasm" | cmp -s "$work/rows" - || fail "$name in DWARF $version: other line rows"
        if ! "$dwarfdump" --verify "$work/after.wasm" >"$work/verify" 2>&1 &&
            "$dwarfdump" --verify "$module" >/dev/null 2>&1; then
            fail "$name in DWARF $version: $(grep error "$work/verify" | head -n 3)"
        fi
    done
}

modules=()
for compiler in clang-14 clang-16 clang-19; do
    linker=$(command -v wasm-ld-19 wasm-ld-14 wasm-ld | head -n 1) || true
    if ! command -v "$compiler" >/dev/null || [[ -z $linker ]]; then
        continue
    fi
    for source in "$corpus"/planted/dwarf.c; do
        for options in "-O0 -gdwarf-4" "-O0 -gdwarf-5" "-O2 -gdwarf-4" "-O2 -gdwarf-5"; do
            module=$work/$(basename "$source" .c)-$compiler${options// /}.wasm
            # shellcheck disable=SC2086
            if "$compiler" --target=wasm32-wasi -w $options -c "$source" -o "$work/unit.o" 2>/dev/null; then
                "$linker" --no-entry --export-all --allow-undefined "$work/unit.o" -o "$module"
                modules+=("$module")
            fi
        done
    done
done
for module in "${modules[@]}"; do
    check "$module" 4 5
done

if [[ -f $suite/wasm32-wasip1.tar.zst ]]; then
    tar --zstd -xf "$suite/wasm32-wasip1.tar.zst" -C "$work" --wildcards '*/rust/*/readlink.wasm' '*/c/*/*.wasm' \
        '*/assemblyscript/*/fd_write-to-stdout.wasm'
    suite=$work
fi
found=()
if [[ -d $suite ]]; then
    mapfile -t found < <(find "$suite" -name readlink.wasm -o -name fd_write-to-stdout.wasm -o -name sock_shutdown-not_sock.wasm)
fi
if ((${#found[@]} == 0)); then
    echo "no Rust programs: configure with -DLOCKSTEP_WASI_TESTSUITE=FOLDER"
fi
for module in "${found[@]}"; do
    check "$module" 5
done
if ((${#modules[@]} + ${#found[@]} > 0)); then
    "$same_model" "${modules[@]}" "${found[@]}" >"$work/model" 2>&1 || fail "the stepper's model: $(tail -n 20 "$work/model")"
fi

# What strip keeps is kept, and nothing else of the functions.
if ((${#modules[@]})); then
    module=${modules[0]}
    functions() {
        "$dwarfdump" --debug-info "$1" | sed -n '/DW_TAG_subprogram/,/^$/s/.*DW_AT_name.*("\(.*\)")/\1/p' | sort -u
    }
    names=$(functions "$module")
    first=$(head -n 1 <<<"$names")
    "$lockstep" transform "$module" -o "$work/stripped.wasm" --visitor strip --functions "$first"
    kept=$(functions "$work/stripped.wasm")
    "$dwarfdump" --verify "$work/stripped.wasm" >/dev/null 2>&1 || fail "stripped DWARF does not verify"
    [[ $(grep -c . <<<"$names") -gt 1 && $kept == "$first" ]] || fail "strip to '$first' kept: $kept"
fi

# expect STATUS TEXT ARGUMENTS...
expect() {
    local wanted=$1 words=$2 output status=0
    shift 2
    output=$("$lockstep" transform "$@" 2>&1) || status=$?
    [[ $status == "$wanted" && $output == *"$words"* ]] || fail "transform $*: exit status $status, $output"
}
printf '\0asm\1\0\0\0' >"$work/empty.wasm"
expect 0 '' "$work/empty.wasm" -o "$work/out.wasm"
cmp "$work/empty.wasm" "$work/out.wasm"
expect 0 '"reasons":[]' "$work/empty.wasm" -o "$work/out.wasm" --json
expect 2 'needs -o' "$work/empty.wasm"
expect 2 'identity, strip or native' "$work/empty.wasm" -o "$work/out.wasm" --visitor no
expect 2 'needs --functions' "$work/empty.wasm" -o "$work/out.wasm" --visitor strip
expect 2 'is 4 or 5' "$work/empty.wasm" -o "$work/out.wasm" --dwarf 3
printf '\0asm\1\0\0\0\0\x11\x0b.debug_info\x40\0\0\0\x05' >"$work/short.wasm"
expect 2 '.debug_info: unit at 0x0' "$work/short.wasm" -o "$work/out.wasm"
echo "${#modules[@]} programs of the corpus, ${#found[@]} of the WASI test suite"
exit $failed
