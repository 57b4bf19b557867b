#!/bin/bash
# Proves that blame names the side that lies: lockstep is given a compiler that edits the assembly of one side, as the
# program's EDIT lines say (corpus/planted/README.md), and asks its other witnesses, which are built by the compilers as
# they are. BLAME lines list the plants. Usage: planted_blame.sh LOCKSTEP PROGRAM.c [PLANT]
set -euo pipefail
source "$(dirname "$0")/planted_lines.sh"

lockstep=$(realpath "$1") program=$(realpath "$2") only=${3:-}
compiler=clang-19 real=$(command -v clang-19)
work=$(mktemp -d)
mkdir "$work/bin" "$work/known"
trap 'rm -rf "$work"' EXIT
checked=0 failed=0

for other in gcc clang-16; do
    if ! command -v "$other" >"$work/path"; then
        echo "$other is not installed: it is a witness"
        exit 77
    fi
done

# The compiler: it puts the words of a compilation for the edited side through the editor, and others through.
cat >"$work/bin/$compiler" <<EOF
#!/bin/bash
set -euo pipefail
side=native
[[ " \$* " != *" --target=wasm32"* ]] || side=wasm
if [[ \$side != "\$PLANTED_SIDE" || " \$* " != *" -c "* || " \$* " == *" -### "* ]]; then
    exec $real "\$@"
fi
object=\${*: -1}
$real "\${@:1:\$#-1}" "\$object.before.s" -S
program=$program
source $(dirname "$(realpath "$0")")/planted_lines.sh
edit_assembly "\$PLANTED_EDIT" "\$object.before.s" "\$object.s"
exec $real \${flags[\$side]} -c "\$object.s" -o "\$object"
EOF
chmod +x "$work/bin/$compiler"

# The blames of a JSON object's findings, each once.
blames() {
    grep -o '"blame":"[^"]*"' <<<"$1" | cut -d '"' -f 4 | sort -u | tr '\n' ' '
}

# try PLANT SIDE EDIT BLAME
try() {
    local json status=0 found
    json=$(PATH=$work/bin:$PATH PLANTED_SIDE=$2 PLANTED_EDIT=$3 "$lockstep" check "$program" --cc "$compiler" --blame \
        --json --time-limit 10s --known "$work/known") || status=$?
    found=$(blames "$json") || true
    checked=$((checked + 1))
    if [[ $status != 1 || $found != "$4 " ]]; then
        echo "$1 on the $2 side, exit status $status: expected the blame on $4, found ${found:-none}"
        sed 's/{"kind"/\n&/g' <<<"$json"
        failed=$((failed + 1))
    fi
}

while read -r _ _ plant side edit; do
    [[ -z $only || $plant == "$only" ]] || continue
    blame=$(sed -n "s/^ \* BLAME $plant //p" "$program")
    [[ -z $blame ]] || try "$plant" "$side" "$edit" "$blame"
done < <(grep -E '^ \* EDIT ' "$program")
echo "$(basename "$program"): $checked lies, $failed failures"
((checked > 0 && failed == 0))
