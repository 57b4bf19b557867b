/* What a DWARF expression says, in English: the expression is run over phrases instead of numbers (DWARF 5,
 * sections 2.5 and 2.6). */
#include <inttypes.h>
#include <string.h>

#include "stepper/expression.h"

/* A longer phrase helps nobody; an expression can double one with every operation. */
enum { MAX_PHRASE = 240, MAX_PHRASES = 16 };

/* An entry of the stack: `base` and a number of bytes, or without a base the number alone. */
struct phrase {
    const char *base;
    bool is_holder; /* a register or the like, which holds an address where one is wanted */
    int64_t offset;
};

struct speech {
    const struct st_unit *unit;
    struct rt_arena *arena;
    struct phrase stack[MAX_PHRASES];
    size_t depth;
    enum st_describes describes;
    const char *said; /* what describes the object, when it is no address */
    const char *pieces;
};

static const char *register_name(const struct speech *speech, uint64_t number) {
    /* System V ABI for x86-64, figure 3.36. */
    static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
                                        "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
    if (speech->unit->address_size == 8 && number < sizeof names / sizeof *names)
        return names[number];
    if (speech->unit->address_size == 8 && number >= 17 && number <= 32)
        return rt_arena_printf(speech->arena, "xmm%d", (int)number - 17);
    return rt_arena_printf(speech->arena, "register %" PRIu64, number);
}

static bool push(struct speech *speech, struct phrase phrase) {
    if (speech->depth == MAX_PHRASES || (phrase.base && strlen(phrase.base) > MAX_PHRASE))
        return false;
    speech->stack[speech->depth++] = phrase;
    return true;
}

static bool pop(struct speech *speech, struct phrase *ret) {
    if (speech->depth == 0)
        return false;
    *ret = speech->stack[--speech->depth];
    return true;
}

static bool push_base(struct speech *speech, const char *base, bool is_holder, int64_t offset) {
    return base && push(speech, (struct phrase){base, is_holder, offset});
}

static uint64_t distance(int64_t offset) {
    return offset < 0 ? -(uint64_t)offset : (uint64_t)offset;
}

/* "at 0x1234", "at the frame base", "8 bytes below the address in rbp". */
static const char *place_words(const struct speech *speech, struct phrase phrase) {
    const char *holder = phrase.is_holder ? "the address in " : "";
    if (!phrase.base)
        return rt_arena_printf(speech->arena, "at 0x%" PRIx64, (uint64_t)phrase.offset);
    if (phrase.offset == 0)
        return rt_arena_printf(speech->arena, "at %s%s", holder, phrase.base);
    return rt_arena_printf(speech->arena, "%" PRIu64 " byte%s %s %s%s", distance(phrase.offset),
                           distance(phrase.offset) == 1 ? "" : "s", phrase.offset < 0 ? "below" : "above",
                           holder, phrase.base);
}

/* "5", "rbp", "rbp - 8". */
static const char *value_words(const struct speech *speech, struct phrase phrase) {
    if (!phrase.base)
        return rt_arena_printf(speech->arena, "%" PRId64, phrase.offset);
    if (phrase.offset == 0)
        return phrase.base;
    return rt_arena_printf(speech->arena, "%s %c %" PRIu64, phrase.base, phrase.offset < 0 ? '-' : '+',
                           distance(phrase.offset));
}

static const char *bytes_words(const struct speech *speech, const uint8_t *bytes, size_t size) {
    const char *words = "";
    for (size_t i = 0; i < size && i < ST_MAX_OBJECT && words; i++)
        words = rt_arena_printf(speech->arena, "%s%s%02x", words, i ? " " : "", bytes[i]);
    return words;
}

/* What has been described so far, as the answer to "where is it?". */
static const char *object_words(struct speech *speech) {
    struct phrase top = {0};
    const char *words;
    switch (speech->describes) {
    case ST_DESCRIBES_REGISTER:
    case ST_DESCRIBES_BLOCK: return speech->said;
    case ST_DESCRIBES_VALUE:
        if (!pop(speech, &top) || !(words = value_words(speech, top)))
            return NULL;
        return top.base ? rt_arena_printf(speech->arena, "the value of %s", words)
                        : rt_arena_printf(speech->arena, "the constant %s", words);
    default:
        if (!pop(speech, &top))
            return "nowhere";
        words = place_words(speech, top);
        return words ? rt_arena_printf(speech->arena, "in memory %s", words) : NULL;
    }
}

