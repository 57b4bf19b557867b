/* Property: whatever bytes a line table, a location list and its expressions have, they are decoded, printed
 * and evaluated to an answer: an error, a value, or a reason; and nothing outside of them is read. */
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"
#include "stepper/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    (void)user;
    *ret = 0x1000 + number;
    return number < 17;
}

static const uint8_t *read_vector(void *user, unsigned index) {
    return index < 8 ? user : NULL;
}

/* 256 bytes at 0x1000. */
static const void *read_memory(void *user, uint64_t address, size_t size) {
    return address >= 0x1000 && size <= 256 && address - 0x1000 <= 256 - size
               ? (const uint8_t *)user + (address - 0x1000)
               : NULL;
}

static bool read_cfa(void *user, uint64_t *ret) {
    (void)user;
    *ret = 0x1080;
    return true;
}

static struct rt_error *read_wasm(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                                  union rt_value *ret) {
    static const enum rt_type types[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_FUNCREF};
    (void)user;
    if (index >= sizeof types / sizeof *types)
        return rt_error_format(RT_USAGE, "there is no %u of kind %u", index, kind);
    *type = types[index];
    *ret = (union rt_value){.i64 = 0x1010};
    return NULL;
}

static void evaluate(const struct st_unit *unit, const struct st_location *location, struct rt_arena *arena) {
    static uint8_t memory[256];
    struct st_machine machine = {
        .bias = 0x1000,
        .address_size = unit->address_size,
        .frame_base = location,
        .user = memory,
        .read_register = read_register,
        .read_vector = read_vector,
        .memory = read_memory,
        .cfa = read_cfa,
        .wasm = read_wasm,
    };
    for (size_t i = 0; i < location->count && i < 16; i++) {
        struct st_place place;
        machine.pc = location->expressions[i].range.low;
        st_evaluate(&machine, location, i, arena, &place);
        if (place.kind == ST_PLACE_IRRETRIEVABLE && !place.reason)
            abort();
        if (place.kind == ST_PLACE_VALUE && place.size > sizeof place.bytes)
            abort();
        st_expression_print(&location->expressions[i], arena);
    }
}

static void read_lines(struct st_debug *debug, struct st_unit *unit) {
    struct st_reader reader = {.debug = debug, .arena = &debug->arena, .unit = unit};
    struct rt_error *error = st_lines_read(&reader, 0);
    if (!error)
        error = st_lines_finish(&reader);
    for (size_t i = 1; !error && i < debug->row_count; i++)
        if (debug->rows[i - 1].pc > debug->rows[i].pc)
            abort();
    rt_error_destroy(error);
    struct st_list *lists[] = {&reader.rows, &reader.sequences, &reader.files};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        st_list_clear(lists[i]);
    st_map_clear(&reader.file_names);
    st_map_clear(&reader.line_tables);
}

/* The first byte chooses version and sizes; the rest is each of the sections. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct st_range code = {0x1000, 0x100000};
    struct st_debug debug = {.label = "input", .code = &code, .code_count = 1};
    struct st_unit unit = {.sections = debug.sections,
                           .version = data[0] & 1 ? 5 : 4,
                           .address_size = data[0] & 2 ? 8 : 4,
                           .offset_size = data[0] & 4 ? 8 : 4,
                           .directory = "/"};
    for (size_t i = 0; i < ST_SECTION_COUNT; i++)
        debug.sections[i] = (struct st_section){data + 1, size - 1};
    rt_arena_init(&debug.arena, (size_t)64 << 20);

    const struct st_expression expression = {{0, UINT64_MAX}, data + 1, size - 1, &unit};
    struct st_location location = {.kind = ST_LOCATION_EXPRESSIONS, .expressions = &expression, .count = 1};
    evaluate(&unit, &location, &debug.arena);
    struct rt_error *error = st_location_list_read(&unit, 0, &debug.arena, &location);
    if (!error)
        evaluate(&unit, &location, &debug.arena);
    rt_error_destroy(error);
    read_lines(&debug, &unit);
    rt_arena_clear(&debug.arena);
    return 0;
}
