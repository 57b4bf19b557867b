/* What tests of rewriting DWARF share: a unit written by hand, and the model of what came of it. libdw reads
 * that, not the reader of the pass. */
#ifndef LOCKSTEP_STEPPER_TESTS_TRANSFORM_TEST_H
#define LOCKSTEP_STEPPER_TESTS_TRANSFORM_TEST_H

#include <dwarf.h>
#include <stdlib.h>

#include "stepper/stepper.h"
#include "stepper/tests/dwarf_bytes.h"

enum { UNIT = 1, FUNCTION, VARIABLE, LISTED, INT, BLOCK, LEAF, SKELETON, NEST };

/* ---- The input ---- */

static inline void put_abbrev(struct bytes *out, int code, int tag, int children, int count, ...) {
    va_list list;
    va_start(list, count);
    put_bytes(out, 3, code, tag, children);
    for (int i = 0; i < 2 * count; i++)
        put(out, (uint64_t)va_arg(list, int), 1);
    va_end(list);
    put(out, 0, 2);
}

static inline void put_abbrevs(struct dwarf *dwarf) {
    struct bytes *out = &dwarf->at[RT_DWARF_ABBREV];
    put_abbrev(out, UNIT, DW_TAG_compile_unit, 1, 5, DW_AT_name, DW_FORM_string, DW_AT_comp_dir,
               DW_FORM_string, DW_AT_stmt_list, DW_FORM_sec_offset, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc,
               DW_FORM_data4);
    put_abbrev(out, FUNCTION, DW_TAG_subprogram, 1, 6, DW_AT_name, DW_FORM_string, DW_AT_low_pc, DW_FORM_addr,
               DW_AT_high_pc, DW_FORM_data4, DW_AT_decl_file, DW_FORM_data1, DW_AT_decl_line, DW_FORM_data1,
               DW_AT_type, DW_FORM_ref4);
    put_abbrev(out, VARIABLE, DW_TAG_variable, 0, 5, DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4,
               DW_AT_decl_file, DW_FORM_data1, DW_AT_decl_line, DW_FORM_data1, DW_AT_location,
               DW_FORM_exprloc);
    put_abbrev(out, LISTED, DW_TAG_variable, 0, 5, DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4,
               DW_AT_decl_file, DW_FORM_data1, DW_AT_decl_line, DW_FORM_data1, DW_AT_location,
               DW_FORM_sec_offset);
    put_abbrev(out, INT, DW_TAG_base_type, 0, 3, DW_AT_name, DW_FORM_string, DW_AT_encoding, DW_FORM_data1,
               DW_AT_byte_size, DW_FORM_data1);
    put_abbrev(out, BLOCK, DW_TAG_lexical_block, 1, 1, DW_AT_ranges, DW_FORM_sec_offset);
    put_abbrev(out, LEAF, DW_TAG_subprogram, 0, 5, DW_AT_name, DW_FORM_string, DW_AT_low_pc, DW_FORM_addr,
               DW_AT_high_pc, DW_FORM_data4, DW_AT_decl_file, DW_FORM_data1, DW_AT_decl_line, DW_FORM_data1);
    put_abbrev(out, SKELETON, DW_TAG_compile_unit, 0, 2, DW_AT_dwo_name, DW_FORM_string, DW_AT_low_pc,
               DW_FORM_addr);
    put_abbrev(out, NEST, DW_TAG_lexical_block, 1, 0);
    put(out, 0, 1);
}

/* One sequence over all functions: function i has line 10 * (i + 1) at its start, and the next line half-way.
 * Files are "a.c" and "b.c". */
static inline void put_lines(struct dwarf *dwarf) {
    struct bytes *out = &dwarf->at[RT_DWARF_LINE];
    const size_t table = begin(out);
    put(out, 4, 2);
    const size_t header = begin(out);
    put_bytes(out, 6, 1, 1, 1, -5, 14, 13);
    put_bytes(out, 12, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1);
    put(out, 0, 1);
    put_text(out, "a.c");
    put_bytes(out, 3, 0, 0, 0);
    put_text(out, "b.c");
    put_bytes(out, 3, 0, 0, 0);
    put(out, 0, 1);
    end(out, header);
    put_bytes(out, 3, 0, 5, DW_LNE_set_address);
    put(out, FUNCTION(0), 4);
    for (int i = 0; i < FUNCTIONS; i++) {
        put_bytes(out, 2, DW_LNS_advance_line, i ? 9 : 9);
        put_bytes(out, 1, DW_LNS_copy);
        put_bytes(out, 2, DW_LNS_advance_pc, FUNCTION_SIZE / 2);
        put_bytes(out, 3, DW_LNS_advance_line, 1, DW_LNS_copy);
        put_bytes(out, 2, DW_LNS_advance_pc, FUNCTION_SIZE / 2);
    }
    put_bytes(out, 3, 0, 1, DW_LNE_end_sequence);
    end(out, table);
}

