/* One side of a comparison of engines: a module with all that it needs, and what it is to run. All is
 * deterministic: two sides that differ have differed by themselves. */
#include "harness/engines.h"
#include "harness/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    OUTPUT_LIMIT = 16 << 20,
    /* What a module of unknown origin may ask for; both sides have it all, more than once for a while. */
    MEMORY_PAGES = 1024,
    TABLE_ELEMENTS = 1 << 20,
    STACK_SIZE = 1 << 20, /* deep recursion is a thing of minutes, one instruction at a time */
    ROUNDS = 6,           /* how often each export is called, each time with other arguments */
};

bool hx_guest_keep_output(void *user, int fd, const void *bytes, size_t size) {
    struct hx_guest *guest = user;
    struct hx_buffer *stream = &guest->streams[fd == 2];

    if (stream->size + size > OUTPUT_LIMIT)
        size = OUTPUT_LIMIT - stream->size;
    hx_buffer_append(stream, bytes, size);
    return !stream->failed;
}

/* ---- Made-up values ---- */

/* Numbers where engines err are rare among random ones. */
static union rt_value make_value(enum rt_type type, uint64_t number) {
    static const uint64_t interesting[] = {0,
                                           1,
                                           2,
                                           7,
                                           8,
                                           31,
                                           32,
                                           63,
                                           64,
                                           0x7f,
                                           0x80,
                                           0xff,
                                           0xffff,
                                           0x10000,
                                           0x7fffffff,
                                           0x80000000,
                                           0xffffffff,
                                           0x7fffffffffffffff,
                                           0x8000000000000000,
                                           UINT64_MAX};
    static const double floats[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.5,
                                    0.5,
                                    2147483648.0,
                                    -9223372036854775808.0,
                                    1e308,
                                    5e-324,
                                    __builtin_inf(),
                                    __builtin_nan("")};
    uint64_t bits = hx_random_nth(number), pick = bits >> 40;
    union rt_value value = {.v128 = {0}};

    switch (type) {
    case RT_I32:
    case RT_I64:
        value.i64 = bits & 1 ? interesting[pick % (sizeof interesting / sizeof *interesting)] : bits >> 1;
        if (type == RT_I32)
            value.i64 = value.i32;
        break;
    case RT_F32:
        value.f32 = (float)floats[pick % (sizeof floats / sizeof *floats)];
        if (bits & 1)
            value.i64 = (uint32_t)(bits >> 8);
        break;
    case RT_F64:
        value.f64 = floats[pick % (sizeof floats / sizeof *floats)];
        if (bits & 1)
            value.i64 = bits;
        break;
    case RT_V128:
        for (unsigned i = 0; i < sizeof value.v128; i++)
            value.v128[i] = (uint8_t)(hx_random_nth(number + i) >> 5);
        break;
    case RT_FUNCREF: break;
    case RT_EXTERNREF: value.ref = (void *)(uintptr_t)(bits % 3 * 16); break;
    }
    return value;
}

/* ---- Made-up imports ---- */

struct made_up {
    struct hx_guest *guest;
    struct rt_func_type type;
};

static struct rt_error *answer(void *user, struct rt_caller *caller, const union rt_value *args,
                               union rt_value *results) {
    struct made_up *function = user;

    (void)caller, (void)args;
    for (uint32_t i = 0; i < function->type.result_count; i++)
        results[i] = make_value((enum rt_type)function->type.results[i], ++function->guest->answers);
    return NULL;
}

