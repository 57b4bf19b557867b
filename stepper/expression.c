/* The evaluator of DWARF expressions (DWARF 5, sections 2.5 and 2.6; DW_OP_WASM_location as in "DWARF for
 * WebAssembly").
 *
 * Nothing that an expression says is trusted: its stack, steps and operands are bounded, and memory is read
 * through the machine only. What cannot be evaluated is a place of kind ST_PLACE_IRRETRIEVABLE with a
 * reason. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stepper/expression.h"

#define MAX_STEPS 10000

static void start(struct st_evaluation *e, const struct st_machine *machine, const struct st_unit *unit,
                  struct rt_arena *arena) {
    /* Not the whole: the stack is a kilobyte, and this is on the path of every variable at every stop. */
    e->machine = machine;
    e->unit = unit;
    e->arena = arena;
    e->reason = NULL;
    e->in_frame_base = false;
    e->describes = ST_DESCRIBES_ADDRESS;
    e->depth = 0;
    e->has_pieces = false;
    e->pieces = NULL;
}

/* ---- Failing ---- */

bool st_evaluation_fail(struct st_evaluation *e, const char *format, ...) {
    va_list list;
    char text[256];
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    e->reason = e->arena ? rt_arena_copy(e->arena, text, strlen(text)) : NULL;
    if (!e->reason)
        e->reason = "its location cannot be evaluated";
    return false;
}

static bool fail_error(struct st_evaluation *e, struct rt_error *error) {
    st_evaluation_fail(e, "%s", error->message);
    rt_error_destroy(error);
    return false;
}

static bool fail_at(struct st_evaluation *e, const struct st_operation *operation, const char *reason) {
    return st_evaluation_fail(e, "DW_OP_%s at offset %zu: %s", st_operations[operation->code].name,
                              operation->offset, reason);
}

/* ---- The stack ---- */

static bool push(struct st_evaluation *e, struct st_value value) {
    if (e->depth == ST_MAX_STACK)
        return st_evaluation_fail(e, "the expression's stack is deeper than %d", ST_MAX_STACK);
    e->stack[e->depth++] = value;
    return true;
}

static bool push_generic(struct st_evaluation *e, uint64_t bits) {
    uint64_t mask = e->machine->address_size == 4 ? UINT32_MAX : UINT64_MAX;
    return push(e, (struct st_value){bits & mask, (uint8_t)e->machine->address_size, ST_VALUE_GENERIC});
}

static bool push_literal(struct st_evaluation *e, uint64_t bits) {
    return push(e, (struct st_value){bits, 8, ST_VALUE_GENERIC});
}

static bool pop(struct st_evaluation *e, const struct st_operation *operation, struct st_value *ret) {
    if (e->depth == 0)
        return fail_at(e, operation, "the stack is empty");
    *ret = e->stack[--e->depth];
    return true;
}

/* ---- What the machine knows ---- */

static bool read_register(struct st_evaluation *e, uint64_t number, uint64_t *ret) {
    if (number > UINT32_MAX || !e->machine->read_register ||
        !e->machine->read_register(e->machine->user, (unsigned)number, ret))
        return st_evaluation_fail(e, "register %" PRIu64 " is not known here", number);
    return true;
}

bool st_evaluation_register(struct st_evaluation *e, uint64_t number, uint8_t bytes[16], size_t *ret_size) {
    if (number >= 17 && number <= 32 && e->machine->address_size == 8) {
        const uint8_t *vector =
            e->machine->read_vector ? e->machine->read_vector(e->machine->user, (unsigned)number - 17) : NULL;
        if (!vector)
            return st_evaluation_fail(e, "register %" PRIu64 " is not known here", number);
        memcpy(bytes, vector, 16);
        *ret_size = 16;
        return true;
    }
    uint64_t value;
    if (!read_register(e, number, &value))
        return false;
    memcpy(bytes, &value, sizeof value);
    *ret_size = sizeof value;
    return true;
}

