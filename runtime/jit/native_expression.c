/* One location expression of a module translated to one of the process, operation by operation (DWARF 5,
 * section 2.5; the numbers of DW_OP_WASM_location are kinds of WebAssembly's DWARF).
 *
 * The input's stack holds numbers of 32 bits (generic), of 64 (a local of that type), or of a base type; the
 * output's holds 64 bits always. What addresses memory is an offset in the module's memory until the moment
 * it is read, or is the result. */
#include "runtime/jit/native_translation.h"

#include <string.h>

enum { KIND_LOCAL = 0, KIND_GLOBAL = 1, KIND_OPERAND = 2, KIND_GLOBAL_U32 = 3 };

/* ---- Operations ---- */

/* The object is at an address that is known: debuggers need no frame for that. With a mere DW_OP_addr, GDB
 * lists the address among its unit's pcs, and is at a loss when it finds no code there. */
static bool describe_object(struct rt_native_translation *t, uint64_t offset, const struct rt_cursor *rest) {
    if (rt_cursor_left(rest) || t->depth || t->branch_count || t->expression->is_value ||
        !t->native->memory_base || t->expression->type.kind == RT_NATIVE_POINTER)
        return false;
    rt_native_op_with(t, RT_DWARF_OP_addr, t->native->memory_base + offset);
    rt_native_op(t, RT_DWARF_OP_lit0);
    rt_native_op(t, RT_DWARF_OP_or);
    t->state = RT_NATIVE_DESCRIBED;
    return true;
}

static bool ends_value(const struct rt_cursor *cursor) {
    const size_t left = rt_cursor_left(cursor);
    return left > 0 && cursor->next[0] == RT_DWARF_OP_stack_value &&
           (left == 1 || cursor->next[1] == RT_DWARF_OP_piece || cursor->next[1] == RT_DWARF_OP_bit_piece);
}

/* Bytes of the object, or of the piece of it, whose value the rest ends; 0: not known. */
static uint64_t part_size(const struct rt_native_translation *t, const struct rt_cursor *rest) {
    struct rt_cursor cursor = *rest;
    uint8_t code;
    uint64_t size = t->expression->type.size;
    struct rt_error *error = rt_cursor_u8(&cursor, "DW_OP_stack_value", &code);
    if (error || rt_cursor_left(&cursor) == 0) {
        rt_error_destroy(error);
        return size;
    }
    error = rt_cursor_u8(&cursor, "DW_OP_piece", &code);
    if (!error)
        error = rt_cursor_uleb(&cursor, 64, "a piece's size", &size);
    if (error)
        size = 0;
    rt_error_destroy(error);
    return code == RT_DWARF_OP_bit_piece ? 0 : size;
}

/* The number that is on top now is the object's value, whatever its size. */
static bool is_object(const struct rt_native_translation *t, const struct rt_cursor *rest) {
    return ends_value(rest) && t->expression->type.kind != RT_NATIVE_POINTER;
}

static void wasm_location(struct rt_native_translation *t, const struct rt_dwarf_operation *operation,
                          const struct rt_cursor *rest, bool is_frame_base) {
    const uint64_t index = operation->operands[1];
    switch (operation->operands[0]) {
    case KIND_LOCAL:
    case KIND_OPERAND: {
        const struct rt_machine_place *place = rt_native_find_place(
            t, operation->operands[0] == KIND_LOCAL ? RT_NATIVE_LOCAL : RT_NATIVE_OPERAND, index);
        if (is_frame_base || !ends_value(rest) || t->depth || t->branch_count ||
            !rt_native_describe_place(t, place, part_size(t, rest)))
            rt_native_push_place(t, place);
        return;
    }
    case KIND_GLOBAL:
    case KIND_GLOBAL_U32: rt_native_push_global(t, index); return;
    default: rt_native_refuse(t, "optimised out: an unknown kind of WebAssembly location");
    }
}

/* A value of fewer bytes than its object, or the piece of it, says nothing of the others. Arrays have no size
 * of their own; none that is a value is larger than the greatest number. */
static bool put_missing(struct rt_native_translation *t, unsigned known, uint64_t size) {
    if (t->expression->type.kind == RT_NATIVE_POINTER || size <= known)
        return false;
    rt_native_op_with(t, RT_DWARF_OP_piece, known);
    rt_native_op_with(t, RT_DWARF_OP_piece, size - known);
    return true;
}

