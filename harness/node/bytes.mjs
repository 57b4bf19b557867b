// Reading untrusted bytes through one bounded cursor, and putting bytes together. FORMAT.md and WebAssembly's binary
// format share their numbers, names and value types.

import { malformed } from './problem.mjs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const U64_MAX = (1n << 64n) - 1n;

export const hex = (number) => '0x' + number.toString(16);

/** Reads forward in `bytes`, the first of which is at `base` of the file: errors name offsets there. */
export class Cursor {
    constructor(bytes, base = 0) {
        this.bytes = bytes;
        this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        this.base = base;
        this.at = 0;
    }

    get left() {
        return this.bytes.length - this.at;
    }

    get offset() {
        return this.base + this.at;
    }

    error(message, at = this.at) {
        return malformed(`at byte ${hex(this.base + at)}: ${message}`);
    }

    /** The place of the next `size` bytes, which are then behind. */
    skip(size, what) {
        if (size > this.left)
            throw this.error(`${what}: unexpected end: needs ${size} bytes, ${this.left} are left`);
        this.at += size;
        return this.at - size;
    }

    take(size, what) {
        const start = this.skip(size, what);
        return this.bytes.subarray(start, start + size);
    }

    u8(what) {
        return this.bytes[this.skip(1, what)];
    }

    u16(what) {
        return this.view.getUint16(this.skip(2, what), true);
    }

    u32(what) {
        return this.view.getUint32(this.skip(4, what), true);
    }

    u64(what) {
        return this.view.getBigUint64(this.skip(8, what), true);
    }

    flag(what) {
        const byte = this.u8(what);
        if (byte > 1)
            throw this.error(`${what}: ${byte} is neither 0 nor 1`, this.at - 1);
        return byte === 1;
    }

    /** LEB128 of at most 64 bits, a BigInt. FORMAT.md asks for its shortest form, WebAssembly does not. */
    leb64(what, isShortest = true) {
        const start = this.at;
        let value = 0n, shift = 0n, byte;
        do {
            byte = this.u8(what);
            value |= BigInt(byte & 0x7f) << shift;
            shift += 7n;
            if (value > U64_MAX || (shift > 63n && byte & 0x80))
                throw this.error(`${what}: a number of more than 64 bits`, start);
        } while (byte & 0x80);
        if (isShortest && byte === 0 && this.at - start > 1)
            throw this.error(`${what}: not the shortest form of ${value}`, start);
        return value;
    }

    leb32(what, isShortest = true) {
        const start = this.at;
        const first = this.left ? this.bytes[this.at] : 0x80;
        if (first < 0x80) { // most are
            this.at++;
            return first;
        }
        const value = this.leb64(what, isShortest);
        if (value > 0xffffffffn || this.at - start > 5)
            throw this.error(`${what}: a number of more than 32 bits`, start);
        return Number(value);
    }

    /** A count of things, at most `limit`. */
    count(what, limit) {
        const start = this.at;
        const value = this.leb32(what);
        if (value > limit)
            throw this.error(`${what}: ${value} is more than ${limit}`, start);
        return value;
    }

    /** A string; with `isText`, one without zero bytes. */
    name(what, isText = false) {
        const start = this.at;
        const bytes = this.take(this.leb32(what), what);
        if (isText && bytes.includes(0))
            throw this.error(`${what}: a zero byte in a text`, start);
        try {
            return utf8.decode(bytes);
        } catch {
            throw this.error(`${what}: malformed UTF-8`, start);
        }
    }

    valtype(what) {
        const type = this.u8(what);
        if (!VALTYPES.has(type))
            throw this.error(`${what}: ${hex(type)} is no value type`, this.at - 1);
        return type;
    }
}

// ---- Value types (core specification, section 5.3) ----

export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c, V128 = 0x7b, FUNCREF = 0x70, EXTERNREF = 0x6f;
const VALTYPES = new Set([I32, I64, F32, F64, V128, FUNCREF, EXTERNREF]);
export const isReference = (type) => type === FUNCREF || type === EXTERNREF;

// ---- Writing ----

/** The bytes of a LEB128 number that is no BigInt. */
export function leb(number) {
    const bytes = [];
    for (; number > 0x7f; number = Math.floor(number / 128))
        bytes.push((number % 128) | 0x80);
    bytes.push(number);
    return bytes;
}

/** A signed LEB128 number: constants in code. */
export function sleb(number) {
    const bytes = [];
    for (;;) {
        const byte = Number(BigInt.asUintN(7, number));
        number >>= 7n;
        if (number === (byte & 0x40 ? -1n : 0n))
            return [...bytes, byte];
        bytes.push(byte | 0x80);
    }
}

/** The bytes of a BigInt, the lowest first. */
export const little = (bits, size) => Array.from({ length: size }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));

export const vector = (items) => [...leb(items.length), ...items.flat()];
export const name = (text) => vector([...new TextEncoder().encode(text)]);

/** One Uint8Array of arrays of bytes, one behind the other. */
export function join(parts) {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
    }
    return bytes;
}