static bool read_memory(struct st_evaluation *e, uint64_t address, size_t size, void *ret) {
    const void *bytes = e->machine->memory(e->machine->user, address, size);
    if (!bytes)
        return st_evaluation_fail(e, "memory at 0x%" PRIx64 " (%zu bytes) is not readable", address, size);
    memcpy(ret, bytes, size);
    e->read_address = address;
    e->read_size = (unsigned)size;
    return true;
}

/* A v128 is wider than a stack's entry: only as a whole value can it be described. */
static bool describe_vector(struct st_evaluation *e, const struct st_operation *operation,
                            const union rt_value *value, struct rt_cursor *cursor) {
    if (cursor->next == cursor->end || *cursor->next != ST_DW_OP_stack_value)
        return fail_at(e, operation, "it holds a vector, of which only DW_OP_stack_value makes something");
    cursor->next++;
    memcpy(e->vector, value->v128, sizeof e->vector);
    e->describes = ST_DESCRIBES_BLOCK;
    e->block = e->vector;
    e->block_size = sizeof e->vector;
    return true;
}

static bool read_wasm(struct st_evaluation *e, const struct st_operation *operation,
                      struct rt_cursor *cursor) {
    enum rt_type type;
    union rt_value value;
    if (!e->machine->wasm)
        return fail_at(e, operation, "this is no WebAssembly frame");
    struct rt_error *error = e->machine->wasm(e->machine->user, (unsigned)operation->operands[0],
                                              (uint32_t)operation->operands[1], &type, &value);
    if (error)
        return fail_error(e, error);
    struct st_value result = {.size = 8};
    switch (type) {
    case RT_I32: result = (struct st_value){value.i32, 4, ST_VALUE_GENERIC}; break;
    case RT_I64: result = (struct st_value){value.i64, 8, ST_VALUE_SIGNED}; break;
    case RT_F32:
        result = (struct st_value){0, 4, ST_VALUE_FLOAT};
        memcpy(&result.bits, &value.f32, sizeof value.f32);
        break;
    case RT_F64:
        result = (struct st_value){0, 8, ST_VALUE_FLOAT};
        memcpy(&result.bits, &value.f64, sizeof value.f64);
        break;
    case RT_V128: return describe_vector(e, operation, &value, cursor);
    default: return fail_at(e, operation, "it holds a reference, which no C object is");
    }
    /* A value like any other: without DW_OP_stack_value behind it, it is the object's address. LLVM writes a
     * variable that lives in a local with DW_OP_stack_value, and one that a local points to (an aggregate
     * passed by value) without. */
    return push(e, result);
}

/* ---- Finding an expression, the frame base ---- */

static const struct st_expression *in_force(const struct st_location *location, uint64_t pc) {
    for (size_t i = 0; i < location->count; i++)
        if (pc >= location->expressions[i].range.low && pc < location->expressions[i].range.high)
            return &location->expressions[i];
    return NULL;
}

static bool run(struct st_evaluation *e, const uint8_t *bytes, size_t size);

/* The number that an expression for an address or a frame base computes: a register stands for its content.
 */
static bool result_number(struct st_evaluation *e, uint64_t *ret) {
    if (e->has_pieces)
        return st_evaluation_fail(e, "an address in pieces");
    if (e->describes == ST_DESCRIBES_REGISTER)
        return read_register(e, e->register_number, ret);
    if ((e->describes != ST_DESCRIBES_ADDRESS && e->describes != ST_DESCRIBES_VALUE) || e->depth == 0)
        return st_evaluation_fail(e, "the expression computes no address");
    *ret = st_evaluation_address(e, e->stack[e->depth - 1]);
    return true;
}

