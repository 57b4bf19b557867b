// Passes values of all types, NaNs of all kinds among them, to a function of the host and back through the small
// modules of bridge.mjs, and in and out of globals: every bit stays.
//   node node_values.mjs REPLAYER-FOLDER

import assert from 'node:assert';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const load = (name) => import(pathToFileURL(path.join(process.argv[2], name)));
const { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } = await load('bytes.mjs');
const { fromCarriers, guestFunction, hostFunction, makeGlobal, setGlobal, toCarriers } = await load('bridge.mjs');

const things = [null, { name: 'a host reference' }];
const references = { thing: (type, bits) => things[bits], number: (type, thing) => things.indexOf(thing) };

const VALUES = [
    [I32, 0], [I32, 0x80000001], [I32, 0xffffffff], [I64, 1n << 63n], [I64, (1n << 64n) - 1n],
    [F32, 0x3f800000], [F32, 0x80000000], [F32, 0x7fc00000], [F32, 0xffc00000], [F32, 0x7fa00001], [F32, 0xff812345],
    [F64, 0x3ff0000000000000n], [F64, 0x7ff8000000000000n], [F64, 0xfff8000000000001n], [F64, 0x7ff4000000000002n],
    [V128, 0x7fa000017ff0000000000001ff812345n], [V128, (1n << 128n) - 1n], [V128, 1n << 64n],
    [EXTERNREF, 0], [EXTERNREF, 1],
].map(([type, bits]) => ({ type, bits }));

/** A function of the host, called as a guest's: what it is given, and what comes back of what it gives. */
function roundTrip(args, results) {
    const type = { params: args.map((value) => value.type), results: results.map((value) => value.type) };
    let got;
    const f = guestFunction(type, hostFunction(type, (carriers) => {
        got = fromCarriers(type.params, carriers, references);
        return toCarriers(results, references);
    }));
    const back = fromCarriers(type.results, f(...toCarriers(args, references)), references);
    assert.deepStrictEqual(got, args);
    assert.deepStrictEqual(back, results);
}

roundTrip([], []);
roundTrip(VALUES, VALUES);
roundTrip([], [...VALUES].reverse());
for (const value of VALUES) {
    roundTrip([value], [value]);
    roundTrip([value, value], []);
    roundTrip([], [value]);
}

/** A global's value, from a module that imports it and exports a function which gets it. */
function readGlobal(global, type, mutable) {
    const module = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        1, 5, 1, 0x60, 0, 1, type, 2, 7, 1, 0, 1, 0x67, 3, type, mutable ? 1 : 0, 3, 2, 1, 0,
        7, 5, 1, 1, 0x66, 0, 0, 10, 6, 1, 4, 0, 0x23, 0, 0x0b));
    const { f } = new WebAssembly.Instance(module, { '': { g: global } }).exports;
    return fromCarriers([type], guestFunction({ params: [], results: [type] }, f)(), references)[0];
}

const isOld = parseInt(process.versions.node, 10) < 20; // V8 10 dies of an imported constant v128

for (const value of VALUES) {
    if (!isOld || value.type !== V128)
        assert.deepStrictEqual(readGlobal(makeGlobal(value, false, references), value.type, false), value);
    const zero = { type: value.type, bits: typeof value.bits === 'bigint' ? 0n : 0 };
    const global = makeGlobal(zero, true, references);
    setGlobal(global, value, references);
    assert.deepStrictEqual(readGlobal(global, value.type, true), value);
}

// A host's function is one reference, however it gets to a guest.
const f = hostFunction({ params: [], results: [] }, () => []);
const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
table.set(0, f);
assert.strictEqual(table.get(0), f);
things.push(f);
assert.strictEqual(makeGlobal({ type: FUNCREF, bits: 2 }, false, references).value, f);
console.log('every bit stays');
