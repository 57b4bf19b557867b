/* Traces that are not of the run: every event of a recording, changed or left out, and the replay that has to
 * name it. */
#include "runtime/tests/recording.h"

#include <stdio.h>

static struct recording recording;

static int set_up(void **state) {
    (void)state;
    tested_engine = replay_engines[0];
    recording = record();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    destroy_recording(&recording);
    return 0;
}

/* ---- Rewriting ---- */

/* Changes an event, or says that it shall be left out. `types` and `values` are room for a copy. */
typedef bool (*edit)(struct rt_trace_event *event, union rt_value *values, uint64_t number, uint64_t at);

/* The recording with one event changed by `change`, whose number is `at`; false when it left all as it is. */
static bool rewrite(edit change, uint64_t at, struct rt_trace_memory *ret) {
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    const struct rt_trace_event *read;
    struct rt_trace_writer *writer;
    union rt_value values[16];
    bool is_changed = false;

    *ret = (struct rt_trace_memory){0};
    expect_good(
        rt_trace_writer_create(rt_trace_sink_memory(ret), rt_trace_reader_header(reader), NULL, &writer));
    for (;;) {
        expect_good(rt_trace_reader_next(reader, &read));
        if (!read)
            break;
        struct rt_trace_event event = *read;
        const bool keeps = change(&event, values, read->number, at);
        is_changed |= !keeps || !rt_trace_event_equal(&event, read);
        if (!keeps)
            continue;
        expect_good(rt_trace_writer_add(writer, &event));
    }
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    rt_trace_reader_destroy(reader);
    return is_changed;
}

static uint64_t event_count(void) {
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    const struct rt_trace_event *event;
    uint64_t count = 0;
    do {
        expect_good(rt_trace_reader_next(reader, &event));
        count += event != NULL;
    } while (event);
    rt_trace_reader_destroy(reader);
    return count;
}

/* Makes each change, replays, and expects a divergence that names the event: itself, or with `is_later` any
 * from there on. Returns how many changes there were. */
static uint64_t expect_found(edit change, bool is_later) {
    const uint64_t count = event_count();
    uint64_t changes = 0;
    for (uint64_t at = 0; at < count; at++) {
        struct rt_trace_memory bytes;
        struct rt_replay_result result;
        unsigned long long number = 0;
        if (rewrite(change, at, &bytes)) {
            struct rt_error *error =
                replay(&recording, &bytes, replay_engines[at % REPLAY_ENGINES], NULL, &result);
            if (!error || error->code != RT_DIVERGED || sscanf(error->message, "event %llu", &number) != 1 ||
                (is_later ? number < at : number != at))
                fail_msg("event %llu was changed: %s", (unsigned long long)at,
                         error ? error->message : "replayed well");
            rt_error_destroy(error);
            changes++;
        }
        free(bytes.bytes);
    }
    return changes;
}

/* ---- Changes ---- */

/* The last of the values gets another lowest bit. */
static void flip(struct rt_trace_values *list, union rt_value *values) {
    if (!list->count)
        return;
    memcpy(values, list->values, list->count * sizeof *values);
    values[list->count - 1].i32 ^=
        list->types[list->count - 1] == RT_EXTERNREF || list->types[list->count - 1] == RT_FUNCREF ? 0 : 1;
    list->values = values;
}

static bool other_guest_values(struct rt_trace_event *event, union rt_value *values, uint64_t number,
                               uint64_t at) {
    if (number == at && event->kind == RT_TRACE_IMPORT_CALL)
        flip(&event->import_call.arguments, values);
    if (number == at && event->kind == RT_TRACE_GUEST_RETURN)
        flip(&event->guest_return.results, values);
    return true;
}

static bool other_ends(struct rt_trace_event *event, union rt_value *values, uint64_t number, uint64_t at) {
    (void)values;
    if (number != at)
        return true;
    switch (event->kind) {
    case RT_TRACE_GUEST_TRAP:
        if (event->guest_trap.trap == RT_TRAP_INTEGER_DIVIDE_BY_ZERO)
            event->guest_trap.trap = RT_TRAP_INTEGER_OVERFLOW;
        else if (event->guest_trap.trap == RT_TRAP_STACK_EXHAUSTED)
            event->guest_trap.trap = RT_TRAP_UNREACHABLE;
        else if (event->guest_trap.trap == RT_TRAP_UNDEFINED_ELEMENT)
            event->guest_trap.pc++;
        break;
    case RT_TRACE_INSTANTIATION_TRAP: event->instantiation_trap.trap = RT_TRAP_TABLE_OUT_OF_BOUNDS; break;
    case RT_TRACE_MEMORY_GROW: event->memory_grow.old ^= 1; break;
    case RT_TRACE_TABLE_GROW: event->table_grow.old ^= 1; break;
    case RT_TRACE_MEMORY_WRITE: event->memory_write.address = 10 << 20; break;
    case RT_TRACE_TABLE_SET: event->table_set.first = 1000; break;
    default: break;
    }
    return true;
}

/* A call in place of how a call ended, and the other way round. */
static bool other_kind(struct rt_trace_event *event, union rt_value *values, uint64_t number, uint64_t at) {
    (void)values;
    if (number == at && event->kind == RT_TRACE_GUEST_RETURN)
        *event = (struct rt_trace_event){
            .kind = RT_TRACE_GUEST_TRAP,
            .guest_trap = {RT_TRAP_UNREACHABLE, RT_TRACE_NO_INDEX, RT_TRACE_NO_INDEX, RT_TRACE_NO_INDEX}};
    return true;
}

