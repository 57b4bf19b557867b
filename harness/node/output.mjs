// What a replayed WASI command prints: its writes to standard output and error, taken from its memory when the trace
// says how much of them the recorded host took.

import fs from 'node:fs';

import { KIND } from './events.mjs';

const CALLS = new Map([['fd_write', 4], ['fd_close', 1], ['fd_renumber', 2]]); // with the numbers of their arguments

/** Writes all bytes to one of this process's streams; false when that fails. */
export function writeAll(fd, bytes) {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let at = 0; at < bytes.length;) {
        try {
            at += fs.writeSync(fd, bytes, at);
        } catch (error) {
            if (error.code !== 'EAGAIN')
                return false;
            Atomics.wait(pause, 0, 0, 1); // a pipe that is full, and that someone made non-blocking
        }
    }
    return true;
}

export class Output {
    constructor() {
        // The guest's descriptors that are its standard output and error, as it closes and renumbers them.
        this.streams = new Map([[1, 1], [2, 2]]);
        this.hasFailed = false;
        this.call = null;
        this.args = [];
    }

    /** To be told of each event in the call of an import, before it has its effect: `memory` is the guest's first
     * one. */
    event(event, functionName, memory) {
        if (event.kind === KIND.import_call)
            this.open(event, functionName);
        else if (event.kind === KIND.memory_write && this.call === 'fd_write' &&
            event.address === BigInt(this.args[3]) && event.bytes.length === 4)
            this.written(memory, Buffer.from(event.bytes).readUInt32LE(0));
        else if (event.kind === KIND.import_return) {
            if (event.results.length === 1 && event.results[0].bits === 0)
                this.close();
            this.call = null;
        }
    }

    open(event, functionName) {
        const name = functionName.slice(functionName.lastIndexOf('.') + 1);
        const isKnown = functionName.startsWith('wasi_') && CALLS.get(name) === event.arguments.length;
        this.call = isKnown ? name : null;
        this.args = event.arguments.map(({ bits }) => bits);
    }

    /** The host tells how many bytes it took: those are in memory still as it found them. */
    written(memory, left) {
        const fd = this.streams.get(this.args[0]);
        if (fd === undefined || !memory)
            return;
        const bytes = Buffer.from(memory.buffer);
        for (let i = 0; i < this.args[2] && left; i++) {
            const at = this.args[1] + 8 * i;
            if (at + 8 > bytes.length)
                return;
            const from = bytes.readUInt32LE(at), size = Math.min(bytes.readUInt32LE(at + 4), left);
            if (from + size > bytes.length)
                return;
            this.hasFailed ||= !writeAll(fd, bytes.subarray(from, from + size));
            left -= size;
        }
    }

    close() {
        const [from, to] = this.args, stream = this.streams.get(from);
        if (this.call === 'fd_close')
            this.streams.delete(from);
        if (this.call !== 'fd_renumber' || from === to)
            return;
        this.streams.delete(to);
        this.streams.delete(from);
        if (stream !== undefined)
            this.streams.set(to, stream);
    }
}
