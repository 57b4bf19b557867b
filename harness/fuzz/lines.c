/* Any bytes as a line table are decoded to rows in order, or to an error; and nothing outside of them is
 * read.
 *
 * Covers: stepper/debug_lines.c */
#include "harness/fuzz/fuzz.h"
#include "stepper/debug.h"

enum { ADDRESS_8 = 1 };

/* The rest of the input, after the first byte, is every section: its line table, and the strings that it
 * points to. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_cursor input = rt_cursor_make(data, size, 0);
    unsigned mode = (unsigned)fuzz_take(&input, 1);
    struct st_range code = {0x2, 0x100000};
    struct st_debug debug = {.label = "input", .code = &code, .code_count = 1};
    struct st_unit unit = {.sections = debug.sections,
                           .version = 5,
                           .address_size = mode & ADDRESS_8 ? 8 : 4,
                           .offset_size = 4,
                           .directory = "/"};
    for (size_t i = 0; i < ST_SECTION_COUNT; i++)
        debug.sections[i] = (struct st_section){input.next, rt_cursor_left(&input)};
    rt_arena_init(&debug.arena, (size_t)64 << 20);

    struct st_reader reader = {.debug = &debug, .arena = &debug.arena, .unit = &unit};
    /* File 0 stands for "no file", as in every model. */
    const char **no_file = st_list_push(&reader.files, sizeof *no_file);
    fuzz_require(no_file != NULL);
    *no_file = "";
    struct rt_error *error = st_lines_read(&reader, 0);
    if (!error)
        error = st_lines_finish(&reader);
    for (size_t i = 0; !error && i < debug.row_count; i++) {
        fuzz_require(i == 0 || debug.rows[i - 1].pc <= debug.rows[i].pc);
        fuzz_require(debug.rows[i].file < debug.file_count);
    }
    for (size_t i = 0; !error && i < debug.file_count; i++)
        fuzz_require(strlen(debug.files[i]) < debug.arena.used);
    fuzz_require_sound_error(error);
    struct st_list *lists[] = {&reader.rows, &reader.sequences, &reader.files};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        st_list_clear(lists[i]);
    st_map_clear(&reader.file_names);
    st_map_clear(&reader.line_tables);
    rt_arena_clear(&debug.arena);
    return 0;
}
