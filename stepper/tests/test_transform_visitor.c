/* One test for each kind of answer that a visitor may give: DIEs left out, added and written twice; locations
 * that hold in a part of their scope; wider addresses; call-frame information. libdw reads what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stepper/tests/transform_test.h"

/* A unit with function "f" of two variables, and function "g" of none. */
static void put_program(void) {
    struct bytes *info = &input.at[RT_DWARF_INFO];
    const size_t unit = begin_unit(&input);
    put_function(info, "f", 1);
    put_variable(info, VARIABLE, "first", 1);
    put_bytes(info, 3, 2, DW_OP_lit1, DW_OP_stack_value);
    put_variable(info, VARIABLE, "second", 2);
    put_bytes(info, 3, 2, DW_OP_lit2, DW_OP_stack_value);
    put(info, 0, 1);
    put_function(info, "g", 2);
    put(info, 0, 2);
    end(info, unit);
}

static bool is_named(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die, const char *name) {
    struct rt_dwarf_attribute at;
    bool found;
    succeed(rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_name, &at, &found));
    return found && at.bytes.size == strlen(name) && memcmp(at.bytes.bytes, name, at.bytes.size) == 0;
}

/* ---- DIEs left out ---- */

static struct rt_error *drop_int_and_g(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       enum rt_dwarf_fate *ret) {
    (void)user;
    if (is_named(pass, die, "int") || is_named(pass, die, "g") || is_named(pass, die, "first"))
        *ret = RT_DWARF_DROP;
    return NULL;
}

/* What refers to a DIE that is gone goes with it; the DIE that held the reference stays. */
static void test_drop(void **state) {
    static const struct rt_dwarf_visitor visitor = {.plan = drop_int_and_g};
    (void)state;
    put_program();
    transform(&visitor, 5);
    assert_null(st_debug_function_named(debug, "g"));
    assert_null(function_named("f")->type);
    assert_int_equal(function_named("f")->line, 17);
    assert_int_equal(function_named("f")->scope.variable_count, 1);
    assert_string_equal(function_named("f")->scope.variables[0].name, "second");
    assert_null(function_named("f")->scope.variables[0].type);
    assert_int_equal(count_of("a reference to a DIE that is not kept"), 2);
}

static struct rt_error *keep_what_is_used(void *user, struct rt_dwarf_pass *pass,
                                          const struct rt_dwarf_die *die, enum rt_dwarf_fate *ret) {
    (void)user;
    *ret = is_named(pass, die, "g") ? RT_DWARF_KEEP : RT_DWARF_IF_REFERENCED;
    return NULL;
}

/* What is kept keeps its parents and what it refers to, and nothing else stays. */
static void test_keep_references(void **state) {
    static const struct rt_dwarf_visitor visitor = {.plan = keep_what_is_used};
    (void)state;
    put_program();
    transform(&visitor, 4);
    assert_null(st_debug_function_named(debug, "f"));
    assert_string_equal(function_named("g")->type->name, "int");
    assert_int_equal(rt_dwarf_output_stat(output)->out.dies, 3);
}

/* ---- DIEs added, and written twice ---- */

static struct rt_error *add_pointer(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    uint64_t *name = user;
    if (die->depth > 0) {
        const struct rt_dwarf_attribute text = {.name = RT_DWARF_AT_name,
                                                .class = RT_DWARF_CLASS_STRING,
                                                .bytes = {(const uint8_t *)"added", 5}},
                                        type = {.name = RT_DWARF_AT_type,
                                                .class = RT_DWARF_CLASS_REFERENCE,
                                                .number = *name};
        rt_dwarf_add_die(pass, 0, RT_DWARF_TAG_variable, false);
        rt_dwarf_put_attribute(pass, &text);
        rt_dwarf_put_attribute(pass, &type);
        rt_dwarf_put_operation(pass,
                               &(struct rt_dwarf_operation){.code = RT_DWARF_OP_const1u, .operands = {7, 0}});
        rt_dwarf_put_operation(pass, &(struct rt_dwarf_operation){.code = RT_DWARF_OP_stack_value});
        rt_dwarf_put_location(pass, NULL);
        rt_dwarf_put_locations(pass, RT_DWARF_AT_location);
        rt_dwarf_add_end(pass);
        return NULL;
    }
    *name = rt_dwarf_new_name(pass);
    return NULL;
}