/* A whole description of an object, or of a piece of it, is at its end. */
static void finish(struct rt_native_translation *t) {
    const bool is_pointer = t->expression->type.kind == RT_NATIVE_POINTER;
    if (t->expression->is_value) {
        rt_native_pop(t);
        return;
    }
    if (t->state == RT_NATIVE_DESCRIBED)
        return;
    const struct rt_native_integer top = rt_native_pop(t);
    if (t->state == RT_NATIVE_STACK) {
        if (top.bits != RT_NATIVE_GENERIC)
            rt_native_refuse(t, "optimised out: an address that is none");
        rt_native_put_address(t);
        if (!is_pointer)
            return;
        rt_native_op_with(t, RT_DWARF_OP_deref_size, 4);
    }
    if (is_pointer && top.bits != RT_NATIVE_GENERIC)
        rt_native_refuse(t, "optimised out: a pointer of another size");
    if (is_pointer)
        rt_native_put_pointer(t);
    rt_native_op(t, RT_DWARF_OP_stack_value);
    if (!t->has_pieces)
        put_missing(t, top.bits / 8, t->expression->type.size ? t->expression->type.size : 8);
}

static void piece(struct rt_native_translation *t, const struct rt_dwarf_operation *operation) {
    if (t->expression->type.kind == RT_NATIVE_POINTER || t->expression->is_value) {
        rt_native_refuse(t, "optimised out: a pointer in pieces");
        return;
    }
    const bool is_value = t->depth && t->state == RT_NATIVE_VALUE;
    const unsigned known = is_value ? t->stack[t->depth - 1].bits : 0;
    const bool is_of_bits = operation->code == RT_DWARF_OP_bit_piece;
    if (t->depth || t->state == RT_NATIVE_DESCRIBED)
        finish(t);
    if (is_value && is_of_bits && operation->operands[0] + operation->operands[1] > known)
        rt_native_refuse(t, "optimised out: a piece of a number that has fewer bits");
    if (!t->needs && (!is_value || is_of_bits || !put_missing(t, known / 8, operation->operands[0])))
        rt_dwarf_put_operation(t->pass, operation);
    t->depth = 0;
    t->state = RT_NATIVE_STACK;
}

/* A value that the expression holds. */
static void implicit_value(struct rt_native_translation *t, const struct rt_dwarf_operation *operation) {
    uint64_t number = 0;
    if (t->expression->type.kind != RT_NATIVE_POINTER) {
        if (!t->needs)
            rt_dwarf_put_operation(t->pass, operation);
        t->state = RT_NATIVE_DESCRIBED;
        return;
    }
    if (operation->block.size != 4)
        rt_native_refuse(t, "optimised out: a pointer of another size");
    else
        for (unsigned i = 0; i < 4; i++)
            number |= (uint64_t)operation->block.bytes[i] << 8 * i;
    rt_native_op_constant(t, number);
    rt_native_push(t, RT_NATIVE_GENERIC);
    t->state = RT_NATIVE_VALUE;
}

static struct rt_error *translate(struct rt_native_translation *t, struct rt_dwarf_span bytes,
                                  bool is_frame_base);

static struct rt_error *frame_base(struct rt_native_translation *t, uint64_t offset, bool is_frame_base) {
    const struct rt_dwarf_span bytes = t->expression->frame_base;
    if (bytes.size == 0 || is_frame_base) {
        rt_native_refuse(t, "optimised out: relative to a frame base that is not one expression");
        return NULL;
    }
    struct rt_error *error = translate(t, bytes, true);
    t->state = RT_NATIVE_STACK;
    if (error || t->reason)
        return error;
    if (offset) {
        const struct rt_native_integer base = rt_native_pop(t);
        rt_native_op_constant(t, offset & UINT32_MAX);
        rt_native_op(t, RT_DWARF_OP_plus);
        rt_native_mask(t, base.bits);
        rt_native_push(t, base.bits);
    }
    return NULL;
}

/* A generic number; one of 64 bits where it meets one, or is the value of an object that may have more. */
static void push_constant(struct rt_native_translation *t, uint64_t number, const struct rt_cursor *rest) {
    const bool is_whole = is_object(t, rest);
    const bool meets_wide = t->depth > 0 && t->stack[t->depth - 1].bits == 64;
    const bool is_generic = !is_whole && !meets_wide;
    rt_native_op_constant(t, is_generic ? number & UINT32_MAX : number);
    rt_native_push(t, is_generic ? RT_NATIVE_GENERIC : 64);
}

