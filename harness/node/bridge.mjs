// Small modules that stand between JavaScript and a guest. JavaScript's numbers do not keep a NaN's bits, and it has
// no v128: so those cross as integers, and a function in WebAssembly turns one into the other. In JavaScript a value
// of the trace is its bits, as events.mjs has them; what crosses is a list of carriers: i32, i64, references, and for
// a v128 two i64.

import {
    EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isReference, join, leb, little, name, sleb, vector,
} from './bytes.mjs';

const OP = { END: 0x0b, CALL: 0x10, LOCAL_GET: 0x20, LOCAL_SET: 0x21, GLOBAL_GET: 0x23, GLOBAL_SET: 0x24 };
const MASK = (1n << 64n) - 1n;

/** What a type crosses as; how it is made of its carriers, which are in locals, and taken apart again. */
const CARRIERS = new Map([
    [I32, { types: [I32] }],
    [I64, { types: [I64] }],
    [F32, { types: [I32], make: [0xbe], split: [[0xbc]], constant: (bits) => [0x43, ...little(BigInt(bits), 4)] }],
    [F64, { types: [I64], make: [0xbf], split: [[0xbd]], constant: (bits) => [0x44, ...little(bits, 8)] }],
    [V128, { types: [I64, I64], split: [[0xfd, 0x1d, 0], [0xfd, 0x1d, 1]],
        constant: (bits) => [0xfd, 12, ...little(bits, 16)] }],
    [FUNCREF, { types: [FUNCREF] }],
    [EXTERNREF, { types: [EXTERNREF] }],
]);

const carriersOf = (types) => types.flatMap((type) => CARRIERS.get(type).types);
const isPlain = (types) => types.every((type) => !CARRIERS.get(type).split);
const carried = ({ params, results }) => ({ params: carriersOf(params), results: carriersOf(results) });

// ---- Values ----

/** Bits as JavaScript's values for its carriers; `references` knows what references' numbers stand for. */
export function toCarriers(values, references) {
    return values.flatMap(({ type, bits }) => {
        switch (type) {
        case I32: case F32: return bits | 0;
        case V128: return [BigInt.asIntN(64, bits), BigInt.asIntN(64, bits >> 64n)];
        case I64: case F64: return BigInt.asIntN(64, bits);
        default: return references.thing(type, bits);
        }
    });
}

/** The other way round, for values of these types. */
export function fromCarriers(types, carriers, references) {
    let at = 0;
    return types.map((type) => {
        const first = carriers[at++];
        switch (type) {
        case I32: case F32: return { type, bits: first >>> 0 };
        case V128: return { type, bits: (first & MASK) | ((carriers[at++] & MASK) << 64n) };
        case I64: case F64: return { type, bits: first & MASK };
        default: return { type, bits: references.number(type, first) };
        }
    });
}

// ---- Modules ----

const section = (id, items) => {
    const contents = vector(items);
    return [id, ...leb(contents.length), ...contents];
};
const typeVector = (types) => vector(types.map((type) => [type]));
const encodeType = ({ params, results }) => [0x60, ...typeVector(params), ...typeVector(results)];
const functionImport = (type) => [...name(''), ...name('f'), 0, type];
const globalImport = (type, mutable) => [...name(''), ...name('g'), 3, type, mutable ? 1 : 0];
const body = (locals, code) => {
    const bytes = [...vector(locals.map((type) => [1, type])), ...code.flat(), OP.END];
    return [...leb(bytes.length), ...bytes];
};

const compile = (...sections) => new WebAssembly.Module(join([[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], ...sections]));
const instantiate = (module, imports) => new WebAssembly.Instance(module, { '': imports }).exports;

const cache = new Map(); // modules by what they are for

function cached(key, make) {
    if (!cache.has(key))
        cache.set(key, make());
    return cache.get(key);
}

/** Code that turns carriers, in locals from `first` on, into values of these types on the stack. */
function makeAll(types, first) {
    return types.flatMap((type) => {
        const { types: carriers, make = [] } = CARRIERS.get(type), at = first;
        first += carriers.length;
        const get = (local) => [OP.LOCAL_GET, ...leb(local)];
        // v128: a splat of the lower half, in which the upper lane is replaced.
        return type === V128 ? [get(at), [0xfd, 0x12], get(at + 1), [0xfd, 0x1e, 1]] : [get(at), make];
    });
}

