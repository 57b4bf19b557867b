/* Call-frame information written by hand: which entry covers a pc, the rule that each operation makes, both
 * sections' formats, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/call_frames.h"
#include "stepper/tests/dwarf_bytes.h"

enum { ADDRESS = 0x1000, LOW = 0x400, SIZE = 0x100, PC_RELATIVE_SIGNED_WORD = 0x1b };

struct section {
    struct bytes bytes;
    struct rt_arena arena;
    struct st_call_frames frames;
    bool is_eh;
};

static struct rt_error *read_section(struct section *section) {
    section->frames = (struct st_call_frames){.name = section->is_eh ? ".eh_frame" : ".debug_frame",
                                              .bytes = section->bytes.bytes,
                                              .size = section->bytes.size,
                                              .address = ADDRESS,
                                              .is_eh = section->is_eh};
    rt_arena_init(&section->arena, 0);
    return st_call_frames_read(&section->arena, &section->frames);
}

/* A CIE with factors 1 and -8 whose CFA is rsp + 8, and the return address below it. */
static void put_cie(struct section *section) {
    struct bytes *bytes = &section->bytes;
    const size_t start = begin(bytes);
    put(bytes, section->is_eh ? 0 : UINT32_MAX, 4);
    put(bytes, 1, 1);
    put_text(bytes, section->is_eh ? "zR" : "");
    put_bytes(bytes, 3, 1, 0x78, 16);
    if (section->is_eh)
        put_bytes(bytes, 2, 1, PC_RELATIVE_SIGNED_WORD);
    put_bytes(bytes, 5, DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1);
    end(bytes, start);
}

static void put_fde(struct section *section, uint64_t low, const uint8_t *program, size_t size) {
    struct bytes *bytes = &section->bytes;
    const size_t start = begin(bytes);
    put(bytes, section->is_eh ? bytes->size : 0, 4);
    if (section->is_eh) {
        put(bytes, low - (ADDRESS + bytes->size), 4);
        put(bytes, SIZE, 4);
        put(bytes, 0, 1);
    } else {
        put(bytes, low, 8);
        put(bytes, SIZE, 8);
    }
    for (size_t i = 0; i < size; i++)
        put(bytes, program[i], 1);
    end(bytes, start);
}

/* The row at LOW + `at` of an FDE with the program. */
static struct rt_error *run(bool is_eh, const uint8_t *program, size_t size, uint64_t at,
                            struct st_unwind_row *ret) {
    struct section section = {.is_eh = is_eh};
    struct st_frame_entry entry;
    put_cie(&section);
    put_fde(&section, LOW, program, size);
    struct rt_error *error = read_section(&section);
    if (error)
        fail_msg("%s", error->message);
    assert_true(st_call_frames_find(&section.frames, LOW + at, &entry));
    error = st_call_frames_run(&section.frames, &entry, LOW + at, ret);
    rt_arena_clear(&section.arena);
    return error;
}
#define RUN(at, ret, ...)                                                                                    \
    for (int is_eh = 0; is_eh < 2; is_eh++) {                                                                \
        const uint8_t program[] = {__VA_ARGS__};                                                             \
        struct rt_error *error = run(is_eh, program, sizeof program, at, ret);                               \
        if (error)                                                                                           \
            fail_msg("%s", error->message);                                                                  \
    }

static void expect(const struct st_unwind_row *row, unsigned number, enum st_rule_kind kind, int32_t offset) {
    assert_int_equal(row->registers[number].kind, kind);
    assert_int_equal(row->registers[number].offset, offset);
}

static void test_defaults(void **state) {
    (void)state;
    struct st_unwind_row row;
    RUN(0, &row, DW_CFA_nop);
    assert_int_equal(row.cfa.kind, ST_RULE_REGISTER);
    assert_int_equal(row.cfa.register_number, 7);
    assert_int_equal(row.cfa.offset, 8);
    expect(&row, 16, ST_RULE_AT_CFA, -8);
    for (unsigned i = 0; i < 16; i++)
        expect(&row, i, i == 3 || i == 6 || i >= 12 ? ST_RULE_SAME : ST_RULE_UNDEFINED, 0);
}

