# What the scripts share that build programs with planted faults: how each side is built, and where marked lines are.
# Sourced by planted.sh and self_planted.sh, which set `program`.
declare -A flags=([native]="-fPIC -shared" [wasm]="--target=wasm32-wasi")

# Puts the number of the program's line that says LINE name where a text says <name>.
with_lines() {
    local text=$1 name
    while [[ $text =~ \<([a-z-]+)\> ]]; do
        name=${BASH_REMATCH[1]}
        text=${text//"<$name>"/$(grep -n "/\* LINE $name \*/" "$program" | cut -d : -f 1)}
    done
    echo "$text"
}
