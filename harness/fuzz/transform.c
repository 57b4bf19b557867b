/* Any bytes as sections of DWARF are transformed to an output or an error, whatever the visitor answers. What
 * the identity wrote, it writes again: its output is an input that it changes nothing of.
 *
 * Covers: runtime/dwarf/abbrev.c runtime/dwarf/attribute.c runtime/dwarf/attribute_write.c
 * runtime/dwarf/die.c runtime/dwarf/expression.c runtime/dwarf/expression_copy.c runtime/dwarf/frames.c
 * runtime/dwarf/index.c runtime/dwarf/lines.c runtime/dwarf/lines_program.c runtime/dwarf/lines_write.c
 * runtime/dwarf/lists.c runtime/dwarf/lists_write.c runtime/dwarf/map.c runtime/dwarf/output.c
 * runtime/dwarf/plan.c runtime/dwarf/queries.c runtime/dwarf/sections.c runtime/dwarf/strings.c
 * runtime/dwarf/strip.c runtime/dwarf/transform.c runtime/dwarf/unit.c */
#include "harness/fuzz/fuzz.h"
#include "runtime/dwarf/dwarf.h"

enum { DWARF_4 = 1, WIDE = 2, STRIP = 4, TRANSLATE = 8, DEAD = 16, MOST_MEMORY = 64 << 20, MOVED = 0x1000 };

/* ---- A visitor that changes all that it can ---- */

/* Each range becomes two, with a hole between them. */
static struct rt_error *split_range(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    struct rt_dwarf_range range) {
    const uint64_t middle = range.low + (range.high - range.low) / 2;
    (void)user;
    (void)die;
    rt_dwarf_put_range(pass, (struct rt_dwarf_range){range.low + MOVED, middle + MOVED});
    rt_dwarf_put_range(pass, (struct rt_dwarf_range){middle + 2 * MOVED, range.high + 2 * MOVED});
    return NULL;
}

static struct rt_error *move_address(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                     unsigned name, uint64_t *address, bool *ret_keep) {
    (void)user;
    (void)pass;
    *address += MOVED;
    *ret_keep = name != RT_DWARF_AT_entry_pc || die->depth != 1;
    return NULL;
}

/* The expression holds in each range of its scope; a second piece has its operations one by one. */
static struct rt_error *split_location(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                       unsigned name, const struct rt_dwarf_range *range,
                                       struct rt_dwarf_span expression) {
    const struct rt_dwarf_range *scope;
    struct rt_cursor cursor = rt_cursor_make(expression.bytes, expression.size, 0);
    size_t count;
    const char *reason = NULL;
    (void)user;
    (void)name;
    struct rt_error *error = rt_dwarf_scope_ranges(pass, die, &scope, &count);
    if (error)
        return error;
    error = rt_dwarf_put_expression(pass, die->unit, expression, &reason);
    if (error || reason) {
        rt_dwarf_count(pass, reason ? reason : "broken");
        return error;
    }
    rt_dwarf_put_location(pass, range ? range : count ? &scope[0] : NULL);
    while (rt_cursor_left(&cursor)) {
        struct rt_dwarf_operation op;
        error = rt_dwarf_operation_read(pass, die->unit, &cursor, &op);
        if (error)
            return error;
        rt_dwarf_put_operation(pass, &op);
    }
    rt_dwarf_put_location(pass, &(struct rt_dwarf_range){MOVED, 2 * MOVED});
    return NULL;
}

