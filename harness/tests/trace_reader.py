#!/usr/bin/env python3
"""Reads a trace by runtime/trace/FORMAT.md alone, and compares each event with a line of JSON on standard input, as
`lockstep trace dump --json --bytes 2097152` prints them. Knows stored blocks only. Exit status 1 at a difference.
With --example, writes the file of FORMAT.md's example instead.

Usage: trace_reader.py TRACE | trace_reader.py --example FORMAT.md"""

import json
import re
import struct
import sys
import zlib

TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}
TRAPS = [
    "unreachable",
    "out of bounds memory access",
    "out of bounds table access",
    "undefined element",
    "uninitialized element",
    "indirect call type mismatch",
    "integer overflow",
    "integer divide by zero",
    "invalid conversion to integer",
    "call stack exhausted",
    "trap in a host function",
]
OUTCOMES = ["returned", "exited", "trapped", "failed"]


class Bytes:
    """Takes what the format is made of from the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        assert size <= self.left(), "unexpected end"
        self.at += size
        return self.data[self.at - size : self.at]

    def fixed(self, size):
        return int.from_bytes(self.take(size), "little")

    def leb(self):
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                assert byte or shift == 7, "not the shortest form"
                assert value < 1 << 64
                return value

    def counted(self):
        return self.take(self.leb())

    def name(self):
        return self.counted().decode("utf-8")

    def valtype(self):
        return TYPES[self.fixed(1)]

    def value(self, valtype):
        if valtype in ("i32", "i64"):
            return str(self.leb())
        if valtype == "f32":
            return "0x%08x" % self.fixed(4)
        if valtype == "f64":
            return "0x%016x" % self.fixed(8)
        if valtype == "v128":
            return self.take(16).hex()
        number = self.leb()
        return str(number - 1) if number else None

    def tvalue(self):
        valtype = self.valtype()
        return {"type": valtype, "value": self.value(valtype)}

    def values(self):
        return [self.tvalue() for _ in range(self.leb())]

    def types(self):
        return [self.valtype() for _ in range(self.leb())]

    def place(self):
        owner, index = self.leb(), self.leb()
        return {"instance": owner - 1, "index": index} if owner else {"index": index}

    def limit(self):
        number = self.leb()
        return None if number == (1 << 64) - 1 else number

    def index(self):
        number = self.leb()
        return None if number == (1 << 32) - 1 else number

    def trap(self):
        number = self.leb()
        return "failure of a host function" if number == 255 else TRAPS[number]


def elements(b):
    valtype = b.valtype()
    return {"type": valtype, "elements": [b.value(valtype) for _ in range(b.leb())]}


def counted(b):
    contents = b.counted()
    return {"size": len(contents), "bytes": contents.hex()}


def import_call(b, functions):
    instance, function = b.leb(), b.leb()
    name = functions[function] if function < len(functions) else None
    return {"instance": instance, "function": function, "name": name, "arguments": b.values()}


def host_function(b, functions):
    event = {"name": b.name(), "params": b.types(), "results": b.types()}
    functions.append(event["name"])
    return event


# By kind: its name, what it does to the depth, its contents.
EVENTS = {
    0x01: ("instantiate", 0, lambda b, f: {"module": b.leb(), "imports": [b.place() for _ in range(b.leb())]}),
    0x02: ("import_call", 1, import_call),
    0x03: ("import_return", -1, lambda b, f: {"results": b.values()}),
    0x04: ("import_trap", -1, lambda b, f: {"trap": b.trap(), "message": b.name()}),
    0x05: ("import_exit", -1, lambda b, f: {"status": b.leb()}),
    0x06: ("memory_write", 0, lambda b, f: {"memory": b.place(), "address": b.leb(), **counted(b)}),
    0x07: ("memory_grow", 0, lambda b, f: {"memory": b.place(), "pages": b.leb(), "old": b.limit()}),
    0x08: ("global_set", 0, lambda b, f: {"global": b.place(), "value": b.tvalue()}),
    0x09: ("table_set", 0, lambda b, f: {"table": b.place(), "first": b.leb(), **elements(b)}),
    0x0A: (
        "table_grow",
        0,
        lambda b, f: {"table": b.place(), "count": b.leb(), "value": b.tvalue(), "old": b.limit()},
    ),
    0x0B: ("funcref", 0, lambda b, f: {"function": b.place()}),
    0x0C: ("host_function", 0, host_function),
    0x0D: ("host_memory", 0, lambda b, f: {"pages": b.leb(), "maximum": b.limit()}),
    0x0E: ("host_table", 0, lambda b, f: {"type": b.valtype(), "size": b.leb(), "maximum": b.limit()}),
    0x0F: ("host_global", 0, lambda b, f: {"is_mutable": b.fixed(1) == 1, "value": b.tvalue()}),
    0x10: ("guest_call", 1, lambda b, f: {"function": b.place(), "arguments": b.values()}),
    0x11: ("guest_return", -1, lambda b, f: {"results": b.values()}),
    0x12: (
        "guest_trap",
        -1,
        lambda b, f: {"trap": b.trap(), "instance": b.index(), "function": b.index(), "pc": b.index()},
    ),
    0x13: ("guest_exit", -1, lambda b, f: {"status": b.leb()}),
    0x14: ("instantiation_trap", 0, lambda b, f: {"trap": b.trap()}),
    0x1F: ("end", 0, lambda b, f: {"outcome": OUTCOMES[b.leb()], "status": b.leb()}),
    0x80: ("message", 0, lambda b, f: {"name": b.name(), **counted(b)}),
}


def read_header(b, whole):
    assert b.take(8) == b"\x89LKTR\r\n\x1a"
    assert (b.fixed(2), b.fixed(2)) == (1, 0)
    size, crc = b.fixed(4), b.fixed(4)
    assert zlib.crc32(whole[:16] + whole[20 : 20 + size]) == crc
    fields = Bytes(b.take(size))
    modules = []
    while fields.left():
        tag, field = fields.fixed(1), Bytes(fields.counted())
        if tag == 1:
            field.name()
        elif tag == 2:
            field.name(), field.name()
        elif tag == 3:
            digest, length, label = field.take(32), field.leb(), field.name()
            imports = []
            for _ in range(field.leb()):
                module, name, kind = field.name(), field.name(), field.fixed(1)
                if kind == 0:
                    field.types(), field.types()
                elif kind in (1, 3):
                    field.valtype()
                    if kind == 3:
                        assert field.fixed(1) <= 1
                imports.append((module, name, kind))
            modules.append((digest, length, label, imports))
        elif tag == 4:
            while field.left():
                field.name()
        else:
            raise AssertionError("unknown header field %d" % tag)
        assert not field.left()
    return modules


def read_block(b, number, depth, functions):
    header = b.take(28)
    crc = b.fixed(4)
    magic, codec, zero, block_depth, size, raw, count, first = struct.unpack("<4sBBHIIIQ", header)
    payload = b.take(size)
    assert (magic, codec, zero, block_depth, raw, first) == (b"LKBK", 0, 0, depth, size, number)
    assert zlib.crc32(header + payload) == crc
    events = Bytes(payload)
    for _ in range(count):
        kind, contents = events.fixed(1), Bytes(events.counted())
        name, change, decode = EVENTS[kind]
        yield {"event": number, "depth": depth, "kind": name, **decode(contents, functions)}
        assert not contents.left()
        number, depth = number + 1, depth + change
    assert not events.left()


def read_index(b, whole, blocks, events):
    start = b.at
    assert b.take(4) == b"LKIX"
    entries = [(b.fixed(8), b.fixed(8)) for _ in range(b.fixed(4))]
    assert zlib.crc32(whole[start : b.at]) == b.fixed(4)
    assert all(entry in blocks for entry in entries) and entries[:1] == blocks[:1]
    trailer = b.at
    assert (b.fixed(8), b.fixed(8)) == (start, events)
    assert zlib.crc32(whole[trailer : b.at]) == b.fixed(4)
    assert b.take(4) == b"LKEN" and not b.left()


def read_trace(whole):
    b = Bytes(whole)
    read_header(b, whole)
    number = depth = 0
    functions, blocks = [], []
    while whole[b.at : b.at + 4] == b"LKBK":
        blocks.append((b.at, number))
        for event in read_block(b, number, depth, functions):
            yield event
            number, depth = number + 1, event["depth"] + CHANGES[event["kind"]]
    read_index(b, whole, blocks, number)


CHANGES = {name: change for name, change, _ in EVENTS.values()}


def write_example(path):
    with open(path, encoding="utf-8") as file:
        example = re.search(r"^## Example$(.*?)^## ", file.read(), re.M | re.S).group(1)
    for line in re.findall(r"^    ((?:[0-9a-f]{2}  ?)+)", example, re.M):
        sys.stdout.buffer.write(bytes.fromhex(line))


def main():
    if sys.argv[1] == "--example":
        return write_example(sys.argv[2])
    with open(sys.argv[1], "rb") as file:
        whole = file.read()
    count, kinds = 0, set()
    for event in read_trace(whole):
        line = sys.stdin.readline()
        if not line or json.loads(line) != event:
            sys.exit("event %d: expected\n%s\ngot\n%s" % (count, json.dumps(event), line.strip()))
        count += 1
        kinds.add(event["kind"])
    if sys.stdin.readline():
        sys.exit("there are more lines than the %d events" % count)
    print("%d events of %d kinds agree" % (count, len(kinds)))


main()