static struct rt_error *make_import(struct hx_guest *guest, const struct rt_import *import, size_t index,
                                    struct rt_extern *ret) {
    struct made_up *function;

    ret->kind = import->kind;
    switch (import->kind) {
    case RT_EXTERN_FUNC:
        function = rt_arena_alloc(&guest->arena, sizeof *function);
        if (!function)
            return rt_error_out_of_memory();
        *function = (struct made_up){guest, import->func};
        return rt_func_create(guest->store, import->name, import->func, answer, function, &ret->func);
    case RT_EXTERN_TABLE: return rt_table_create(guest->store, import->type, import->limits, &ret->table);
    case RT_EXTERN_MEMORY: return rt_memory_create(guest->store, import->limits, &ret->memory);
    case RT_EXTERN_GLOBAL:
        return rt_global_create(guest->store, import->type, import->is_mutable,
                                make_value(import->type, index), &ret->global);
    }
    return rt_error_format(RT_UNSUPPORTED, "not supported: an import of an unknown kind");
}

static struct rt_error *instantiate_made_up(struct hx_guest *guest, const struct rt_module *module) {
    size_t count = rt_module_import_count(module);
    struct rt_extern *imports = rt_arena_array(&guest->arena, count, sizeof *imports);
    struct rt_error *error = imports ? NULL : rt_error_out_of_memory();

    for (size_t i = 0; i < count && !error; i++) {
        struct rt_import import = rt_module_import(module, i);
        error = make_import(guest, &import, i, &imports[i]);
    }
    return error ? error : rt_instance_create(guest->store, guest->code, imports, count, &guest->instance);
}

/* ---- Calling exports, on the guest's stack ---- */

static void print_result(struct hx_guest *guest, enum rt_type type, union rt_value value) {
    switch (type) {
    case RT_I32:
    case RT_F32: hx_buffer_print(&guest->calls, " 0x%x", value.i32); break;
    case RT_I64:
    case RT_F64: hx_buffer_print(&guest->calls, " 0x%llx", (unsigned long long)value.i64); break;
    case RT_V128:
        hx_buffer_text(&guest->calls, " ");
        for (unsigned i = 0; i < sizeof value.v128; i++)
            hx_buffer_print(&guest->calls, "%02x", value.v128[i]);
        break;
    case RT_FUNCREF:
    case RT_EXTERNREF: hx_buffer_text(&guest->calls, value.ref ? " a reference" : " null"); break;
    }
}

/* Notes a trap, which is no error; gives back any other one. */
static struct rt_error *note_trap(struct hx_guest *guest, struct rt_error *error) {
    if (!error || error->code != RT_TRAP)
        return error;
    hx_buffer_print(&guest->calls, " %s", rt_trap_message((enum rt_trap)error->trap));
    rt_error_destroy(error);
    return NULL;
}

/* Calls one function and notes what came of it. A trap is no error; that a guest ended is. */
static struct rt_error *call_export(struct hx_guest *guest, const char *name, struct rt_func *func,
                                    const union rt_value *args) {
    struct rt_func_type type = rt_func_type_of(func);
    union rt_value *results = rt_arena_array(&guest->arena, type.result_count, sizeof *results);

    if (!results)
        return rt_error_out_of_memory();
    hx_buffer_print(&guest->calls, "%s:", name);
    struct rt_error *error = rt_func_call(func, args, results);
    for (uint32_t i = 0; i < type.result_count && !error; i++)
        print_result(guest, (enum rt_type)type.results[i], results[i]);
    error = note_trap(guest, error);
    hx_buffer_text(&guest->calls, "\n");
    return error;
}

static struct rt_error *call_with_made_up(struct hx_guest *guest, const char *name, uint32_t function,
                                          uint64_t number) {
    struct rt_func *func = rt_instance_func(guest->instance, function);
    struct rt_func_type type = rt_func_type_of(func);
    union rt_value *args = rt_arena_array(&guest->arena, type.param_count, sizeof *args);

    if (!args)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < type.param_count; i++)
        args[i] = make_value((enum rt_type)type.params[i], number * 1000 + i);
    return call_export(guest, name, func, args);
}

/* "NAME,1,-2,0x3": integers by their value, floats as C writes them. */
static struct rt_error *call_one(struct hx_guest *guest, const char *text) {
    size_t length = strcspn(text, ",");
    const char *name = rt_arena_copy(&guest->arena, text, length), *rest = text + length;
    struct rt_extern item;

