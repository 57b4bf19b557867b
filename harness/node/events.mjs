// FORMAT.md's tables: kinds of events with their contents, traps; and the decoding of one event's contents.

import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, hex, isReference } from './bytes.mjs';

export const MAX_EVENT = 2 << 20;
const MAX_VALUES = 1000, MAX_ELEMENTS = 4096, MAX_IMPORTS = 100000, MAX_TYPES = 1000;
export const NO_INDEX = 0xffffffff;
export const NO_LIMIT = (1n << 64n) - 1n;
export const INFORMATION = 0x80; // kinds from here on may be ignored

export const OUTCOME = { RETURNED: 0, EXITED: 1, TRAPPED: 2, FAILED: 3 };
export const TRAP = { MEMORY: 1, TABLE: 2, STACK: 9, HOST: 10, FAILURE: 255 };
const TRAPS = ['unreachable', 'out of bounds memory access', 'out of bounds table access', 'undefined element',
    'uninitialized element', 'indirect call type mismatch', 'integer overflow', 'integer divide by zero',
    'invalid conversion to integer', 'call stack exhausted', 'trap in a host function'];
export const trapName = (trap) => (trap === TRAP.FAILURE ? 'failure of a host function' : TRAPS[trap]);

// Who has control when an event comes.
export const ORDER = {
    ANY: 0, HOST: 1, CALL_GUEST: 2, END_GUEST: 3, CALL_IMPORT: 4, END_IMPORT: 5, LAST: 6,
};

/** By number: an event's name, its order, and its contents as [name, how it is decoded]. */
export const KINDS = new Map([
    [0x01, ['instantiate', ORDER.HOST, [['module', 'u32'], ['imports', 'places']]]],
    [0x02, ['import call', ORDER.CALL_IMPORT, [['instance', 'u32'], ['function', 'u32'], ['arguments', 'values']]]],
    [0x03, ['import return', ORDER.END_IMPORT, [['results', 'values']]]],
    [0x04, ['import trap', ORDER.END_IMPORT, [['trap', 'trap'], ['message', 'name']]]],
    [0x05, ['import exit', ORDER.END_IMPORT, [['status', 'u32']]]],
    [0x06, ['memory write', ORDER.HOST, [['memory', 'place'], ['address', 'u64'], ['bytes', 'bytes']]]],
    [0x07, ['memory grow', ORDER.HOST, [['memory', 'place'], ['pages', 'u64'], ['old', 'u64']]]],
    [0x08, ['global set', ORDER.HOST, [['global', 'place'], ['value', 'tvalue']]]],
    [0x09, ['table set', ORDER.HOST, [['table', 'place'], ['first', 'u64'], ['elements', 'elements']]]],
    [0x0a, ['table grow', ORDER.HOST, [['table', 'place'], ['count', 'u64'], ['value', 'tvalue'], ['old', 'u64']]]],
    [0x0b, ['funcref', ORDER.ANY, [['function', 'place']]]],
    [0x0c, ['host function', ORDER.ANY, [['name', 'name'], ['type', 'functype']]]],
    [0x0d, ['host memory', ORDER.HOST, [['pages', 'u64'], ['maximum', 'u64']]]],
    [0x0e, ['host table', ORDER.HOST, [['type', 'valtype'], ['size', 'u64'], ['maximum', 'u64']]]],
    [0x0f, ['host global', ORDER.HOST, [['mutable', 'flag'], ['value', 'tvalue']]]],
    [0x10, ['guest call', ORDER.CALL_GUEST, [['function', 'place'], ['arguments', 'values']]]],
    [0x11, ['guest return', ORDER.END_GUEST, [['results', 'values']]]],
    [0x12, ['guest trap', ORDER.END_GUEST,
        [['trap', 'trap'], ['instance', 'u32'], ['function', 'u32'], ['pc', 'u32']]]],
    [0x13, ['guest exit', ORDER.END_GUEST, [['status', 'u32']]]],
    [0x14, ['instantiation trap', ORDER.HOST, [['trap', 'trap']]]],
    [0x1f, ['end', ORDER.LAST, [['outcome', 'outcome'], ['status', 'u32']]]],
    [0x80, ['message', ORDER.ANY, [['name', 'name'], ['bytes', 'bytes']]]],
]);

/** The number of an event by its name. */
export const KIND = Object.fromEntries([...KINDS].map(([kind, [name]]) => [name.replaceAll(' ', '_'), kind]));

// ---- Contents ----

/** A value's bits: a Number for i32, f32 and references, a BigInt for i64, f64 and v128. */
function value(cursor, type, what) {
    switch (type) {
    case I32: return cursor.leb32(what);
    case I64: return cursor.leb64(what);
    case F32: return cursor.u32(what);
    case F64: return cursor.u64(what);
    case V128: return cursor.u64(what) | (cursor.u64(what) << 64n);
    default: return Number(cursor.leb64(what)); // no list has 2^53 entries
    }
}

function limited(cursor, what, limit) {
    const start = cursor.at, number = cursor.leb32(what);
    if (number >= limit)
        throw cursor.error(`${what}: there is no ${number}`, start);
    return number;
}

export const list = (count, make) => Array.from({ length: count }, make);
const typesOf = (cursor, what) => list(cursor.count(what, MAX_TYPES), () => cursor.valtype(what));
export const functype = (cursor) => ({ params: typesOf(cursor, 'parameters'), results: typesOf(cursor, 'results') });
const place = (cursor, what) => ({ owner: cursor.leb32(what), index: cursor.leb32(what) });
const tvalue = (cursor, what) => {
    const type = cursor.valtype(what);
    return { type, bits: value(cursor, type, what) };
};

const DECODERS = {
    u32: (cursor, what) => cursor.leb32(what),
    u64: (cursor, what) => cursor.leb64(what),
    flag: (cursor, what) => cursor.flag(what),
    outcome: (cursor, what) => limited(cursor, what, 4),
    valtype: (cursor, what) => cursor.valtype(what),
    name: (cursor, what) => cursor.name(what),
    bytes: (cursor, what) => cursor.take(cursor.leb32(what), what),
    functype, place, tvalue,
    values: (cursor, what) => list(cursor.count(what, MAX_VALUES), () => tvalue(cursor, what)),
    places: (cursor, what) => list(cursor.count(what, MAX_IMPORTS), () => place(cursor, what)),
    trap(cursor, what) {
        const start = cursor.at, trap = cursor.leb32(what);
        if (trapName(trap) === undefined)
            throw cursor.error(`${what}: there is no trap ${trap}`, start);
        return trap;
    },
    elements(cursor, what) {
        const type = cursor.valtype(what);
        if (!isReference(type))
            throw cursor.error(`${what}: ${hex(type)} is no reference type`, cursor.at - 1);
        return { type, values: list(cursor.count(what, MAX_ELEMENTS), () => value(cursor, type, what)) };
    },
};

/** An event's contents. With `isExact`, nothing may be behind what is specified. */
export function decode(kind, cursor, isExact) {
    const event = { kind, title: KINDS.get(kind)?.[0] };
    if (!event.title)
        return event;
    for (const [field, how] of KINDS.get(kind)[2])
        event[field] = DECODERS[how](cursor, field);
    if (isExact && cursor.left)
        throw cursor.error(`${cursor.left} bytes behind the contents of ${event.title}`);
    return event;
}
