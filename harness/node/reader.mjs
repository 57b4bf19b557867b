// Reads a trace from its first byte to its last, as FORMAT.md has it: header, blocks, index, trailer; and events in
// their order. Keeps one block in memory. What is not about single events is the checker's.

import fs from 'node:fs';
import zlib from 'node:zlib';

import { Cursor, hex } from './bytes.mjs';
import { KINDS, MAX_EVENT, ORDER, decode, functype } from './events.mjs';
import { Problem, malformed, unsupported } from './problem.mjs';

const MAGIC = Uint8Array.of(0x89, 0x4c, 0x4b, 0x54, 0x52, 0x0d, 0x0a, 0x1a);
const MAJOR = 1, MINOR = 0;
const BLOCK = 0x4b424b4c, INDEX = 0x58494b4c, TRAILER = 0x4e454b4c; // "LKBK", "LKIX", "LKEN"
const PREAMBLE_SIZE = 20, BLOCK_SIZE = 32, TRAILER_SIZE = 24;
const MAX_HEADER = 16 << 20, MAX_BLOCK = 4 << 20, MAX_DEPTH = 65535, MAX_INDEX = 65536, MAX_IMPORTS = 100000;

// ---- Bytes ----

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++)
        byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
    return byte;
});

export function crc32(...parts) {
    let crc = 0xffffffff;
    for (const bytes of parts)
        for (let i = 0; i < bytes.length; i++)
            crc = crcTable[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
    return ~crc >>> 0;
}

/** A file or a pipe, read in order. */
class Source {
    constructor(fd) {
        this.fd = fd;
        this.offset = 0;
    }

    /** As many of `size` bytes as there are. */
    read(size) {
        const bytes = Buffer.allocUnsafeSlow(size);
        let got = 0, more = 1;
        while (got < size && more) {
            more = fs.readSync(this.fd, bytes, got, size - got, null);
            got += more;
        }
        this.offset += got;
        return bytes.subarray(0, got);
    }
}

// ---- The header ----

const externDecoders = [
    (cursor) => ({ kind: 'function', type: functype(cursor) }),
    (cursor) => ({ kind: 'table', type: cursor.valtype('import') }),
    () => ({ kind: 'memory' }),
    (cursor) => ({ kind: 'global', type: cursor.valtype('import'), mutable: cursor.flag('import') }),
];

function decodeImport(cursor) {
    const module = cursor.name('import'), name = cursor.name('import'), kind = cursor.u8('import');
    if (kind >= externDecoders.length)
        throw cursor.error(`import: there is no kind ${kind}`, cursor.at - 1);
    return { module, name, ...externDecoders[kind](cursor) };
}

function decodeModule(cursor) {
    const hash = Buffer.from(cursor.take(32, 'hash')).toString('hex');
    const size = cursor.leb64('size'), label = cursor.name('label', true);
    const count = cursor.count('imports', MAX_IMPORTS);
    const imports = [];
    for (let i = 0; i < count; i++)
        imports.push(decodeImport(cursor));
    return { hash, size, label, imports };
}

/** Settings and modules; who wrote it and the command are for people. */
function decodeHeader(cursor, isExact) {
    const header = { settings: new Map(), modules: [] }, seen = new Set();
    while (cursor.left) {
        const start = cursor.at, tag = cursor.u8('field'), size = cursor.leb32('field');
        const base = cursor.offset, field = new Cursor(cursor.take(size, 'field'), base);
        if ((tag === 1 || tag === 4) && seen.has(tag))
            throw cursor.error(`header: a second field ${tag}`, start);
        seen.add(tag);
        if (tag === 1) {
            header.engine = field.name('engine', true);
        } else if (tag === 2) {
            const key = field.name('setting', true), value = field.name('setting', true);
            if (header.settings.has(key))
                throw cursor.error(`header: a second setting ${key}`, start);
            header.settings.set(key, value);
        } else if (tag === 3) {
            header.modules.push(decodeModule(field));
        } else if (tag === 4) {
            while (field.left)
                field.name('command', true);
        } else if (isExact) {
            throw cursor.error(`header: there is no field ${tag}`, start);
        } else {
            continue;
        }
        if (field.left && isExact)
            throw field.error(`header: ${field.left} bytes behind field ${tag}`);
    }
    return header;
}

// ---- Blocks ----

/** The payload as it was before it was compressed. */
function unpack(block, payload, offset) {
    if (block.codec === 0)
        return payload;
    if (!zlib.zstdDecompressSync)
        throw unsupported(`at byte ${hex(offset)}: the block is compressed with zstd, which Node has from 22.15 on`);
    let raw;
    try {
        raw = zlib.zstdDecompressSync(payload, { maxOutputLength: block.raw });
    } catch (error) {
        throw malformed(`at byte ${hex(offset)}: block: cannot decompress it: ${error.message}`);
    }
    if (raw.length !== block.raw)
        throw malformed(`at byte ${hex(offset)}: block: ${raw.length} bytes decompressed, not ${block.raw}`);
    return raw;
}

function decodeBlockHeader(bytes, offset) {
    const cursor = new Cursor(bytes, offset);
    cursor.u32('magic');
    const block = {
        codec: cursor.u8('codec'), zero: cursor.u8('zero'), depth: cursor.u16('depth'), size: cursor.u32('size'),
        raw: cursor.u32('raw size'), count: cursor.u32('count'), first: cursor.u64('first event'),
        crc: cursor.u32('checksum'),
    };
    if (block.codec > 1 || block.zero)
        throw cursor.error(`block: codec ${block.codec}, flags ${block.zero}: there is none`, 0);
    if (block.size > MAX_BLOCK || block.raw > MAX_BLOCK)
        throw cursor.error(`block: ${block.size} bytes stored, ${block.raw} raw: more than ${MAX_BLOCK}`, 0);
    if (block.codec === 0 && block.size !== block.raw)
        throw cursor.error(`block: stored, and ${block.size} bytes are not ${block.raw}`, 0);
    if (!block.count || block.count > block.raw / 2)
        throw cursor.error(`block: ${block.count} events in ${block.raw} bytes`, 0);
    return block;
}

// ---- Events in their order ----

/** The depth after an event of `kind` that comes at `depth`; a string says why it cannot. */
function nest(depth, kind) {
    const isGuest = depth % 2 === 1, control = `the ${isGuest ? 'guest' : 'host'} has control here`;
    switch (KINDS.has(kind) ? KINDS.get(kind)[1] : ORDER.ANY) {
    case ORDER.HOST: return isGuest ? control : depth;
    case ORDER.CALL_GUEST: return isGuest ? control : depth < MAX_DEPTH ? depth + 1 : 'calls nest too deep';
    case ORDER.CALL_IMPORT: return !isGuest ? control : depth < MAX_DEPTH ? depth + 1 : 'calls nest too deep';
    case ORDER.END_GUEST: return isGuest ? depth - 1 : control;
    case ORDER.END_IMPORT: return isGuest ? control : depth ? depth - 1 : 'no call is open';
    case ORDER.LAST: return depth ? 'calls are open' : depth;
    default: return depth;
    }
}

export class Reader {
    constructor(fd) {
        this.source = new Source(fd);
        this.number = 0; // of the next event
        this.blockEnd = 0;
        this.depth = 0;
        this.events = new Cursor(new Uint8Array(0));
        this.blocks = new Map(); // first events by offset, for the index
        this.hasEnded = this.isAtEnd = false;
        this.isCut = false; // with isAtEnd: the file has no whole index and trailer; so many bytes were not used:
        this.behind = 0;
        this.readHeader();
    }

    readHeader() {
        const preamble = this.source.read(PREAMBLE_SIZE);
        if (!preamble.length || MAGIC.some((byte, i) => i < preamble.length && byte !== preamble[i]))
            throw malformed('this is no trace: it does not begin as one');
        const cut = () => malformed(`the trace was cut short inside its header, at byte ${hex(this.source.offset)}`);
        if (preamble.length < PREAMBLE_SIZE)
            throw cut();
        const cursor = new Cursor(preamble);
        cursor.skip(MAGIC.length, 'magic');
        const major = cursor.u16('version'), minor = cursor.u16('version');
        if (major !== MAJOR)
            throw unsupported(`the trace has version ${major}.${minor}; this reads ${MAJOR}.x`);
        const size = cursor.u32('header'), crc = cursor.u32('checksum');
        if (size > MAX_HEADER)
            throw cursor.error(`a header of ${size} bytes is too large`, 12);
        const bytes = this.source.read(size);
        if (bytes.length < size)
            throw cut();
        if (crc32(preamble.subarray(0, PREAMBLE_SIZE - 4), bytes) !== crc)
            throw cursor.error('the header is damaged: its checksum is wrong', 16);
        this.isExact = minor <= MINOR;
        this.header = decodeHeader(new Cursor(bytes, PREAMBLE_SIZE), this.isExact);
        this.data = this.source.offset;
    }

    /** The next event, or null at the end. `number` and `depth` say where it was. */
    next() {
        if (this.number === this.blockEnd && !this.isAtEnd)
            this.loadBlock();
        if (this.isAtEnd)
            return null;
        try {
            return this.nextEvent();
        } catch (error) {
            throw error instanceof Problem ? error.within(`event ${this.number}`) : error;
        }
    }

    nextEvent() {
        const cursor = this.events, kind = cursor.u8('event'), size = cursor.leb32("event's size");
        if (size > MAX_EVENT)
            throw cursor.error(`an event of ${size} bytes is too large`);
        const base = cursor.offset, contents = new Cursor(cursor.take(size, 'event'), base);
        const depth = this.hasEnded ? 'no event follows the end' : nest(this.depth, kind);
        if (typeof depth === 'string')
            throw malformed(`${KINDS.get(kind)?.[0] ?? 'an unknown event'} cannot come here: ${depth}`);
        if (kind === 0)
            throw malformed('there is no event of kind 0');
        const event = decode(kind, contents, this.isExact);
        event.number = this.number++;
        event.depth = this.depth;
        if (this.number === this.blockEnd && cursor.left)
            throw cursor.error(`${cursor.left} bytes behind the block's last event`);
        this.depth = depth;
        this.hasEnded = KINDS.get(kind)?.[1] === ORDER.LAST;
        return event;
    }

    end(behind) {
        this.isAtEnd = this.isCut = true;
        this.behind = behind;
    }

    loadBlock() {
        const offset = this.source.offset, header = this.source.read(BLOCK_SIZE);
        const magic = header.length < 4 ? 0 : header.readUInt32LE(0);
        if (magic === INDEX)
            return this.readIndex(offset, header);
        if (header.length >= 4 && magic !== BLOCK)
            throw malformed(`at byte ${hex(offset)}: neither a block nor the index begins here`);
        if (header.length < BLOCK_SIZE)
            return this.end(header.length);
        const block = decodeBlockHeader(header, offset);
        if (block.first !== BigInt(this.number))
            throw malformed(`at byte ${hex(offset)}: block: it begins with event ${block.first}, not ${this.number}`);
        const payload = this.source.read(block.size);
        if (payload.length < block.size)
            return this.end(header.length + payload.length);
        if (crc32(header.subarray(0, BLOCK_SIZE - 4), payload) !== block.crc)
            throw malformed(`at byte ${hex(offset)}: the block is damaged: its checksum is wrong`);
        if (block.depth !== this.depth)
            throw malformed(`at byte ${hex(offset)}: block: a depth of ${block.depth}, after one of ${this.depth}`);
        this.blocks.set(BigInt(offset), block.first);
        // Offsets within a compressed block are of what it holds.
        this.events = new Cursor(unpack(block, payload, offset), block.codec ? 0 : offset + BLOCK_SIZE);
        this.blockEnd = this.number + block.count;
    }

    /** From the index's magic to the file's end; `head` has been read. */
    readIndex(offset, head) {
        if (head.length < 8)
            return this.end(head.length);
        const count = head.readUInt32LE(4), size = 12 + 16 * count + TRAILER_SIZE;
        if (count > MAX_INDEX)
            throw malformed(`at byte ${hex(offset)}: an index of ${count} entries is too large`);
        const bytes = Buffer.concat([head, this.source.read(size - head.length)]);
        if (bytes.length < size)
            return this.end(bytes.length);
        const crcAt = size - TRAILER_SIZE - 4, cursor = new Cursor(bytes, offset);
        if (crc32(bytes.subarray(0, crcAt)) !== bytes.readUInt32LE(crcAt))
            throw cursor.error('the index is damaged: its checksum is wrong', 0);
        cursor.skip(8, 'index');
        let last = -1n;
        for (let i = 0; i < count; i++) {
            const at = cursor.u64('index'), first = cursor.u64('index');
            if (at <= last || (i === 0 && at !== BigInt(this.data)) || this.blocks.get(at) !== first)
                throw cursor.error(`index entry ${i}: no block with event ${first} at ${hex(at)}, or not in order`,
                    8 + 16 * i);
            last = at;
        }
        if (!count && this.number)
            throw cursor.error('the index has no entries, and there are events', 0);
        this.readTrailer(cursor, offset);
        if (this.source.read(1).length)
            throw malformed(`at byte ${hex(offset + size)}: there is more behind the trailer`);
        this.isAtEnd = true;
    }

    readTrailer(cursor, indexOffset) {
        cursor.skip(4, 'index');
        const start = cursor.at, numbers = cursor.bytes.subarray(start, start + 16);
        const index = cursor.u64('trailer'), events = cursor.u64('trailer'), crc = cursor.u32('trailer');
        if (crc32(numbers) !== crc || cursor.u32('trailer') !== TRAILER)
            throw cursor.error('the trailer is damaged', start);
        if (index !== BigInt(indexOffset) || events !== BigInt(this.number))
            throw cursor.error(`the trailer says ${events} events and an index at ${hex(index)}; there are ` +
                `${this.number}, and it is at ${hex(indexOffset)}`, start);
    }
}
