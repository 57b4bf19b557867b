/* Tells code that only jumps or moves values about from code that does something: a line row over the former
 * (a loop's closing brace, the join behind a conditional operator) is no statement. */
#include "stepper/relocate.h"
#include "stepper/session.h"

/* A guest's variables are in its memory: what registered code keeps in its frame is its own. */
static bool is_idle_native(struct st_session *session, uint64_t low, uint64_t high) {
    while (low < high) {
        uint64_t address = low + session->image->bias;
        struct st_instruction instruction;
        size_t size = high - low < sizeof instruction.bytes ? (size_t)(high - low) : sizeof instruction.bytes;
        const void *bytes = st_session_memory(session, address, size);
        if (!bytes || !st_instruction_decode(bytes, size, address, &instruction) ||
            (instruction.flow != ST_FLOW_JUMP && !(session->is_registered && instruction.is_move)))
            return false;
        low += instruction.length;
    }
    return true;
}

/* What follows one of these opcodes (core specification, section 5.4): nothing, or one LEB128 number. */
static bool skip_idle_opcode(struct rt_cursor *cursor) {
    enum {
        NOP = 0x01,
        BLOCK = 0x02,
        LOOP = 0x03,
        END = 0x0b,
        BR = 0x0c,
        LOCAL_GET = 0x20,
        LOCAL_TEE = 0x22,
        I32_CONST = 0x41
    };
    uint8_t opcode;
    uint64_t index;
    int64_t number;
    struct rt_error *error = rt_cursor_u8(cursor, "opcode", &opcode);
    if (!error && (opcode == BR || (opcode >= LOCAL_GET && opcode <= LOCAL_TEE)))
        error = rt_cursor_uleb(cursor, 32, "index", &index);
    else if (!error && (opcode == BLOCK || opcode == LOOP || opcode == I32_CONST))
        error = rt_cursor_sleb(cursor, 33, "number", &number);
    else if (!error && opcode != NOP && opcode != END)
        return false;
    rt_error_destroy(error);
    return !error;
}

/* Code that can never run has no machine code, not even where the session's probes were to be. */
static bool is_dead(const struct rt_code *code, uint64_t low, uint64_t high) {
    size_t site_count;
    rt_code_sites(code, &site_count);
    bool is_dead = site_count > 0 && low < high && high <= UINT32_MAX;
    for (uint64_t pc = low; is_dead && pc < high; pc++)
        is_dead = rt_code_machine(code, (uint32_t)pc) == 0;
    return is_dead;
}

bool st_session_is_idle_code(struct st_session *session, uint64_t low, uint64_t high) {
    if (!session->is_wasm)
        return is_idle_native(session, low, high);
    size_t size;
    const uint8_t *code = rt_module_code(rt_code_module(session->code), &size);
    if (!code || low > high || high > size)
        return false;
    if (is_dead(session->code, low, high))
        return true;
    struct rt_cursor cursor = rt_cursor_make(code + low, (size_t)(high - low), low);
    while (rt_cursor_left(&cursor))
        if (!skip_idle_opcode(&cursor))
            return false;
    return true;
}

uint64_t st_session_past_markers(const struct st_session *session, uint64_t pc) {
    return session->is_wasm && pc <= UINT32_MAX
               ? rt_module_past_markers(rt_code_module(session->code), (uint32_t)pc)
               : pc;
}
