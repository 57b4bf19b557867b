/* Any bytes, as a location expression or as a location list, are decoded, printed and evaluated against a
 * made-up frame to an answer: a place, or a reason; in bounded time, and reading nothing outside of them.
 *
 * Covers: stepper/expression.c stepper/expression_place.c stepper/expression_print.c
 * stepper/expression_value.c stepper/location_list.c */
#include "harness/fuzz/machine.h"

#include <dwarf.h>

enum { VERSION_5 = 1, ADDRESS_8 = 2, OFFSET_8 = 4, IS_LIST = 8, OWN_FRAME_BASE = 16 };

/* Types for typed operations: the DIE at offset 1 + i is types[i]. */
static const struct st_map *get_types(void) {
    static struct st_type types[] = {
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 4, .name = "int"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_unsigned, .size = 8, .name = "unsigned long"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_float, .size = 4, .name = "float"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_float, .size = 8, .name = "double"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_signed_char, .size = 1, .name = "char"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_boolean, .size = 1, .name = "_Bool"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_unsigned, .size = 2},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_address, .size = 4, .name = "address"},
        {.kind = ST_TYPE_BASE, .encoding = DW_ATE_float, .size = 16, .name = "long double"},
        {.kind = ST_TYPE_BASE, .encoding = 0xff, .size = 0},
        {.kind = ST_TYPE_STRUCT, .size = 8, .name = "a structure"},
    };
    static struct st_map map;
    for (size_t i = 0; i < sizeof types / sizeof *types && map.count <= i; i++)
        fuzz_require(st_map_put(&map, 1 + i, &types[i]));
    return &map;
}

/* The first byte chooses version, sizes, and what the rest is; the second, the size of the object. The rest
 * is each of the sections as well, for operands that point into them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_cursor input = rt_cursor_make(data, size, 0);
    unsigned mode = (unsigned)fuzz_take(&input, 1);
    size_t object = fuzz_take(&input, 1);
    struct st_section sections[ST_SECTION_COUNT];
    struct st_unit unit = {.sections = sections,
                           .types = get_types(),
                           .version = mode & VERSION_5 ? 5 : 4,
                           .address_size = mode & ADDRESS_8 ? 8 : 4,
                           .offset_size = mode & OFFSET_8 ? 8 : 4,
                           .directory = "/"};
    for (size_t i = 0; i < ST_SECTION_COUNT; i++)
        sections[i] = (struct st_section){input.next, rt_cursor_left(&input)};
    struct rt_arena arena;
    rt_arena_init(&arena, (size_t)16 << 20);

    const struct st_expression expression = {{0, UINT64_MAX}, input.next, rt_cursor_left(&input), &unit};
    struct st_location location = {.kind = ST_LOCATION_EXPRESSIONS, .expressions = &expression, .count = 1};
    static const uint8_t frame_base_bytes[] = {0xed, 0, 2,
                                               0x9f}; /* DW_OP_WASM_location 0 2, DW_OP_stack_value */
    const struct st_expression base_expression = {
        {0, UINT64_MAX}, frame_base_bytes, sizeof frame_base_bytes, &unit};
    const struct st_location base = {
        .kind = ST_LOCATION_EXPRESSIONS, .expressions = &base_expression, .count = 1};
    struct rt_error *error = NULL;
    if (mode & IS_LIST)
        error = st_location_list_read(&unit, 0, &arena, &location);
    struct st_machine machine = fuzz_machine(unit.address_size, mode & OWN_FRAME_BASE ? &location : &base);
    if (!error)
        fuzz_evaluate(&machine, &location, object, &arena);
    fuzz_require_sound_error(error);
    rt_arena_clear(&arena);
    return 0;
}