/** Code that turns values of these types, in locals from `first` on, into carriers on the stack. */
function splitAll(types, first) {
    return types.flatMap((type, i) =>
        (CARRIERS.get(type).split ?? [[]]).map((split) => [OP.LOCAL_GET, ...leb(first + i), ...split]));
}

/** Code that puts the stack's uppermost values into `count` locals from `first` on. */
const popAll = (count, first) => Array.from({ length: count }, (_, i) => [OP.LOCAL_SET, ...leb(first + count - 1 - i)]);

/** A module with an import of type `inner` and a function of type `outer`, whose code calls it. */
function adapter(inner, outer, locals, code) {
    return compile(section(1, [encodeType(inner), encodeType(outer)]), section(2, [functionImport(0)]),
        section(3, [[1]]), section(7, [[...name('f'), 0, 1]]), section(10, [body(locals, code)]));
}

/** A WebAssembly function of this type that is served by `serve(...carriers)`, which gives its results' carriers in a
 * list. It is one function however often it is imported, in a table, or a reference. */
export function hostFunction(type, serve) {
    const inner = carried(type), single = inner.results.length === 1;
    const f = inner.results.length === 0 ? (...args) => { serve(args); }
        : single ? (...args) => serve(args)[0] : (...args) => serve(args);
    const key = `host ${JSON.stringify(type)}`;
    if (isPlain([...type.params, ...type.results])) {
        return instantiate(cached(key, () => compile(section(1, [encodeType(type)]), section(2, [functionImport(0)]),
            section(7, [[...name('f'), 0, 0]]))), { f }).f;
    }
    return instantiate(cached(key, () => {
        const first = type.params.length;
        return adapter(inner, type, inner.results, [...splitAll(type.params, 0), [OP.CALL, 0],
            ...popAll(inner.results.length, first), ...makeAll(type.results, first)]);
    }), { f }).f;
}

/** A function that calls a guest's function of this type by carriers, and gives its results' carriers in a list. */
export function guestFunction(type, f) {
    const outer = carried(type);
    if (!isPlain([...type.params, ...type.results])) {
        f = instantiate(cached(`guest ${JSON.stringify(type)}`, () => {
            const first = outer.params.length;
            return adapter(type, outer, type.results, [...makeAll(type.params, 0), [OP.CALL, 0],
                ...popAll(type.results.length, first), ...splitAll(type.results, first)]);
        }), { f }).f;
    }
    if (outer.results.length > 1)
        return f;
    return outer.results.length ? (...args) => [f(...args)] : (...args) => (f(...args), []);
}

// ---- Globals ----

/** A global with these bits, or this reference. */
export function makeGlobal({ type, bits }, mutable, references) {
    if (isReference(type)) {
        const descriptor = { value: type === FUNCREF ? 'anyfunc' : 'externref', mutable };
        return new WebAssembly.Global(descriptor, references.thing(type, bits));
    }
    const constant = CARRIERS.get(type).constant ??
        ((number) => type === I32 ? [0x41, ...sleb(BigInt(number | 0))] : [0x42, ...sleb(BigInt.asIntN(64, number))]);
    return instantiate(compile(section(6, [[type, mutable ? 1 : 0, ...constant(bits), OP.END]]),
        section(7, [[...name('g'), 3, 0]])), {}).g;
}

/** Sets a mutable global of the value's type. */
export function setGlobal(global, value, references) {
    const { type } = value, inner = carriersOf([type]);
    instantiate(cached(`set ${type}`, () => compile(section(1, [encodeType({ params: inner, results: [] })]),
        section(2, [globalImport(type, true)]), section(3, [[0]]), section(7, [[...name('set'), 0, 0]]),
        section(10, [body([], [...makeAll([type], 0), [OP.GLOBAL_SET, 0]])]))), { g: global })
        .set(...toCarriers([value], references));
}