static bool end_piece(struct speech *speech, uint64_t size, const char *unit) {
    const char *words = object_words(speech);
    if (!words || (speech->pieces && strlen(speech->pieces) > 4 * MAX_PHRASE))
        return false;
    speech->pieces =
        rt_arena_printf(speech->arena, "%s%s%" PRIu64 " %s %s", speech->pieces ? speech->pieces : "",
                        speech->pieces ? ", " : "in pieces: ", size, unit, words);
    speech->depth = 0;
    speech->describes = ST_DESCRIBES_ADDRESS;
    return speech->pieces != NULL;
}

static bool say_binary(struct speech *speech, uint8_t code) {
    struct phrase left, right;
    if (!pop(speech, &right) || !pop(speech, &left))
        return false;
    if (code == ST_DW_OP_plus && !left.base) {
        const struct phrase number = left;
        left = right;
        right = number;
    }
    if (!right.base && (code == ST_DW_OP_plus || code == ST_DW_OP_minus)) {
        uint64_t sum = (uint64_t)left.offset;
        sum = code == ST_DW_OP_plus ? sum + (uint64_t)right.offset : sum - (uint64_t)right.offset;
        left.offset = (int64_t)sum;
        return push(speech, left);
    }
    const char *a = value_words(speech, left), *b = value_words(speech, right);
    const char *sign = code == ST_DW_OP_plus ? "+" : code == ST_DW_OP_minus ? "-" : st_operations[code].name;
    return a && b && push_base(speech, rt_arena_printf(speech->arena, "(%s %s %s)", a, sign, b), false, 0);
}

static bool say_unary(struct speech *speech, uint8_t code) {
    struct phrase top;
    if (!pop(speech, &top))
        return false;
    const char *words = value_words(speech, top);
    return words &&
           push_base(speech, rt_arena_printf(speech->arena, "%s(%s)", st_operations[code].name, words), false,
                     0);
}

static bool load(struct speech *speech, uint64_t size) {
    struct phrase top;
    if (!pop(speech, &top))
        return false;
    const char *words = place_words(speech, top);
    if (!words)
        return false;
    return push_base(speech,
                     size ? rt_arena_printf(speech->arena, "the %" PRIu64 " bytes stored %s", size, words)
                          : rt_arena_printf(speech->arena, "the pointer stored %s", words),
                     false, 0);
}

static bool say_wasm(struct speech *speech, const struct st_operation *operation) {
    static const char *const kinds[] = {"local", "global", "operand", "global"};
    return push_base(speech,
                     rt_arena_printf(speech->arena, "Wasm %s %" PRIu64, kinds[operation->operands[0] & 3],
                                     operation->operands[1]),
                     true, 0);
}

static bool describe(struct speech *speech, enum st_describes describes, const char *said) {
    speech->describes = describes;
    speech->said = said;
    return said != NULL;
}

static bool say_entry(struct speech *speech, const struct st_operation *operation) {
    const struct st_expression inner = {
        {0, UINT64_MAX}, operation->block, operation->block_size, speech->unit};
    /* Nesting is cut by the printer, which this leaves the inner expression to. */
    if (operation->block_size == 1 && *operation->block >= ST_DW_OP_reg0 &&
        *operation->block <= ST_DW_OP_reg31)
        return push_base(speech,
                         rt_arena_printf(speech->arena, "what %s was when the function was entered",
                                         register_name(speech, *operation->block - ST_DW_OP_reg0)),
                         false, 0);
    return push_base(speech,
                     rt_arena_printf(speech->arena, "what (%s) was when the function was entered",
                                     st_expression_print(&inner, speech->arena)),
                     false, 0);
}

