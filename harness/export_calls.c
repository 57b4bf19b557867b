/* The WASI calls of a trace, with what each read and what was written for it. A trace has what the host
 * wrote, but not what the guest's memory held, so it is replayed, and memory is looked at where the calls
 * are. */
#include "harness/export.h"

#include "harness/trace.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_VECTORS = 1024,     /* of a call, whose vectors are looked into */
    MAX_BYTES = 1 << 30,    /* of all that is kept */
    VECTOR_SIZE = 8,        /* witx `iovec`, `ciovec` */
    SUBSCRIPTION_SIZE = 48, /* witx `subscription` */
    EVENT_SIZE = 32,        /* witx `event` */
    PAGE_SIZE = 64 * 1024,
    MOST_PAGES = 64 * 1024,
};

/* Told by the replayer. What goes wrong in between is kept until it has returned. */
struct reading {
    struct hx_export *export;
    struct rt_error *error;
    struct hx_export_call *call; /* the one that is open, else NULL */
    struct {
        uint64_t address, size;
    } *writes; /* of it */
    size_t write_count, write_capacity;
};

uint64_t hx_export_load(const uint8_t *bytes, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

const struct hx_export_region *hx_export_region(const struct hx_export_call *call, uint32_t parameter,
                                                uint32_t item) {
    for (size_t i = 0; i < call->region_count; i++)
        if (call->regions[i].parameter == parameter && call->regions[i].item == item)
            return &call->regions[i];
    return NULL;
}

/* ---- What a call reads ---- */

/* Only its being readable tells how large memory is. */
static uint64_t memory_size(struct rt_caller *caller) {
    uint64_t least = 0, most = MOST_PAGES;

    while (least < most) {
        const uint64_t middle = least + (most - least) / 2;
        if (rt_guest_view(caller, (uint32_t)(middle * PAGE_SIZE), 1))
            least = middle + 1;
        else
            most = middle;
    }
    return least * PAGE_SIZE;
}

/* Room for regions was made before. */
static bool add_region(struct reading *reading, struct rt_caller *caller, uint32_t parameter, uint32_t item,
                       uint64_t address, uint64_t size, bool is_read) {
    struct hx_export_call *call = reading->call;
    struct hx_export_region *region = &call->regions[call->region_count++];

    *region = (struct hx_export_region){.parameter = parameter,
                                        .item = item,
                                        .address = (uint32_t)address,
                                        .size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size};
    const uint8_t *bytes = rt_guest_view(caller, region->address, (size_t)size);
    region->is_outside = !bytes;
    if (!bytes || !is_read)
        return true;
    region->before = (const uint8_t *)rt_arena_copy(&reading->export->arena, bytes, region->size);
    return region->before != NULL;
}

static bool add_vectors(struct reading *reading, struct rt_caller *caller, uint32_t parameter, bool is_read) {
    const uint64_t *args = reading->call->args;
    const uint64_t count = args[parameter + 1];

    if (!add_region(reading, caller, parameter, 0, args[parameter], count * VECTOR_SIZE, true))
        return false;
    const struct hx_export_region *array = &reading->call->regions[reading->call->region_count - 1];
    for (uint32_t i = 0; !array->is_outside && count <= MAX_VECTORS && i < count; i++) {
        const uint8_t *vector = array->before + (size_t)i * VECTOR_SIZE;
        if (!add_region(reading, caller, parameter, i + 1, hx_export_load(vector, 4),
                        hx_export_load(vector + 4, 4), is_read))
            return false;
    }
    return true;
}

static bool add_parameter(struct reading *reading, struct rt_caller *caller, uint32_t i) {
    const struct hx_export_parameter *parameter = &hx_export_function(reading->call)->parameters[i];
    const uint64_t *args = reading->call->args;

    switch (parameter->role) {
    case HX_EXPORT_VALUE:
    case HX_EXPORT_FD: return true;
    case HX_EXPORT_INPUT: return add_region(reading, caller, i, 0, args[i], args[i + 1], true);
    case HX_EXPORT_FILLED:
    case HX_EXPORT_RANDOM:
    case HX_EXPORT_LISTING: return add_region(reading, caller, i, 0, args[i], args[i + 1], false);
    case HX_EXPORT_GATHERED: return add_vectors(reading, caller, i, true);
    case HX_EXPORT_SCATTERED: return add_vectors(reading, caller, i, false);
    case HX_EXPORT_SUBSCRIPTIONS:
        return add_region(reading, caller, i, 0, args[i], args[i + 2] * SUBSCRIPTION_SIZE, true);
    case HX_EXPORT_EVENTS: return add_region(reading, caller, i, 0, args[i], args[i + 1] * EVENT_SIZE, false);
    case HX_EXPORT_STRINGS: /* their size is seen when they are written */
    case HX_EXPORT_STRING_BYTES: return add_region(reading, caller, i, 0, args[i], 0, false);
    case HX_EXPORT_RESULT:
        return add_region(reading, caller, i, 0, args[i], parameter->structure->size, false);
    }
    return true;
}

/* ---- Calls ---- */

static bool is_wasi(const char *import, enum hx_export_number *ret, struct rt_error **ret_error) {
    static const char module[] = "wasi_snapshot_preview1.", older[] = "wasi_unstable.";

    if (strncmp(import, older, sizeof older - 1) == 0)
        *ret_error =
            rt_error_format(RT_UNSUPPORTED, "its program imports %s, of WASI before preview 1", import);
    if (strncmp(import, module, sizeof module - 1) != 0)
        return false;
    for (int i = 0; i < HX_EXPORT_FUNCTION_COUNT; i++) {
        if (strcmp(import + sizeof module - 1, hx_export_functions[i].name) == 0) {
            *ret = (enum hx_export_number)i;
            return true;
        }
    }
    return false;
}

static struct hx_export_call *next_call(struct hx_export *export) {
    if (export->call_count == export->call_capacity) {
        const size_t capacity = export->call_capacity ? 2 * export->call_capacity : 256;
        struct hx_export_call *grown = realloc(export->calls, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        export->calls = grown;
        export->call_capacity = capacity;
    }
    struct hx_export_call *call = &export->calls[export->call_count];
    *call = (struct hx_export_call){0};
    return call;
}

static struct rt_error *begin(struct reading *reading, struct rt_caller *caller, const char *import,
                              const struct rt_trace_event *event) {
    const struct rt_trace_values *arguments = &event->import_call.arguments;
    struct rt_error *error = NULL;
    enum hx_export_number number;

    reading->call = NULL;
    reading->write_count = 0;
    if (!is_wasi(import, &number, &error)) {
        reading->export->other_calls++;
        return error;
    }
    const struct hx_export_function *function = &hx_export_functions[number];
    bool is_typed = arguments->count == function->parameter_count;
    for (uint32_t i = 0; is_typed && i < arguments->count; i++)
        is_typed = arguments->types[i] == (function->types[i] == 'I' ? RT_I64 : RT_I32);
    if (!is_typed)
        return rt_error_format(RT_UNSUPPORTED, "event %llu: %s has another type than WASI's",
                               (unsigned long long)event->number, import);
    struct hx_export_call *call = next_call(reading->export);
    if (!call)
        return rt_error_out_of_memory();
    call->event = event->number;
    call->number = number;
    call->memory_size = memory_size(caller);
    size_t room = function->parameter_count;
    for (uint32_t i = 0; i < arguments->count; i++) {
        const union rt_value *value = &arguments->values[i];
        const enum hx_export_role role = function->parameters[i].role;
        call->args[i] = function->types[i] == 'I' ? value->i64 : value->i32;
        if (role == HX_EXPORT_GATHERED || role == HX_EXPORT_SCATTERED)
            room += MAX_VECTORS < arguments->values[i + 1].i32 ? 0 : arguments->values[i + 1].i32;
    }
    call->regions = rt_arena_array(&reading->export->arena, room, sizeof *call->regions);
    if (!call->regions)
        return rt_error_out_of_memory();
    reading->call = call;
    for (uint32_t i = 0; i < arguments->count; i++)
        if (!add_parameter(reading, caller, i))
            return rt_error_out_of_memory();
    return NULL;
}

static struct rt_error *add_write(struct reading *reading, uint64_t address, uint64_t size) {
    if (reading->write_count == reading->write_capacity) {
        const size_t capacity = reading->write_capacity ? 2 * reading->write_capacity : 64;
        void *grown = realloc(reading->writes, capacity * sizeof *reading->writes);
        if (!grown)
            return rt_error_out_of_memory();
        reading->writes = grown;
        reading->write_capacity = capacity;
    }
    reading->writes[reading->write_count].address = address;
    reading->writes[reading->write_count++].size = size;
    return NULL;
}

/* What was written from an address on without a gap, up to a limit. Writes come in ascending order within
 * what a parameter points to. */
static uint32_t written_from(const struct reading *reading, uint64_t address, uint64_t limit) {
    uint64_t end = address;

    for (size_t i = 0; i < reading->write_count; i++) {
        const uint64_t from = reading->writes[i].address, to = from + reading->writes[i].size;
        if (from >= address && from <= end && from < limit && to > end)
            end = to < limit ? to : limit;
    }
    return (uint32_t)(end - address);
}

/* Arrays of strings: the pointers end where their bytes begin, if those lie behind them, and the other way.
 */
static void measure_strings(const struct reading *reading) {
    struct hx_export_call *call = reading->call;

    for (size_t i = 0; i < call->region_count; i++) {
        struct hx_export_region *region = &call->regions[i];
        const struct hx_export_region *other = &call->regions[i ^ 1];
        const uint64_t limit = other->address > region->address ? other->address : UINT64_MAX;
        region->size = written_from(reading, region->address, limit);
    }
}

static struct rt_error *finish(struct reading *reading, struct rt_caller *caller) {
    struct hx_export_call *call = reading->call;
    size_t accounted = 0;

    if (call->number == HX_EXPORT_args_get || call->number == HX_EXPORT_environ_get)
        measure_strings(reading);
    for (size_t i = 0; i < call->region_count; i++) {
        struct hx_export_region *region = &call->regions[i];
        const bool is_result =
            hx_export_function(call)->parameters[region->parameter].role == HX_EXPORT_RESULT;
        if (is_result && region->is_outside && hx_export_succeeded(call))
            return rt_error_format(RT_UNSUPPORTED,
                                   "event %llu: %s succeeded, and has its result outside of memory",
                                   (unsigned long long)call->event, hx_export_function(call)->name);
        if (region->before || region->is_outside)
            continue;
        region->written =
            is_result ? region->size
                      : written_from(reading, region->address, (uint64_t)region->address + region->size);
        const uint8_t *bytes = rt_guest_view(caller, region->address, region->written);
        region->after = (const uint8_t *)rt_arena_copy(&reading->export->arena, bytes, region->written);
        if (!region->after)
            return rt_error_out_of_memory();
    }
    for (size_t i = 0; i < reading->write_count; i++) {
        const uint64_t from = reading->writes[i].address, to = from + reading->writes[i].size;
        for (size_t k = 0; k < call->region_count; k++) {
            const struct hx_export_region *region = &call->regions[k];
            if (region->after && from >= region->address && to <= (uint64_t)region->address + region->size) {
                accounted++;
                break;
            }
        }
    }
    if (accounted < reading->write_count)
        return rt_error_format(RT_UNSUPPORTED, "event %llu: %s wrote where WASI does not say that it writes",
                               (unsigned long long)call->event, hx_export_function(call)->name);
    return NULL;
}

static void at_event(void *user, struct rt_caller *caller, const char *import,
                     const struct rt_trace_event *event) {
    struct reading *reading = user;

    if (reading->error)
        return;
    if (event->kind == RT_TRACE_IMPORT_CALL)
        reading->error = begin(reading, caller, import, event);
    if (!reading->call || reading->error)
        return;
    switch (event->kind) {
    case RT_TRACE_MEMORY_WRITE:
        reading->error = add_write(reading, event->memory_write.address, event->memory_write.bytes.size);
        return;
    case RT_TRACE_IMPORT_RETURN:
        if (event->import_return.results.count == 1)
            reading->call->errnum = event->import_return.results.values[0].i32;
        break;
    case RT_TRACE_IMPORT_EXIT: reading->call->end = HX_EXPORT_EXITED; break;
    case RT_TRACE_IMPORT_TRAP: reading->call->end = HX_EXPORT_TRAPPED; break;
    default: return;
    }
    reading->error = finish(reading, caller);
    reading->export->call_count++;
    reading->call = NULL;
}

/* ---- Replaying ---- */

static struct rt_error *replay(struct reading *reading, struct rt_code *code, struct rt_store *store,
                               struct rt_trace_reader *reader) {
    const struct rt_replayer_options options = {
        .codes = &code, .code_count = 1, .at_event = at_event, .user = reading};
    struct rt_replay_result result;
    struct rt_replayer *replayer = NULL;

    struct rt_error *error = rt_replayer_create(store, reader, &options, &replayer);
    if (!error)
        error = rt_replayer_start(replayer);
    if (!error)
        error = rt_replayer_run(replayer, &result);
    rt_replayer_destroy(replayer);
    if (reading->error) { /* it was first */
        rt_error_destroy(error);
        error = reading->error;
    }
    return error;
}

static struct rt_error *copy_header(const struct rt_trace_header *header, struct hx_export *export) {
    const char **words = rt_arena_array(&export->arena, header->command_count, sizeof *words);
    const char *engine = header->engine ? header->engine : "";

    if (!words)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < header->command_count; i++) {
        words[i] = rt_arena_copy(&export->arena, header->command[i], strlen(header->command[i]));
        if (!words[i])
            return rt_error_out_of_memory();
    }
    export->command = words;
    export->command_count = header->command_count;
    memcpy(export->hash, header->modules[0].hash, sizeof export->hash);
    export->engine = rt_arena_copy(&export->arena, engine, strlen(engine));
    return export->engine ? NULL : rt_error_out_of_memory();
}

struct rt_error *hx_export_read(const char *trace, const char *wasm, struct hx_export *ret) {
    const struct rt_compile_options compile = {.engine = RT_ENGINE_COMPILED, .canonical_nans = true};
    struct reading reading = {.export = ret};
    struct rt_trace_source source;
    struct rt_trace_reader *reader = NULL;
    struct rt_module *module = NULL;
    struct rt_code *code = NULL;
    struct rt_store *store = NULL;
    const char *path = wasm;

    *ret = (struct hx_export){.trace = trace};
    rt_arena_init(&ret->arena, MAX_BYTES);
    struct rt_error *error = rt_trace_source_file(trace, &source);
    if (!error)
        error = rt_trace_reader_create(source, &reader);
    if (!error)
        error = hx_trace_module(rt_trace_reader_header(reader), wasm, &path);
    if (!error)
        error = copy_header(rt_trace_reader_header(reader), ret);
    if (!error && !(ret->wasm = rt_arena_copy(&ret->arena, path, strlen(path))))
        error = rt_error_out_of_memory();
    if (!error)
        error = rt_module_open(path, &module);
    if (!error)
        error = rt_code_create(module, &compile, &code);
    if (!error)
        error = rt_store_create(&store);
    if (!error) {
        error = replay(&reading, code, store, reader);
        reader = NULL;
    }
    free(reading.writes);
    rt_trace_reader_destroy(reader);
    rt_store_destroy(store);
    rt_code_destroy(code);
    rt_module_destroy(module);
    ret->end = ret->call_count;
    return error ? rt_error_context(error, "%s", trace) : NULL;
}

void hx_export_clear(struct hx_export *export) {
    free(export->calls);
    hx_buffer_clear(&export->input);
    rt_arena_clear(&export->arena);
}