static bool frame_base(struct st_evaluation *e, uint64_t *ret) {
    const struct st_location *location = e->machine->frame_base;
    if (e->in_frame_base)
        return st_evaluation_fail(e, "the frame base refers to itself");
    if (!location || location->kind == ST_LOCATION_NONE)
        return st_evaluation_fail(e, "the function has no frame base");
    if (location->kind != ST_LOCATION_EXPRESSIONS)
        return st_evaluation_fail(e, "frame base: %s",
                                  location->reason ? location->reason : "not an expression");
    const struct st_expression *expression = in_force(location, e->machine->pc);
    if (!expression || expression->size == 0)
        return st_evaluation_fail(e, "the frame base is not known at this pc");
    struct st_evaluation nested;
    start(&nested, e->machine, expression->unit, e->arena);
    nested.in_frame_base = true;
    if (run(&nested, expression->bytes, expression->size) && result_number(&nested, ret))
        return true;
    return st_evaluation_fail(e, "frame base: %s", nested.reason);
}

static bool push_indexed(struct st_evaluation *e, uint64_t index, uint64_t bias) {
    uint64_t address;
    struct rt_error *error = st_unit_address(e->unit, index, &address);
    return error ? fail_error(e, error) : push_generic(e, address + bias);
}

/* ---- Operations ---- */

/* The base type of a typed operation; NULL is the generic type. */
static bool base_type(struct st_evaluation *e, uint64_t offset, const struct st_type **ret) {
    *ret = NULL;
    if (offset == 0)
        return true;
    *ret = e->unit->types ? st_map_get(e->unit->types, e->unit->offset + offset) : NULL;
    if (*ret && (*ret)->kind == ST_TYPE_BASE)
        return true;
    return st_evaluation_fail(e, "there is no base type at 0x%" PRIx64, e->unit->offset + offset);
}

static bool run_typed(struct st_evaluation *e, const struct st_operation *operation) {
    const char *reason;
    struct st_value value;
    uint8_t bytes[16] = {0};
    uint64_t bits = 0;
    size_t size;
    bool second = operation->code != ST_DW_OP_convert && operation->code != ST_DW_OP_GNU_convert &&
                  operation->code != ST_DW_OP_reinterpret && operation->code != ST_DW_OP_GNU_reinterpret &&
                  operation->code != ST_DW_OP_const_type && operation->code != ST_DW_OP_GNU_const_type;
    const struct st_type *type;
    if (!base_type(e, operation->operands[second], &type))
        return false;
    switch (operation->code) {
    case ST_DW_OP_const_type:
    case ST_DW_OP_GNU_const_type:
        if (operation->block_size > sizeof bits)
            return fail_at(e, operation, "not supported: a value of this type");
        memcpy(&bits, operation->block, operation->block_size);
        break;
    case ST_DW_OP_regval_type:
    case ST_DW_OP_GNU_regval_type:
        if (!st_evaluation_register(e, operation->operands[0], bytes, &size))
            return false;
        memcpy(&bits, bytes, sizeof bits);
        break;
    case ST_DW_OP_deref_type:
    case ST_DW_OP_GNU_deref_type:
        if (operation->operands[0] > sizeof bits)
            return fail_at(e, operation, "not supported: a value of this type");
        if (!pop(e, operation, &value) ||
            !read_memory(e, st_evaluation_address(e, value), (size_t)operation->operands[0], &bits))
            return false;
        break;
    case ST_DW_OP_convert:
    case ST_DW_OP_GNU_convert:
        if (!pop(e, operation, &value))
            return false;
        reason = st_value_convert(value, type, e->machine->address_size, &value);
        return reason ? fail_at(e, operation, reason) : push(e, value);
    default: /* DW_OP_reinterpret */
        if (!pop(e, operation, &value))
            return false;
        bits = value.bits;
        break;
    }
    reason = st_value_of_bits(bits, type, e->machine->address_size, &value);
    return reason ? fail_at(e, operation, reason) : push(e, value);
}

