/* The replayer: a host that knows nothing but a trace. It makes the guest's calls, answers its imports, and
 * compares what the guest does with what was recorded. The store calls it where a guest calls an import;
 * calls nest as those of the recorded run did. */
#include "runtime/trace/replay.h"

#include "runtime/engine.h"
#include "runtime/trace/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Going on in the trace ---- */

static RT_NEVER_NULL struct rt_error *at_event(const struct rt_replayer *replayer, struct rt_error *error) {
    return rt_error_context(error, "event %llu", (unsigned long long)replayer->now.at);
}

/* Takes what only defines names into account. */
static struct rt_error *define(struct rt_replayer *replayer, const struct rt_trace_event *event,
                               bool *ret_defines) {
    *ret_defines = true;
    if (event->kind == RT_TRACE_HOST_FUNCTION)
        return rt_replay_define_function(replayer, event);
    if (event->kind == RT_TRACE_FUNCREF)
        return rt_replay_define_funcref(replayer, event);
    *ret_defines = event->kind >= RT_TRACE_INFORMATION;
    return NULL;
}

/* The next event that does something, or NULL at the end; it stays the next one until it is taken. */
static struct rt_error *peek(struct rt_replayer *replayer, const struct rt_trace_event **ret) {
    while (!replayer->ahead) {
        const struct rt_trace_event *event;
        bool defines;
        struct rt_error *error = rt_trace_reader_next(replayer->reader, &event);

        *ret = NULL;
        if (error || !event)
            return error;
        if (event->number >= replayer->checked) {
            error = rt_trace_checker_add(replayer->checker, event);
            if (error)
                return error;
            replayer->checked = event->number + 1;
        }
        replayer->now.at = event->number;
        error = define(replayer, event, &defines);
        if (error)
            return at_event(replayer, error);
        replayer->now.events += defines;
        replayer->ahead = defines ? NULL : event;
    }
    *ret = replayer->ahead;
    return NULL;
}

/* The same inside of a call, where the trace cannot be at its end unless it was cut. */
static struct rt_error *peek_inside(struct rt_replayer *replayer, const struct rt_trace_event **ret) {
    struct rt_error *error = peek(replayer, ret);
    if (error || *ret)
        return error;
    replayer->now.is_out = true;
    return rt_error_format(RT_DIVERGED, "the trace ends inside of a call");
}

static void take(struct rt_replayer *replayer) {
    replayer->ahead = NULL;
    replayer->now.events++;
}

static void tell(const struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const char *name;
    struct rt_func_type type;
    if (replayer->options.at_event && replayer->now.caller &&
        rt_trace_checker_function(replayer->checker, replayer->now.import, &name, &type))
        replayer->options.at_event(replayer->options.user, replayer->now.caller, name, event);
}

/* ---- Comparing ---- */

/* A guest's trap as far as it can be compared: what the recorder did not know, and where a stack was
 * exhausted, is taken over from the trace. */
static void adjust(const struct rt_trace_event *expected, struct rt_trace_event *got) {
    if (got->kind != RT_TRACE_GUEST_TRAP || expected->kind != got->kind)
        return;
    const bool is_exhausted = got->guest_trap.trap == RT_TRAP_STACK_EXHAUSTED;
    if (is_exhausted || expected->guest_trap.instance == RT_TRACE_NO_INDEX)
        got->guest_trap.instance = expected->guest_trap.instance;
    if (is_exhausted || expected->guest_trap.function == RT_TRACE_NO_INDEX)
        got->guest_trap.function = expected->guest_trap.function;
    if (is_exhausted || expected->guest_trap.pc == RT_TRACE_NO_INDEX)
        got->guest_trap.pc = expected->guest_trap.pc;
}

/* What the guest did, against the next event, which is taken. */
static struct rt_error *compare(struct rt_replayer *replayer, struct rt_trace_event *got) {
    const struct rt_trace_event *expected;
    struct rt_error *error = peek_inside(replayer, &expected);

    if (error)
        return error;
    adjust(expected, got);
    if (!rt_trace_event_equal(expected, got))
        return at_event(replayer, rt_trace_difference(replayer->checker, expected, got));
    return NULL;
}

