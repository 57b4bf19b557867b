// What a trace must be beyond its framing: numbers of what came before, values of the right types, links that fit the
// modules' imports, ends of calls that follow from each other. Keeps what events define.

import { EXTERNREF, FUNCREF, hex, isReference } from './bytes.mjs';
import { INFORMATION, KIND, KINDS, NO_INDEX, NO_LIMIT, ORDER } from './events.mjs';
import { Problem, malformed, unsupported } from './problem.mjs';

export const sameTypes = (a, b) => a.length === b.length && a.every((type, i) => type === b[i]);
export const sameFunctype = (a, b) => sameTypes(a.params, b.params) && sameTypes(a.results, b.results);

export class Checker {
    constructor(header) {
        this.header = header;
        this.host = { function: [], table: [], memory: [], global: [] }; // what the host made
        this.instances = []; // how many of each kind their modules import
        this.imported = header.modules.map(({ imports }) => {
            const counts = { function: 0, table: 0, memory: 0, global: 0 };
            imports.forEach(({ kind }) => counts[kind]++);
            return counts;
        });
        this.calls = []; // for each open call: the host function, or null for a guest's
        this.funcrefs = 0;
        this.externrefs = 0;
        this.ending = null; // how the guest's call has to end
        this.mayTrap = false; // an instantiate came directly before
    }

    add(event) {
        const order = KINDS.get(event.kind)?.[1];
        try {
            this.checkEnding(event, order);
            this.check(event);
        } catch (error) {
            throw error instanceof Problem ? error.within(`event ${event.number}, ${event.title ?? 'unknown'}`) : error;
        }
        this.mayTrap = event.kind === KIND.instantiate;
        if (order === ORDER.END_GUEST || order === ORDER.END_IMPORT)
            this.calls.pop();
    }

    /** After an import that trapped or exited, the guest does nothing more. */
    checkEnding(event, order) {
        const ending = this.ending;
        if (!ending || (order !== ORDER.END_GUEST && order !== ORDER.CALL_IMPORT))
            return;
        this.ending = null;
        if (event.kind !== ending.kind || (event.trap ?? event.status) !== ending.value)
            throw malformed(`the call around the import has to end with ${KINDS.get(ending.kind)[0]} ${ending.value}`);
    }

    check(event) {
        switch (event.kind) {
        case KIND.instantiate: return this.instantiate(event);
        case KIND.import_call: return this.importCall(event);
        case KIND.import_return: return this.typed('results', event.results, this.calls.at(-1).results);
        case KIND.import_trap: this.ending = { kind: KIND.guest_trap, value: event.trap }; return;
        case KIND.import_exit: this.ending = { kind: KIND.guest_exit, value: event.status }; return;
        case KIND.memory_write:
            this.place('memory', event.memory);
            return this.range('addresses', event.address, event.bytes.length);
        case KIND.memory_grow: return this.place('memory', event.memory);
        case KIND.global_set: return this.globalSet(event);
        case KIND.table_set:
            this.table(event.table, event.elements.type);
            event.elements.values.forEach((bits) => this.value(event.elements.type, bits));
            return this.range('elements', event.first, event.elements.values.length);
        case KIND.table_grow:
            this.table(event.table, event.value.type);
            return this.value(event.value.type, event.value.bits);
        case KIND.funcref:
            this.place('function', event.function);
            this.funcrefs++;
            return;
        case KIND.host_function: this.host.function.push(event.type); return;
        case KIND.host_memory: this.host.memory.push({}); return;
        case KIND.host_table:
            if (!isReference(event.type))
                throw malformed(`${hex(event.type)} is no reference type`);
            this.host.table.push({ type: event.type });
            return;
        case KIND.host_global:
            this.value(event.value.type, event.value.bits);
            this.host.global.push({ type: event.value.type, mutable: event.mutable });
            return;
        case KIND.guest_call:
            if (!event.function.owner)
                throw malformed("a function of the host is no guest's");
            this.place('function', event.function);
            this.values(event.arguments);
            this.calls.push(null);
            return;
        case KIND.guest_return: return this.values(event.results);
        case KIND.guest_trap: return event.instance === NO_INDEX ? undefined : this.instance(event.instance);
        case KIND.instantiation_trap:
            if (!this.mayTrap)
                throw malformed('it has to follow its instantiate');
            return;
        default:
            if (event.kind < INFORMATION && !event.title)
                throw unsupported(`this version does not know events of kind ${hex(event.kind)}`);
        }
    }

    instance(number) {
        if (number >= this.instances.length)
            throw malformed(`there is no instance ${number} yet`);
    }

    place(kind, { owner, index }) {
        if (!owner) {
            if (index >= this.host[kind].length)
                throw malformed(`there is no host ${kind} ${index} yet`);
            return;
        }
        this.instance(owner - 1);
        if (index < this.instances[owner - 1][kind])
            throw malformed(`${kind} ${index} of instance ${owner - 1} is an import: its owner is another`);
    }

    value(type, bits) {
        if (type === FUNCREF && bits > this.funcrefs)
            throw malformed(`there is no function reference ${bits - 1} yet`);
        if (type === EXTERNREF && bits > this.externrefs) {
            if (bits - 1 !== this.externrefs)
                throw malformed(`host reference ${bits - 1} comes before ${this.externrefs}`);
            this.externrefs++;
        }
    }

    values(values) {
        values.forEach(({ type, bits }) => this.value(type, bits));
    }

    typed(what, values, types) {
        if (values.length !== types.length)
            throw malformed(`${values.length} ${what}; the function's type has ${types.length}`);
        if (values.some(({ type }, i) => type !== types[i]))
            throw malformed(`the types of its ${what} are not those of the function`);
        this.values(values);
    }

    table(place, type) {
        this.place('table', place);
        if (!isReference(type) || (!place.owner && this.host.table[place.index].type !== type))
            throw malformed(`the table's elements are not of type ${hex(type)}`);
    }

    globalSet({ global, value }) {
        this.place('global', global);
        const other = global.owner ? null : this.host.global[global.index];
        if (other && (!other.mutable || other.type !== value.type))
            throw malformed(`host global ${global.index} cannot be set to this`);
        this.value(value.type, value.bits);
    }

    range(what, first, count) {
        if (first + BigInt(count) > NO_LIMIT)
            throw malformed(`${what} past the end of numbers`);
    }

    instantiate(event) {
        const module = this.header.modules[event.module];
        if (!module)
            throw malformed(`there is no module ${event.module}`);
        if (event.imports.length !== module.imports.length)
            throw malformed(`${event.imports.length} imports; the module has ${module.imports.length}`);
        module.imports.forEach((wanted, i) => {
            const { owner, index } = event.imports[i];
            this.place(wanted.kind, event.imports[i]);
            // The instances' own types are the modules' affair.
            const made = owner ? null : this.host[wanted.kind][index];
            const fits = !made || wanted.kind === 'memory' ||
                (wanted.kind === 'function' ? sameFunctype(wanted.type, made)
                    : wanted.type === made.type && wanted.mutable === made.mutable);
            if (!fits)
                throw malformed(`import ${i}, ${wanted.module}.${wanted.name}: what the host made is of another type`);
        });
        this.instances.push(this.imported[event.module]);
    }

    importCall(event) {
        const type = this.host.function[event.function];
        if (!type)
            throw malformed(`there is no host function ${event.function} yet`);
        this.instance(event.instance);
        this.typed('arguments', event.arguments, type.params);
        this.calls.push(type);
    }
}