/* The pointer type comes last, behind all that refers to it. */
static struct rt_error *add_type(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    const struct rt_dwarf_attribute size = {
        .name = RT_DWARF_AT_byte_size, .class = RT_DWARF_CLASS_CONSTANT, .number = 4};
    const uint64_t *name = user;
    if (die->depth == 0) {
        rt_dwarf_add_die(pass, *name, RT_DWARF_TAG_pointer_type, false);
        rt_dwarf_put_attribute(pass, &size);
        rt_dwarf_add_end(pass);
    }
    return NULL;
}

static void test_add(void **state) {
    uint64_t name = 0;
    const struct rt_dwarf_visitor visitor = {
        .user = &name, .children_begin = add_pointer, .children_end = add_type};
    (void)state;
    put_program();
    for (unsigned version = 4; version <= 5; version++) {
        transform(&visitor, version);
        const struct st_scope *scope = &function_named("f")->scope;
        assert_int_equal(scope->variable_count, 3);
        assert_string_equal(scope->variables[0].name, "added");
        assert_int_equal(scope->variables[0].type->kind, ST_TYPE_POINTER);
        assert_int_equal(scope->variables[0].location.expressions[0].bytes[1], 7);
        assert_int_equal(function_named("g")->scope.variable_count, 1);
    }
}

static struct rt_error *twice(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                              unsigned *ret) {
    (void)user;
    (void)pass;
    *ret = die->tag == RT_DWARF_TAG_subprogram ? 2 : 1;
    return NULL;
}

/* The second copy of a function lies elsewhere. */
static struct rt_error *range_of_copy(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                      struct rt_dwarf_range range) {
    const uint64_t distance = die->copy * (uint64_t)2 * FUNCTION_SIZE;
    (void)user;
    range.low -= distance;
    range.high -= distance;
    if (range.low >= FUNCTION(0))
        rt_dwarf_put_range(pass, range);
    return NULL;
}

static void test_copies(void **state) {
    static const struct rt_dwarf_visitor visitor = {.copies = twice, .range = range_of_copy};
    size_t count;
    (void)state;
    put_program();
    transform(&visitor, 5);
    const struct st_function *functions = st_debug_functions(debug, &count);
    assert_int_equal(count, 3); /* the second f would lie before all code */
    assert_string_equal(functions[0].name, "g");
    assert_int_equal(functions[0].low, FUNCTION(0));
    assert_string_equal(functions[1].name, "f");
    assert_int_equal(functions[1].scope.variable_count, 2);
    assert_string_equal(functions[2].name, "g");
    assert_int_equal(rt_dwarf_output_stat(output)->out.dies, 4 + 2 + 4);
}

/* "int" becomes a structure with one member, which all that referred to it refers to now. */
static struct rt_error *wrap_int(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                 unsigned *tag, bool *ret_children) {
    (void)user;
    (void)pass;
    if (die->tag != RT_DWARF_TAG_base_type)
        return NULL;
    *tag = RT_DWARF_TAG_structure_type;
    *ret_children = true;
    return NULL;
}

static struct rt_error *add_member(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    const struct rt_dwarf_attribute text = {
        .name = RT_DWARF_AT_name, .class = RT_DWARF_CLASS_STRING, .bytes = {(const uint8_t *)"inside", 6}};
    (void)user;
    if (die->tag != RT_DWARF_TAG_base_type)
        return NULL;
    rt_dwarf_add_die(pass, 0, DW_TAG_member, false);
    rt_dwarf_put_attribute(pass, &text);
    rt_dwarf_add_end(pass);
    return NULL;
}

static void test_change_tag(void **state) {
    static const struct rt_dwarf_visitor visitor = {.attributes_end = wrap_int, .children_begin = add_member};
    (void)state;
    put_program();
    transform(&visitor, 5);
    const struct st_type *type = function_named("g")->type;
    assert_int_equal(type->kind, ST_TYPE_STRUCT);
    assert_int_equal(type->member_count, 1);
    assert_string_equal(type->members[0].name, "inside");
}

/* ---- Locations ---- */

