// `lockstep replay --engine node`: replays a trace in Node, on an engine that is not ours: a second implementation of
// runtime/trace/FORMAT.md, which shares no code with the first.
//
//   node replay.mjs [--name NAME] TRACE MODULE.wasm...
//
// TRACE "-" is standard input; NAME is what messages call it. Prints what the recorded run printed and ends with its
// exit status, 134 after a trap; or with 1 at the first difference or where the trace was cut, and 2 when it cannot do
// that.

import fs from 'node:fs';

import { OUTCOME, trapName } from './events.mjs';
import { Output, writeAll } from './output.mjs';
import { Problem } from './problem.mjs';
import { Reader } from './reader.mjs';
import { Replayer } from './replayer.mjs';
import { frames } from './traps.mjs';

const STATUS = { FOUND: 1, FAILED: 2, TRAPPED: 134 };
const SHOWN = 50; // frames of a trap

const complain = (text) => writeAll(2, Buffer.from(`lockstep replay: ${text}\n`));

function showTrap(error, trap, instances) {
    const found = frames(error, instances), lines = found.slice(0, SHOWN).map((frame, i) => {
        const name = instances[frame.instance].module.names.get(frame.function) ?? '?';
        return `\n  #${i} ${name} [function ${frame.function}, pc 0x${frame.pc.toString(16)}]`;
    });
    if (found.length > SHOWN)
        lines.push('\n  and frames more');
    complain(`trap: ${trapName(trap)}${lines.join('')}`);
}

function open(path) {
    try {
        return path === '-' ? 0 : fs.openSync(path);
    } catch (error) {
        throw new Problem('OS', error.message);
    }
}

/** What is to be said of a replay that came to the trace's end: the exit status. */
function conclude(name, replayer, output) {
    const { end, reader } = replayer;
    if (output.hasFailed)
        throw new Problem('OS', 'cannot write what the guest prints');
    if (!end) {
        const cut = reader.isCut ? `cut short: ${reader.behind} bytes are behind the last whole block; ` : '';
        complain(`${name}: ${cut}${replayer.events} events are replayed, and the program has not ended there`);
        return STATUS.FOUND;
    }
    if (end.outcome === OUTCOME.FAILED)
        throw new Problem('OS', replayer.failure);
    return end.outcome === OUTCOME.TRAPPED ? STATUS.TRAPPED : end.status & 0xff;
}

function replay(name, path, modules) {
    const reader = new Reader(open(path));
    const binaries = modules.map((module) => fs.readFileSync(open(module)));
    const output = new Output();
    const replayer = new Replayer(reader, binaries, output,
        (error, trap) => showTrap(error, trap, replayer.host.instances));
    replayer.run();
    return conclude(name, replayer, output);
}

function main(words) {
    let name = null;
    if (words[0] === '--name')
        [, name] = words.splice(0, 2);
    const [path, ...modules] = words;
    if (!path) {
        complain('needs a trace and its modules');
        return STATUS.FAILED;
    }
    name ??= path;
    Error.stackTraceLimit = SHOWN + 10; // some frames are ours
    try {
        return replay(name, path, modules);
    } catch (error) {
        const isKnown = error instanceof Problem || error.syscall; // the latter: reading failed
        complain(`${name}: ${isKnown ? '' : 'a defect of the replayer: '}${error.message}`);
        return isKnown && error.code === 'DIVERGED' ? STATUS.FOUND : STATUS.FAILED;
    }
}

process.exitCode = main(process.argv.slice(2));
