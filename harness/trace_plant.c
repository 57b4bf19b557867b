/* Which faults a trace has room for, and traces that have one of them. */
#include "harness/trace_plant.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FAULTS = 100000, CLOCK_SIZE = 8 };
#define SECOND UINT64_C(1000000000)

static struct rt_error *open_trace(const struct rt_trace_memory *trace, struct rt_trace_reader **ret) {
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_memory(trace->bytes, trace->size, &source);
    return error ? error : rt_trace_reader_create(source, ret);
}

/* ---- Survey ---- */

/* A call that is open, or has ended last. */
struct call {
    uint64_t first, count;
    const char *import;
    uint32_t argument_count, result_count;
    bool is_plain; /* nothing but writes happened in it */
    uint64_t writes[8];
    bool has_bytes[8], is_clock[8]; /* of the writes: more than one byte; a time */
    size_t write_count;
};

static void add_plant(struct hx_trace_plants *plants, enum hx_plant_class class, const struct call *call,
                      uint64_t event, uint64_t other_count) {
    if (plants->count < plants->capacity)
        plants->items[plants->count++] =
            (struct hx_trace_plant){class, call->first, call->count, event, other_count, call->import};
}

static void list_call(struct hx_trace_plants *plants, const struct call *call, const struct call *before) {
    const uint64_t last = call->first + call->count - 1;
    add_plant(plants, HX_PLANT_TRACE_CALL_LOST, call, call->first, 0);
    add_plant(plants, HX_PLANT_TRACE_CALL_DOUBLED, call, call->first, 0);
    if (before->is_plain && before->first + before->count == call->first &&
        strcmp(before->import, call->import) != 0)
        add_plant(plants, HX_PLANT_TRACE_CALLS_SWAPPED, before, before->first, call->count);
    if (call->argument_count)
        add_plant(plants, HX_PLANT_TRACE_ARGUMENT, call, call->first, 0);
    if (call->result_count)
        add_plant(plants, HX_PLANT_TRACE_RESULT, call, last, 0);
    for (size_t i = 0; i < call->write_count; i++) {
        add_plant(plants, HX_PLANT_TRACE_WRITE_LOST, call, call->writes[i], 0);
        add_plant(plants, HX_PLANT_TRACE_WRITE_DOUBLED, call, call->writes[i], 0);
        add_plant(plants, HX_PLANT_TRACE_WRITE_BYTE, call, call->writes[i], 0);
        if (call->has_bytes[i])
            add_plant(plants, HX_PLANT_TRACE_WRITE_LENGTH, call, call->writes[i], 0);
        if (call->is_clock[i])
            add_plant(plants, HX_PLANT_TRACE_CLOCK, call, call->writes[i], 0);
    }
}

static void note_write(struct call *call, const struct rt_trace_event *event) {
    const size_t most = sizeof call->writes / sizeof *call->writes;
    const size_t size = event->memory_write.bytes.size;
    if (!size || call->write_count == most)
        return;
    call->writes[call->write_count] = event->number;
    call->has_bytes[call->write_count] = size > 1;
    call->is_clock[call->write_count++] = size == CLOCK_SIZE && strstr(call->import, "clock_time_get");
}

static struct rt_error *take_event(const struct rt_trace_checker *checker, const struct rt_trace_event *event,
                                   struct rt_arena *arena, struct call *call, struct call *before,
                                   struct hx_trace_plants *plants) {
    struct rt_func_type type;
    const char *name;
    switch (event->kind) {
    case RT_TRACE_IMPORT_CALL:
        if (call->is_plain)
            *before = *call;
        *call = (struct call){.first = event->number, .argument_count = event->import_call.arguments.count};
        if (!rt_trace_checker_function(checker, event->import_call.function, &name, &type))
            return NULL;
        call->import = rt_arena_printf(arena, "%s", name);
        call->is_plain = call->import != NULL;
        return call->import ? NULL : rt_error_out_of_memory();
    case RT_TRACE_MEMORY_WRITE:
        if (call->is_plain && !call->count)
            note_write(call, event);
        return NULL;
    case RT_TRACE_IMPORT_RETURN:
        call->count = event->number + 1 - call->first;
        call->result_count = event->import_return.results.count;
        if (call->is_plain)
            list_call(plants, call, before);
        return NULL;
    default:
        call->is_plain = false; /* it calls back, or ends the run: its events belong together */
        return NULL;
    }
}

struct rt_error *hx_trace_plant_survey(const struct rt_trace_memory *trace, struct rt_arena *arena,
                                       struct hx_trace_plants *ret) {
    struct call call = {0}, before = {0};
    struct rt_trace_reader *reader = NULL;
    struct rt_trace_checker *checker = NULL;
    const struct rt_trace_event *event = NULL;
    struct rt_error *error = open_trace(trace, &reader);
    if (!error)
        error = rt_trace_checker_create(rt_trace_reader_header(reader), &checker);
    *ret = (struct hx_trace_plants){.items = rt_arena_array(arena, MOST_FAULTS, sizeof *ret->items),
                                    .capacity = MOST_FAULTS,
                                    .is_guest = rt_arena_array(arena, MOST_FAULTS, sizeof *ret->is_guest)};
    if (!error && (!ret->items || !ret->is_guest))
        error = rt_error_out_of_memory();
    while (!error && !(error = rt_trace_reader_next(reader, &event)) && event &&
           ret->event_count < MOST_FAULTS) {
        const uint8_t order = rt_trace_kind_info(event->kind)->order;
        ret->is_guest[ret->event_count++] =
            order == RT_TRACE_ORDER_CALL_IMPORT || order == RT_TRACE_ORDER_END_GUEST;
        error = rt_trace_checker_add(checker, event);
        if (!error)
            error = take_event(checker, event, arena, &call, &before, ret);
    }
    rt_trace_checker_destroy(checker);
    rt_trace_reader_destroy(reader);
    return error;
}

