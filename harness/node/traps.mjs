// What V8 says of a trap: which of the trace's traps it may be, and where it was.

import { KIND, TRAP } from './events.mjs';

/** How an import ended that did not return: thrown through the guest that called it. */
export class ImportEnd extends Error {
    constructor({ kind, trap, status, message }) {
        super(message);
        Object.assign(this, { kind, trap, status });
    }
}

// V8's messages, and the traps that each can be. Where there are several, V8 does not tell them apart.
const MESSAGES = [
    [/^unreachable/, [0]],
    [/^memory access out of bounds|data segment/, [TRAP.MEMORY]],
    [/^table index is out of bounds/, [TRAP.TABLE, 3]], // table.get and others; call_indirect
    [/^table (access|.*out of bounds)|element segment|table initializer/, [TRAP.TABLE]],
    [/^null function or function signature mismatch/, [4, 5]],
    [/^float unrepresentable in integer range/, [6, 8]], // out of range; of a NaN
    [/^divide result unrepresentable/, [6]],
    [/^(divide|remainder) by zero/, [7]],
];

/** The traps of the trace that an error can be; null where it is none. */
export function trapsOf(error) {
    if (error instanceof ImportEnd)
        return error.kind === KIND.import_trap ? [error.trap] : null;
    if (error instanceof RangeError && /call stack size exceeded/.test(error.message))
        return [TRAP.STACK];
    if (!(error instanceof WebAssembly.RuntimeError))
        return null;
    const message = error.message.replace(/^WebAssembly\.\w+\(\): /, '');
    return MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? null;
}

// ---- Places ----

// A guest's frame in a stack trace. Modules are named by their instance's number: see Module.prepare.
const FRAME = /wasm:\/\/wasm\/instance-(\d+)-[0-9a-f]+:wasm-function\[(\d+)\]:0x([0-9a-f]+)/;

/** The instance of the innermost guest's frame. */
export function instanceOfFrame(stack) {
    const found = FRAME.exec(stack);
    return found && Number(found[1]);
}

/** The guests' frames, the innermost first: instance, function, and pc as the trace has it. */
export function frames(error, instances) {
    const found = [];
    for (const match of error.stack.matchAll(new RegExp(FRAME, 'g'))) {
        const instance = Number(match[1]);
        found.push({ instance, function: Number(match[2]), pc: instances[instance].original(parseInt(match[3], 16)) });
    }
    return found;
}

export const innermost = (error, instances) => frames(error, instances)[0];
