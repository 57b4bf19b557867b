#!/usr/bin/env python3
"""The DWARF of a module as text that does not depend on how it is written: llvm-dwarfdump's, with DIEs by their order in
place of their offsets, indices looked up, and without what only says where a table is. Two modules whose DWARF means the
same have the same text.

    dwarf_text.py DWARFDUMP MODULE
"""
import re
import subprocess
import sys

TABLES = re.compile(r"DW_AT_(str_offsets_base|addr_base|rnglists_base|loclists_base|sibling|stmt_list|GNU_pubnames)\b")
REFERENCES = re.compile(r"DW_AT_\w*(type|origin|specification|import|object_pointer|extension|friend|target|parent)\b")


def dump(tool, section, module):
    return subprocess.run([tool, f"--debug-{section}", module], capture_output=True, text=True, check=True).stdout


def address_tables(text):
    """By the offset of a table's first address."""
    tables, offset = {}, 0
    for length, body in re.findall(r"Address table header: length = (0x[0-9a-f]+).*?Addrs: \[\n(.*?)\]", text, re.S):
        tables[offset + 8] = body.split()
        offset += 4 + int(length, 16)
    return tables


def text_of(tool, module):
    info = dump(tool, "info", module)
    tables = address_tables(dump(tool, "addr", module)) if "addrx" in info else {}
    order = {}
    for match in re.finditer(r"^0x([0-9a-f]{8}): +(?:DW_TAG|NULL)", info, re.M):
        order[match[1]] = f"die {len(order)}"
    bases = iter(re.findall(r"DW_AT_addr_base\s+\((0x[0-9a-f]+)\)", info))
    base = 8
    for line in info.split("\n"):
        if re.search(r"(Compile|Type|Partial) Unit:|file format", line):
            continue
        if "DW_AT_addr_base" in line:
            base = int(next(bases), 16)
        if TABLES.search(line):
            continue
        line = re.sub(r"^0x([0-9a-f]{8}):", lambda m: order.get(m[1], m[1]) + ":", line)
        line = re.sub(r"\(0x(?:0{8})?([0-9a-f]{8}) \"", lambda m: f"({order.get(m[1], m[1])} \"", line)
        if REFERENCES.search(line):
            line = re.sub(r"\(0x([0-9a-f]{8})\)$", lambda m: f"({order.get(m[1], m[1])})", line)
        if re.search(r"DW_AT_(ranges|location|frame_base|\w*_location)\b", line):
            line = re.sub(r"\((indexed \([0-9a-fx]+\) (loclist|rangelist) = )?0x[0-9a-f]{8}[:)]* *$", "(list", line)
        line = re.sub(r"0x[0-9a-f]+([0-9a-f]{8})\b", r"0x\1", line)  # addresses of dropped code wrap around
        line = re.sub(r"indexed \([0-9a-fx]+\) (string|address)( = )?", "", line)
        line = re.sub(r" \(0x[0-9a-f]{8} -> 0x([0-9a-f]{8})\)", lambda m: f" {order.get(m[1], m[1])}", line)
        line = re.sub(r"DW_OP_addrx 0x([0-9a-f]+)", lambda m: f"DW_OP_addr {int(tables[base][int(m[1], 16)], 16):#x}", line)
        line = re.sub(r"DW_OP_(convert|GNU_convert) \(?0x[0-9a-f]+\)?", "DW_OP_convert", line)
        yield line.rstrip()


if __name__ == "__main__":
    for out in text_of(sys.argv[1], sys.argv[2]):
        print(out)