/* False when it has no words. */
static bool say(struct speech *speech, const struct st_operation *operation) {
    const uint64_t *numbers = operation->operands;
    const uint8_t code = operation->code;
    struct phrase a, b;
    uint64_t address;
    struct rt_error *error;
    const char *words;

    if (code >= ST_DW_OP_lit0 && code <= ST_DW_OP_lit31)
        return push(speech, (struct phrase){.offset = code - ST_DW_OP_lit0});
    if (code >= ST_DW_OP_reg0 && code <= ST_DW_OP_reg31)
        return describe(
            speech, ST_DESCRIBES_REGISTER,
            rt_arena_printf(speech->arena, "in register %s", register_name(speech, code - ST_DW_OP_reg0)));
    if (code >= ST_DW_OP_breg0 && code <= ST_DW_OP_breg31)
        return push_base(speech, register_name(speech, code - ST_DW_OP_breg0), true, (int64_t)numbers[0]);
    switch (code) {
    case ST_DW_OP_addr:
    case ST_DW_OP_const1u:
    case ST_DW_OP_const1s:
    case ST_DW_OP_const2u:
    case ST_DW_OP_const2s:
    case ST_DW_OP_const4u:
    case ST_DW_OP_const4s:
    case ST_DW_OP_const8u:
    case ST_DW_OP_const8s:
    case ST_DW_OP_constu:
    case ST_DW_OP_consts: return push(speech, (struct phrase){.offset = (int64_t)numbers[0]});
    case ST_DW_OP_addrx:
    case ST_DW_OP_constx:
    case ST_DW_OP_GNU_addr_index:
    case ST_DW_OP_GNU_const_index:
        error = st_unit_address(speech->unit, numbers[0], &address);
        rt_error_destroy(error);
        return !error && push(speech, (struct phrase){.offset = (int64_t)address});
    case ST_DW_OP_fbreg: return push_base(speech, "the frame base", false, (int64_t)numbers[0]);
    case ST_DW_OP_bregx:
        return push_base(speech, register_name(speech, numbers[0]), true, (int64_t)numbers[1]);
    case ST_DW_OP_call_frame_cfa: return push_base(speech, "the canonical frame address", false, 0);
    case ST_DW_OP_regx:
        return describe(speech, ST_DESCRIBES_REGISTER,
                        rt_arena_printf(speech->arena, "in register %s", register_name(speech, numbers[0])));
    case ST_DW_OP_WASM_location: return say_wasm(speech, operation);
    case ST_DW_OP_stack_value: speech->describes = ST_DESCRIBES_VALUE; return speech->depth > 0;
    case ST_DW_OP_implicit_value:
        words = bytes_words(speech, operation->block, operation->block_size);
        return words && describe(speech, ST_DESCRIBES_BLOCK,
                                 rt_arena_printf(speech->arena, "the constant bytes %s", words));
    case ST_DW_OP_implicit_pointer:
    case ST_DW_OP_GNU_implicit_pointer:
        return describe(speech, ST_DESCRIBES_BLOCK,
                        rt_arena_printf(speech->arena,
                                        "a pointer to the object of DIE 0x%" PRIx64 ", which has no address",
                                        numbers[0]));
    case ST_DW_OP_plus_uconst:
        return pop(speech, &a) &&
               push(speech, (struct phrase){a.base, a.is_holder, (int64_t)((uint64_t)a.offset + numbers[0])});
    case ST_DW_OP_dup: return pop(speech, &a) && push(speech, a) && push(speech, a);
    case ST_DW_OP_drop: return pop(speech, &a);
    case ST_DW_OP_swap: return pop(speech, &a) && pop(speech, &b) && push(speech, a) && push(speech, b);
    case ST_DW_OP_nop:
    case ST_DW_OP_GNU_uninit: return true;
    case ST_DW_OP_deref: return load(speech, 0);
    case ST_DW_OP_deref_size: return load(speech, numbers[0]);
    case ST_DW_OP_neg:
    case ST_DW_OP_not:
    case ST_DW_OP_abs: return say_unary(speech, code);
    case ST_DW_OP_plus:
    case ST_DW_OP_minus:
    case ST_DW_OP_mul:
    case ST_DW_OP_div:
    case ST_DW_OP_mod:
    case ST_DW_OP_and:
    case ST_DW_OP_or:
    case ST_DW_OP_xor:
    case ST_DW_OP_shl:
    case ST_DW_OP_shr:
    case ST_DW_OP_shra:
    case ST_DW_OP_eq:
    case ST_DW_OP_ne:
    case ST_DW_OP_lt:
    case ST_DW_OP_le:
    case ST_DW_OP_gt:
    case ST_DW_OP_ge: return say_binary(speech, code);
    case ST_DW_OP_entry_value:
    case ST_DW_OP_GNU_entry_value: return say_entry(speech, operation);
    case ST_DW_OP_piece: return end_piece(speech, numbers[0], numbers[0] == 1 ? "byte" : "bytes");
    case ST_DW_OP_bit_piece: return numbers[1] == 0 && end_piece(speech, numbers[0], "bits");
    default: return false;
    }
}

const char *st_expression_words(const struct st_expression *expression, struct rt_arena *arena) {
    struct speech speech = {.unit = expression->unit, .arena = arena, .describes = ST_DESCRIBES_ADDRESS};
    struct rt_cursor cursor = rt_cursor_make(expression->bytes, expression->size, 0);
    bool is_said = true;

    if (expression->size == 0)
        return "optimised out here";
    while (is_said && rt_cursor_left(&cursor) > 0) {
        struct st_operation operation = {0};
        struct rt_error *error = st_operation_read(expression->unit, &cursor, &operation);
        is_said = !error && say(&speech, &operation);
        rt_error_destroy(error);
    }
    const char *words = is_said ? speech.pieces ? speech.pieces : object_words(&speech) : NULL;
    if (!words)
        words = rt_arena_printf(arena, "computed by %s", st_expression_print(expression, arena));
    return words ? words : "(out of memory)";
}
