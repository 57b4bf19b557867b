// Doing again what the host did: the things that it made, the instances, the changes of what guests have; and what the
// trace's numbers stand for.

import { makeGlobal, setGlobal } from './bridge.mjs';
import { FUNCREF, hex } from './bytes.mjs';
import { UNKNOWN, showLimit } from './difference.mjs';
import { KIND, NO_LIMIT } from './events.mjs';
import { exportName } from './module.mjs';
import { diverged, malformed, unsupported } from './problem.mjs';
import { instanceOfFrame } from './traps.mjs';

// No run has as many; a trace of unknown origin must not reserve address space and memory without end.
const MAX_THINGS = 10000, MAX_ELEMENTS = 10_000_000, MAX_PAGES = 65536n;

const OWN_FRAMES = 16; // more than lie between a guest and what asks who called

const elementName = (type) => (type === FUNCREF ? 'anyfunc' : 'externref');

/** Function and host references by the trace's numbers: 0 is null, n + 1 entry n. */
class References {
    constructor() {
        this.functions = [];
        this.numbers = new Map(); // of functions and of what stands for host references
        this.things = []; // an object for each host reference: nothing looks behind it
    }

    addFunction(f) {
        this.functions.push(f);
        this.numbers.set(f, this.functions.length);
    }

    thing(type, number) {
        if (!number)
            return null;
        if (type === FUNCREF)
            return this.functions[number - 1];
        while (this.things.length < number) {
            this.things.push({ number: this.things.length });
            this.numbers.set(this.things.at(-1), this.things.length);
        }
        return this.things[number - 1];
    }

    number(type, thing) {
        return thing === null ? 0 : this.numbers.get(thing) ?? UNKNOWN;
    }
}

export class Host {
    /** `modules` are the trace's; `replayer` makes functions that it serves. */
    constructor(replayer, modules, isCanonical) {
        this.replayer = replayer;
        this.modules = modules;
        this.isCanonical = isCanonical;
        this.functions = []; // names and types, as the trace has them
        this.things = { function: [], table: [], memory: [], global: [] }; // what the host made
        // module, exports, original (see Module.prepare); exports is null where instantiating trapped
        this.instances = [];
        this.references = new References();
        this.elements = 0; // of all tables of the host together
    }

    // ---- Places ----

    resolve(kind, { owner, index }) {
        if (!owner)
            return this.things[kind][index]; // the checker has seen that it is there
        const { exports } = this.instances[owner - 1];
        if (!exports)
            throw unsupported(`${kind} ${index} of instance ${owner - 1}: instantiating it trapped, and JavaScript ` +
                'has no hold on it');
        const found = exports[exportName(kind, index)];
        if (!found)
            throw malformed(`instance ${owner - 1} has no ${kind} ${index}`);
        return found;
    }

    /** A guest's function, and its type. */
    guestFunction(place) {
        const f = this.resolve('function', place);
        return { f, type: this.instances[place.owner - 1].module.functions[place.index] };
    }

    memoryOf(instance) {
        return this.instances[instance].exports?.[exportName('memory', 0)];
    }

    /** The instance whose code has called an import just now. */
    callingInstance() {
        if (this.instances.length === 1)
            return 0;
        const limit = Error.stackTraceLimit;
        Error.stackTraceLimit = OWN_FRAMES;
        const { stack } = new Error();
        Error.stackTraceLimit = limit;
        return instanceOfFrame(stack) ?? UNKNOWN;
    }

    // ---- What the host made ----

    defineFunction({ name, type }) {
        this.functions.push({ name, type });
        this.add('function', this.replayer.makeFunction(this.things.function.length, type));
    }

    defineReference(event) {
        this.references.addFunction(this.resolve('function', event.function));
    }

    add(kind, thing) {
        if (this.things[kind].length >= MAX_THINGS)
            throw unsupported(`more of a ${kind} than a replay can have`);
        this.things[kind].push(thing);
    }

    countElements(more) {
        if (more > BigInt(MAX_ELEMENTS - this.elements))
            throw unsupported('more elements in tables of the host than a replay can have');
        this.elements += Number(more);
    }

    /** What limits are to JavaScript; `make` is given them. */
    limited(what, initial, maximum, most, make) {
        if (initial > most || (maximum !== NO_LIMIT && maximum < initial))
            throw unsupported(`a ${what} of ${initial}, at most ${showLimit(maximum)}`);
        const bound = maximum > most ? most : maximum; // JavaScript takes no more
        try {
            return make({ initial: Number(initial), ...(maximum === NO_LIMIT ? {} : { maximum: Number(bound) }) });
        } catch (error) {
            throw unsupported(`a ${what} of ${initial}: ${error.message}`);
        }
    }