/* A number of a base type. */
static struct rt_error *typed_constant(struct rt_native_translation *t,
                                       const struct rt_dwarf_operation *operation) {
    struct rt_native_integer type;
    uint64_t number = 0;
    struct rt_error *error = rt_native_base_type(t->pass, operation->operands[0], &type);
    if (!error && (type.bits == 0 || 8 * operation->block.size != type.bits))
        rt_native_refuse(t, "optimised out: a conversion from or to what is no integer");
    if (error || t->reason)
        return error;
    for (unsigned i = 0; i < operation->block.size; i++)
        number |= (uint64_t)operation->block.bytes[i] << 8 * i;
    rt_native_op_constant(t, number);
    rt_native_push(t, type.bits);
    if (t->depth)
        t->stack[t->depth - 1].is_signed = type.is_signed;
    return NULL;
}

/* ---- Branches ---- */

/* Branches lead forwards: what is at their target is known to be what was at the branch. */
static void put_branch(struct rt_native_translation *t, const struct rt_dwarf_operation *operation,
                       bool is_frame_base) {
    const uint64_t target = operation->next + operation->operands[0];
    if (operation->code == RT_DWARF_OP_bra)
        rt_native_pop(t);
    if (is_frame_base || (int64_t)operation->operands[0] < 0) {
        rt_native_refuse(t, "optimised out: an expression with a loop");
        return;
    }
    if (t->branch_count == RT_NATIVE_MOST_BRANCHES) {
        rt_native_refuse(t, "optimised out: an expression of too many branches");
        return;
    }
    struct rt_native_branch *branch = &t->branches[t->branch_count++];
    branch->put = t->needs ? 0 : rt_dwarf_expression_size(t->pass);
    branch->target = target;
    branch->depth = t->depth;
    memcpy(branch->stack, t->stack, t->depth * sizeof *t->stack);
    rt_native_op_with(t, operation->code, 0);
    t->is_skipped = operation->code == RT_DWARF_OP_skip;
}

static bool is_same_stack(const struct rt_native_translation *t, const struct rt_native_branch *branch) {
    if (t->depth != branch->depth)
        return false;
    for (unsigned i = 0; i < t->depth; i++)
        if (t->stack[i].bits != branch->stack[i].bits || t->stack[i].is_signed != branch->stack[i].is_signed)
            return false;
    return true;
}

/* Branches to an offset of the input have come to their target. All ways there must leave the same stack. */
static void end_branches(struct rt_native_translation *t, uint64_t offset) {
    for (unsigned i = 0; i < t->branch_count;) {
        struct rt_native_branch *branch = &t->branches[i];
        if (branch->target != offset) {
            if (branch->target < offset)
                rt_native_refuse(t,
                                 "optimised out: an expression that branches to where no operation starts");
            i++;
            continue;
        }
        if (t->is_skipped) {
            t->depth = branch->depth;
            memcpy(t->stack, branch->stack, branch->depth * sizeof *t->stack);
            t->is_skipped = false;
        } else if (t->state != RT_NATIVE_STACK || !is_same_stack(t, branch)) {
            rt_native_refuse(t, "optimised out: an expression whose branches leave different stacks");
        }
        if (!t->needs && !t->reason && !rt_dwarf_aim_branch(t->pass, branch->put))
            rt_native_refuse(t, "optimised out: an expression that branches too far");
        *branch = t->branches[--t->branch_count];
    }
}

/* ---- All of them ---- */

