// Node's side of `lockstep bench runtime`.
//   bench_node.js run FILE AMOUNT      runs a WASI command, which times itself; the working folder is its own
//   bench_node.js start FILE REPEATS   compiles the module again and again; prints the seconds of each as JSON
'use strict';
const fs = require('fs');
const [mode, file, number] = process.argv.slice(2);

function run() {
    const {WASI} = require('wasi');
    const wasi = new WASI({version: 'preview1', args: [file, number], preopens: {'.': '.'}, returnOnExit: true});
    const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(file)), wasi.getImportObject());
    process.exitCode = wasi.start(instance);
}

// Each time other bytes, a custom section with a number, so that no cache of compiled modules answers.
function start() {
    const bytes = fs.readFileSync(file);
    const seconds = [];
    for (let i = 0; i < Number(number); i++) {
        const section = Buffer.from([0, 6, 1, 0x6e, i & 0xff, i >> 8 & 0xff, process.pid & 0xff, process.pid >> 8 & 0xff]);
        const distinct = Buffer.concat([bytes, section]);
        const started = process.hrtime.bigint();
        const module = new WebAssembly.Module(distinct);
        seconds.push(Number(process.hrtime.bigint() - started) / 1e9);
    }
    console.log(JSON.stringify({seconds}));
}

if (mode === 'run')
    run();
else
    start();
