/* Any bytes in a module's DWARF sections give a model in order, or an error: every question about it has an
 * answer, and every location an evaluation.
 *
 * Covers: stepper/debug.c stepper/debug_attributes.c stepper/debug_image.c stepper/debug_lines.c
 * stepper/debug_map.c stepper/debug_types.c stepper/debug_units.c stepper/location_list.c */
#include "harness/fuzz/machine.h"

enum { FUNCTIONS = 8, FUNCTION_SIZE = 128, CODE_SIZE = FUNCTIONS * FUNCTION_SIZE, MOST_BYTES = 1 << 16 };

struct image {
    uint8_t bytes[2 * MOST_BYTES];
    size_t size;
};

static void put(struct image *image, const void *bytes, size_t size) {
    fuzz_require(size <= sizeof image->bytes - image->size);
    memcpy(image->bytes + image->size, bytes, size);
    image->size += size;
}

/* An LEB128 in five bytes, whatever it is, so that what is before it need not know its size. */
static void put_size(struct image *image, size_t size) {
    put(image,
        (uint8_t[]){(uint8_t)(size | 0x80), (uint8_t)(size >> 7 | 0x80), (uint8_t)(size >> 14 | 0x80),
                    (uint8_t)(size >> 21 | 0x80), (uint8_t)(size >> 28 & 0xf)},
        5);
}

/* A module whose functions do nothing, but give the DWARF pcs that are code: [1, 1 + CODE_SIZE). */
static void put_code(struct image *image) {
    static const uint8_t head[] = {0, 'a', 's', 'm',           1,        0, 0, 0, 1, 4, 1, 0x60,
                                   0, 0,   3,   FUNCTIONS + 1, FUNCTIONS};
    uint8_t body[FUNCTION_SIZE];
    put(image, head, sizeof head);
    for (int i = 0; i < FUNCTIONS; i++)
        put(image, &(uint8_t){0}, 1);
    put(image, &(uint8_t){10}, 1);
    put_size(image, 1 + CODE_SIZE);
    put(image, &(uint8_t){FUNCTIONS}, 1);
    memset(body, 0x01, sizeof body); /* nop */
    body[0] = (FUNCTION_SIZE - 2) | 0x80;
    body[1] = 0;
    body[2] = 0; /* no locals */
    body[FUNCTION_SIZE - 1] = 0x0b;
    for (int i = 0; i < FUNCTIONS; i++)
        put(image, body, sizeof body);
}

/* The input is a list of sections: which one, a size of two bytes, and the bytes. */
static void put_sections(struct image *image, struct rt_cursor *input) {
    while (rt_cursor_left(input)) {
        const char *name = st_section_names[fuzz_take(input, 1) % ST_SECTION_COUNT];
        size_t size, name_size = strlen(name);
        const uint8_t *bytes = fuzz_take_bytes(input, fuzz_take(input, 2), &size);
        put(image, &(uint8_t){0}, 1);
        put_size(image, 5 + name_size + size);
        put_size(image, name_size);
        put(image, name, name_size);
        put(image, bytes, size);
    }
}

static void check_variables(const struct st_variable *variables, size_t count,
                            const struct st_location *frame_base, struct rt_arena *arena) {
    struct st_machine machine = fuzz_machine(4, frame_base);
    for (size_t i = 0; i < count; i++) {
        const struct st_type *type = st_type_strip(variables[i].type);
        fuzz_require(variables[i].name != NULL);
        fuzz_require(variables[i].location.kind != ST_LOCATION_BROKEN || variables[i].location.reason);
        if (variables[i].location.kind == ST_LOCATION_EXPRESSIONS)
            fuzz_evaluate(&machine, &variables[i].location, type ? (size_t)type->size : 0, arena);
    }
}

static void check_scope(const struct st_scope *scope, const struct st_function *function,
                        struct rt_arena *arena) {
    fuzz_require(scope->function == function);
    for (size_t i = 0; i < scope->range_count; i++)
        fuzz_require(scope->ranges[i].low < scope->ranges[i].high);
    check_variables(scope->variables, scope->variable_count, &function->frame_base, arena);
    for (size_t i = 0; i < scope->child_count; i++) {
        fuzz_require(scope->children[i].parent == scope);
        check_scope(&scope->children[i], function, arena);
    }
}

static void check_model(const struct st_debug *debug, struct rt_arena *arena) {
    size_t count;
    const struct st_function *functions = st_debug_functions(debug, &count);
    for (size_t i = 0; i < count; i++) {
        fuzz_require(i == 0 || functions[i - 1].low <= functions[i].low);
        fuzz_require(functions[i].index == i && st_debug_function_named(debug, functions[i].name));
        fuzz_require(st_scope_at(&functions[i], functions[i].body)->function == &functions[i]);
        check_scope(&functions[i].scope, &functions[i], arena);
    }
    const struct st_row *rows = st_debug_rows(debug, &count);
    for (size_t i = 0; i < count; i++) {
        fuzz_require(i == 0 || rows[i - 1].pc <= rows[i].pc);
        fuzz_require(st_debug_file(debug, rows[i].file) != NULL);
    }
    const struct st_variable *globals = st_debug_globals(debug, &count);
    check_variables(globals, count, NULL, arena);
    for (uint64_t pc = 0; pc < CODE_SIZE; pc += 7) {
        const struct st_row *row = st_debug_row_at(debug, pc);
        const struct st_function *function = st_debug_function_at(debug, pc);
        fuzz_require(!row || row->pc <= pc);
        fuzz_require(!function || st_scope_at(function, pc) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct image image; /* too big for a stack */
    struct rt_cursor input = rt_cursor_make(data, size < MOST_BYTES / 2 ? size : MOST_BYTES / 2, 0);
    struct rt_module *module;
    struct st_debug *debug;
    image.size = 0;
    put_code(&image);
    put_sections(&image, &input);
    struct rt_error *error = rt_module_create(image.bytes, image.size, &module);
    fuzz_require(!error);
    error = st_debug_open_wasm(module, &debug);
    if (!error) {
        struct rt_arena arena;
        rt_arena_init(&arena, (size_t)64 << 20);
        check_model(debug, &arena);
        rt_arena_clear(&arena);
        st_debug_close(debug);
    }
    fuzz_require_sound_error(error);
    rt_module_destroy(module);
    return 0;
}