/* Variables hold in the first and the last eight bytes of their scope; what is in between has no place. */
static struct rt_error *ends_only(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  unsigned name, const struct rt_dwarf_range *range,
                                  struct rt_dwarf_span expression) {
    const struct rt_dwarf_range *scope;
    size_t count;
    const char *reason = NULL;
    (void)user;
    assert_int_equal(name, RT_DWARF_AT_location);
    assert_null(range);
    succeed(rt_dwarf_scope_ranges(pass, die, &scope, &count));
    assert_int_equal(count, 1);
    if (is_named(pass, die, "first")) {
        rt_dwarf_count(pass, "optimised out: a test");
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        const struct rt_dwarf_range part = {i ? scope->high - 8 : scope->low,
                                            i ? scope->high : scope->low + 8};
        succeed(rt_dwarf_put_expression(pass, die->unit, expression, &reason));
        assert_null(reason);
        rt_dwarf_put_location(pass, &part);
    }
    return NULL;
}

static void test_partial_location(void **state) {
    static const struct rt_dwarf_visitor visitor = {.location = ends_only};
    (void)state;
    put_program();
    for (unsigned version = 4; version <= 5; version++) {
        transform(&visitor, version);
        const struct st_scope *scope = &function_named("f")->scope;
        assert_int_equal(scope->variables[0].location.kind, ST_LOCATION_NONE);
        const struct st_location *location = &scope->variables[1].location;
        assert_int_equal(location->count, 2);
        assert_int_equal(location->expressions[0].range.low, FUNCTION(1));
        assert_int_equal(location->expressions[0].range.high, FUNCTION(1) + 8);
        assert_int_equal(location->expressions[1].range.low, FUNCTION(1) + FUNCTION_LENGTH - 8);
        assert_int_equal(location->expressions[1].range.high, FUNCTION(1) + FUNCTION_LENGTH);
        assert_int_equal(location->expressions[1].bytes[0], DW_OP_lit2);
        assert_int_equal(count_of("optimised out: a test"), 1);
    }
}

/* ---- Wider addresses, frames ---- */

static struct rt_error *put_frames(void *user, struct rt_dwarf_pass *pass) {
    static const uint8_t initial[] = {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
    const struct rt_dwarf_cie cie = {.version = 4,
                                     .address_size = 8,
                                     .augmentation = "",
                                     .code_alignment = 1,
                                     .data_alignment = -8,
                                     .return_register = 16,
                                     .instructions = {initial, sizeof initial}};
    (void)user;
    for (uint64_t i = 0; i < 2; i++) {
        const uint64_t id = rt_dwarf_put_cie(pass, RT_DWARF_FRAME, &cie);
        const struct rt_dwarf_range range = {0x7f0000000000 + i, 0x7f0000000010 + i};
        assert_int_equal(id, 0);
        rt_dwarf_put_fde(pass, RT_DWARF_FRAME, id, range, (struct rt_dwarf_span){NULL, 0});
    }
    return NULL;
}

static struct rt_error *move_far(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                 struct rt_dwarf_range range) {
    (void)user;
    (void)die;
    rt_dwarf_put_range(pass,
                       (struct rt_dwarf_range){range.low + 0x7f0000000000, range.high + 0x7f0000000000});
    return NULL;
}

/* What was written is read again by another pass. */
struct seen {
    unsigned ranges, frames;
    uint64_t lowest;
};

static struct rt_error *see_range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  struct rt_dwarf_range range) {
    struct seen *seen = user;
    assert_int_equal(die->unit->address_size, 8);
    seen->ranges++;
    seen->lowest = range.low < seen->lowest ? range.low : seen->lowest;
    rt_dwarf_put_range(pass, range);
    return NULL;
}

static struct rt_error *see_frame(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_cie *cie,
                                  struct rt_dwarf_range range, struct rt_dwarf_span instructions) {
    struct seen *seen = user;
    (void)pass;
    (void)instructions;
    assert_int_equal(cie->address_size, 8);
    assert_int_equal(cie->data_alignment, -8);
    assert_int_equal(cie->return_register, 16);
    assert_int_equal(cie->instructions.bytes[0], DW_CFA_def_cfa);
    assert_int_equal(range.low, 0x7f0000000000 + seen->frames);
    assert_int_equal(range.high, 0x7f0000000010 + seen->frames);
    seen->frames++;
    return NULL;
}

