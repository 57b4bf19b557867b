# What the scripts share that build programs with planted faults: how each side is built, where marked lines are,
# and how assembly is edited. Sourced by planted.sh, planted_blame.sh and self_planted.sh, which set `program`.
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

# edit_assembly EDIT INPUT OUTPUT: edits by a Perl expression. in_die(LINE, EDIT) applies EDIT to the entry of
# .debug_info that is declared in that line.
edit_assembly() {
    local edit
    edit=$(with_lines "$1")
    perl -0pe '
        sub in_die {
            my ($line, $edit) = @_;
            s{(\# Abbrev \[\d+\] (?:(?!\# Abbrev).)*?\t$line\s+\# DW_AT_decl_line(?:(?!\# Abbrev|\# End Of).)*)}
             { local $_ = $1; eval $edit; die $@ if $@; $_ }se;
        }
        '"$edit" "$2" >"$3"
    if cmp -s "$2" "$3"; then
        echo "its edit changes nothing: $edit" >&2
        return 1
    fi
}