static bool other_host_values(struct rt_trace_event *event, union rt_value *values, uint64_t number,
                              uint64_t at) {
    static uint8_t bytes[4];
    if (number != at)
        return true;
    if (event->kind == RT_TRACE_IMPORT_RETURN)
        flip(&event->import_return.results, values);
    /* The last write before the guest reads. */
    if (event->kind == RT_TRACE_MEMORY_WRITE && event->memory_write.address == 4 &&
        !event->memory_write.bytes.data[0]) {
        memcpy(bytes, event->memory_write.bytes.data, 4);
        bytes[1] ^= 1;
        event->memory_write.bytes.data = bytes;
    }
    return true;
}

/* Leaves out a call of an import in which nothing happened, or an instantiation trap. */
static bool missing(struct rt_trace_event *event, union rt_value *values, uint64_t number, uint64_t at) {
    static bool is_missing;
    (void)values;
    if (event->kind == RT_TRACE_INSTANTIATION_TRAP)
        return number != at;
    if (event->kind == RT_TRACE_IMPORT_CALL && number == at && event->import_call.arguments.count == 2) {
        is_missing = true;
        return false;
    }
    if (!is_missing)
        return true;
    is_missing = event->kind != RT_TRACE_IMPORT_RETURN;
    return false;
}

static void test_what_the_guest_does(void **state) {
    (void)state;
    assert_true(expect_found(other_guest_values, false) > 20);
    assert_true(expect_found(other_ends, false) > 15);
    assert_true(expect_found(other_kind, false) > 10);
    assert_true(expect_found(missing, false) >= 2);
}

static void test_what_the_host_did(void **state) {
    (void)state;
    assert_true(expect_found(other_host_values, true) > 10);
}

/* ---- Messages ---- */

static void expect_message(edit change, uint64_t at, const char *text) {
    struct rt_trace_memory bytes;
    struct rt_replay_result result;
    assert_true(rewrite(change, at, &bytes));
    struct rt_error *error = replay(&recording, &bytes, replay_engines[0], NULL, &result);
    assert_non_null(error);
    if (!strstr(error->message, text))
        fail_msg("expected \"%s\": %s", text, error->message);
    rt_error_destroy(error);
    free(bytes.bytes);
}

static void test_both_sides_are_shown(void **state) {
    (void)state;
    expect_message(other_guest_values, first_of(&recording, RT_TRACE_IMPORT_CALL),
                   "import call env.f: argument 0: expected i32 2 (0x2), got i32 3 (0x3)");
    expect_message(other_ends, first_of(&recording, RT_TRACE_INSTANTIATION_TRAP),
                   "trap: expected \"out of bounds table access\", got \"out of bounds memory access\"");
    expect_message(other_kind, first_of(&recording, RT_TRACE_GUEST_RETURN),
                   "expected guest trap \"unreachable\", got guest return");
    expect_message(other_ends, first_of(&recording, RT_TRACE_MEMORY_GROW),
                   "memory grow: old: expected 0, got 1");
}

static void test_another_module(void **state) {
    (void)state;
    struct recording other = recording;
    struct rt_replay_result result;
    other.modules[1] = recording.modules[2];
    struct rt_error *error = replay(&other, &recording.bytes, replay_engines[0], NULL, &result);
    assert_non_null(error);
    assert_int_equal(error->code, RT_DIVERGED);
    assert_non_null(strstr(error->message, "module 1: another module was recorded: expected SHA-256 "));
    rt_error_destroy(error);
}

/* ---- Settings ---- */

static void expect_settings(const struct rt_trace_setting *setting, const char *text) {
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    struct rt_trace_header header = *rt_trace_reader_header(reader);
    struct rt_trace_memory bytes = {0};
    struct rt_trace_writer *writer;
    struct rt_replay_result result;

    header.settings = setting;
    header.setting_count = 1;
    expect_good(rt_trace_writer_create(rt_trace_sink_memory(&bytes), &header, NULL, &writer));
    expect_good(rt_trace_writer_finish(writer));
    rt_trace_writer_destroy(writer);
    rt_trace_reader_destroy(reader);
    struct rt_error *error = replay(&recording, &bytes, replay_engines[0], NULL, &result);
    if (!text && error)
        fail_msg("%s", error->message);
    if (text && (!error || error->code != RT_UNSUPPORTED || !strstr(error->message, text)))
        fail_msg("expected \"%s\": %s", text, error ? error->message : "no error");
    rt_error_destroy(error);
    free(bytes.bytes);
}

static void test_settings(void **state) {
    (void)state;
    expect_settings(&(struct rt_trace_setting){"nan", "any"}, NULL);
    expect_settings(&(struct rt_trace_setting){"colour", "blue"}, NULL);
    expect_settings(&(struct rt_trace_setting){"nan", "negative"}, "nan=negative");
    expect_settings(&(struct rt_trace_setting){"simd.relaxed", "fast"}, "simd.relaxed=fast");
    expect_settings(&(struct rt_trace_setting){"stack", "65536"}, NULL);
    expect_settings(&(struct rt_trace_setting){"stack", "unknown"}, NULL);
    expect_settings(&(struct rt_trace_setting){"stack", "deep"}, "stack=deep");
    expect_settings(&(struct rt_trace_setting){"stack", ""}, "stack=");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_guest_does),
        cmocka_unit_test(test_what_the_host_did),
        cmocka_unit_test(test_both_sides_are_shown),
        cmocka_unit_test(test_another_module),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
