// Runs a WASI command on Node: run.mjs [--dir HOST::GUEST] [--env NAME=VALUE] FILE.wasm -- ARGS
import {readFileSync} from 'node:fs';
import {WASI} from 'node:wasi';

const words = process.argv.slice(2);
const preopens = {}, env = {};
while (words[0]?.startsWith('--')) {
    const [option, value] = words.splice(0, 2);
    const separator = option === '--dir' ? '::' : '=';
    const at = value.indexOf(separator);
    if (option === '--dir')
        preopens[value.slice(at + separator.length)] = value.slice(0, at);
    else
        env[value.slice(0, at)] = value.slice(at + separator.length);
}
const [file, , ...rest] = words;
const wasi = new WASI({version: 'preview1', args: [file, ...rest], env, preopens, returnOnExit: true});
const module = new WebAssembly.Module(readFileSync(file));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
