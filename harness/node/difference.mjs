// Where two events differ, in words: "argument 1: expected i32 5 (0x5), got i32 6 (0x6)".

import { F32, F64, FUNCREF, I32, I64, V128, little } from './bytes.mjs';
import { KIND, trapName } from './events.mjs';

/** What is not to be known of a reference that a guest has: the trace has no number for it. */
export const UNKNOWN = -1;

// ---- Values ----

/** As C's %.*g has it. */
function general(number, digits) {
    if (!Number.isFinite(number))
        return Number.isNaN(number) ? 'nan' : number < 0 ? '-inf' : 'inf';
    if (number === 0)
        return Object.is(number, -0) ? '-0' : '0';
    let [mantissa, exponent] = number.toExponential(digits - 1).split('e');
    const power = Number(exponent);
    const trim = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
    if (power >= -4 && power < digits)
        return trim(number.toFixed(digits - 1 - power));
    return `${trim(mantissa)}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function floating(bits, type) {
    const view = new DataView(new ArrayBuffer(8));
    if (type === F32) {
        view.setUint32(0, bits);
        return `f32 ${general(view.getFloat32(0), 9)} (0x${bits.toString(16).padStart(8, '0')})`;
    }
    view.setBigUint64(0, bits);
    return `f64 ${general(view.getFloat64(0), 17)} (0x${bits.toString(16).padStart(16, '0')})`;
}

function showValue({ type, bits }) {
    switch (type) {
    case I32: return `i32 ${bits} (0x${bits.toString(16)})`;
    case I64: return `i64 ${bits} (0x${bits.toString(16)})`;
    case F32: case F64: return floating(bits, type);
    case V128: return `v128 ${showBytes(little(bits, 16))}`;
    default: {
        const what = type === FUNCREF ? 'function' : 'host';
        return bits === 0 ? 'null'
            : bits === UNKNOWN ? `${what} reference that the trace does not have` : `${what} reference ${bits - 1}`;
    }
    }
}

const showBytes = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

function isNan({ type, bits }) {
    return (type === F32 && (bits & 0x7fffffff) > 0x7f800000) ||
        (type === F64 && (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n);
}

/** Whether two values are the same bits; where `anyNan`, any two NaNs are the same. */
export const sameValue = (a, b, anyNan) =>
    a.type === b.type && (a.bits === b.bits || (anyNan && isNan(a) && isNan(b)));

// ---- Events ----

const INDEX_NAMES = { instance: true, function: true, pc: true };
export const showLimit = (number) => (number === (1n << 64n) - 1n ? 'none' : String(number));

function showTrap(trap) {
    return `"${trapName(trap)}"`;
}

/** The kind, and what tells one of the kind from others. */
function showEvent(event, functions) {
    switch (event.kind) {
    case KIND.import_call: return `import call ${functions[event.function]?.name ?? event.function}`;
    case KIND.guest_trap: return `guest trap ${(event.traps ?? [event.trap]).map(showTrap).join(' or ')}`;
    case KIND.guest_exit: return `guest exit ${event.status}`;
    default: return event.title;
    }
}

function differingValues(what, expected, got, anyNan) {
    if (expected.length !== got.length)
        return `expected ${expected.length} ${what}, got ${got.length}`;
    const i = expected.findIndex((value, k) => !sameValue(value, got[k], anyNan));
    return i < 0 ? null
        : `${what.slice(0, -1)} ${i}: expected ${showValue(expected[i])}, got ${showValue(got[i])}`;
}

function differingField(field, expected, got, functions, anyNan) {
    if (Array.isArray(got))
        return differingValues(field, expected, got, anyNan);
    if (expected === got)
        return null;
    const show = (value) =>
        field === 'trap' ? showTrap(value)
            : field === 'old' ? showLimit(value)
                : field === 'function' && functions ? functions[value]?.name ?? value
                    : INDEX_NAMES[field] && value === 0xffffffff ? 'none' : value;
    return `${field}: expected ${show(expected)}, got ${show(got)}`;
}

/** Says where what the guest did, `got`, is not the trace's event; null when it is. `got` has the fields that are
 * compared; `traps` stands for a trap of which the engine does not tell more. */
export function difference(expected, got, functions, anyNan) {
    if (expected.kind !== got.kind)
        return `expected ${showEvent(expected, functions)}, got ${showEvent(got, functions)}`;
    for (const [field, value] of Object.entries(got)) {
        if (field === 'kind' || field === 'title')
            continue;
        let words;
        if (field === 'traps')
            words = value.includes(expected.trap) ? null
                : `trap: expected ${showTrap(expected.trap)}, got ${value.map(showTrap).join(' or ')}`;
        else
            words = differingField(field, expected[field], value, got.kind === KIND.import_call && functions, anyNan);
        if (words)
            return `${showEvent(expected, functions)}: ${words}`;
    }
    return null;
}