/* Values with numbers for references, by what the trace defines before its next event. The memory is the
 * caller's to free. */
static struct rt_error *numbered(struct rt_replayer *replayer, const uint8_t *types, uint32_t count,
                                 const union rt_value *values, union rt_value **ret) {
    const struct rt_trace_event *expected;

    *ret = calloc((size_t)count + 1, sizeof **ret);
    if (!*ret)
        return rt_error_out_of_memory();
    struct rt_error *error = peek_inside(replayer, &expected);
    if (error)
        return error;
    for (uint32_t i = 0; i < count; i++)
        (*ret)[i] = rt_replay_number(replayer, types[i], values[i]);
    return NULL;
}

/* ---- Calls of the guest ---- */

static struct rt_error *compare_return(struct rt_replayer *replayer, const struct rt_func *func,
                                       const union rt_value *results) {
    const struct rt_func_type type = func->type;
    union rt_value *numbers;
    struct rt_error *error = numbered(replayer, type.results, type.result_count, results, &numbers);

    if (!error)
        error = compare(replayer, &(struct rt_trace_event){
                                      .kind = RT_TRACE_GUEST_RETURN,
                                      .guest_return.results = {type.result_count, type.results, numbers}});
    free(numbers);
    return error;
}

/* Compares how a call ended. Takes the error. */
static struct rt_error *compare_end(struct rt_replayer *replayer, const struct rt_func *func,
                                    const union rt_value *results, struct rt_error *ended) {
    const struct rt_trace_event *expected;
    struct rt_trace_event got = {.kind = RT_TRACE_GUEST_TRAP};
    struct rt_error *error;

    if (replayer->now.is_stopped)
        return ended;
    if (!ended) {
        error = compare_return(replayer, func, results);
    } else if (ended->code == RT_EXIT) {
        got = (struct rt_trace_event){.kind = RT_TRACE_GUEST_EXIT,
                                      .guest_exit.status = (uint32_t)ended->exit_status};
        error = compare(replayer, &got);
    } else {
        rt_trace_guest_trap(replayer->store, ended, &got);
        error = peek_inside(replayer, &expected);
        /* What failed here and not there is no divergence of the guest's. */
        if (!error && ended->code != RT_TRAP &&
            !(expected->kind == RT_TRACE_GUEST_TRAP && expected->guest_trap.trap == RT_TRACE_FAILURE))
            return at_event(replayer, ended);
        if (!error)
            error = compare(replayer, &got);
        replayer->now.trap = got.guest_trap.trap;
    }
    rt_error_destroy(ended);
    if (!error)
        take(replayer);
    return error;
}

static struct rt_error *check_arguments(const struct rt_func *func, const struct rt_trace_values *arguments) {
    const struct rt_func_type type = func->type;
    if (arguments->count == type.param_count &&
        (!type.param_count || memcmp(arguments->types, type.params, type.param_count) == 0))
        return NULL;
    return rt_error_format(RT_MALFORMED, "guest call: its arguments are not those of the function's type");
}

/* `values` has room for the type's parameters and results. It is on the stack, as all that a replay has while
 * guests run: a guest that is abandoned or put back leaves nothing behind. */
static struct rt_error *call_with(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                  struct rt_func *func, union rt_value *values) {
    const struct rt_trace_values *arguments = &event->guest_call.arguments;
    const size_t params = func->type.param_count;
    for (uint32_t i = 0; i < params; i++)
        values[i] = rt_replay_value(replayer, arguments->types[i], arguments->values[i]);

    struct rt_caller *const caller = replayer->now.caller;
    const uint32_t import = replayer->now.import;
    take(replayer);
    struct rt_error *error = rt_func_call(func, values, values + params);
    replayer->now.caller = caller;
    replayer->now.import = import;
    return compare_end(replayer, func, values + params, error);
}

static __attribute__((noinline)) struct rt_error *
call_wide(struct rt_replayer *replayer, const struct rt_trace_event *event, struct rt_func *func) {
    union rt_value values[2 * RT_MAX_PARAMS] = {0};
    return call_with(replayer, event, func, values);
}

