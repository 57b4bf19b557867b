// The replayer: a host that knows nothing but a trace. It makes the guest's calls, answers its imports, and compares
// what the guest does with what was recorded. Guests call it where they call an import; calls nest as those of the
// recorded run.

import { createHash } from 'node:crypto';

import { guestFunction, hostFunction, fromCarriers, toCarriers } from './bridge.mjs';
import { Checker, sameFunctype, sameTypes } from './checker.mjs';
import { difference } from './difference.mjs';
import { INFORMATION, KIND, KINDS, NO_INDEX, ORDER, TRAP, trapName } from './events.mjs';
import { Host } from './host.mjs';
import { Module } from './module.mjs';
import { Problem, diverged, malformed, unsupported } from './problem.mjs';
import { ImportEnd, innermost, trapsOf } from './traps.mjs';

const SETTINGS = { nan: /^(canonical|any)$/, 'simd.relaxed': /^(none|deterministic)$/, grow: /^(limits|any)$/,
    stack: /^(unknown|[0-9]+)$/ };

/** Inside of a call, where the trace is at its end. */
class OutOfTrace extends Error {}

function sameImport(a, b) {
    return a.module === b.module && a.name === b.name && a.kind === b.kind && a.mutable === b.mutable &&
        (a.kind === 'function' ? sameFunctype(a.type, b.type) : a.type === b.type);
}

function openModule(recorded, bytes) {
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (hash !== recorded.hash)
        throw diverged(`another module was recorded: expected SHA-256 ${recorded.hash}, got ${hash}`);
    const module = new Module(bytes);
    if (module.imports.length !== recorded.imports.length ||
        !module.imports.every((wanted, i) => sameImport(wanted, recorded.imports[i])))
        throw malformed("the header's imports are not those of the module");
    return module;
}

export class Replayer {
    /** `binaries` are of the trace's modules. `output` is told of events in imports' calls, `trapped` of the error that
     * ended an outermost call of a guest. */
    constructor(reader, binaries, output, trapped) {
        const { settings, modules } = reader.header;
        if (binaries.length !== modules.length)
            throw new Problem('USAGE',
                `replaying: the trace has ${modules.length} modules; ${binaries.length} are given`);
        this.modules = modules.map((recorded, i) => {
            try {
                return openModule(recorded, binaries[i]);
            } catch (error) {
                throw error instanceof Problem ? error.within(`module ${i}`) : error;
            }
        });
        for (const [key, values] of Object.entries(SETTINGS))
            if (settings.has(key) && !values.test(settings.get(key)))
                throw unsupported(`the trace has the setting ${key}=${settings.get(key)}, which is not known here`);
        this.isCanonical = settings.get('nan') === 'canonical';
        this.reader = reader;
        this.checker = new Checker(reader.header);
        this.host = new Host(this, this.modules, this.isCanonical);
        this.output = output;
        this.trapped = trapped;
        this.ahead = null; // read, not replayed yet
        this.at = 0; // number of the event that is being replayed
        this.events = 0; // replayed
        this.import = null; // the innermost import's call: its instance and function
        this.depth = 0; // calls of guests that are open
        this.end = null;
        this.failure = ''; // of the last import that did not return
    }

    // ---- Going on in the trace ----

    within(error) {
        return error instanceof Problem ? error.within(`event ${this.at}`) : error;
    }

    /** Does `action` for the event that is replayed: what it cannot do is told with the event's number. */
    atEvent(action) {
        try {
            return action();
        } catch (error) {
            throw this.within(error);
        }
    }

    /** The next event that does something, or null at the end; it stays the next one until it is taken. */
    peek() {
        while (!this.ahead) {
            const event = this.reader.next();
            if (!event)
                return null;
            this.checker.add(event);
            this.at = event.number;
            if (event.kind === KIND.host_function)
                this.atEvent(() => this.host.defineFunction(event));
            else if (event.kind === KIND.funcref)
                this.atEvent(() => this.host.defineReference(event));
            else if (event.kind < INFORMATION)
                this.ahead = event;
            if (!this.ahead)
                this.events++;
        }
        return this.ahead;
    }

    /** The same inside of a call, where the trace cannot be at its end unless it was cut. */
    peekInside() {
        const event = this.peek();
        if (!event)
            throw new OutOfTrace();
        return event;
    }

    take() {
        this.ahead = null;
        this.events++;
    }

    tell(event) {
        if (!this.import)
            return;
        const { name } = this.host.functions[this.import.function];
        this.output.event(event, name, this.host.memoryOf(this.import.instance));
    }

