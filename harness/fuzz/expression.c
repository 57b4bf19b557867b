/* Any bytes, as a location expression or as a location list, are decoded, printed and evaluated against a
 * made-up frame to an answer: a place, or a reason; in bounded time, and reading nothing outside of them.
 *
 * Covers: stepper/expression.c stepper/expression_place.c stepper/expression_print.c
 * stepper/expression_value.c stepper/location_list.c */
#include "harness/fuzz/machine.h"

enum { VERSION_5 = 1, ADDRESS_8 = 2, OFFSET_8 = 4, IS_LIST = 8, OWN_FRAME_BASE = 16 };

/* The first byte chooses version, sizes, and what the rest is; the second, the size of the object. The rest
 * is each of the sections as well, for operands that point into them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_cursor input = rt_cursor_make(data, size, 0);
    unsigned mode = (unsigned)fuzz_take(&input, 1);
    size_t object = fuzz_take(&input, 1);
    struct st_section sections[ST_SECTION_COUNT];
    struct st_unit unit = {.sections = sections,
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