static struct rt_error *call_guest(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    enum { FEW = 16 };
    union rt_value values[FEW] = {0};
    void *found = NULL;
    struct rt_error *error = rt_replay_resolve(replayer, RT_EXTERN_FUNC, event->guest_call.function, &found);
    if (!error)
        error = check_arguments(found, &event->guest_call.arguments);
    if (error)
        return at_event(replayer, error);
    struct rt_func *func = found;
    return func->type.param_count + func->type.result_count > FEW ? call_wide(replayer, event, func)
                                                                  : call_with(replayer, event, func, values);
}

/* ---- The host's turn ---- */

/* An instantiation that traps is an event directly behind it. `trap`: RT_TRAP_COUNT for none. */
static struct rt_error *compare_instantiation(struct rt_replayer *replayer, enum rt_trap trap) {
    const struct rt_trace_event *next;
    const struct rt_trace_event got = {.kind = RT_TRACE_INSTANTIATION_TRAP,
                                       .instantiation_trap.trap = (uint32_t)trap};
    struct rt_error *error = peek(replayer, &next);

    if (error || !next || (trap == RT_TRAP_COUNT && next->kind != RT_TRACE_INSTANTIATION_TRAP))
        return error;
    if (trap == RT_TRAP_COUNT)
        error = rt_error_format(RT_DIVERGED, "expected instantiation trap \"%s\", got none",
                                rt_trace_trap_name(next->instantiation_trap.trap));
    else if (!rt_trace_event_equal(next, &got))
        error = rt_trace_difference(replayer->checker, next, &got);
    if (error)
        return at_event(replayer, error);
    take(replayer);
    return NULL;
}

static struct rt_error *do_host_event(struct rt_replayer *replayer, const struct rt_trace_event *event) {
    const bool is_instance = event->kind == RT_TRACE_INSTANTIATE;
    enum rt_trap trap;

    tell(replayer, event);
    struct rt_error *error = rt_replay_host_event(replayer, event, &trap);
    if (error)
        return at_event(replayer, error);
    take(replayer);
    return is_instance ? compare_instantiation(replayer, trap) : NULL;
}

/* Does what the host did until an event that ends the import's call, which becomes *ret and is not taken; or,
 * outside of calls, until the end or, with `until_call`, the first call: then *ret is NULL. */
static struct rt_error *play_host(struct rt_replayer *replayer, bool until_call,
                                  const struct rt_trace_event **ret) {
    struct rt_error *error = NULL;

    while (!error) {
        const struct rt_trace_event *event;
        *ret = NULL;
        error = replayer->now.caller ? peek_inside(replayer, &event) : peek(replayer, &event);
        if (error || !event)
            break;
        if (event->kind == RT_TRACE_END) {
            replayer->now.has_end = true;
            replayer->now.outcome = event->end.outcome;
            replayer->now.status = event->end.status;
            take(replayer);
        } else if (event->kind == RT_TRACE_GUEST_CALL) {
            if (until_call)
                break;
            error = call_guest(replayer, event);
        } else if (rt_trace_kind_info(event->kind)->order == RT_TRACE_ORDER_END_IMPORT) {
            *ret = event;
            break;
        } else {
            error = do_host_event(replayer, event);
        }
    }
    return error;
}

/* ---- Imports ---- */

static struct rt_error *open_import(const struct rt_replay_function *function, struct rt_caller *caller,
                                    const union rt_value *args) {
    struct rt_replayer *replayer = function->replayer;
    const struct rt_func_type type = function->type;
    union rt_value *numbers;
    struct rt_error *error = numbered(replayer, type.params, type.param_count, args, &numbers);
    struct rt_trace_event got = {.kind = RT_TRACE_IMPORT_CALL,
                                 .import_call = {.instance = caller->instance->number,
                                                 .function = function->number,
                                                 .arguments = {type.param_count, type.params, numbers}}};
    if (!error)
        error = compare(replayer, &got);
    free(numbers);
    if (error)
        return error;
    replayer->now.caller = caller;
    replayer->now.import = function->number;
    tell(replayer, replayer->ahead);
    take(replayer);
    return NULL;
}

