// Damages a trace in many ways, with its checksums put right, and replays each: it ends well, or with a problem in
// words, never with an error of JavaScript's. `lockstep trace verify` has to take the same traces for good.
// The inputs of fuzz targets are replayed as well: what follows their first byte.
//   node node_damage.mjs REPLAYER-FOLDER LOCKSTEP TRACE INPUTS[:INPUTS...] MODULE.wasm...

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, lockstep, trace, inputs, ...modules] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(folder, name)));
const { Checker } = await load('checker.mjs');
const { Problem } = await load('problem.mjs');
const { Reader, crc32 } = await load('reader.mjs');
const { Replayer } = await load('replayer.mjs');

const DAMAGED = 700, JUDGED = 100; // so many: starting a process takes its time
const whole = fs.readFileSync(trace), binaries = modules.map((module) => fs.readFileSync(module));
const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'lockstep-damage-')), 'trace');

/** Puts the checksums of the header and of blocks that are whole right. */
function repair(bytes) {
    if (bytes.length < 20)
        return;
    let at = 20 + bytes.readUInt32LE(12);
    if (at > bytes.length)
        return;
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 16), bytes.subarray(20, at)), 16);
    while (at + 32 <= bytes.length && bytes.toString('latin1', at, at + 4) === 'LKBK') {
        const end = at + 32 + bytes.readUInt32LE(at + 8);
        if (end > bytes.length)
            return;
        bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 28), bytes.subarray(at + 32, end)), at + 28);
        at = end;
    }
}

const counts = { well: 0, refused: 0, defects: 0 };

/** Whether the reader here takes the file for a whole trace. */
function isGood() {
    const fd = fs.openSync(file);
    try {
        const reader = new Reader(fd), checker = new Checker(reader.header);
        for (let event = reader.next(); event; event = reader.next())
            checker.add(event);
        return !reader.isCut;
    } catch {
        return false;
    } finally {
        fs.closeSync(fd);
    }
}

/** Compares both readers' verdicts on the file. */
function judge(how) {
    const { status, stderr } = spawnSync(lockstep, ['trace', 'verify', file], { encoding: 'utf8' });
    if ((status === 0) === isGood())
        return;
    counts.defects++;
    console.log(`${how}: lockstep trace verify: exit status ${status}, ${stderr}; here: ${isGood()}`);
}

function replay(bytes, how) {
    fs.writeFileSync(file, bytes);
    const fd = fs.openSync(file);
    try {
        new Replayer(new Reader(fd), binaries, { event() {} }, () => {}).run();
        counts.well++;
    } catch (error) {
        const isProblem = error instanceof Problem && !/undefined(?! element)|NaN|\[object/.test(error.message);
        counts[isProblem ? 'refused' : 'defects']++;
        if (!isProblem)
            console.log(`${how}: ${error.stack}`);
    }
    fs.closeSync(fd);
}

let seed = 1; // xorshift32
function random(below) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
}

replay(whole, 'whole');
for (let size = 0; size < whole.length; size += 37)
    replay(whole.subarray(0, size), `cut at ${size}`);
for (let i = 0; i < DAMAGED; i++) {
    const bytes = Buffer.from(whole), at = random(bytes.length);
    bytes[at] = i % 2 ? bytes[at] ^ (1 << random(8)) : random(256);
    repair(bytes);
    replay(bytes, `byte ${at} is ${bytes[at]}`);
    if (i < JUDGED)
        judge(`byte ${at} is ${bytes[at]}`);
}
for (const from of inputs.split(':'))
    for (const name of fs.readdirSync(from))
        replay(fs.readFileSync(path.join(from, name)).subarray(1), name);
fs.rmSync(path.dirname(file), { recursive: true });
console.log(`${counts.refused} damaged traces are refused, ${counts.well} replay to an end, ` +
    `${counts.defects} show defects`);
process.exitCode = counts.defects || !counts.refused || !counts.well ? 1 : 0;
