/* Builds modules piece by piece, for tests that run them: types, imports, functions, memories and so on are
 * added in any order that the index spaces allow, and build_instance makes all there is. */
#ifndef LOCKSTEP_RUNTIME_TESTS_BUILDER_H
#define LOCKSTEP_RUNTIME_TESTS_BUILDER_H

#include "runtime/module.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAYBE_UNUSED __attribute__((unused))

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

MAYBE_UNUSED static void put(struct bytes *bytes, const void *data, size_t size) {
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}
MAYBE_UNUSED static void put_byte(struct bytes *bytes, unsigned byte) {
    put(bytes, &(uint8_t){(uint8_t)byte}, 1);
}
MAYBE_UNUSED static void put_uleb(struct bytes *bytes, uint64_t value) {
    for (; value > 0x7f; value >>= 7)
        put_byte(bytes, 0x80 | (value & 0x7f));
    put_byte(bytes, (unsigned)value);
}
MAYBE_UNUSED static void put_sleb(struct bytes *bytes, int64_t value) {
    for (; value < -64 || value > 63; value >>= 7)
        put_byte(bytes, 0x80 | (value & 0x7f));
    put_byte(bytes, value & 0x7f);
}
MAYBE_UNUSED static void put_name(struct bytes *bytes, const char *name) {
    put_uleb(bytes, strlen(name));
    put(bytes, name, strlen(name));
}
/* An opcode of opcodes.def. */
MAYBE_UNUSED static void put_op(struct bytes *bytes, uint32_t opcode) {
    if (opcode >= 0x100)
        put_byte(bytes, opcode >= 0x200 ? 0xfd : 0xfc);
    if (opcode >= 0x100)
        put_uleb(bytes, opcode & 0xff);
    else
        put_byte(bytes, opcode);
}
MAYBE_UNUSED static void put_little(struct bytes *bytes, uint64_t bits, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        put_byte(bytes, bits >> 8 * i & 0xff);
}
MAYBE_UNUSED static void put_constant(struct bytes *bytes, enum rt_type type, uint64_t bits) {
    switch (type) {
    case RT_I32:
        put_byte(bytes, RT_OP_I32_CONST);
        put_sleb(bytes, (int32_t)bits);
        break;
    case RT_I64:
        put_byte(bytes, RT_OP_I64_CONST);
        put_sleb(bytes, (int64_t)bits);
        break;
    case RT_F32:
        put_byte(bytes, RT_OP_F32_CONST);
        put_little(bytes, bits, 4);
        break;
    case RT_F64:
        put_byte(bytes, RT_OP_F64_CONST);
        put_little(bytes, bits, 8);
        break;
    case RT_V128: /* the bits, then their complement */
        put_op(bytes, RT_OP_V128_CONST);
        put_little(bytes, bits, 8);
        put_little(bytes, ~bits, 8);
        break;
    default:
        put_byte(bytes, RT_OP_REF_NULL);
        put_byte(bytes, type);
        break;
    }
}

/* Literal bytes. */
#define PUT(bytes, ...) put(bytes, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* i I f F v r e: i32 i64 f32 f64 v128 funcref externref. */
MAYBE_UNUSED static enum rt_type type_of_letter(char letter) {
    switch (letter) {
    case 'i': return RT_I32;
    case 'I': return RT_I64;
    case 'f': return RT_F32;
    case 'F': return RT_F64;
    case 'v': return RT_V128;
    case 'r': return RT_FUNCREF;
    default: return RT_EXTERNREF;
    }
}

enum { SECTION_COUNT = 13 };

struct builder {
    struct {
        struct bytes bytes;
        uint32_t count;
    } sections[SECTION_COUNT];
    uint32_t functions;
};

static struct bytes *add_to(struct builder *builder, unsigned section) {
    builder->sections[section].count++;
    return &builder->sections[section].bytes;
}

/* A function type from letters, "ii:I"; its index. */
MAYBE_UNUSED static uint32_t build_type(struct builder *builder, const char *signature) {
    struct bytes *bytes = add_to(builder, 1);
    const char *colon = strchr(signature, ':');
    put_byte(bytes, 0x60);
    put_uleb(bytes, (uint64_t)(colon - signature));
    for (const char *c = signature; *c; c++) {
        if (c == colon)
            put_uleb(bytes, strlen(colon + 1));
        else
            put_byte(bytes, type_of_letter(*c));
    }
    return builder->sections[1].count - 1;
}

/* An imported function "env.name"; its index. */
MAYBE_UNUSED static uint32_t build_import(struct builder *builder, const char *name, const char *signature) {
    uint32_t type = build_type(builder, signature);
    struct bytes *bytes = add_to(builder, 2);
    put_name(bytes, "env");
    put_name(bytes, name);
    put_byte(bytes, 0);
    put_uleb(bytes, type);
    return builder->functions++;
}

MAYBE_UNUSED static void build_export(struct builder *builder, const char *name, unsigned kind,
                                      uint32_t index) {
    struct bytes *bytes = add_to(builder, 7);
    put_name(bytes, name);
    put_byte(bytes, kind);
    put_uleb(bytes, index);
}