    defineMemory({ pages, maximum }) {
        this.add('memory', this.limited('memory', pages, maximum, MAX_PAGES,
            (limits) => new WebAssembly.Memory(limits)));
    }

    defineTable({ type, size, maximum }) {
        this.countElements(size);
        this.add('table', this.limited('table', size, maximum, 0xffffffffn,
            (limits) => new WebAssembly.Table({ element: elementName(type), ...limits }, null)));
    }

    // ---- Instances ----

    /** Instantiates; gives the error in which that ended, or null. One that trapped is there all the same. */
    instantiate(event) {
        if (this.instances.length >= MAX_THINGS)
            throw unsupported('more instances than a replay can have');
        const module = this.modules[event.module];
        const things = event.imports.map((place, i) => this.resolve(module.imports[i].kind, place));
        let prepared;
        try {
            prepared = module.prepare(this.instances.length, this.isCanonical);
        } catch (error) {
            throw error instanceof WebAssembly.CompileError ? unsupported(`V8: ${error.message}`) : error;
        }
        const instance = { module, original: prepared.original, exports: null };
        this.instances.push(instance);
        // Imports are asked for in their order, and two of one name can be two things.
        let next = 0;
        const fields = new Proxy({}, { get: () => things[next++] });
        try {
            instance.exports = new WebAssembly.Instance(prepared.module, new Proxy({}, { get: () => fields })).exports;
        } catch (error) {
            return error;
        }
        return null;
    }

    // ---- Changes ----

    writeMemory({ memory: place, address, bytes }) {
        const { buffer } = this.resolve('memory', place);
        if (address + BigInt(bytes.length) > BigInt(buffer.byteLength))
            throw diverged(`memory write: expected room for ${bytes.length} bytes at address ${hex(address)}, ` +
                `got a memory of ${hex(buffer.byteLength)}`);
        new Uint8Array(buffer).set(bytes, Number(address));
    }

    /** Grows by `action`, which gives the old size and throws where it is refused. */
    grow(title, event, isPossible, action) {
        let old = NO_LIMIT;
        try {
            if (isPossible)
                old = BigInt(action());
        } catch (error) {
            if (!(error instanceof RangeError))
                throw error;
        }
        if (old !== event.old)
            throw diverged(`${title}: old: expected ${showLimit(event.old)}, got ${showLimit(old)}`);
    }

    growMemory(event) {
        const memory = this.resolve('memory', event.memory);
        this.grow('memory grow', event, event.pages <= MAX_PAGES, () => memory.grow(Number(event.pages)));
    }

    setGlobal(event) {
        const global = this.resolve('global', event.global), { owner, index } = event.global;
        const type = owner ? this.instances[owner - 1].module.globals[index] : null;
        if (type && (!type.mutable || type.type !== event.value.type))
            throw malformed('the global cannot be set to a value of this type');
        setGlobal(global, event.value, this.references);
    }

    table(place, type) {
        const table = this.resolve('table', place);
        if (place.owner && this.instances[place.owner - 1].module.tables[place.index] !== type)
            throw malformed("the table's elements are of another type");
        return table;
    }

    setTable({ table: place, first, elements: { type, values } }) {
        const table = this.table(place, type);
        if (first + BigInt(values.length) > BigInt(table.length))
            throw diverged(`table set: expected elements from ${first} on, got a table of ${table.length}`);
        values.forEach((number, i) => table.set(Number(first) + i, this.references.thing(type, number)));
    }

    growTable(event) {
        const { type, bits } = event.value, table = this.table(event.table, type);
        if (event.old !== NO_LIMIT)
            this.countElements(event.count);
        this.grow('table grow', event, event.count <= 0xffffffffn,
            () => table.grow(Number(event.count), this.references.thing(type, bits)));
    }

    /** Does what a host's event says. Of `instantiate`, gives the error in which it ended, or null. */
    change(event) {
        switch (event.kind) {
        case KIND.instantiate: return this.instantiate(event);
        case KIND.host_memory: return this.defineMemory(event);
        case KIND.host_table: return this.defineTable(event);
        case KIND.host_global: return this.add('global', makeGlobal(event.value, event.mutable, this.references));
        case KIND.memory_write: return this.writeMemory(event);
        case KIND.memory_grow: return this.growMemory(event);
        case KIND.global_set: return this.setGlobal(event);
        case KIND.table_set: return this.setTable(event);
        case KIND.table_grow: return this.growTable(event);
        default: throw malformed('it cannot come here');
        }
    }
}