static void test_rules(void **state) {
    (void)state;
    struct st_unwind_row row;
    RUN(0, &row, DW_CFA_offset | 3, 2, DW_CFA_offset_extended, 6, 3, DW_CFA_offset_extended_sf, 12, 0x7c,
        DW_CFA_val_offset, 13, 1, DW_CFA_val_offset_sf, 14, 0x7f, DW_CFA_register, 15, 8, DW_CFA_same_value,
        0, DW_CFA_undefined, 16, DW_CFA_GNU_negative_offset_extended, 1, 2);
    expect(&row, 3, ST_RULE_AT_CFA, -16);
    expect(&row, 6, ST_RULE_AT_CFA, -24);
    expect(&row, 12, ST_RULE_AT_CFA, 32);
    expect(&row, 13, ST_RULE_CFA_PLUS, -8);
    expect(&row, 14, ST_RULE_CFA_PLUS, 8);
    expect(&row, 15, ST_RULE_REGISTER, 0);
    assert_int_equal(row.registers[15].register_number, 8);
    expect(&row, 0, ST_RULE_SAME, 0);
    expect(&row, 16, ST_RULE_UNDEFINED, 0);
    expect(&row, 1, ST_RULE_AT_CFA, 16);
    RUN(0, &row, DW_CFA_offset | 3, 2, DW_CFA_restore | 3, DW_CFA_offset | 16, 5, DW_CFA_restore_extended,
        16);
    expect(&row, 3, ST_RULE_SAME, 0);
    expect(&row, 16, ST_RULE_AT_CFA, -8);
    /* Registers that nobody restores, and an offset that none can have. */
    RUN(0, &row, DW_CFA_offset_extended, 17, 1, DW_CFA_undefined, 0xff, 0xff, 0xff, 0xff, 0x0f,
        DW_CFA_offset | 3, 0xff, 0xff, 0xff, 0xff, 0x7f);
    expect(&row, 3, ST_RULE_UNDEFINED, 0);
}

static void test_cfa(void **state) {
    (void)state;
    struct st_unwind_row row;
    RUN(0, &row, DW_CFA_def_cfa_register, 6, DW_CFA_def_cfa_offset, 0x90, 1);
    assert_int_equal(row.cfa.register_number, 6);
    assert_int_equal(row.cfa.offset, 0x90);
    RUN(0, &row, DW_CFA_def_cfa_sf, 6, 0x7e);
    assert_int_equal(row.cfa.offset, 16);
    RUN(0, &row, DW_CFA_def_cfa_offset_sf, 0x7d);
    assert_int_equal(row.cfa.offset, 24);
    RUN(0, &row, DW_CFA_def_cfa_expression, 2, 0x77, 0, DW_CFA_expression, 3, 1, 0x30, DW_CFA_val_expression,
        6, 1, 0x31);
    assert_int_equal(row.cfa.kind, ST_RULE_EXPRESSION);
    assert_int_equal(row.cfa.size, 2);
    assert_int_equal(row.registers[3].kind, ST_RULE_AT_EXPRESSION);
    assert_int_equal(row.registers[6].kind, ST_RULE_EXPRESSION);
}

static void test_places(void **state) {
    (void)state;
    static const int32_t offsets[] = {8, 8, 16, 16, 24, 24, 16, 32};
    for (unsigned at = 0; at < 8; at++) {
        struct st_unwind_row row;
        RUN(at, &row, DW_CFA_advance_loc | 2, DW_CFA_def_cfa_offset, 16, DW_CFA_remember_state,
            DW_CFA_advance_loc1, 2, DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc2, 2, 0,
            DW_CFA_restore_state, DW_CFA_advance_loc4, 1, 0, 0, 0, DW_CFA_def_cfa_offset, 32);
        assert_int_equal(row.cfa.offset, offsets[at]);
    }
}

static void test_entries_are_found(void **state) {
    (void)state;
    for (int is_eh = 0; is_eh < 2; is_eh++) {
        struct section section = {.is_eh = is_eh};
        struct st_frame_entry entry;
        put_cie(&section);
        put_fde(&section, LOW + 2 * SIZE, NULL, 0);
        const size_t start = begin(&section.bytes); /* counted back to the CIE at 0, or its offset */
        put(&section.bytes, is_eh ? section.bytes.size : 0, 4);
        put(&section.bytes, is_eh ? LOW - (ADDRESS + section.bytes.size) : LOW, is_eh ? 4 : 8);
        put(&section.bytes, SIZE, is_eh ? 4 : 8);
        put(&section.bytes, 0, 1);
        end(&section.bytes, start);
        assert_null(read_section(&section));
        assert_int_equal(section.frames.count, 2);
        assert_true(st_call_frames_find(&section.frames, LOW, &entry));
        assert_int_equal(entry.low, LOW);
        assert_true(st_call_frames_find(&section.frames, LOW + SIZE - 1, &entry));
        assert_false(st_call_frames_find(&section.frames, LOW - 1, &entry));
        assert_false(st_call_frames_find(&section.frames, LOW + SIZE, &entry));
        assert_true(st_call_frames_find(&section.frames, LOW + 2 * SIZE, &entry));
        assert_int_equal(entry.low, LOW + 2 * SIZE);
        rt_arena_clear(&section.arena);
    }
}

