// A recorded module, and the one that is instantiated in its place. The host of a trace reaches things that a module
// does not export, makes the calls of start functions itself, and tells instances apart in stack traces: so
// everything is exported under a name of ours, the start section is left out, and the module's name is the instance's
// number. Its code stays as it is but for canonical NaNs, which see.

import { Cursor, hex, join, leb, name, vector } from './bytes.mjs';
import { canonicalNans } from './canonical.mjs';
import { list } from './events.mjs';
import { unsupported } from './problem.mjs';

const SECTION = { CUSTOM: 0, TYPE: 1, IMPORT: 2, FUNCTION: 3, TABLE: 4, MEMORY: 5, GLOBAL: 6, EXPORT: 7, START: 8,
    ELEMENT: 9, CODE: 10, DATA: 11, DATA_COUNT: 12 };
const BEHIND_EXPORTS = new Set([SECTION.ELEMENT, SECTION.CODE, SECTION.DATA, SECTION.DATA_COUNT]);
const KIND_NAMES = ['function', 'table', 'memory', 'global'];
const MAX_COUNT = 10_000_000;

const leb32 = (cursor) => cursor.leb32('number', false);
const repeat = (cursor, make) => list(cursor.count('vector', MAX_COUNT), () => make(cursor));

function types(cursor) {
    if (cursor.u8('type') !== 0x60)
        throw cursor.error('no function type', cursor.at - 1);
    return { params: repeat(cursor, (c) => c.valtype('type')), results: repeat(cursor, (c) => c.valtype('type')) };
}

function limits(cursor) {
    const flags = cursor.u8('limits');
    cursor.leb64('limits', false);
    if (flags & 1)
        cursor.leb64('limits', false);
}

function tableType(cursor) {
    const type = cursor.valtype('table');
    limits(cursor);
    return type;
}

const globalType = (cursor) => ({ type: cursor.valtype('global'), mutable: cursor.flag('global') });

/** A constant expression, stepped over. */
function expression(cursor) {
    for (;;) {
        const opcode = cursor.u8('expression');
        switch (opcode) {
        case 0x0b: return;
        case 0x23: case 0xd0: case 0xd2: case 0x41: case 0x42: cursor.leb64('expression', false); break;
        case 0x43: cursor.skip(4, 'expression'); break;
        case 0x44: cursor.skip(8, 'expression'); break;
        case 0xfd: cursor.skip(17, 'expression'); break; // v128.const
        case 0x6a: case 0x6b: case 0x6c: case 0x7c: case 0x7d: case 0x7e: break;
        default: throw cursor.error(`expression: opcode ${hex(opcode)}`, cursor.at - 1);
        }
    }
}

/** Names of functions, for people: a name section that is no good has none. */
function functionNames(cursor) {
    const names = new Map();
    try {
        while (cursor.left) {
            const id = cursor.u8('names'), part = new Cursor(cursor.take(leb32(cursor), 'names'));
            if (id === 1)
                repeat(part, (c) => names.set(leb32(c), c.name('name')));
        }
    } catch {
        names.clear();
    }
    return names;
}

export class Module {
    constructor(bytes) {
        this.types = [];
        this.imports = [];
        this.functions = []; // the index spaces, imports first: types of functions,
        this.tables = []; //     tables and
        this.globals = []; //    globals,
        this.memories = []; //   and memories
        this.sections = [];
        this.names = new Map(); // of functions, for people
        this.bytes = bytes;
        const cursor = new Cursor(bytes);
        cursor.skip(8, 'module');
        while (cursor.left) {
            const id = cursor.u8('section'), size = leb32(cursor), offset = cursor.offset;
            this.sections.push({ id, contents: cursor.take(size, 'section') });
            this.section(id, new Cursor(this.sections.at(-1).contents, offset));
        }
    }

    section(id, cursor) {
        const add = (all, make) => repeat(cursor, (c) => all.push(make(c)));
        switch (id) {
        case SECTION.CUSTOM:
            if (cursor.name('custom section') === 'name')
                functionNames(cursor).forEach((text, index) => this.names.set(index, text));
            break;
        case SECTION.EXPORT: repeat(cursor, (c) => this.export(c)); break;
        case SECTION.TYPE: add(this.types, types); break;
        case SECTION.IMPORT: repeat(cursor, (c) => this.import(c)); break;
        case SECTION.FUNCTION: add(this.functions, (c) => this.type(c)); break;
        case SECTION.TABLE: add(this.tables, tableType); break;
        case SECTION.MEMORY: add(this.memories, limits); break;
        case SECTION.GLOBAL:
            add(this.globals, (c) => {
                const type = globalType(c);
                expression(c);
                return type;
            });
            break;
        case SECTION.CODE: this.code = cursor; break;
        }
    }

    type(cursor) {
        const type = this.types[leb32(cursor)];
        if (!type)
            throw cursor.error('there is no such type');
        return type;
    }

    import(cursor) {
        const module = cursor.name('import'), field = cursor.name('import'), kind = cursor.u8('import');
        const all = [this.functions, this.tables, this.memories, this.globals][kind];
        if (!all)
            throw unsupported(`import ${module}.${field} is of kind ${kind}`);
        const type = [(c) => this.type(c), tableType, limits, globalType][kind](cursor);
        all.push(type);
        this.imports.push({ module, name: field, kind: KIND_NAMES[kind],
            ...(kind === 3 ? type : kind === 2 ? {} : { type }) });
    }

    export(cursor) {
        const text = cursor.name('export'), kind = cursor.u8('export'), index = leb32(cursor);
        if (kind === 0 && !this.names.has(index))
            this.names.set(index, text);
    }

    /** The module for instance `number`; with `isCanonical`, the NaNs that its instructions produce are canonical.
     * `original` turns an offset in it into a pc of the recorded module: an offset in its code section's contents. */
    prepare(number, isCanonical) {
        const parts = [this.bytes.subarray(0, 8)];
        let original = (offset) => offset, size = 8, codeStart = 0, hasExports = false;
        const add = (id, contents) => {
            const head = [id, ...leb(contents.length)];
            parts.push(head, contents);
            size += head.length + contents.length;
            return size - contents.length;
        };
        const exportAll = () => {
            hasExports ||= add(SECTION.EXPORT, this.exports()) > 0;
        };
        for (const { id, contents } of this.sections) {
            if (id === SECTION.CUSTOM || id === SECTION.EXPORT || id === SECTION.START)
                continue;
            if (BEHIND_EXPORTS.has(id))
                exportAll();
            if (id !== SECTION.CODE) {
                add(id, contents);
                continue;
            }
            const code = isCanonical ? canonicalNans(this, contents) : { contents, original };
            codeStart = add(id, code.contents);
            original = code.original;
        }
        exportAll();
        add(SECTION.CUSTOM, [...name('name'), 0, ...vector(name(`instance-${number}`))]);
        return { module: new WebAssembly.Module(join(parts)), original: (offset) => original(offset - codeStart) };
    }

    exports() {
        const items = [];
        for (const [kind, all] of [this.functions, this.tables, this.memories, this.globals].entries())
            for (let i = 0; i < all.length; i++)
                items.push([...name(exportName(KIND_NAMES[kind], i)), kind, ...leb(i)]);
        return vector(items);
    }
}

/** The name under which an instance exports what it has at an index. */
export const exportName = (kind, index) => `${kind} ${index}`;