static void test_wide(void **state) {
    static const struct rt_dwarf_visitor visitor = {.range = move_far, .finish = put_frames};
    struct seen seen = {.lowest = UINT64_MAX};
    const struct rt_dwarf_visitor reader = {.user = &seen, .range = see_range, .frame = see_frame};
    const struct rt_dwarf_options options = {.version = 5, .address_size = 8, .producer = "a test"};
    struct rt_dwarf_output *again;
    (void)state;
    put_program();
    const struct rt_dwarf_sections sections = sections_of(&input);
    succeed(rt_dwarf_transform(&sections, &visitor, &options, &output));
    succeed(rt_dwarf_transform(rt_dwarf_output_sections(output), &reader, NULL, &again));
    rt_dwarf_output_destroy(again);
    assert_int_equal(seen.ranges, 3);
    assert_int_equal(seen.lowest, 0x7f0000000000 + FUNCTION(0));
    assert_int_equal(seen.frames, 2);
}

/* ---- What a visitor must not do ---- */

static struct rt_error *name_only(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                  unsigned *tag, bool *ret_children) {
    const struct rt_dwarf_attribute type = {
        .name = RT_DWARF_AT_type, .class = RT_DWARF_CLASS_REFERENCE, .number = rt_dwarf_new_name(pass)};
    (void)user;
    (void)die;
    (void)tag;
    (void)ret_children;
    rt_dwarf_put_attribute(pass, &type);
    return NULL;
}

static struct rt_error *add_too_early(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                      unsigned *tag, bool *ret_children) {
    (void)user;
    (void)die;
    (void)tag;
    (void)ret_children;
    rt_dwarf_add_die(pass, 0, RT_DWARF_TAG_base_type, false);
    return NULL;
}

static void test_misuse(void **state) {
    static const struct rt_dwarf_visitor visitors[] = {{.attributes_end = name_only},
                                                       {.attributes_end = add_too_early}};
    static const char *const words[] = {"never added", "added where none can be"};
    (void)state;
    put_program();
    const struct rt_dwarf_sections sections = sections_of(&input);
    for (size_t i = 0; i < sizeof visitors / sizeof *visitors; i++) {
        struct rt_dwarf_output *none;
        struct rt_error *error = rt_dwarf_transform(&sections, &visitors[i], NULL, &none);
        assert_non_null(error);
        assert_int_equal(error->code, RT_USAGE);
        assert_non_null(strstr(error->message, words[i]));
        rt_error_destroy(error);
    }
}

/* ---- What an input must not do ---- */

static void check_fails(const struct rt_dwarf_options *options, enum rt_error_code code, const char *words) {
    const struct rt_dwarf_sections sections = sections_of(&input);
    struct rt_dwarf_output *none;
    struct rt_error *error = rt_dwarf_transform(&sections, &rt_dwarf_identity, options, &none);
    assert_non_null(error);
    if (error->code != code || !strstr(error->message, words))
        fail_msg("%s", error->message);
    rt_error_destroy(error);
}

/* Memory, depth and references are bounded; an error names the section and the offset. */
static void test_limits(void **state) {
    const struct rt_dwarf_options little = {.limit = 4096};
    struct bytes *info = &input.at[RT_DWARF_INFO];
    (void)state;
    put_program();
    check_fails(&little, RT_UNSUPPORTED, "takes more than");
    const size_t whole = info->size;
    info->size--; /* the unit is longer than its section */
    check_fails(NULL, RT_MALFORMED, ".debug_info: unit at 0x0: at byte 0x0: length");
    info->size = whole;
    info->bytes[whole - 1] = 99;
    check_fails(NULL, RT_MALFORMED, "there is no abbreviation 99");
    input = (struct dwarf){0};
    const size_t unit = begin_unit(&input);
    for (int i = 0; i < 1200; i++)
        put(info, NEST, 1);
    end(info, unit);
    check_fails(NULL, RT_MALFORMED, "nest deeper than 1000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_drop),       TEST(test_keep_references),  TEST(test_add),
        TEST(test_copies),     TEST(test_misuse),           TEST(test_limits),
        TEST(test_change_tag), TEST(test_partial_location), TEST(test_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