/* What follows the first `size` bytes is cut off: an error, or fewer entries; never more than is there. */
static void test_cut_sections(void **state) {
    (void)state;
    struct section whole = {.is_eh = true};
    put_cie(&whole);
    const size_t cie = whole.bytes.size;
    put_fde(&whole, LOW, NULL, 0);
    for (size_t size = 0; size < whole.bytes.size; size++) {
        struct section section = {.is_eh = true};
        uint8_t *bytes = malloc(size + 1); /* a heap block: the address sanitizer sees its end */
        assert_non_null(bytes);
        memcpy(bytes, whole.bytes.bytes, size);
        section.frames = (struct st_call_frames){
            .name = ".eh_frame", .bytes = bytes, .size = size, .address = ADDRESS, .is_eh = true};
        rt_arena_init(&section.arena, 0);
        struct rt_error *error = st_call_frames_read(&section.arena, &section.frames);
        assert_true((error == NULL) == (size == 0 || size == cie));
        assert_true(!error || strstr(error->message, ".eh_frame"));
        assert_true(error || section.frames.count == 0);
        rt_error_destroy(error);
        rt_arena_clear(&section.arena);
        free(bytes);
    }
}

static void expect_refused(const char *text, const uint8_t *program, size_t size) {
    struct st_unwind_row row;
    struct rt_error *error = run(true, program, size, 0, &row);
    assert_non_null(error);
    if (!strstr(error->message, text) || !strstr(error->message, "byte 0x"))
        fail_msg("expected '%s' at a byte, got '%s'", text, error->message);
    rt_error_destroy(error);
}
#define EXPECT_REFUSED(text, ...)                                                                            \
    expect_refused(text, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_refused_programs(void **state) {
    (void)state;
    uint8_t remembers[17];
    EXPECT_REFUSED("an unknown operation 0x3b", 0x3b, 0);
    EXPECT_REFUSED("not remembered", DW_CFA_restore_state);
    EXPECT_REFUSED("no halves", DW_CFA_def_cfa_expression, 1, 0x30, DW_CFA_def_cfa_offset, 8);
    EXPECT_REFUSED("offset", DW_CFA_offset | 3);
    EXPECT_REFUSED("expression", DW_CFA_expression, 3, 5, 0x30);
    memset(remembers, DW_CFA_remember_state, sizeof remembers);
    expect_refused("more than 16 remembered rows", remembers, sizeof remembers);
}

static void expect_unreadable(struct section *section, const char *text) {
    struct rt_error *error = read_section(section);
    assert_non_null(error);
    if (!strstr(error->message, text))
        fail_msg("expected '%s', got '%s'", text, error->message);
    rt_error_destroy(error);
    rt_arena_clear(&section->arena);
}

static void test_refused_entries(void **state) {
    (void)state;
    struct section section = {.is_eh = true};
    put_fde(&section, LOW, NULL, 0); /* its CIE is itself */
    store(&section.bytes, 4, 4);
    expect_unreadable(&section, "an FDE's CIE is none");
    store(&section.bytes, 4, 0x7fffffff);
    expect_unreadable(&section, "past the section's end");

    section = (struct section){.is_eh = true};
    put_cie(&section);
    put_fde(&section, LOW, NULL, 0);
    static const struct {
        size_t at;
        uint8_t byte;
        const char *text;
    } changes[] = {
        {8, 2, "call-frame information of version 0x2"}, {9, 'e', "augmentation that begins with 0x65"},
        {14, 32, "a return address in register 0x20"},   {16, 0x3b, "an address's encoding 0x3b"},
        {16, 0x9b, "an address's encoding 0x9b"},        {0, 0xf0, "an entry of 240 bytes"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct section changed = section;
        changed.bytes.bytes[changes[i].at] = changes[i].byte;
        expect_unreadable(&changed, changes[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_cfa),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_entries_are_found),
        cmocka_unit_test(test_cut_sections),
        cmocka_unit_test(test_refused_programs),
        cmocka_unit_test(test_refused_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