/* ---- Planting ---- */

static void change_value(uint8_t type, union rt_value *value) {
    if (type == RT_I32 || type == RT_F32)
        value->i32 ^= 1;
    else
        value->i64 ^= 1;
}

/* Writes the event changed as the fault wants it. */
static struct rt_error *write_changed(struct rt_trace_writer *writer, const struct hx_trace_plant *plant,
                                      uint32_t index, const struct rt_trace_event *event) {
    struct rt_trace_event changed = *event;
    union rt_value values[RT_TRACE_MAX_VALUES];
    const bool is_call = event->kind == RT_TRACE_IMPORT_CALL;
    if (is_call || event->kind == RT_TRACE_IMPORT_RETURN) {
        struct rt_trace_values *list =
            is_call ? &changed.import_call.arguments : &changed.import_return.results;
        memcpy(values, list->values, list->count * sizeof *values);
        index %= list->count;
        change_value(list->types[index], &values[index]);
        list->values = values;
        return rt_trace_writer_add(writer, &changed);
    }
    struct rt_trace_bytes *bytes = &changed.memory_write.bytes;
    uint8_t *copy = malloc(bytes->size);
    if (!copy)
        return rt_error_out_of_memory();
    memcpy(copy, bytes->data, bytes->size);
    bytes->data = copy;
    if (plant->class == HX_PLANT_TRACE_WRITE_LENGTH) {
        bytes->size--;
    } else if (plant->class == HX_PLANT_TRACE_CLOCK) {
        uint64_t time = 0;
        for (int i = CLOCK_SIZE - 1; i >= 0; i--)
            time = time << 8 | copy[i];
        time += SECOND;
        for (int i = 0; i < CLOCK_SIZE; i++)
            copy[i] = (uint8_t)(time >> 8 * i);
    } else {
        copy[index % bytes->size] ^= 1;
    }
    struct rt_error *error = rt_trace_writer_add(writer, &changed);
    free(copy);
    return error;
}

/* Writes events again as they are, from another place of the trace. */
static struct rt_error *write_range(struct rt_trace_writer *writer, const struct rt_trace_memory *trace,
                                    uint64_t first, uint64_t count) {
    const struct rt_trace_event *event = NULL;
    struct rt_trace_reader *reader = NULL;
    struct rt_error *error = open_trace(trace, &reader);
    if (!error)
        error = rt_trace_reader_seek(reader, first);
    for (uint64_t i = 0; i < count && !error; i++)
        if (!(error = rt_trace_reader_next(reader, &event)) && event)
            error = rt_trace_writer_add(writer, event);
    rt_trace_reader_destroy(reader);
    return error;
}

static bool is_call_end(const struct hx_trace_plant *plant, uint64_t number) {
    return number == plant->first + plant->count - 1;
}

/* Writes one event of the good trace, with what the fault makes of it. */
static struct rt_error *write_event(struct rt_trace_writer *writer, const struct rt_trace_memory *trace,
                                    const struct hx_trace_plant *plant, uint32_t index,
                                    const struct rt_trace_event *event) {
    const uint64_t number = event->number;
    const bool is_in_call = plant && number >= plant->first && number < plant->first + plant->count;
    struct rt_error *error;
    if (!plant)
        return rt_trace_writer_add(writer, event);
    switch (plant->class) {
    case HX_PLANT_TRACE_CALL_LOST: return is_in_call ? NULL : rt_trace_writer_add(writer, event);
    case HX_PLANT_TRACE_WRITE_LOST: return number == plant->event ? NULL : rt_trace_writer_add(writer, event);
    case HX_PLANT_TRACE_CALL_DOUBLED:
        error = rt_trace_writer_add(writer, event);
        return error || !is_call_end(plant, number) ? error
                                                    : write_range(writer, trace, plant->first, plant->count);
    case HX_PLANT_TRACE_CALLS_SWAPPED: /* the other call comes at the first one's start, and not in its place
                                        */
        error = number == plant->first
                    ? write_range(writer, trace, plant->first + plant->count, plant->other_count)
                    : NULL;
        if (error || (number >= plant->first + plant->count &&
                      number < plant->first + plant->count + plant->other_count))
            return error;
        return rt_trace_writer_add(writer, event);
    case HX_PLANT_TRACE_WRITE_DOUBLED:
        error = rt_trace_writer_add(writer, event);
        return error || number != plant->event ? error : rt_trace_writer_add(writer, event);
    default:
        return number == plant->event ? write_changed(writer, plant, index, event)
                                      : rt_trace_writer_add(writer, event);
    }
}

struct rt_error *hx_trace_plant_apply(const struct rt_trace_memory *trace, const struct hx_trace_plant *plant,
                                      uint32_t index, struct rt_trace_memory *ret) {
    static const struct rt_trace_writer_options fast = {.is_stored = true};
    struct rt_trace_reader *reader = NULL;
    struct rt_trace_writer *writer = NULL;
    const struct rt_trace_event *event = NULL;
    *ret = (struct rt_trace_memory){.bytes = NULL};
    struct rt_error *error = open_trace(trace, &reader);
    if (!error)
        error =
            rt_trace_writer_create(rt_trace_sink_memory(ret), rt_trace_reader_header(reader), &fast, &writer);
    while (!error && !(error = rt_trace_reader_next(reader, &event)) && event)
        error = write_event(writer, trace, plant, index, event);
    if (!error)
        error = rt_trace_writer_finish(writer);
    rt_trace_writer_destroy(writer);
    rt_trace_reader_destroy(reader);
    return error;
}