static void put_on_a_line(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* Ends the import's call as the trace says: by results, or by an error that ends the guest's call. */
static struct rt_error *close_import(struct rt_replayer *replayer, const struct rt_trace_event *event,
                                     union rt_value *results) {
    const struct rt_trace_values *values = &event->import_return.results;
    struct rt_error *error = NULL;

    tell(replayer, event);
    if (event->kind == RT_TRACE_IMPORT_RETURN) {
        for (uint32_t i = 0; i < values->count; i++)
            results[i] = rt_replay_value(replayer, values->types[i], values->values[i]);
    } else if (event->kind == RT_TRACE_IMPORT_EXIT) {
        error = rt_error_format(RT_EXIT, "the guest exits with status %d", (int)event->import_exit.status);
        error->exit_status = error->code == RT_EXIT ? (int)event->import_exit.status : error->exit_status;
    } else {
        const bool is_trap = event->import_trap.trap != RT_TRACE_FAILURE;
        error = rt_error_format(is_trap ? RT_TRAP : RT_OS, "%.*s", (int)event->import_trap.message.size,
                                (const char *)event->import_trap.message.data);
        if (error->code == RT_TRAP)
            error->trap = (int)event->import_trap.trap;
        if (error->code != RT_OUT_OF_MEMORY)
            put_on_a_line(error->message);
        snprintf(replayer->now.failure, sizeof replayer->now.failure, "%s", error->message);
    }
    take(replayer);
    return error;
}

struct rt_error *rt_replay_serve(void *user, struct rt_caller *caller, const union rt_value *args,
                                 union rt_value *results) {
    const struct rt_replay_function *function = user;
    struct rt_replayer *replayer = function->replayer;
    const struct rt_trace_event *end = NULL;
    struct rt_error *error = open_import(function, caller, args);

    if (!error)
        error = play_host(replayer, false, &end);
    if (error) {
        replayer->now.is_stopped = true;
        return error;
    }
    error = close_import(replayer, end, results);
    replayer->now.caller = NULL;
    return error;
}

/* ---- Making and running ---- */

static struct rt_error *check_settings(const struct rt_trace_header *header, struct rt_code *const *codes) {
    static const struct {
        const char *key, *values[2];
    } known[] = {{"nan", {"canonical", "any"}},
                 {"simd.relaxed", {"none", "deterministic"}},
                 {"grow", {"limits", "any"}}};
    const char *nan = rt_trace_setting(header, "nan"), *stack = rt_trace_setting(header, "stack");

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *value = rt_trace_setting(header, known[i].key);
        if (value && strcmp(value, known[i].values[0]) != 0 && strcmp(value, known[i].values[1]) != 0)
            return rt_error_format(RT_UNSUPPORTED, "the trace has the setting %s=%s, which is not known here",
                                   known[i].key, rt_printable(value).text);
    }
    /* Any number will do: where a stack is exhausted is not compared. */
    if (stack && strcmp(stack, "unknown") != 0 && (!*stack || stack[strspn(stack, "0123456789")]))
        return rt_error_format(RT_UNSUPPORTED, "the trace has the setting stack=%s, which is not known here",
                               rt_printable(stack).text);
    for (size_t i = 0; i < header->module_count && nan && strcmp(nan, "canonical") == 0; i++)
        if (!codes[i]->has_canonical_nans)
            return rt_error_format(RT_UNSUPPORTED, "the trace has the setting nan=canonical; the module's "
                                                   "code was made without canonical_nans");
    return NULL;
}

static void print_hash(const uint8_t hash[32], char ret[65]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[64] = 0;
}

static bool same_import(const struct rt_import *a, const struct rt_import *b) {
    return a->kind == b->kind && a->module_size == b->module_size && a->name_size == b->name_size &&
           memcmp(a->module, b->module, a->module_size) == 0 && memcmp(a->name, b->name, a->name_size) == 0 &&
           rt_trace_field_equal(RT_TRACE_FUNCTYPE, &a->func, &b->func) && a->type == b->type &&
           a->is_mutable == b->is_mutable;
}

