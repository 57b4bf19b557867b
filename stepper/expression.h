/* DWARF expressions from the inside (private to stepper/): operations as they are decoded, and the values
 * that they work on. */
#ifndef LOCKSTEP_STEPPER_EXPRESSION_H
#define LOCKSTEP_STEPPER_EXPRESSION_H

#include "stepper/debug.h"
#include "stepper/machine.h"

/* ---- Operations ---- */

enum st_operand {
    ST_OPERAND_NONE,
    ST_OPERAND_ADDRESS, /* of the unit's address size */
    ST_OPERAND_U8,
    ST_OPERAND_S8,
    ST_OPERAND_U16,
    ST_OPERAND_S16,
    ST_OPERAND_U32,
    ST_OPERAND_S32,
    ST_OPERAND_U64,
    ST_OPERAND_S64,
    ST_OPERAND_ULEB,
    ST_OPERAND_SLEB,
    ST_OPERAND_BLOCK,      /* a ULEB128 size, then bytes */
    ST_OPERAND_BLOCK8,     /* a size of one byte, then bytes */
    ST_OPERAND_EXPRESSION, /* as BLOCK; the bytes are an expression */
    ST_OPERAND_TYPE,       /* ULEB128: a base type's DIE, from the unit's start; 0 is the generic type */
    ST_OPERAND_REFERENCE,  /* a DIE, of the unit's offset size */
    ST_OPERAND_WASM,       /* a kind, then an index (two numbers) */
};

enum st_dw_op {
#define RT_DW_OP(code, name, first, second)  ST_DW_OP_##name = code,
#define RT_DW_OP_FAMILY(code, name, operand) ST_DW_OP_##name##0 = code, ST_DW_OP_##name##31 = code + 31,
#include "runtime/dwarf/operations.def"
#undef RT_DW_OP
#undef RT_DW_OP_FAMILY
};

struct st_operation_info {
    const char *name; /* without "DW_OP_"; NULL: unknown */
    uint8_t operands[2];
    uint8_t family; /* the first code of its family of 32, else 0 */
};
extern const struct st_operation_info st_operations[256];

struct st_operation {
    uint8_t code;
    size_t offset; /* in the expression */
    uint64_t operands[2];
    const uint8_t *block; /* of a block or expression operand */
    size_t block_size;
};

/* Decodes one operation. RT_UNSUPPORTED for an unknown one: where the next starts is not known then. */
RT_MUST_USE struct rt_error *st_operation_read(const struct st_unit *unit, struct rt_cursor *cursor,
                                               struct st_operation *ret);

/* ---- Values (DWARF 5, section 2.5.1) ---- */

/* One entry of the stack. A generic value has the size of an address; a literal of generic type keeps all 64
 * bits until it is computed with, because producers rely on that for 64-bit variables on 32-bit targets. */
struct st_value {
    uint64_t bits; /* little endian, zero-extended from `size` bytes */
    uint8_t size;  /* 1, 2, 4 or 8 */
    enum { ST_VALUE_GENERIC, ST_VALUE_SIGNED, ST_VALUE_UNSIGNED, ST_VALUE_FLOAT } kind;
};

/* All return NULL, or a static reason why it cannot be done. */
const char *st_value_binary(uint8_t code, struct st_value left, struct st_value right, unsigned address_size,
                            struct st_value *ret);
const char *st_value_unary(uint8_t code, struct st_value value, unsigned address_size, struct st_value *ret);
/* `type` NULL is the generic type. */
const char *st_value_convert(struct st_value value, const struct st_type *type, unsigned address_size,
                             struct st_value *ret);
/* A value of a type (NULL is the generic one) from its bytes. */
const char *st_value_of_bits(uint64_t bits, const struct st_type *type, unsigned address_size,
                             struct st_value *ret);

/* ---- Evaluation ---- */

#define ST_MAX_STACK  64
#define ST_MAX_OBJECT 64 /* bytes of a place that is no memory */
_Static_assert(sizeof((struct st_place *)0)->bytes == ST_MAX_OBJECT, "a place holds an object");

/* What the last operations described (section 2.6.1.1): without a register, value or constant, the top of the
 * stack is an address; an empty stack is an object that is nowhere. */
enum st_describes {
    ST_DESCRIBES_ADDRESS,
    ST_DESCRIBES_REGISTER,
    ST_DESCRIBES_VALUE,
    ST_DESCRIBES_BLOCK,
    ST_DESCRIBES_NOTHING
};

struct st_evaluation {
    const struct st_machine *machine;
    const struct st_unit *unit;
    struct rt_arena *arena; /* for reasons; may be NULL */
    const char *reason;     /* why it failed */
    bool in_frame_base;     /* a frame base cannot use itself */
    enum st_describes describes;
    uint64_t register_number;
    const uint8_t *block;
    size_t block_size;
    uint8_t vector[16];    /* of a WebAssembly local, global or operand */
    uint64_t read_address; /* of the last read of memory */
    unsigned read_size;    /* 0: none yet */
    unsigned depth;
    struct st_value stack[ST_MAX_STACK];
    /* an object in pieces */
    bool has_pieces;
    uint64_t piece_bits; /* so far */
    struct st_place *pieces;
    uint8_t known[ST_MAX_OBJECT]; /* a bit for each bit of the place's bytes */
};

/* expression.c: sets the reason and returns false. */
bool st_evaluation_fail(struct st_evaluation *evaluation, const char *format, ...) RT_PRINTF(2, 3);
/* A register's bytes: 8, or 16 of a vector register. */
bool st_evaluation_register(struct st_evaluation *evaluation, uint64_t number, uint8_t bytes[16],
                            size_t *ret_size);
/* A stack entry as an address. */
static inline uint64_t st_evaluation_address(const struct st_evaluation *evaluation, struct st_value value) {
    return evaluation->machine->address_size == 4 ? (uint32_t)value.bits : value.bits;
}

/* expression_place.c: ends a piece of `bits` bits, whose first is bit `skip` of what has been described. */
bool st_evaluation_piece(struct st_evaluation *evaluation, uint64_t bits, uint64_t skip);
/* Turns what has been described into a place for an object of `size` bytes (0: unknown). */
bool st_evaluation_finish(struct st_evaluation *evaluation, size_t size, struct st_place *ret);
/* A place of known bytes: those that the object has and `available` does not are not valid. */
void st_place_set_bytes(struct st_place *ret, const void *bytes, size_t available, size_t size);

/* Runs an expression that computes an address or a value, as call-frame information has them; `initial` (or
 * NULL) is on the stack at its start. False when it cannot be evaluated. */
bool st_expression_number(const struct st_machine *machine, const struct st_expression *expression,
                          const uint64_t *initial, uint64_t *ret);

#endif