static struct rt_error *add_children(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    (void)user;
    if (die->depth > 1)
        return NULL;
    const uint64_t name = rt_dwarf_new_name(pass);
    const struct rt_dwarf_attribute type = {
        .name = RT_DWARF_AT_type, .class = RT_DWARF_CLASS_REFERENCE, .number = name};
    rt_dwarf_add_die(pass, 0, RT_DWARF_TAG_structure_type, true);
    rt_dwarf_add_die(pass, 0, RT_DWARF_TAG_variable, false);
    rt_dwarf_put_attribute(pass, &type);
    rt_dwarf_put_operation(pass,
                           &(struct rt_dwarf_operation){.code = RT_DWARF_OP_convert, .operands = {name, 0}});
    rt_dwarf_put_location(pass, NULL);
    rt_dwarf_put_locations(pass, RT_DWARF_AT_location);
    rt_dwarf_add_end(pass);
    rt_dwarf_add_end(pass);
    rt_dwarf_add_die(pass, name, RT_DWARF_TAG_base_type, false);
    rt_dwarf_add_end(pass);
    return NULL;
}

static struct rt_error *copy_leaves(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    unsigned *ret) {
    (void)user;
    (void)pass;
    *ret = die->tag == RT_DWARF_TAG_lexical_block || !die->has_children ? 2 : 1;
    return NULL;
}

static struct rt_error *reverse_rows(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                     const struct rt_dwarf_row *rows, size_t count) {
    (void)user;
    (void)unit;
    for (size_t i = count; i-- > 0;) {
        struct rt_dwarf_row row = rows[i];
        row.end_sequence = i == 0;
        rt_dwarf_put_row(pass, &row);
    }
    return NULL;
}

static const struct rt_dwarf_visitor translating = {.copies = copy_leaves,
                                                    .children_begin = add_children,
                                                    .range = split_range,
                                                    .address = move_address,
                                                    .location = split_location,
                                                    .sequence = reverse_rows};

/* ---- The property ---- */

static void require_same(const struct rt_dwarf_sections *a, const struct rt_dwarf_sections *b) {
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        fuzz_require(a->at[i].size == b->at[i].size);
        fuzz_require(!a->at[i].size || memcmp(a->at[i].bytes, b->at[i].bytes, a->at[i].size) == 0);
    }
}

static void check_again(const struct rt_dwarf_output *output, const struct rt_dwarf_options *options) {
    struct rt_dwarf_output *again;
    struct rt_error *error =
        rt_dwarf_transform(rt_dwarf_output_sections(output), &rt_dwarf_identity, options, &again);
    if (error && error->code == RT_UNSUPPORTED) { /* its memory is bounded as well */
        fuzz_require_sound_error(error);
        return;
    }
    fuzz_require(!error);
    require_same(rt_dwarf_output_sections(output), rt_dwarf_output_sections(again));
    rt_dwarf_output_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_cursor input = rt_cursor_make(data, size, 0);
    const unsigned mode = (unsigned)fuzz_take(&input, 1);
    const struct rt_dwarf_options options = {
        .version = mode & DWARF_4 ? 4 : 5, .address_size = mode & WIDE ? 8 : 0, .limit = MOST_MEMORY};
    const char *const names[] = {"main", "f"};
    struct rt_dwarf_sections sections = {0};
    struct rt_dwarf_strip *strip;
    struct rt_dwarf_output *output;
    struct rt_error *error =
        rt_dwarf_strip_create(names, 2, mode & DEAD ? rt_dwarf_module_is_dead : NULL, &strip);
    fuzz_require(!error);
    while (rt_cursor_left(&input)) {
        struct rt_dwarf_span *span = &sections.at[fuzz_take(&input, 1) % RT_DWARF_SECTION_COUNT];
        span->bytes = fuzz_take_bytes(&input, fuzz_take(&input, 2), &span->size);
    }
    const bool is_identity = !(mode & (STRIP | TRANSLATE));
    error = rt_dwarf_transform(&sections,
                               mode & STRIP       ? rt_dwarf_strip_visitor(strip)
                               : mode & TRANSLATE ? &translating
                                                  : &rt_dwarf_identity,
                               &options, &output);
    if (!error) {
        if (is_identity)
            check_again(output, &options);
        rt_dwarf_output_destroy(output);
    }
    fuzz_require_sound_error(error);
    rt_dwarf_strip_destroy(strip);
    return 0;
}