    if (!name)
        return rt_error_out_of_memory();
    if (!rt_instance_export(guest->instance, name, &item) || item.kind != RT_EXTERN_FUNC)
        return rt_error_format(RT_USAGE, "--invoke: the module exports no function '%s'", name);
    struct rt_func_type type = rt_func_type_of(item.func);
    union rt_value *args = rt_arena_array(&guest->arena, type.param_count, sizeof *args);
    if (!args)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < type.param_count; i++) {
        char *end = NULL;
        if (*rest != ',')
            return rt_error_format(RT_USAGE, "--invoke: '%s' takes %u arguments", name, type.param_count);
        rest++;
        switch ((enum rt_type)type.params[i]) {
        case RT_I32: args[i].i32 = (uint32_t)strtoull(rest, &end, 0); break;
        case RT_I64: args[i].i64 = strtoull(rest, &end, 0); break;
        case RT_F32: args[i].f32 = strtof(rest, &end); break;
        case RT_F64: args[i].f64 = strtod(rest, &end); break;
        case RT_V128:
        case RT_FUNCREF:
        case RT_EXTERNREF:
            return rt_error_format(RT_USAGE, "--invoke: '%s' takes no number as argument %u", name, i + 1);
        }
        if (end == rest || (*end != ',' && *end != '\0'))
            return rt_error_format(RT_USAGE, "--invoke: '%s' is no number", rest);
        rest = end;
    }
    if (*rest != '\0')
        return rt_error_format(RT_USAGE, "--invoke: '%s' takes %u arguments", name, type.param_count);
    return call_export(guest, name, item.func, args);
}

static uint32_t imported_functions(const struct rt_module *module) {
    uint32_t count = 0;

    for (size_t i = 0; i < rt_module_import_count(module); i++)
        count += rt_module_import(module, i).kind == RT_EXTERN_FUNC;
    return count;
}

static struct rt_error *run_exports(void *user, struct rt_instance *instance, int *ret_status) {
    struct hx_guest *guest = user;
    const struct rt_module *module = rt_code_module(guest->code);
    const uint32_t imported = imported_functions(module);
    struct rt_error *error = rt_instance_start(instance);

    *ret_status = 0;
    if (error) { /* the instance is of no use */
        hx_buffer_text(&guest->calls, "start:");
        return note_trap(guest, error);
    }
    if (guest->options->invoke)
        return call_one(guest, guest->options->invoke);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < rt_module_export_count(module) && !error; i++) {
            enum rt_extern_kind kind;
            uint32_t item;
            const char *name = rt_module_export(module, i, &kind, &item);
            if (kind == RT_EXTERN_FUNC && item >= imported) /* what the host gave has nothing to show */
                error = call_with_made_up(guest, name, item, round * 10007 + i);
        }
    }
    return error;
}

/* ---- Opening and closing ---- */

static bool is_command(const struct rt_module *module) {
    bool has_start = false;

    for (size_t i = 0; i < rt_module_import_count(module); i++) {
        struct rt_import import = rt_module_import(module, i);
        if (import.kind != RT_EXTERN_FUNC || strncmp(import.module, "wasi_", 5) != 0)
            return false;
    }
    for (size_t i = 0; i < rt_module_export_count(module); i++) {
        enum rt_extern_kind kind;
        uint32_t item;
        const char *name = rt_module_export(module, i, &kind, &item);
        has_start = has_start || (kind == RT_EXTERN_FUNC && strcmp(name, "_start") == 0);
    }
    return has_start;
}

/* What a command that is recorded has for itself. */
static struct rt_error *make_world(struct hx_guest *guest) {
    static const char name[] = "run";
    const struct hx_engines *options = guest->options;

    if (options->setup)
        return hx_guest_world_make(options->setup, options->folder, name, &guest->world);
    if (options->dir_count)
        return hx_guest_world_copy(options->dirs, options->dir_count, options->folder, name, &guest->world);
    return NULL;
}