/* A unit's head; the start for end(). The type "int" is its first child, at TYPE. */
enum { TYPE = 11 + 1 + 4 + 5 + 4 + 4 + 4 };
static inline size_t begin_unit(struct dwarf *dwarf) {
    struct bytes *out = &dwarf->at[RT_DWARF_INFO];
    put_abbrevs(dwarf);
    put_lines(dwarf);
    const size_t start = begin(out);
    put(out, 4, 2);
    put(out, 0, 4);
    put(out, 4, 1);
    put(out, UNIT, 1);
    put_text(out, "a.c");
    put_text(out, "/dir");
    put(out, 0, 4);
    put(out, FUNCTION(0), 4);
    put(out, FUNCTIONS * FUNCTION_SIZE, 4);
    put(out, INT, 1);
    put_text(out, "int");
    put_bytes(out, 2, DW_ATE_signed, 4);
    return start;
}

static inline void put_function(struct bytes *out, const char *name, unsigned number) {
    put(out, FUNCTION, 1);
    put_text(out, name);
    put(out, FUNCTION(number), 4);
    put(out, FUNCTION_LENGTH, 4);
    put_bytes(out, 2, 2, (int)(10 * number + 7)); /* file 2 */
    put(out, TYPE, 4);
}

static inline void put_variable(struct bytes *out, int abbrev, const char *name, int line) {
    put(out, (uint64_t)abbrev, 1);
    put_text(out, name);
    put(out, TYPE, 4);
    put_bytes(out, 2, 2, line);
}

static inline void put_pair(struct bytes *out, uint32_t low, uint32_t high) {
    put(out, low, 4);
    put(out, high, 4);
}

/* An entry of a location list, relative to the unit's base: DW_OP_lit<n>, DW_OP_stack_value. */
static inline void put_entry(struct bytes *out, uint32_t low, uint32_t high, int number) {
    put_pair(out, low, high);
    put(out, 2, 2);
    put_bytes(out, 2, DW_OP_lit0 + number, DW_OP_stack_value);
}

/* ---- What comes out ---- */

static struct dwarf input;
static struct rt_module *plain, *module;
static struct rt_dwarf_output *output;
static struct st_debug *debug;

static inline void succeed(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

static inline int set_up(void **state) {
    (void)state;
    input = (struct dwarf){0};
    plain = module = NULL;
    output = NULL;
    debug = NULL;
    succeed(make_module(&plain));
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    st_debug_close(debug);
    rt_module_destroy(module);
    rt_module_destroy(plain);
    rt_dwarf_output_destroy(output);
    return 0;
}

static inline void transform(const struct rt_dwarf_visitor *visitor, unsigned version) {
    const struct rt_dwarf_options options = {.version = version};
    const struct rt_dwarf_sections sections = sections_of(&input);
    uint8_t *bytes;
    size_t size;
    tear_down(NULL);
    plain = module = NULL;
    output = NULL;
    debug = NULL;
    succeed(make_module(&plain));
    succeed(rt_dwarf_transform(&sections, visitor, &options, &output));
    succeed(rt_dwarf_module_write(plain, rt_dwarf_output_sections(output), &bytes, &size));
    succeed(rt_module_create(bytes, size, &module));
    free(bytes);
    succeed(st_debug_open_wasm(module, &debug));
}

static inline const struct st_function *function_named(const char *name) {
    const struct st_function *function = st_debug_function_named(debug, name);
    if (!function)
        fail_msg("there is no function %s", name);
    return function;
}

static inline uint64_t count_of(const char *what) {
    const struct rt_dwarf_stat *stat = rt_dwarf_output_stat(output);
    for (size_t i = 0; i < stat->reason_count; i++)
        if (strstr(stat->reasons[i].what, what))
            return stat->reasons[i].count;
    return 0;
}

#endif