static struct rt_error *check_module(const struct rt_trace_module *recorded, const struct rt_code *code,
                                     struct rt_arena *arena) {
    struct rt_trace_module module;
    struct rt_error *error = rt_trace_module_describe(code->module, "", arena, &module);

    if (error)
        return error;
    if (memcmp(module.hash, recorded->hash, sizeof module.hash) != 0) {
        char expected[65], got[65];
        print_hash(recorded->hash, expected);
        print_hash(module.hash, got);
        return rt_error_format(RT_DIVERGED, "another module was recorded: expected SHA-256 %s, got %s",
                               expected, got);
    }
    bool same = module.import_count == recorded->import_count;
    for (size_t i = 0; i < module.import_count && same; i++)
        same = same_import(&module.imports[i], &recorded->imports[i]);
    return same ? NULL : rt_error_format(RT_MALFORMED, "the header's imports are not those of the module");
}

static struct rt_error *set_up(struct rt_replayer *replayer) {
    const struct rt_trace_header *header = replayer->header;
    struct rt_error *error = NULL;

    if (replayer->store->instances)
        return rt_error_format(RT_USAGE, "replaying: the store has instances already");
    if (replayer->options.code_count != header->module_count)
        return rt_error_format(RT_USAGE, "replaying: the trace has %zu modules; %zu are given",
                               header->module_count, replayer->options.code_count);
    replayer->codes = rt_arena_array(&replayer->arena, header->module_count, sizeof *replayer->codes);
    if (!replayer->codes)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < header->module_count && !error; i++) {
        replayer->codes[i] = replayer->options.codes[i];
        error = check_module(&header->modules[i], replayer->codes[i], &replayer->arena);
        if (error)
            error = rt_error_context(error, "module %zu", i);
    }
    if (!error)
        error = check_settings(header, replayer->codes);
    return error ? error : rt_trace_checker_create(header, &replayer->checker);
}

struct rt_error *rt_replayer_create(struct rt_store *store, struct rt_trace_reader *reader,
                                    const struct rt_replayer_options *options, struct rt_replayer **ret) {
    struct rt_replayer *replayer = calloc(1, sizeof *replayer);

    if (!replayer) {
        rt_trace_reader_destroy(reader);
        return rt_error_out_of_memory();
    }
    replayer->store = store;
    replayer->reader = reader;
    replayer->header = rt_trace_reader_header(reader);
    replayer->options = *options;
    rt_arena_init(&replayer->arena, 0);
    struct rt_error *error = set_up(replayer);
    replayer->options.codes = NULL; /* the caller's, during this call */
    if (error)
        rt_replayer_destroy(replayer);
    else
        *ret = replayer;
    return error;
}

struct rt_error *rt_replayer_start(struct rt_replayer *replayer) {
    const struct rt_trace_event *end;
    return play_host(replayer, true, &end);
}

struct rt_instance *rt_replayer_instance(const struct rt_replayer *replayer) {
    return replayer->store->instances;
}

struct rt_error *rt_replayer_run(struct rt_replayer *replayer, struct rt_replay_result *ret) {
    const struct rt_trace_event *end;
    struct rt_error *error = play_host(replayer, false, &end);

    if (error && replayer->now.is_out) {
        rt_error_destroy(error);
        error = NULL;
    }
    if (error)
        return error;
    *ret = (struct rt_replay_result){.outcome = (enum rt_trace_outcome)replayer->now.outcome,
                                     .status = replayer->now.status,
                                     .trap = replayer->now.trap,
                                     .has_end = replayer->now.has_end,
                                     .events = replayer->now.events};
    ret->is_cut = rt_trace_is_cut(replayer->reader, &ret->behind);
    return NULL;
}

const char *rt_replayer_failure(const struct rt_replayer *replayer) {
    return replayer->now.failure;
}

uint64_t rt_replayer_reference(const struct rt_replayer *replayer, enum rt_type type, const void *reference) {
    const union rt_value value = {.ref = (void *)(uintptr_t)reference};
    return rt_replay_number(replayer, (uint8_t)type, value).i64;
}

void rt_replayer_destroy(struct rt_replayer *replayer) {
    if (!replayer)
        return;
    for (size_t i = 0; i < sizeof replayer->host / sizeof *replayer->host; i++)
        free(replayer->host[i].bytes);
    free(replayer->instances.bytes);
    free(replayer->funcrefs.bytes);
    rt_trace_names_clear(&replayer->names);
    rt_trace_checker_destroy(replayer->checker);
    rt_trace_reader_destroy(replayer->reader);
    rt_arena_clear(&replayer->arena);
    free(replayer);
}
