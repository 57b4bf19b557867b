/* What the decoder's files share (private to runtime/'s decoder and validator).
 *
 * Every function here reads through a cursor whose offsets are the file's, so that errors name the byte. */
#ifndef LOCKSTEP_RUNTIME_DECODE_H
#define LOCKSTEP_RUNTIME_DECODE_H

#include "runtime/module.h"

enum rt_feature_kind { RT_FEATURE_OPCODE, RT_FEATURE_TYPE, RT_FEATURE_FORM, RT_FEATURE_SECTION };
/* The feature that owns this opcode, type, form or section, when it is one that this build does not have;
 * else NULL. */
const char *rt_feature_find(enum rt_feature_kind kind, uint32_t code);

/* An error of any code at the file offset `offset`: "at byte 0x1f: ...". */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_decode_error(enum rt_error_code code, uint64_t offset,
                                                           const char *format, ...) RT_PRINTF(3, 4);

/* An unsigned LEB128 of 32 bits. Inline, because nearly all of a module's numbers are one byte long. */
static inline struct rt_error *rt_read_u32(struct rt_cursor *cursor, const char *what, uint32_t *ret) {
    if (cursor->next != cursor->end && *cursor->next < 0x80) {
        *ret = *cursor->next++;
        return NULL;
    }
    uint64_t value = 0;
    struct rt_error *error = rt_cursor_uleb(cursor, 32, what, &value);
    *ret = (uint32_t)value;
    return error;
}

/* A value type and a reference type (section 5.3); v128 and later ones are RT_UNSUPPORTED. */
RT_MUST_USE struct rt_error *rt_value_type_read(struct rt_cursor *cursor, const char *what, uint8_t *ret);
RT_MUST_USE struct rt_error *rt_reference_type_read(struct rt_cursor *cursor, const char *what, uint8_t *ret);

/* The number of entries of a vector, each of which takes `entry_size` bytes or more: a count that the bytes
 * left cannot hold is an error, so that what is allocated for it stays in proportion to the input. */
RT_MUST_USE struct rt_error *rt_vector_count_read(struct rt_cursor *cursor, const char *what,
                                                  size_t entry_size, uint32_t *ret);

/* A constant expression up to its `end`, of the given type (section 3.3.9). It may name imported globals
 * only. Functions that it names become declared references of the module. */
RT_MUST_USE struct rt_error *rt_const_expr_read(struct rt_module *module, struct rt_cursor *cursor,
                                                enum rt_type type, struct rt_const_expr *ret);
/* Lets ref.func name the function, which exists (section 3.4.11, C.refs). */
RT_MUST_USE struct rt_error *rt_module_declare_function(struct rt_module *module, uint32_t function);
/* Makes the list of such functions, when it is not there yet; no more functions may come after that. */
RT_MUST_USE struct rt_error *rt_module_declare_functions(struct rt_module *module);

/* A name (section 5.2.4): UTF-8, copied into the module's arena with a terminating zero. */
RT_MUST_USE struct rt_error *rt_name_read(struct rt_module *module, struct rt_cursor *cursor,
                                          const char *what, const char **ret, size_t *ret_size);
/* The types of section 5.3 beyond value types, with the rules of section 3.2. */
RT_MUST_USE struct rt_error *rt_table_type_read(struct rt_cursor *cursor, struct rt_table_type *ret);
RT_MUST_USE struct rt_error *rt_memory_type_read(struct rt_cursor *cursor, struct rt_limits *ret);
RT_MUST_USE struct rt_error *rt_global_type_read(struct rt_cursor *cursor, struct rt_global_type *ret);

/* The contents of the import section (section 5.5.5). Fills the index spaces with what is imported. */
RT_MUST_USE struct rt_error *rt_import_section_read(struct rt_module *module, struct rt_cursor *cursor);

/* The contents of the element section and of the data section (sections 5.5.12 and 5.5.14). */
RT_MUST_USE struct rt_error *rt_element_section_read(struct rt_module *module, struct rt_cursor *cursor);
RT_MUST_USE struct rt_error *rt_data_section_read(struct rt_module *module, struct rt_cursor *cursor);
/* The contents of the code section (section 5.5.13): where each body is and what locals it declares. */
RT_MUST_USE struct rt_error *rt_code_section_read(struct rt_module *module, struct rt_cursor *cursor);
/* Reads the instructions of one body for their form alone, types and indices aside: RT_MALFORMED, or success.
 */
RT_MUST_USE struct rt_error *rt_body_check_form(const struct rt_module *module, uint32_t function);
/* The errors of a body whose last instruction is no `end`, or that goes on behind it. */
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_body_without_end(const struct rt_cursor *cursor);
RT_MUST_USE RT_NEVER_NULL struct rt_error *rt_body_behind_end(const struct rt_cursor *cursor);

/* Reads the whole of module->bytes into the module, whose arena, bytes and size are set. */
RT_MUST_USE struct rt_error *rt_module_decode(struct rt_module *module);
/* Fills function_names, from the name section first. What is malformed there is not an error (section 7.4).
 */
RT_MUST_USE struct rt_error *rt_module_name_functions(struct rt_module *module);

/* True when the bytes are UTF-8 (section 5.2.4): no surrogates, nothing longer than it need be. */
bool rt_utf8_valid(const uint8_t *bytes, size_t size);

#endif