static bool run_stack(struct st_evaluation *e, const struct st_operation *operation) {
    struct st_value *top = e->stack + e->depth; /* one past the last */
    uint64_t index = 0;
    switch (operation->code) {
    case ST_DW_OP_over: index = 1; break;
    case ST_DW_OP_pick: index = operation->operands[0]; break;
    case ST_DW_OP_swap: index = 1; break;
    case ST_DW_OP_rot: index = 2; break;
    default: break;
    }
    if (index >= e->depth)
        return fail_at(e, operation, "the stack is too short");
    switch (operation->code) {
    case ST_DW_OP_drop: e->depth--; return true;
    case ST_DW_OP_swap: {
        struct st_value value = top[-1];
        top[-1] = top[-2];
        top[-2] = value;
        return true;
    }
    case ST_DW_OP_rot: { /* the top becomes the third */
        struct st_value value = top[-1];
        top[-1] = top[-2];
        top[-2] = top[-3];
        top[-3] = value;
        return true;
    }
    default: return push(e, top[-1 - (ptrdiff_t)index]); /* dup, over, pick */
    }
}

static bool run_binary(struct st_evaluation *e, const struct st_operation *operation) {
    struct st_value left, right;
    if (!pop(e, operation, &right) || !pop(e, operation, &left))
        return false;
    const char *reason = st_value_binary(operation->code, left, right, e->machine->address_size, &left);
    return reason ? fail_at(e, operation, reason) : push(e, left);
}

/* Operations that none of the fast cases of run_operation is. */
static bool run_rare(struct st_evaluation *e, const struct st_operation *operation,
                     struct rt_cursor *cursor) {
    const uint64_t *operands = operation->operands;
    struct st_value value;
    const char *reason;
    uint64_t number = 0;
    switch ((enum st_dw_op)operation->code) {
    case ST_DW_OP_const1u:
    case ST_DW_OP_const1s:
    case ST_DW_OP_const2u:
    case ST_DW_OP_const2s:
    case ST_DW_OP_const4u:
    case ST_DW_OP_const4s:
    case ST_DW_OP_const8u:
    case ST_DW_OP_const8s:
    case ST_DW_OP_constu:
    case ST_DW_OP_consts: return push_literal(e, operands[0]);
    case ST_DW_OP_constx:
    case ST_DW_OP_GNU_const_index: return push_indexed(e, operands[0], 0);
    case ST_DW_OP_dup:
    case ST_DW_OP_drop:
    case ST_DW_OP_over:
    case ST_DW_OP_pick:
    case ST_DW_OP_swap:
    case ST_DW_OP_rot: return run_stack(e, operation);
    case ST_DW_OP_deref_size:
        if (operands[0] == 0 || operands[0] > 8)
            return fail_at(e, operation, "not a size of 1 to 8 bytes");
        return pop(e, operation, &value) &&
               read_memory(e, st_evaluation_address(e, value), (size_t)operands[0], &number) &&
               push_literal(e, number);
    case ST_DW_OP_abs:
    case ST_DW_OP_neg:
    case ST_DW_OP_not:
        if (!pop(e, operation, &value))
            return false;
        reason = st_value_unary(operation->code, value, e->machine->address_size, &value);
        return reason ? fail_at(e, operation, reason) : push(e, value);
    case ST_DW_OP_bra:
        if (!pop(e, operation, &value))
            return false;
        if (value.bits == 0)
            return true;
        __attribute__((fallthrough));
    case ST_DW_OP_skip: {
        int64_t target = (int64_t)(cursor->next - cursor->start) + (int64_t)operands[0];
        if (target < 0 || target > cursor->end - cursor->start)
            return fail_at(e, operation, "it leaves the expression");
        cursor->next = cursor->start + target;
        return true;
    }
    case ST_DW_OP_call_frame_cfa:
        if (!e->machine->cfa || !e->machine->cfa(e->machine->user, &number))
            return fail_at(e, operation, "the call frame's address is not known");
        return push_generic(e, number);
    case ST_DW_OP_piece:
        return operands[0] > UINT64_MAX / 8 ? st_evaluation_piece(e, UINT64_MAX, 0)
                                            : st_evaluation_piece(e, 8 * operands[0], 0);
    case ST_DW_OP_bit_piece: return st_evaluation_piece(e, operands[0], operands[1]);
    case ST_DW_OP_implicit_value:
        e->describes = ST_DESCRIBES_BLOCK;
        e->block = operation->block;
        e->block_size = operation->block_size;
        return true;
    case ST_DW_OP_implicit_pointer:
    case ST_DW_OP_GNU_implicit_pointer:
        e->describes = ST_DESCRIBES_NOTHING;
        e->reason = "a pointer that was optimized out, to an object that still has a value";
        return true;
    case ST_DW_OP_const_type:
    case ST_DW_OP_GNU_const_type:
    case ST_DW_OP_regval_type:
    case ST_DW_OP_GNU_regval_type:
    case ST_DW_OP_deref_type:
    case ST_DW_OP_GNU_deref_type:
    case ST_DW_OP_convert:
    case ST_DW_OP_GNU_convert:
    case ST_DW_OP_reinterpret:
    case ST_DW_OP_GNU_reinterpret: return run_typed(e, operation);
    case ST_DW_OP_nop:
    case ST_DW_OP_GNU_uninit: return true;
    case ST_DW_OP_entry_value:
    case ST_DW_OP_GNU_entry_value:
        return fail_at(e, operation, "not supported: a value from the function's entry");
    case ST_DW_OP_form_tls_address:
    case ST_DW_OP_GNU_push_tls_address:
        /* A module without shared memories has one thread, whose storage the linker has placed. */
        return e->machine->wasm ? pop(e, operation, &value) && push(e, value)
                                : fail_at(e, operation, "not supported: thread-local storage");
    case ST_DW_OP_push_object_address: return fail_at(e, operation, "there is no object");
    case ST_DW_OP_xderef:
    case ST_DW_OP_xderef_size:
    case ST_DW_OP_xderef_type: return fail_at(e, operation, "not supported: address spaces");
    case ST_DW_OP_call2:
    case ST_DW_OP_call4:
    case ST_DW_OP_call_ref:
    case ST_DW_OP_GNU_parameter_ref:
    case ST_DW_OP_GNU_variable_value: return fail_at(e, operation, "not supported: another DIE's expression");
    default: return run_binary(e, operation);
    }
}

