# GDB's side of `lockstep bench step`: steps a program by statements and reads at each stop every scalar that a
# debugger's user could see there (locals and parameters in scope, all globals), through structs, unions and
# arrays. Prints one JSON object. Run inside GDB; LOCKSTEP_STOPS and LOCKSTEP_SECONDS bound it.
import json
import os
import time

import gdb

STRUCTS = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)


def read_scalars(value, kind):
    """Fetches every scalar in the value; returns how many there were."""
    kind = kind.strip_typedefs()
    if kind.code in STRUCTS:
        return sum(read_scalars(value[field], field.type) for field in kind.fields() if not field.artificial)
    if kind.code == gdb.TYPE_CODE_ARRAY:
        element = kind.target()
        low, high = kind.range()
        return sum(read_scalars(value[index], element) for index in range(low, high + 1))
    if kind.code == gdb.TYPE_CODE_FLT:
        float(value)
    else:
        int(value)
    return 1


def read_symbol(symbol, frame=None):
    try:
        value = symbol.value(frame) if symbol.needs_frame else symbol.value()
        return read_scalars(value, symbol.type)
    except gdb.error:  # optimised out, or not to be had for another reason
        return 0


def globals_of(symtab):
    found = []
    for block in (symtab.global_block(), symtab.static_block()):
        found += [symbol for symbol in block if symbol.is_variable]
    return found


def read_stop(unit_globals):
    frame = gdb.selected_frame()
    count = 0
    for symbol in unit_globals:
        count += read_symbol(symbol)
    try:
        block = frame.block()
    except RuntimeError:  # no debug information here
        return count
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if symbol.is_variable or symbol.is_argument:
                count += read_symbol(symbol, frame)
        block = block.superblock
    return count


def main():
    stops = int(os.environ["LOCKSTEP_STOPS"])
    seconds = float(os.environ["LOCKSTEP_SECONDS"])
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    gdb.execute("set suppress-cli-notifications on")
    gdb.execute("break main", to_string=True)
    gdb.execute("run >/dev/null", to_string=True)
    unit_globals = globals_of(gdb.selected_frame().find_sal().symtab)
    seen = scalars = 0
    started = time.monotonic()
    while seen < stops and time.monotonic() - started < seconds:
        scalars += read_stop(unit_globals)
        seen += 1
        gdb.execute("step", to_string=True)
        if not gdb.selected_inferior().pid or not gdb.selected_frame().find_sal().symtab:
            break
        if gdb.selected_frame().name() is None or gdb.selected_frame().name().startswith("__libc"):
            break
    elapsed = time.monotonic() - started
    print(json.dumps({"stops": seen, "scalars": scalars, "seconds": elapsed}))
    gdb.execute("kill", to_string=True)


main()
