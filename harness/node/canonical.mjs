// Canonical NaNs in an engine that has none: which NaN an instruction produces is the engine's choice (core
// specification, section 4.3.3), and V8's is the processor's. A trace with nan=canonical was recorded where every NaN
// of floating-point arithmetic is the positive canonical one; behind each such instruction, code is added that makes
// it so.

import { Cursor, F32, F64, V128, hex, join, leb } from './bytes.mjs';
import { unsupported } from './problem.mjs';

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const VECTOR = 0x200; // opcodes behind the prefix 0xfd count from here

const canonicalF32 = [0, 0, 0xc0, 0x7f], canonicalF64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

// What the arithmetic of a type needs: whose NaNs, a constant of such NaNs, and how a value is compared with itself and
// chosen by that. `opcodes` are those of section 4.3.3 that may produce another NaN than one they were given whole:
// ceil to max, demote and promote; not abs, neg, copysign, pmin or pmax, which are about bits.
const ARITHMETIC = [
    { type: F32, nan: [0x43, ...canonicalF32], equal: [0x5b], choose: [0x1b],
        opcodes: [...range(0x8d, 0x97), 0xb6] },
    { type: F64, nan: [0x44, ...canonicalF64], equal: [0x61], choose: [0x1b],
        opcodes: [...range(0x9b, 0xa5), 0xbb] },
    { type: V128, nan: [0xfd, 12, ...canonicalF32, ...canonicalF32, ...canonicalF32, ...canonicalF32],
        equal: [0xfd, 0x41], choose: [0xfd, 0x52],
        opcodes: [0x5e, ...range(0x67, 0x6a), ...range(0xe3, 0xe9)].map((opcode) => VECTOR + opcode) },
    { type: V128, nan: [0xfd, 12, ...canonicalF64, ...canonicalF64], equal: [0xfd, 0x47], choose: [0xfd, 0x52],
        opcodes: [0x5f, 0x74, 0x75, 0x7a, 0x94, ...range(0xef, 0xf5)].map((opcode) => VECTOR + opcode) },
];
const arithmeticOf = new Map(ARITHMETIC.flatMap((how) => how.opcodes.map((opcode) => [opcode, how])));

// ---- Stepping over instructions (core specification, section 5.4) ----

const number = (cursor) => cursor.leb64('immediate', false);

function numbers(cursor) {
    for (let count = cursor.leb32('labels', false); count; count--)
        number(cursor);
}

function signed(cursor) {
    while (cursor.u8('immediate') & 0x80);
}

function memarg(cursor) {
    if (cursor.leb32('alignment', false) & 0x40)
        number(cursor); // which memory
    number(cursor);
}

const bytes = (count) => (cursor) => cursor.skip(count, 'immediate');
const all = (...parts) => (cursor) => parts.forEach((part) => part(cursor));

const IMMEDIATES = new Map();
const has = (opcodes, how) => opcodes.forEach((opcode) => IMMEDIATES.set(opcode, how));
has([0x02, 0x03, 0x04, 0x41, 0x42, 0xd0], signed);
has([0x0c, 0x0d, 0x10, ...range(0x20, 0x26), 0x3f, 0x40, 0xd2], number);
has([0x0e], all(numbers, number));
has([0x11], all(number, number));
has([0x1c], numbers);
has(range(0x28, 0x3e), memarg);
has([0x43], bytes(4));
has([0x44], bytes(8));
has([0x109, 0x10b, 0x10d, 0x10f, 0x110, 0x111], number);
has([0x108, 0x10a, 0x10c, 0x10e], all(number, number));
has([...range(0x200, 0x20b), 0x25c, 0x25d], memarg);
has([0x20c, 0x20d], bytes(16));
has(range(0x215, 0x222), bytes(1));
has(range(0x254, 0x25b), all(memarg, bytes(1)));
const NONE = new Set([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, ...range(0x45, 0xc4), 0xd1, ...range(0x100, 0x107),
    ...range(0x20e, 0x214), ...range(0x223, 0x253), ...range(0x25e, 0x2ff)]);

/** The opcode of the next instruction, which is then behind. */
function step(cursor) {
    const start = cursor.at;
    let opcode = cursor.u8('opcode');
    if (opcode === 0xfc || opcode === 0xfd)
        opcode = (opcode === 0xfc ? 0x100 : VECTOR) + cursor.leb32('opcode', false);
    const immediates = IMMEDIATES.get(opcode);
    if (immediates)
        immediates(cursor);
    else if (!NONE.has(opcode))
        throw unsupported(`at byte ${hex(cursor.base + start)} of its code: opcode ${hex(opcode)}`);
    return opcode;
}

// ---- Rewriting ----

/** Where offsets in the new code came from: between two insertions both go up alike. */
class Offsets {
    constructor() {
        this.moves = [{ at: 0, by: 0 }]; // from offset `at` on, the original is `by` less
    }

    move(at, by) {
        this.moves.push({ at, by });
    }

    original(offset) {
        let low = 0, high = this.moves.length;
        while (high - low > 1) {
            const middle = (low + high) >> 1;
            if (this.moves[middle].at <= offset)
                low = middle;
            else
                high = middle;
        }
        return offset - this.moves[low].by;
    }
}

/** A function's body with the added code, as parts, and where each insertion ends: [offset in the new body, in the
 * old]. */
function rewriteBody(cursor, params) {
    const groups = [], locals = new Map(), parts = [], insertions = [];
    let count = params, done, grown = 0;
    for (let left = cursor.leb32('locals', false); left; left--) {
        const size = cursor.leb32('locals', false);
        groups.push([...leb(size), cursor.valtype('local')]);
        count += size;
    }
    const codeStart = done = cursor.at;
    while (cursor.left) {
        const how = arithmeticOf.get(step(cursor));
        if (!how)
            continue;
        if (!locals.has(how.type)) {
            locals.set(how.type, leb(count++));
            groups.push([1, how.type]);
        }
        const local = locals.get(how.type);
        // The value where it is equal to itself, else the constant.
        const added = [0x22, ...local, ...how.nan, 0x20, ...local, 0x20, ...local, ...how.equal, ...how.choose];
        parts.push(cursor.bytes.subarray(done, cursor.at), added);
        done = cursor.at;
        grown += added.length;
        insertions.push([done - codeStart + grown, done]);
    }
    const head = [...leb(groups.length), ...groups.flat()];
    parts.unshift(head);
    parts.push(cursor.bytes.subarray(done));
    return { parts, insertions: [[0, codeStart], ...insertions].map(([to, from]) => [to + head.length, from]) };
}

/** A code section's contents with canonical NaNs; `original` turns an offset in them into one of the recorded ones. */
export function canonicalNans(module, contents) {
    const cursor = new Cursor(contents), map = new Offsets(), count = cursor.leb32('functions', false);
    const imported = module.functions.length - count, parts = [contents.subarray(0, cursor.at)];
    let size = cursor.at;
    for (let i = 0; i < count; i++) {
        const bodySize = cursor.leb32('size', false), start = cursor.at;
        const body = new Cursor(cursor.take(bodySize, 'function'), start);
        const { parts: added, insertions } = rewriteBody(body, module.functions[imported + i]?.params.length ?? 0);
        const newSize = added.reduce((sum, part) => sum + part.length, 0), head = leb(newSize);
        size += head.length;
        for (const [to, from] of insertions)
            map.move(size + to, size + to - (start + from));
        size += newSize;
        parts.push(head, ...added);
    }
    return { contents: join(parts), original: (offset) => map.original(offset) };
}
