// Why a replay ends before its time. `code` is a word of the C API: MALFORMED (the trace is damaged or makes no sense),
// UNSUPPORTED, DIVERGED (the guest did something else), USAGE, OS. Anything else that is thrown is a defect.

export class Problem extends Error {
    constructor(code, message) {
        super(message);
        this.code = code;
    }

    /** Adds where it happened, in front. */
    within(where) {
        this.message = `${where}: ${this.message}`;
        return this;
    }
}

export const malformed = (message) => new Problem('MALFORMED', message);
export const unsupported = (message) => new Problem('UNSUPPORTED', message);
export const diverged = (message) => new Problem('DIVERGED', message);
