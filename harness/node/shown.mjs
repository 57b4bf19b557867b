// What two traces of one program show when they are replayed, and whether that is the same: the judge of faults that are
// planted in traces. It shares no code with the replayer that is tested.
//
//   node shown.mjs TRACE TRACE MODULE.wasm...
//
// Shown is each call of an import with its arguments, what it returned and the guest's memory, both in front of the call
// and behind it; how the run ended; and what a replay is refused for. Exit status 0 when both show the same, 1 when not,
// with the first difference on standard output, 2 when that cannot be told, with the reason.

import { createHash } from 'node:crypto';
import fs from 'node:fs';

import { KIND, OUTCOME, trapName } from './events.mjs';
import { writeAll } from './output.mjs';
import { Problem } from './problem.mjs';
import { Reader } from './reader.mjs';
import { Replayer } from './replayer.mjs';

const STATUS = { SAME: 0, DIFFERS: 1, UNKNOWN: 2 };

const showValues = (values) => values.map(({ bits }) => String(bits)).join(', ');
const digest = (memory) =>
    memory ? createHash('sha256').update(Buffer.from(memory.buffer)).digest('hex').slice(0, 16) : '';

class Story {
    constructor() {
        this.lines = [];
    }

    event(event, name, memory) {
        switch (event.kind) {
        case KIND.import_call: this.lines.push(`${name}(${showValues(event.arguments)})`); break;
        case KIND.import_return: this.lines.push(`${name} returns (${showValues(event.results)})`); break;
        case KIND.import_exit: this.lines.push(`${name} exits with ${event.status}`); break;
        case KIND.import_trap: this.lines.push(`${name} traps: ${event.message}`); break;
        default: return; // of what the host changed, the effect counts
        }
        this.lines.push(`memory ${digest(memory)} at ${name}`);
    }

    end({ end }) {
        const outcome = Object.keys(OUTCOME).find((name) => OUTCOME[name] === end?.outcome) ?? 'cut short';
        this.lines.push(`the end: ${outcome} ${end?.status ?? ''}`);
    }
}

function tell(path, modules) {
    const story = new Story();
    try {
        const trapped = (error, trap) => story.lines.push(`trap: ${trapName(trap)}`);
        const replayer = new Replayer(new Reader(fs.openSync(path)), modules.map((module) => fs.readFileSync(module)),
            story, trapped);
        replayer.run();
        story.end(replayer);
    } catch (error) {
        if (!(error instanceof Problem) || !['DIVERGED', 'MALFORMED'].includes(error.code))
            throw error;
        story.lines.push(`refused: ${error.message}`);
    }
    return story.lines;
}

function main([first, second, ...modules]) {
    try {
        const [a, b] = [tell(first, modules), tell(second, modules)];
        const at = a.findIndex((line, i) => line !== b[i]);
        if (at < 0 && a.length === b.length)
            return STATUS.SAME;
        const i = at < 0 ? a.length : at;
        writeAll(1, Buffer.from(`${a[i] ?? 'nothing'}, then ${b[i] ?? 'nothing'}\n`));
        return STATUS.DIFFERS;
    } catch (error) {
        writeAll(1, Buffer.from(`${error.message}\n`));
        return STATUS.UNKNOWN;
    }
}

process.exitCode = main(process.argv.slice(2));
