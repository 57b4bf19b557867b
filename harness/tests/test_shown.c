/* Tests the self-test's second reader: what it takes of llvm-dwarfdump's text, and which changes of that a
 * debugger's user would see. The tool is a script that hands out a text. */
#include "harness/shown.h"

#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* work has a parameter, a local in a block, and a pointer; its code is 0x10 to 0x30. */
static const char text[] =
    "\n.debug_info contents:\n"
    "0x00000000: Compile Unit: length = 0x00000100\n\n"
    "0x0000000c: DW_TAG_compile_unit\n"
    "              DW_AT_name\t(\"a.c\")\n\n"
    "0x00000020:   DW_TAG_base_type\n"
    "                DW_AT_name\t(\"int\")\n"
    "                DW_AT_byte_size\t(0x04)\n\n"
    "0x00000024:   DW_TAG_base_type\n"
    "                DW_AT_name\t(\"char\")\n"
    "                DW_AT_byte_size\t(0x01)\n\n"
    "0x00000028:   DW_TAG_pointer_type\n"
    "                DW_AT_type\t(0x00000024 \"char\")\n\n"
    "0x00000030:   DW_TAG_variable\n"
    "                DW_AT_name\t(\"global\")\n"
    "                DW_AT_type\t(0x00000020 \"int\")\n"
    "                DW_AT_location\t(DW_OP_addr 0x400)\n\n"
    "0x00000040:   DW_TAG_subprogram\n"
    "                DW_AT_low_pc\t(0x00000010)\n"
    "                DW_AT_high_pc\t(0x00000030)\n"
    "                DW_AT_frame_base\t(DW_OP_WASM_location 0x0 0x2, DW_OP_stack_value)\n"
    "                DW_AT_name\t(\"work\")\n\n"
    "0x00000050:     DW_TAG_formal_parameter\n"
    "                  DW_AT_location\t(DW_OP_fbreg +8)\n"
    "                  DW_AT_name\t(\"parameter\")\n"
    "                  DW_AT_type\t(0x00000020 \"int\")\n\n"
    "0x00000060:     DW_TAG_lexical_block\n"
    "                  DW_AT_low_pc\t(0x00000020)\n"
    "                  DW_AT_high_pc\t(0x00000028)\n\n"
    "0x00000070:       DW_TAG_variable\n"
    "                    DW_AT_location\t(0x0000000c: \n"
    "                       [0x00000020, 0x00000022): DW_OP_WASM_location 0x0 0x3\n"
    "                       [0x00000022, 0x00000028): DW_OP_WASM_location 0x0 0x4)\n"
    "                    DW_AT_name\t(\"local\")\n"
    "                    DW_AT_type\t(0x00000028 \"char *\")\n\n"
    "0x00000080:       NULL\n\n"
    "0x00000081:     NULL\n\n"
    "0x00000082:   NULL\n\n"
    ".debug_line contents:\n"
    "Address            Line   Column File   ISA Discriminator OpIndex Flags\n"
    "------------------ ------ ------ ------ --- ------------- ------- -------------\n"
    "0x0000000000000010     10      0      1   0             0       0  is_stmt\n"
    "0x0000000000000014     11      3      1   0             0       0  is_stmt prologue_end\n"
    "0x0000000000000020     12      3      1   0             0       0  is_stmt\n"
    "0x0000000000000022     12      7      1   0             0       0 \n"
    "0x0000000000000024     12      9      1   0             0       0  is_stmt\n"
    "0x0000000000000028     13      1      1   0             0       0  is_stmt\n"
    "0x0000000000000030     13      1      1   0             0       0  is_stmt end_sequence\n";

/* One activation that runs through: each row's pc once. */
static uint64_t pcs[] = {0x10, 0x14, 0x20, 0x22, 0x24, 0x28};
static struct hx_pass items[] = {{0x10, 0x10, 1}, {0x14, 0x14, 1}, {0x20, 0x20, 1},
                                 {0x22, 0x22, 1}, {0x24, 0x24, 1}, {0x28, 0x28, 1}};
static const struct hx_passes passes = {items, 6, 6, pcs, 6, 1};