/* A function with declared locals by letters (runs of one letter are one entry), exported when it has a name;
 * its index. `code` is taken (and freed), without the final `end`. */
MAYBE_UNUSED static uint32_t build_function(struct builder *builder, const char *name, const char *signature,
                                            const char *locals, struct bytes *code) {
    put_uleb(add_to(builder, 3), build_type(builder, signature));
    struct bytes body = {0};
    uint32_t runs = 0;
    for (size_t i = 0; locals[i]; i++)
        runs += !i || locals[i] != locals[i - 1];
    put_uleb(&body, runs);
    for (size_t i = 0, end; locals[i]; i = end) {
        for (end = i; locals[end] == locals[i]; end++) {
        }
        put_uleb(&body, end - i);
        put_byte(&body, type_of_letter(locals[i]));
    }
    put(&body, code->data, code->size);
    put_byte(&body, RT_OP_END);
    struct bytes *bytes = add_to(builder, 10);
    put_uleb(bytes, body.size);
    put(bytes, body.data, body.size);
    free(body.data);
    free(code->data);
    *code = (struct bytes){0};
    if (name)
        build_export(builder, name, 0, builder->functions);
    return builder->functions++;
}

/* The same from literal bytes. */
#define BUILD_FUNCTION(builder, name, signature, locals, ...)                                                \
    build_function_bytes(builder, name, signature, locals, (const uint8_t[]){__VA_ARGS__},                   \
                         sizeof((const uint8_t[]){__VA_ARGS__}))
MAYBE_UNUSED static uint32_t build_function_bytes(struct builder *builder, const char *name,
                                                  const char *signature, const char *locals,
                                                  const uint8_t *data, size_t size) {
    struct bytes code = {0};
    put(&code, data, size);
    return build_function(builder, name, signature, locals, &code);
}

MAYBE_UNUSED static void build_memory(struct builder *builder, uint32_t min, uint32_t max) {
    struct bytes *bytes = add_to(builder, 5);
    put_byte(bytes, 1);
    put_uleb(bytes, min);
    put_uleb(bytes, max);
}

MAYBE_UNUSED static void build_table(struct builder *builder, char letter, uint32_t min, uint32_t max) {
    struct bytes *bytes = add_to(builder, 4);
    put_byte(bytes, type_of_letter(letter));
    put_byte(bytes, 1);
    put_uleb(bytes, min);
    put_uleb(bytes, max);
}

MAYBE_UNUSED static void build_global(struct builder *builder, char letter, bool is_mutable, uint64_t bits) {
    struct bytes *bytes = add_to(builder, 6);
    put_byte(bytes, type_of_letter(letter));
    put_byte(bytes, is_mutable);
    put_constant(bytes, type_of_letter(letter), bits);
    put_byte(bytes, RT_OP_END);
}

/* An active segment of table 0 (passive when to is negative) with functions. */
MAYBE_UNUSED static void build_elements(struct builder *builder, int32_t to, const uint32_t *functions,
                                        uint32_t count) {
    struct bytes *bytes = add_to(builder, 9);
    put_byte(bytes, to < 0 ? 1 : 0);
    if (to >= 0) {
        put_constant(bytes, RT_I32, (uint32_t)to);
        put_byte(bytes, RT_OP_END);
    } else {
        put_byte(bytes, 0); /* of functions */
    }
    put_uleb(bytes, count);
    for (uint32_t i = 0; i < count; i++)
        put_uleb(bytes, functions[i]);
}

/* An active data segment (passive when to is negative). */
MAYBE_UNUSED static void build_data(struct builder *builder, int32_t to, const char *text) {
    struct bytes *bytes = add_to(builder, 11);
    put_byte(bytes, to < 0 ? 1 : 0);
    if (to >= 0) {
        put_constant(bytes, RT_I32, (uint32_t)to);
        put_byte(bytes, RT_OP_END);
    }
    put_name(bytes, text);
}

/* The module; the builder is empty again. */
MAYBE_UNUSED static struct rt_module *build_module(struct builder *builder) {
    static const uint8_t order[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11};
    struct bytes file = {0};
    put(&file, "\0asm\1\0\0", 8);
    if (builder->sections[11].count) {
        put_uleb(&builder->sections[12].bytes, builder->sections[11].count);
    }
    for (size_t i = 0; i < sizeof(order); i++) {
        struct bytes *section = &builder->sections[order[i]].bytes, whole = {0};
        if (!section->size)
            continue;
        if (order[i] != 8 && order[i] != 12)
            put_uleb(&whole, builder->sections[order[i]].count);
        put(&whole, section->data, section->size);
        put_byte(&file, order[i]);
        put_uleb(&file, whole.size);
        put(&file, whole.data, whole.size);
        free(whole.data);
        free(section->data);
    }
    *builder = (struct builder){0};
    struct rt_module *module = NULL;
    struct rt_error *error = rt_module_create(file.data, file.size, &module);
    free(file.data);
    if (error)
        fail_msg("%s", error->message);
    return module;
}