static struct rt_error *instantiate_command(struct hx_guest *guest) {
    const struct hx_engines *options = guest->options;
    const struct hx_guest_setup *setup = options->setup;
    const struct hx_guest_world *world = &guest->world;
    struct rt_error *error = guest->is_recorded ? make_world(guest) : NULL;
    const struct rt_wasi_options wasi = {.args = setup ? setup->args : options->args,
                                         .arg_count = setup ? setup->arg_count : options->arg_count,
                                         .env = setup ? setup->env : options->env,
                                         .env_count = setup ? setup->env_count : options->env_count,
                                         .dirs = guest->is_recorded ? world->dirs : options->dirs,
                                         .dir_count =
                                             guest->is_recorded ? world->dir_count : options->dir_count,
                                         .stdin_fd = world->has_input ? world->input_fd : -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .write = hx_guest_keep_output,
                                         .write_user = guest,
                                         .deterministic = !guest->is_recorded};

    if (!error)
        error = rt_wasi_create(guest->store, &wasi, &guest->wasi);
    return error ? error : rt_wasi_instantiate(guest->wasi, guest->code, &guest->instance);
}

/* Loops and functions' first instructions: nothing runs long without one. */
static struct rt_error *list_sites(const struct rt_module *module, struct rt_arena *arena,
                                   struct rt_compile_options *ret) {
    size_t size;
    rt_module_code(module, &size);
    uint32_t *sites = rt_arena_array(arena, size, sizeof *sites); /* more than there are instructions */
    if (!sites)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < rt_module_function_count(module); i++) {
        uint32_t start, code, end;
        struct rt_instruction instruction;
        if (!rt_module_function_range(module, i, &start, &code, &end))
            continue;
        for (uint32_t pc = code; pc < end && rt_module_instruction(module, pc, &instruction);
             pc += instruction.size)
            if (pc == code || strcmp(instruction.text, "loop") == 0)
                sites[ret->site_count++] = pc;
    }
    ret->sites = sites;
    return NULL;
}

struct rt_error *hx_guest_open(const struct rt_module *module, enum rt_engine engine,
                               const struct hx_engines *options, struct hx_guest *ret) {
    struct rt_compile_options compile = {
        .engine = engine, .every_instruction = !options->is_coarse, .canonical_nans = true};
    struct st_session_options session = {.host_calls = true};

    ret->options = options;
    ret->is_command = !options->invoke && is_command(module);
    rt_arena_init(&ret->arena, 0);
    if (!ret->is_command) {
        session.stack_size = STACK_SIZE;
        session.run = run_exports;
        session.run_user = ret;
    }
    struct rt_error *error = options->is_coarse ? list_sites(module, &ret->arena, &compile) : NULL;
    if (!error)
        error = rt_code_create(module, &compile, &ret->code);
    if (!error)
        error = rt_store_create(&ret->store);
    if (!error) {
        rt_store_set_limits(ret->store, options->memory_pages ? options->memory_pages : MEMORY_PAGES,
                            TABLE_ELEMENTS);
        if (ret->prepare)
            error = ret->prepare(ret, &session);
    }
    if (!error && !ret->instance)
        error = ret->is_command ? instantiate_command(ret) : instantiate_made_up(ret, module);
    if (!error)
        error = st_session_create_wasm(ret->instance, ret->debug, &session, &ret->session);
    return error ? rt_error_context(error, "%s", rt_engine_name(engine)) : NULL;
}

void hx_guest_close(struct hx_guest *guest) {
    st_session_destroy(guest->session);
    rt_wasi_destroy(guest->wasi);
    rt_store_destroy(guest->store);
    hx_guest_world_close(&guest->world);
    rt_code_destroy(guest->code);
    for (int i = 0; i < 2; i++)
        hx_buffer_clear(&guest->streams[i]);
    hx_buffer_clear(&guest->calls);
    rt_arena_clear(&guest->arena);
    *guest = (struct hx_guest){0};
}