static bool run_operation(struct st_evaluation *e, const struct st_operation *operation,
                          struct rt_cursor *cursor) {
    const uint64_t *operands = operation->operands;
    uint8_t code = operation->code;
    uint64_t number;
    struct st_value value;
    /* Registers, stack values and constants end their piece. */
    if (e->describes != ST_DESCRIBES_ADDRESS && code != ST_DW_OP_piece && code != ST_DW_OP_bit_piece &&
        code != ST_DW_OP_nop && code != ST_DW_OP_GNU_uninit)
        return fail_at(e, operation, "it follows the end of a location");
    switch (st_operations[code].family) {
    case ST_DW_OP_lit0: return push_literal(e, (uint64_t)code - ST_DW_OP_lit0);
    case ST_DW_OP_reg0:
        e->describes = ST_DESCRIBES_REGISTER;
        e->register_number = (uint64_t)code - ST_DW_OP_reg0;
        return true;
    case ST_DW_OP_breg0:
        return read_register(e, (uint64_t)code - ST_DW_OP_breg0, &number) &&
               push_generic(e, number + operands[0]);
    default: break;
    }
    switch (code) {
    case ST_DW_OP_fbreg: return frame_base(e, &number) && push_generic(e, number + operands[0]);
    case ST_DW_OP_addr: return push_generic(e, operands[0] + e->machine->bias);
    case ST_DW_OP_addrx:
    case ST_DW_OP_GNU_addr_index: return push_indexed(e, operands[0], e->machine->bias);
    case ST_DW_OP_WASM_location: return read_wasm(e, operation, cursor);
    case ST_DW_OP_stack_value:
        if (e->depth == 0)
            return fail_at(e, operation, "the stack is empty");
        e->describes = ST_DESCRIBES_VALUE;
        return true;
    case ST_DW_OP_regx:
        e->describes = ST_DESCRIBES_REGISTER;
        e->register_number = operands[0];
        return true;
    case ST_DW_OP_bregx:
        return read_register(e, operands[0], &number) && push_generic(e, number + operands[1]);
    case ST_DW_OP_plus_uconst: {
        struct st_value addend = {operands[0], 8, ST_VALUE_GENERIC};
        if (!pop(e, operation, &value))
            return false;
        const char *reason = st_value_binary(ST_DW_OP_plus, value, addend, e->machine->address_size, &value);
        return reason ? fail_at(e, operation, reason) : push(e, value);
    }
    case ST_DW_OP_deref:
        number = 0;
        return pop(e, operation, &value) &&
               read_memory(e, st_evaluation_address(e, value), e->machine->address_size, &number) &&
               push_generic(e, number);
    default: return run_rare(e, operation, cursor);
    }
}

