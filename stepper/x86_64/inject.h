/* What inject.S and the C code around it must agree on: the shape of what is saved at a stop. Read by the
 * assembler and the compiler alike. */
#ifndef LOCKSTEP_STEPPER_X86_64_INJECT_H
#define LOCKSTEP_STEPPER_X86_64_INJECT_H

/* How the stub was entered. */
#define ST_ORIGIN_SIGNAL 0 /* a handler pointed the context at it; st_current->pending says why */
#define ST_ORIGIN_CALL   1 /* a patched site in compiled code called it */
#define ST_ORIGIN_JUMP   2 /* the trampoline of a native jump probe called it */
#define ST_ORIGIN_ABORT  3 /* a native image called abort */
#define ST_ORIGIN_ASSERT 4 /* a native image called __assert_fail */
#define ST_ORIGIN_FAULT                                                                                      \
    5 /* not by the stub: the stack had no room for it, a handler copied the registers                       \
       */

/* Offsets in struct st_saved. */
#define ST_SAVED_ORIGIN  0
#define ST_SAVED_GENERAL 8
#define ST_SAVED_PC      136
#define ST_SAVED_FLAGS   144
#define ST_SAVED_VECTOR  152
#define ST_SAVED_RESUME  160
/* From struct st_saved to the interrupted stack pointer: the resume slot and, above it, the red zone. */
#define ST_SAVED_STACK (ST_SAVED_RESUME + 8 + ST_RED_ZONE)

/* System V ABI for x86-64, section 3.2.2. */
#define ST_RED_ZONE 128

/* In the legacy region of an XSAVE area (Intel SDM, volume 1, section 13.4). */
#define ST_XSAVE_STATUS 2
#define ST_XSAVE_TAGS   4
#define ST_XSAVE_MXCSR  24
#define ST_XSAVE_SSE    160
#define ST_XSAVE_HEADER 512

/* State components, as in XCR0 (section 13.1). */
#define ST_STATE_X87    0x01
#define ST_STATE_SSE    0x02
#define ST_STATE_AVX    0x04
#define ST_STATE_AVX512 0xe0 /* mask registers, upper halves of zmm0 to 15, zmm16 to 31 */

/* Where registers moved one by one go: SSE's to their place in the legacy region, whole wider ones behind the
 * header. */
#define ST_MOVED_WIDE  576
#define ST_MOVED_MASKS (ST_MOVED_WIDE + 32 * 64)
#define ST_MOVED_SIZE  (ST_MOVED_MASKS + 8 * 8)

#ifndef __ASSEMBLER__

#include "runtime/runtime.h"

/* The interrupted state, on the debuggee's own stack. `registers` is what a debugger shows; `resume` is where
 * the stub goes on. */
struct st_saved {
    uint64_t origin; /* ST_ORIGIN_* */
    struct rt_registers registers;
    uint64_t resume;
};

_Static_assert(offsetof(struct st_saved, origin) == ST_SAVED_ORIGIN, "inject.S stores it there");
_Static_assert(offsetof(struct st_saved, registers.general) == ST_SAVED_GENERAL, "inject.S stores it there");
_Static_assert(offsetof(struct st_saved, registers.pc) == ST_SAVED_PC, "inject.S stores it there");
_Static_assert(offsetof(struct st_saved, registers.flags) == ST_SAVED_FLAGS, "inject.S stores it there");
_Static_assert(offsetof(struct st_saved, registers.vector) == ST_SAVED_VECTOR, "inject.S stores it there");
_Static_assert(offsetof(struct st_saved, resume) == ST_SAVED_RESUME, "inject.S stores it there");
_Static_assert(sizeof(struct st_saved) == ST_SAVED_RESUME + 8, "the resume slot is the last word");

/* The stub's entries; none is called from C. See inject.S. */
void st_inject_signal(void);
void st_inject_call(void);
void st_inject_jump(void);
void st_inject_abort(void);
void st_inject_assert(void);

/* What the stub calls with its struct st_saved: delivers the event and decides where to go on. The stack may
 * be at any address (compilers align it only for calls), and so may what is given here; the rest of the
 * stepper sees a struct that is aligned. */
void st_injected(void *stub);

/* The area: its size (a multiple of 64), the state components to save (all of XCR0 that hold register
 * contents), whether XSAVEC writes it, and whether registers may be moved one by one where the processor says
 * that nothing else is in use. Set by st_vector_init, read by inject.S. */
extern uint64_t st_vector_size, st_vector_mask;
extern uint8_t st_vector_compact, st_vector_moves;

/* Asks the processor; RT_UNSUPPORTED without XSAVE. */
RT_MUST_USE struct rt_error *st_vector_init(void);
/* The SSE registers of a saved area: XSAVEC leaves a component that is in its initial state unwritten, so
 * that state is written then. What is changed there afterwards is what the debuggee goes on with. */
void st_vector_settle(uint8_t (*vector)[16]);

#endif
#endif