/* One operation; `rest` is behind it. */
static struct rt_error *operate(struct rt_native_translation *t, const struct rt_dwarf_operation *operation,
                                const struct rt_cursor *rest, bool is_frame_base) {
    const uint64_t operand = operation->operands[0];
    const uint8_t code = operation->code;
    if (code >= RT_DWARF_OP_lit0 && code <= RT_DWARF_OP_lit31) {
        push_constant(t, code - RT_DWARF_OP_lit0, rest);
        return NULL;
    }
    switch (code) {
    case RT_DWARF_OP_nop: return NULL;
    case RT_DWARF_OP_addr:
        if (rt_dwarf_module_is_dead(NULL, operand)) {
            rt_native_refuse(t, "optimised out: an object that the linker left out");
            return NULL;
        }
        if (describe_object(t, operand, rest))
            return NULL;
        __attribute__((fallthrough));
    case RT_DWARF_OP_const1u:
    case RT_DWARF_OP_const1s:
    case RT_DWARF_OP_const2u:
    case RT_DWARF_OP_const2s:
    case RT_DWARF_OP_const4u:
    case RT_DWARF_OP_const4s:
    case RT_DWARF_OP_constu:
    case RT_DWARF_OP_consts:
    case RT_DWARF_OP_const8u:
    case RT_DWARF_OP_const8s: push_constant(t, operand, rest); return NULL;
    case RT_DWARF_OP_WASM_location: wasm_location(t, operation, rest, is_frame_base); return NULL;
    case RT_DWARF_OP_fbreg: return frame_base(t, operand, is_frame_base);
    case RT_DWARF_OP_deref:
        rt_native_read_memory(t, 4);
        rt_native_push(t, RT_NATIVE_GENERIC);
        return NULL;
    case RT_DWARF_OP_deref_size:
        rt_native_read_memory(t, operand);
        if (operand > 4 && !is_object(t, rest))
            rt_native_mask(t, RT_NATIVE_GENERIC);
        rt_native_push(t, is_object(t, rest) ? 64 : RT_NATIVE_GENERIC);
        return NULL;
    case RT_DWARF_OP_deref_type:
    case RT_DWARF_OP_GNU_deref_type: {
        struct rt_native_integer type;
        struct rt_error *error = rt_native_base_type(t->pass, operation->operands[1], &type);
        if (!error && type.bits == 0)
            rt_native_refuse(t, "optimised out: a conversion from or to what is no integer");
        rt_native_read_memory(t, operand);
        rt_native_push(t, type.bits);
        if (t->depth)
            t->stack[t->depth - 1].is_signed = type.is_signed;
        return error;
    }
    case RT_DWARF_OP_const_type:
    case RT_DWARF_OP_GNU_const_type: return typed_constant(t, operation);
    case RT_DWARF_OP_convert:
    case RT_DWARF_OP_GNU_convert: return rt_native_convert(t, operand, false);
    case RT_DWARF_OP_reinterpret:
    case RT_DWARF_OP_GNU_reinterpret: return rt_native_convert(t, operand, true);
    case RT_DWARF_OP_dup: rt_native_pick(t, code, 0); return NULL;
    case RT_DWARF_OP_over: rt_native_pick(t, code, 1); return NULL;
    case RT_DWARF_OP_pick: rt_native_pick(t, code, operand); return NULL;
    case RT_DWARF_OP_drop:
        rt_native_pop(t);
        rt_native_op(t, code);
        return NULL;
    case RT_DWARF_OP_swap: rt_native_rotate(t, code, 2); return NULL;
    case RT_DWARF_OP_rot: rt_native_rotate(t, code, 3); return NULL;
    case RT_DWARF_OP_and:
    case RT_DWARF_OP_or:
    case RT_DWARF_OP_xor:
    case RT_DWARF_OP_shr:
    case RT_DWARF_OP_mod: rt_native_binary(t, code, false, false, false); return NULL;
    case RT_DWARF_OP_plus:
    case RT_DWARF_OP_minus:
    case RT_DWARF_OP_mul:
    case RT_DWARF_OP_shl: rt_native_binary(t, code, false, true, false); return NULL;
    case RT_DWARF_OP_div:
    case RT_DWARF_OP_shra: rt_native_binary(t, code, true, true, false); return NULL;
    case RT_DWARF_OP_eq:
    case RT_DWARF_OP_ne: rt_native_binary(t, code, false, false, true); return NULL;
    case RT_DWARF_OP_lt:
    case RT_DWARF_OP_le:
    case RT_DWARF_OP_gt:
    case RT_DWARF_OP_ge: rt_native_binary(t, code, true, false, true); return NULL;
    case RT_DWARF_OP_abs: rt_native_unary(t, code, true); return NULL;
    case RT_DWARF_OP_neg:
    case RT_DWARF_OP_not: rt_native_unary(t, code, false); return NULL;
    case RT_DWARF_OP_plus_uconst: {
        const struct rt_native_integer top = rt_native_pop(t);
        rt_native_op_constant(t, top.bits == RT_NATIVE_GENERIC ? (uint32_t)operand : operand);
        rt_native_op(t, RT_DWARF_OP_plus);
        rt_native_mask(t, top.bits);
        rt_native_push(t, top.bits);
        return NULL;
    }
    case RT_DWARF_OP_stack_value:
        if (t->state == RT_NATIVE_STACK)
            t->state = RT_NATIVE_VALUE;
        return NULL;
    case RT_DWARF_OP_implicit_value: implicit_value(t, operation); return NULL;
    case RT_DWARF_OP_piece:
    case RT_DWARF_OP_bit_piece: piece(t, operation); return NULL;
    case RT_DWARF_OP_bra:
    case RT_DWARF_OP_skip: put_branch(t, operation, is_frame_base); return NULL;
    case RT_DWARF_OP_entry_value:
    case RT_DWARF_OP_GNU_entry_value:
        rt_native_refuse(t, "optimised out: a value at the function's entry");
        return NULL;
    case RT_DWARF_OP_implicit_pointer:
    case RT_DWARF_OP_GNU_implicit_pointer:
        if (!t->needs)
            rt_dwarf_put_operation(t->pass, operation);
        t->state = RT_NATIVE_DESCRIBED;
        return NULL;
    case RT_DWARF_OP_form_tls_address:
    case RT_DWARF_OP_GNU_push_tls_address:
        /* A module without a shared memory has one thread, and linkers have placed what is the thread's. */
        rt_native_push(t, rt_native_pop(t).bits);
        return NULL;
    default: rt_native_refuse(t, "optimised out: an operation that means nothing in a module"); return NULL;
    }
}

