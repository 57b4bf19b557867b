/* The table of faults, and what surveying and planting them share. */
#include "harness/plant.h"

#include <string.h>

enum { MOST_ORIGINS = 4 };

const struct hx_plant_row hx_plant_rows[HX_PLANT_COUNT] = {
#define FUNCTION HX_NAMES_FUNCTION
#define LINE     HX_NAMES_LINE
#define VARIABLE HX_NAMES_VARIABLE
#define EVENT    HX_NAMES_EVENT
#define HX_PLANT(NAME, word, pairing, kinds, names, what)                                                    \
    [HX_PLANT_##NAME] = {word, what, HX_##pairing, HX_KINDS_##kinds, names},
#include "harness/plants.def"
#undef HX_PLANT
#undef FUNCTION
#undef LINE
#undef VARIABLE
#undef EVENT
};

const char *const hx_side_words[HX_SIDE_COUNT] = {
    [HX_SIDE_NATIVE] = "native", [HX_SIDE_WASM] = "wasm", [HX_SIDE_TRACE] = "trace"};

bool hx_plant_find(const char *word, enum hx_plant_class *ret) {
    for (int i = 0; i < HX_PLANT_COUNT; i++)
        if (strcmp(hx_plant_rows[i].word, word) == 0) {
            *ret = (enum hx_plant_class)i;
            return true;
        }
    return false;
}

struct rt_error *hx_plant_name(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                               struct rt_arena *arena, const char **ret) {
    struct rt_dwarf_die other = *die;
    *ret = NULL;
    for (int i = 0; i < MOST_ORIGINS; i++) {
        struct rt_dwarf_attribute at;
        bool found;
        struct rt_error *error = rt_dwarf_attribute_find(pass, &other, RT_DWARF_AT_name, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_STRING) {
            *ret = rt_arena_printf(arena, "%.*s", (int)at.bytes.size, (const char *)at.bytes.bytes);
            return *ret ? NULL : rt_error_out_of_memory();
        }
        if (!error)
            error = rt_dwarf_attribute_find(pass, &other, RT_DWARF_AT_abstract_origin, &at, &found);
        if (!error && !found)
            error = rt_dwarf_attribute_find(pass, &other, RT_DWARF_AT_specification, &at, &found);
        if (!error && found)
            error = rt_dwarf_die_find(pass, at.number, &other, &found);
        if (error || !found)
            return error;
    }
    return NULL;
}

/* ---- Abbreviations (DWARF 5, section 7.5.3): what comes in place of a tag or of an attribute's name ---- */

static uint8_t other_tag(uint64_t tag) {
    return tag == RT_DWARF_TAG_variable           ? RT_DWARF_TAG_formal_parameter
           : tag == RT_DWARF_TAG_formal_parameter ? RT_DWARF_TAG_variable
                                                  : 0;
}

struct rt_error *hx_plant_abbreviation(struct rt_dwarf_span section, uint32_t index, size_t *ret_at,
                                       uint8_t *ret_byte, bool *ret_is_end) {
    struct rt_cursor cursor = rt_cursor_make(section.bytes, section.size, 0);
    *ret_at = 0;
    for (uint32_t i = 0;; i++) {
        uint64_t code, tag, name = 1, form = 1, line_at = 0;
        int64_t constant;
        uint8_t has_children;
        struct rt_error *error = rt_cursor_uleb(&cursor, 64, "an abbreviation's code", &code);
        *ret_is_end = !error && code == 0;
        if (error || *ret_is_end)
            return error;
        const size_t tag_at = (size_t)rt_cursor_offset(&cursor);
        if (!(error = rt_cursor_uleb(&cursor, 64, "a tag", &tag)))
            error = rt_cursor_u8(&cursor, "whether there are children", &has_children);
        while (!error && (name || form)) {
            const size_t at = (size_t)rt_cursor_offset(&cursor);
            error = rt_cursor_uleb(&cursor, 64, "an attribute's name", &name);
            if (!error)
                error = rt_cursor_uleb(&cursor, 64, "a form", &form);
            if (!error && form == RT_DWARF_FORM_implicit_const)
                error = rt_cursor_sleb(&cursor, 64, "an implicit constant", &constant);
            if (name == RT_DWARF_AT_decl_line)
                line_at = at;
        }
        if (error)
            return error;
        if (i < index)
            continue;
        const uint8_t other = other_tag(tag);
        /* Half of a variable's abbreviations lose their line to the column that goes by another name. */
        if (other && line_at && i % 2) {
            *ret_at = (size_t)line_at;
            *ret_byte = RT_DWARF_AT_call_line;
        } else if (other) {
            *ret_at = tag_at;
            *ret_byte = other;
        }
        return NULL;
    }
}