static struct hx_shown *read_text(const char *bytes, size_t size) {
    static const char script[] =
        "#!/bin/sh\ncp \"$5\" \"$4\"\n"; /* --debug-info --debug-line -o TEXT MODULE */
    struct hx_temp temp;
    struct hx_shown *shown;
    char tool[512], module[512];
    assert_null(hx_temp_create(&temp));
    snprintf(tool, sizeof tool, "%s/tool", temp.path);
    snprintf(module, sizeof module, "%s/module", temp.path);
    assert_null(hx_file_write(tool, script, sizeof script - 1, 0777));
    assert_null(hx_file_write(module, bytes, size, 0666));
    assert_null(hx_shown_read(tool, module, &shown));
    hx_temp_remove(&temp);
    return shown;
}

/* Compares the text with itself after `from` has become `to`, once. The names live in `ret_others`. */
static struct hx_changes change(const char *from, const char *to, struct hx_shown *ret_others[2]) {
    struct hx_buffer other = {0};
    struct hx_changes changes;
    const char *at = strstr(text, from);
    assert_non_null(at);
    hx_buffer_append(&other, text, (size_t)(at - text));
    hx_buffer_text(&other, to);
    hx_buffer_text(&other, at + strlen(from));
    ret_others[0] = read_text(text, sizeof text - 1);
    ret_others[1] = read_text(other.bytes, other.size);
    assert_null(hx_shown_compare(ret_others[0], ret_others[1], &passes, &changes));
    hx_buffer_clear(&other);
    return changes;
}

static bool has_variable(const struct hx_changes *changes, const char *function, const char *name) {
    for (size_t i = 0; i < changes->variable_count; i++) {
        const struct hx_changed *v = &changes->variables[i];
        if (v->name_size == strlen(name) && !memcmp(v->name, name, v->name_size) &&
            v->function_size == strlen(function) &&
            (!v->function_size || !memcmp(v->function, function, v->function_size)))
            return true;
    }
    return false;
}

/* What must come of replacing `from` by `to`; `function` and `variable` NULL: none is shown in another way.
 */
static void expect(const char *from, const char *to, bool in_stops, const char *function,
                   const char *variable) {
    struct hx_shown *both[2];
    const struct hx_changes changes = change(from, to, both);
    assert_int_equal(changes.in_stops, in_stops);
    assert_int_equal(changes.in_variables, variable != NULL);
    if (variable)
        assert_true(has_variable(&changes, function, variable));
    hx_shown_destroy(both[0]);
    hx_shown_destroy(both[1]);
}

static void test_same(void **state) {
    (void)state;
    expect("\"a.c\"", "\"b.c\"", false, NULL, NULL);
}

static void test_rows(void **state) {
    (void)state;
    expect("0x0000000000000020     12", "0x0000000000000020     14", true, NULL, NULL);
    expect("0x0000000000000020     12      3      1   0             0       0  is_stmt\n", "", false, NULL,
           NULL);
    /* In one line, and before the body, no stop is lost. */
    expect("0x0000000000000024     12      9      1   0             0       0  is_stmt\n", "", false, NULL,
           NULL);
    expect("0x0000000000000010     10", "0x0000000000000010     99", false, NULL, NULL);
    expect("0x0000000000000028     13      1      1   0             0       0  is_stmt\n",
           "0x0000000000000028     13      1      1   0             0       0 \n", true, NULL, NULL);
}

static void test_variables(void **state) {
    (void)state;
    expect("DW_OP_fbreg +8", "DW_OP_fbreg +12", false, "work", "parameter");
    expect("0x0 0x2, DW_OP_stack_value", "0x0 0x3, DW_OP_stack_value", false, "work", "parameter");
    expect("DW_OP_addr 0x400", "DW_OP_addr 0x404", false, "", "global");
    expect("(\"local\")", "(\"lokal\")", false, "work", "lokal");
    expect("DW_AT_byte_size\t(0x04)", "DW_AT_byte_size\t(0x08)", false, "", "global");
    expect("(0x00000020)\n                  DW_AT_high_pc", "(0x00000014)\n                  DW_AT_high_pc",
           false, "work", "local");
}

static void test_what_is_not_shown(void **state) {
    (void)state;
    /* A pointer's target, and an entry of a list at no stop's pc: the only stop in the block is at its start.
     */
    expect("DW_AT_byte_size\t(0x01)", "DW_AT_byte_size\t(0x02)", false, NULL, NULL);
    expect("DW_OP_WASM_location 0x0 0x4", "DW_OP_WASM_location 0x0 0x5", false, NULL, NULL);
    expect("DW_OP_WASM_location 0x0 0x3", "DW_OP_WASM_location 0x0 0x5", false, "work", "local");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_what_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