/* ---- Running ---- */

struct running {
    struct rt_store *store;
    struct rt_module *module;
    struct rt_code *code;
    struct rt_instance *instance;
};

MAYBE_UNUSED static void expect_good(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

/* The engine that code is made for; RUN_ON_BOTH_ENGINES sets it. */
static enum rt_engine tested_engine;

/* rt_code_create for the tested engine. */
MAYBE_UNUSED static struct rt_error *
make_code(const struct rt_module *module, const struct rt_compile_options *options, struct rt_code **ret) {
    struct rt_compile_options complete = options ? *options : (struct rt_compile_options){0};
    complete.engine = tested_engine;
    return rt_code_create(module, &complete, ret);
}

/* A group of tests, once on each engine that this processor has; the number that failed. */
#define RUN_ON_BOTH_ENGINES(tests) run_on_both_engines(tests, sizeof(tests) / sizeof(*(tests)))
MAYBE_UNUSED static int run_on_both_engines(const struct CMUnitTest *tests, size_t count) {
    int failed = 0;
#ifdef __x86_64__
    tested_engine = RT_ENGINE_COMPILED;
    failed += _cmocka_run_group_tests("compiled", tests, count, NULL, NULL);
#endif
    tested_engine = RT_ENGINE_INTERP;
    return failed + _cmocka_run_group_tests("interp", tests, count, NULL, NULL);
}

/* Makes code for and instantiates what was built. */
MAYBE_UNUSED static struct running run_with(struct builder *builder, const struct rt_compile_options *options,
                                            const struct rt_extern *imports, size_t import_count,
                                            struct rt_store *store) {
    struct running running = {.store = store, .module = build_module(builder)};
    if (!store)
        expect_good(rt_store_create(&running.store));
    expect_good(make_code(running.module, options, &running.code));
    expect_good(rt_instance_create(running.store, running.code, imports, import_count, &running.instance));
    return running;
}
MAYBE_UNUSED static struct running run(struct builder *builder) {
    return run_with(builder, NULL, NULL, 0, NULL);
}
MAYBE_UNUSED static void stop(struct running *running) {
    rt_store_destroy(running->store);
    rt_code_destroy(running->code);
    rt_module_destroy(running->module);
}

MAYBE_UNUSED static struct rt_func *exported(const struct running *running, const char *name) {
    struct rt_extern found;
    if (!rt_instance_export(running->instance, name, &found))
        fail_msg("no export %s", name);
    assert_int_equal(found.kind, RT_EXTERN_FUNC);
    return found.func;
}

/* A value of a type from its bits, and back: a union's members lie differently in each byte order. */
MAYBE_UNUSED static union rt_value value_of(enum rt_type type, uint64_t bits) {
    union rt_value value = {.i64 = bits};
    if (type == RT_I32 || type == RT_F32)
        value.i32 = (uint32_t)bits;
    return value;
}
MAYBE_UNUSED static uint64_t bits_of(enum rt_type type, union rt_value value) {
    return type == RT_I32 || type == RT_F32 ? value.i32 : value.i64;
}

/* rt_func_call with up to four arguments by their bits. */
MAYBE_UNUSED static struct rt_error *call_with(struct rt_func *func, const uint64_t bits[4],
                                               union rt_value *results) {
    struct rt_func_type type = rt_func_type_of(func);
    union rt_value args[4] = {{0}};
    assert_true(type.param_count <= 4);
    for (uint32_t i = 0; i < type.param_count; i++)
        args[i] = value_of((enum rt_type)type.params[i], bits[i]);
    return rt_func_call(func, args, results);
}

/* Calls with up to four integer arguments; the first result. */
MAYBE_UNUSED static uint64_t call(const struct running *running, const char *name, uint64_t a, uint64_t b,
                                  uint64_t c, uint64_t d) {
    union rt_value results[16] = {0};
    struct rt_func *func = exported(running, name);
    struct rt_func_type type = rt_func_type_of(func);
    expect_good(call_with(func, (const uint64_t[4]){a, b, c, d}, results));
    return type.result_count ? bits_of((enum rt_type)type.results[0], results[0]) : 0;
}

/* Expects that trap; the error's message goes to `message`, if given (256 bytes). */
MAYBE_UNUSED static void expect_trap_error(struct rt_error *error, enum rt_trap trap, char *message) {
    assert_non_null(error);
    if (error->code != RT_TRAP || error->trap != (int)trap)
        fail_msg("expected the trap \"%s\": %s", rt_trap_message(trap), error->message);
    assert_memory_equal(error->message, rt_trap_message(trap), strlen(rt_trap_message(trap)));
    if (message) {
        strncpy(message, error->message, 255);
        message[255] = 0;
    }
    rt_error_destroy(error);
}
MAYBE_UNUSED static void expect_trap(const struct running *running, const char *name, uint64_t a, uint64_t b,
                                     enum rt_trap trap) {
    union rt_value results[16] = {0};
    struct rt_error *error = call_with(exported(running, name), (const uint64_t[4]){a, b}, results);
    expect_trap_error(error, trap, NULL);
}

#endif