static bool run(struct st_evaluation *e, const uint8_t *bytes, size_t size) {
    struct rt_cursor cursor = rt_cursor_make(bytes, size, 0);
    for (unsigned steps = 0; cursor.next < cursor.end; steps++) {
        struct st_operation operation;
        if (steps == MAX_STEPS)
            return st_evaluation_fail(e, "the expression does not end within %d operations", MAX_STEPS);
        struct rt_error *error = st_operation_read(e->unit, &cursor, &operation);
        if (error)
            return fail_error(e, error);
        if (!run_operation(e, &operation, &cursor))
            return false;
    }
    return true;
}

static void irretrievable(struct st_place *ret, const char *reason) {
    ret->kind = ST_PLACE_IRRETRIEVABLE;
    ret->reason = reason;
}

void st_evaluate(const struct st_machine *machine, const struct st_location *location, size_t size,
                 struct rt_arena *arena, struct st_place *ret) {
    ret->address = 0;
    ret->valid = 0;
    ret->size = size;
    ret->reason = NULL;
    ret->expression = NULL;
    ret->storage = 0;
    ret->storage_size = 0;
    switch (location->kind) {
    case ST_LOCATION_NONE: ret->kind = ST_PLACE_OPTIMIZED_OUT; return;
    case ST_LOCATION_BROKEN: irretrievable(ret, location->reason); return;
    case ST_LOCATION_CONSTANT:
        if (location->constant_size > ST_MAX_OBJECT)
            irretrievable(ret, "not supported: a constant of more than 64 bytes");
        else
            st_place_set_bytes(ret, location->constant, location->constant_size, size);
        return;
    case ST_LOCATION_EXPRESSIONS: break;
    }
    const struct st_expression *expression = in_force(location, machine->pc);
    if (!expression || expression->size == 0) {
        ret->kind = ST_PLACE_OPTIMIZED_OUT;
        ret->expression = expression;
        return;
    }
    struct st_evaluation e;
    start(&e, machine, expression->unit, arena);
    e.pieces = ret;
    if (!run(&e, expression->bytes, expression->size) || !st_evaluation_finish(&e, size, ret))
        irretrievable(ret, e.reason);
    ret->storage = e.read_address;
    ret->storage_size = e.has_pieces ? 0 : e.read_size;
    ret->expression = expression;
}

bool st_expression_number(const struct st_machine *machine, const struct st_expression *expression,
                          const uint64_t *initial, uint64_t *ret) {
    struct st_evaluation e;
    start(&e, machine, expression->unit, NULL);
    e.in_frame_base = true;
    return (!initial || push_generic(&e, *initial)) && run(&e, expression->bytes, expression->size) &&
           result_number(&e, ret);
}
