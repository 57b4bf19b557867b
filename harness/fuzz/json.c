/* Any bytes as JSON are a value or an error, and what is read is the same after it has been written and read
 * again. As a test script of wast2json, they are commands or an error.
 *
 * Covers: harness/json_read.c harness/json.c harness/buffer.c harness/wast_script.c harness/wast_values.c */
#include "harness/fuzz/fuzz.h"
#include "harness/json.h"
#include "harness/wast.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The writer has strings that end at a zero, and no fractions: those are left out. */
static void write_value(struct hx_json *json, const char *key, const struct hx_json_value *value) {
    switch (value->kind) {
    case HX_JSON_NULL: hx_json_string(json, key, NULL); return;
    case HX_JSON_BOOL: hx_json_bool(json, key, value->boolean); return;
    case HX_JSON_STRING: hx_json_string(json, key, value->string); return;
    case HX_JSON_NUMBER: {
        bool is_whole = value->number >= 0 && value->number < 0x1p53;
        hx_json_number(json, key, is_whole ? (uint64_t)value->number : 0);
        return;
    }
    case HX_JSON_ARRAY:
    case HX_JSON_OBJECT: {
        bool is_object = value->kind == HX_JSON_OBJECT;
        hx_json_open(json, key, is_object ? '{' : '[');
        for (const struct hx_json_value *item = value->first; item; item = item->next)
            write_value(json, is_object ? "key" : NULL, item);
        hx_json_close(json, is_object ? '}' : ']');
        return;
    }
    }
}

/* Writes a value to `text`, and reads that. */
static const struct hx_json_value *rewrite(const struct hx_json_value *value, struct rt_arena *arena,
                                           struct hx_buffer *text) {
    write_value(&(struct hx_json){.out = text}, NULL, value);
    fuzz_require(!text->failed);
    fuzz_require(!hx_json_parse(hx_buffer_string(text), text->size, arena, &value));
    return value;
}

static void check_strings(const struct hx_json_value *value) {
    for (size_t at = 0; value->kind == HX_JSON_STRING && at < value->string_size;) {
        const size_t length = hx_utf8_length(value->string + at, value->string_size - at);
        fuzz_require(length > 0);
        at += length;
    }
    for (const struct hx_json_value *item = value->first; item; item = item->next)
        check_strings(item);
}

/* The first writing may change what it has no words for: fractions, for one. The next must not. */
static void round_trip(const uint8_t *data, size_t size) {
    struct rt_arena arena;
    struct hx_buffer first = {0}, second = {0}, third = {0};
    const struct hx_json_value *value;
    rt_arena_init(&arena, (size_t)256 << 20);
    struct rt_error *error = hx_json_parse((const char *)data, size, &arena, &value);
    if (!error) {
        check_strings(value);
        value = rewrite(value, &arena, &first);
        value = rewrite(value, &arena, &second);
        rewrite(value, &arena, &third);
        fuzz_require(second.size == third.size);
        fuzz_require_same_text(hx_buffer_string(&second), hx_buffer_string(&third));
    }
    fuzz_require_sound_error(error);
    hx_buffer_clear(&first);
    hx_buffer_clear(&second);
    hx_buffer_clear(&third);
    rt_arena_clear(&arena);
}

static void check_action(const struct hx_wast_action *action) {
    fuzz_require(action->arg_count == 0 || action->args);
    fuzz_require(!action->module.bytes || !action->module.bytes[action->module.size]);
    fuzz_require(!action->field.bytes || !action->field.bytes[action->field.size]);
}

/* A script is read from a file, which is in memory here. */
static void read_script(const uint8_t *data, size_t size) {
    char path[64];
    struct hx_wast_script script;
    struct hx_buffer printed = {0};
    int fd = memfd_create("script", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rt_error *error = hx_wast_script_read(path, &script);
    for (size_t i = 0; !error && i < script.command_count; i++) {
        const struct hx_wast_command *command = &script.commands[i];
        fuzz_require(command->kind < HX_WAST_KIND_COUNT && hx_wast_kind_name(command->kind));
        check_action(&command->action);
        for (size_t k = 0; k < command->expected_count; k++) {
            hx_wast_value_matches(&command->expected[k], &command->expected[k].value);
            hx_wast_value_print(&command->expected[k], &printed);
        }
    }
    hx_buffer_clear(&printed);
    hx_wast_script_clear(&script);
    fuzz_require_sound_error(error);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    round_trip(data, size);
    read_script(data, size);
    return 0;
}
