/* Call-frame information as it is read: entries of .eh_frame and .debug_frame, and the rules that they have
 * for one pc (private to stepper/).
 *
 * DWARF 5, section 6.4; for .eh_frame, the Linux Standard Base Core Specification 5.0, section 10.6; for
 * which registers a callee keeps, the psABI. Nothing in a section is trusted. */
#ifndef LOCKSTEP_STEPPER_CALL_FRAMES_H
#define LOCKSTEP_STEPPER_CALL_FRAMES_H

#include "runtime/base.h"

enum {
    ST_RULE_REGISTERS = 17, /* rax ... r15 and the return address, in DWARF's order */
    ST_RULE_STACK_POINTER = 7,
    ST_RULE_RETURN_ADDRESS = 16,
};

enum st_rule_kind {
    ST_RULE_UNDEFINED,     /* the caller's value is lost */
    ST_RULE_SAME,          /* this frame did not touch it */
    ST_RULE_AT_CFA,        /* saved in memory at CFA + offset */
    ST_RULE_CFA_PLUS,      /* is CFA + offset */
    ST_RULE_REGISTER,      /* is in another register, plus offset */
    ST_RULE_AT_EXPRESSION, /* saved where an expression says; the CFA is on its stack */
    ST_RULE_EXPRESSION,    /* is what an expression computes */
};

struct st_rule {
    uint8_t kind, register_number;
    int32_t offset;
    uint32_t size;        /* of `bytes` */
    const uint8_t *bytes; /* an expression, in its section */
};

struct st_unwind_row {
    struct st_rule cfa; /* ST_RULE_REGISTER or ST_RULE_EXPRESSION; ST_RULE_UNDEFINED when it cannot be told */
    struct st_rule registers[ST_RULE_REGISTERS];
};

/* One section, and its FDEs by what they cover. */
struct st_call_frames {
    const char *name;
    const uint8_t *bytes; /* must outlive it */
    size_t size;
    uint64_t address; /* of the section, as the image is linked */
    bool is_eh;
    const struct st_frame_range {
        uint64_t low, high, offset;
    } *ranges; /* ascending by low */
    size_t count;
};

/* An FDE with its CIE. */
struct st_frame_entry {
    uint64_t low, high;
    uint64_t code_alignment;
    int64_t data_alignment;
    uint8_t encoding;                     /* of addresses, DW_EH_PE_* */
    struct rt_cursor initial, operations; /* the CIE's program, and its own */
};

/* call_frames.c */

/* Reads what `ret` describes (name, bytes, size, address, is_eh) and fills its ranges, in `arena`.
 * RT_MALFORMED and RT_UNSUPPORTED name the byte. */
RT_MUST_USE struct rt_error *st_call_frames_read(struct rt_arena *arena, struct st_call_frames *ret);
/* The FDE that covers a pc; false for none. */
bool st_call_frames_find(const struct st_call_frames *frames, uint64_t pc, struct st_frame_entry *ret);
/* An address as the section encodes it. */
RT_MUST_USE struct rt_error *st_call_frames_pointer(const struct st_call_frames *frames,
                                                    struct rt_cursor *cursor, uint8_t encoding,
                                                    uint64_t *ret);

/* call_frames_run.c */

/* The rules for a pc that the entry covers. An error: its program is malformed. */
RT_MUST_USE struct rt_error *st_call_frames_run(const struct st_call_frames *frames,
                                                const struct st_frame_entry *entry, uint64_t pc,
                                                struct st_unwind_row *ret);

#endif