    /** What the guest did, against the next event, which is not taken. */
    compare(got) {
        const expected = this.peekInside();
        const full = { title: KINDS.get(got.kind)[0], ...got };
        const words = difference(expected, full, this.host.functions, !this.isCanonical);
        if (words)
            throw diverged(`event ${this.at}: ${words}`);
        return expected;
    }

    /** Values with numbers for references, by what the trace defines before its next event. */
    numbered(types, carriers) {
        this.peekInside();
        return fromCarriers(types, carriers, this.host.references);
    }

    // ---- Calls of the guest ----

    callGuest(event) {
        const { f, type } = this.atEvent(() => this.guest(event));
        const args = toCarriers(event.arguments, this.host.references);
        const outer = this.import;
        let results, ended = null;
        this.take();
        this.depth++;
        try {
            results = f(...args);
        } catch (error) {
            ended = error;
        }
        this.depth--;
        this.import = outer;
        if (ended) {
            this.compareEnd(ended);
        } else {
            this.compare({ kind: KIND.guest_return, results: this.numbered(type.results, results) });
        }
        this.take();
    }

    /** The guest's function that an event calls, and its type. */
    guest(event) {
        const found = this.host.guestFunction(event.function);
        if (!sameTypes(event.arguments.map(({ type }) => type), found.type.params))
            throw malformed("guest call: its arguments are not those of the function's type");
        found.f = guestFunction(found.type, found.f);
        return found;
    }

    /** Compares how a call ended that did not return. */
    compareEnd(error) {
        if (error instanceof ImportEnd && error.kind === KIND.import_exit) {
            this.compare({ kind: KIND.guest_exit, status: error.status });
            return;
        }
        const traps = trapsOf(error);
        if (!traps)
            throw error;
        const expected = this.peekInside(), got = { kind: KIND.guest_trap, traps };
        // Where a stack is exhausted is the engine's affair.
        if (expected.kind === KIND.guest_trap && !traps.includes(TRAP.STACK)) {
            const place = innermost(error, this.host.instances);
            for (const field of ['instance', 'function', 'pc'])
                if (place && expected[field] !== NO_INDEX)
                    got[field] = place[field];
        }
        this.compare(got);
        if (!this.depth)
            this.trapped(error, expected.trap);
    }

    // ---- The host's turn ----

    /** An instantiation that traps is an event directly behind it. */
    compareInstantiation(error) {
        const next = this.peek(), traps = error && trapsOf(error);
        if (error && !traps)
            throw this.within(malformed(`instantiating: ${error.message}`));
        if (!next || (!traps && next.kind !== KIND.instantiation_trap))
            return;
        if (!traps)
            throw diverged(`event ${this.at}: expected instantiation trap "${trapName(next.trap)}", got none`);
        this.compare({ kind: KIND.instantiation_trap, traps });
        this.take();
    }

    doHostEvent(event) {
        this.tell(event);
        const error = this.atEvent(() => this.host.change(event));
        this.take();
        if (event.kind === KIND.instantiate)
            this.compareInstantiation(error);
    }

    /** Does what the host did until an event that ends the import's call, which is given and not taken; or, outside of
     * calls, until the end. */
    playHost() {
        for (;;) {
            const event = this.import ? this.peekInside() : this.peek();
            if (!event)
                return null;
            if (event.kind === KIND.end) {
                this.end = event;
                this.take();
            } else if (event.kind === KIND.guest_call) {
                this.callGuest(event);
            } else if (KINDS.get(event.kind)[1] === ORDER.END_IMPORT) {
                return event;
            } else {
                this.doHostEvent(event);
            }
        }
    }

    // ---- Imports ----

    /** A WebAssembly function for host function `number` of the trace. */
    makeFunction(number, type) {
        return hostFunction(type, (carriers) => this.serve(number, type, carriers));
    }

    serve(number, type, carriers) {
        const instance = this.host.callingInstance();
        const event = this.compare({ kind: KIND.import_call, instance, function: number,
            arguments: this.numbered(type.params, carriers) });
        this.import = { instance, function: number };
        this.tell(event);
        this.take();
        const end = this.playHost();
        this.tell(end);
        this.take();
        this.import = null;
        if (end.kind === KIND.import_return)
            return toCarriers(end.results, this.host.references);
        if (end.kind === KIND.import_trap)
            this.failure = end.message;
        throw new ImportEnd(end);
    }

    // ---- Running ----

    /** Replays to the trace's end, or to where it was cut. */
    run() {
        try {
            this.playHost();
        } catch (error) {
            if (!(error instanceof OutOfTrace))
                throw error;
        }
    }
}