static struct rt_error *translate(struct rt_native_translation *t, struct rt_dwarf_span bytes,
                                  bool is_frame_base) {
    struct rt_cursor cursor = rt_cursor_make(bytes.bytes, bytes.size, 0);
    struct rt_error *error = NULL;
    while (!error && !t->reason && rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation operation;
        error = rt_dwarf_operation_read(t->pass, t->expression->die->unit, &cursor, &operation);
        if (error)
            break;
        if (!is_frame_base)
            end_branches(t, operation.offset);
        if (t->is_skipped)
            rt_native_refuse(t, "optimised out: an expression with operations that nothing leads to");
        t->has_pieces |= operation.code == RT_DWARF_OP_piece || operation.code == RT_DWARF_OP_bit_piece;
        if (t->state != RT_NATIVE_STACK && operation.code != RT_DWARF_OP_piece &&
            operation.code != RT_DWARF_OP_bit_piece && operation.code != RT_DWARF_OP_stack_value)
            rt_native_refuse(t, "optimised out: operations behind a value");
        else
            error = operate(t, &operation, &cursor, is_frame_base);
    }
    if (!is_frame_base && !error)
        end_branches(t, bytes.size);
    if (!error && (t->branch_count || t->is_skipped) && !is_frame_base)
        rt_native_refuse(t, "optimised out: an expression that branches to where no operation starts");
    return error;
}

/* The stack and the branches are not set: they are large, and most expressions small. */
static void begin(struct rt_native_translation *t, struct rt_native *native, struct rt_dwarf_pass *pass,
                  const struct rt_native_expression *expression) {
    t->native = native;
    t->pass = pass;
    t->needs = NULL;
    t->expression = expression;
    t->places = NULL;
    t->depth = t->branch_count = 0;
    t->state = RT_NATIVE_STACK;
    t->has_pieces = t->is_skipped = false;
    t->reason = NULL;
}

static struct rt_error *run(struct rt_native_translation *t, const char **ret_reason) {
    struct rt_error *error = translate(t, t->expression->bytes, false);
    if (!error && !t->reason && (t->depth || t->state == RT_NATIVE_DESCRIBED || !t->has_pieces))
        finish(t);
    *ret_reason = t->reason;
    return error;
}

struct rt_error *rt_native_expression_needs(struct rt_native *native, struct rt_dwarf_pass *pass,
                                            struct rt_native_expression *expression,
                                            const char **ret_reason) {
    struct rt_native_translation t;
    begin(&t, native, pass, expression);
    t.needs = expression;
    expression->need_count = 0;
    return run(&t, ret_reason);
}

struct rt_error *rt_native_expression_put(struct rt_native *native, struct rt_dwarf_pass *pass,
                                          const struct rt_native_expression *expression,
                                          const struct rt_machine_place *const *places,
                                          const char **ret_reason) {
    struct rt_native_translation t;
    begin(&t, native, pass, expression);
    t.places = places;
    return run(&t, ret_reason);
}
