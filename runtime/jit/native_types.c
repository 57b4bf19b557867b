/* Pointers of a module, for debuggers of the process.
 *
 * A pointer of the module is 4 bytes, an offset into its memory; one of the process is 8. What lies in memory
 * (members, elements, what a pointer leads to) keeps its type of 4 bytes, and shows the offset: where
 * rt_low_view has the memory at just those addresses of the process, debuggers follow it there. Variables,
 * parameters and results get pointers of the process, which their locations compute. A pointer to a function
 * is an index into a table, and is shown as that. */
#include "runtime/jit/native.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 32 /* of typedefs and qualifiers behind one another */ };

/* ---- What a type is ---- */

static bool is_pointer_tag(unsigned tag) {
    return tag == RT_DWARF_TAG_pointer_type || tag == RT_NATIVE_TAG_reference_type ||
           tag == RT_NATIVE_TAG_rvalue_reference_type;
}

/* What only gives another type a name or a qualifier. */
static bool is_transparent(unsigned tag) {
    return tag == RT_DWARF_TAG_typedef || tag == RT_NATIVE_TAG_const_type ||
           tag == RT_NATIVE_TAG_volatile_type || tag == RT_NATIVE_TAG_restrict_type ||
           tag == RT_NATIVE_TAG_atomic_type;
}

/* The DIE that an attribute of this one refers to. */
static struct rt_error *follow(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die, unsigned name,
                               struct rt_dwarf_die *ret, bool *ret_found) {
    struct rt_dwarf_attribute at;
    struct rt_error *error = rt_dwarf_attribute_find(pass, die, name, &at, ret_found);
    if (error || !*ret_found)
        return error;
    *ret_found = at.class == RT_DWARF_CLASS_REFERENCE;
    return *ret_found ? rt_dwarf_die_find(pass, at.number, ret, ret_found) : NULL;
}

/* Past typedefs and qualifiers; false where that leads to nothing. */
static struct rt_error *strip_type(struct rt_dwarf_pass *pass, struct rt_dwarf_die *die, bool *ret_found) {
    struct rt_error *error = NULL;
    *ret_found = true;
    for (int i = 0; !error && *ret_found && is_transparent(die->tag); i++) {
        const struct rt_dwarf_die outer = *die;
        error = follow(pass, &outer, RT_DWARF_AT_type, die, ret_found);
        if (i == MOST_LINKS)
            *ret_found = false;
    }
    return error;
}

static struct rt_error *classify(struct rt_dwarf_pass *pass, struct rt_dwarf_die *die,
                                 struct rt_native_type *ret) {
    struct rt_dwarf_die target;
    struct rt_dwarf_attribute at;
    bool found;
    struct rt_error *error = strip_type(pass, die, &found);
    if (error || !found)
        return error;
    ret->position = die->position;
    if (is_pointer_tag(die->tag)) {
        ret->size = die->unit->address_size;
        ret->kind = RT_NATIVE_POINTER;
        error = follow(pass, die, RT_DWARF_AT_type, &target, &found);
        if (!error && found)
            error = strip_type(pass, &target, &found);
        if (!error && found && target.tag == RT_NATIVE_TAG_subroutine_type)
            ret->kind = RT_NATIVE_FUNCTION;
        return error;
    }
    error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_byte_size, &at, &found);
    if (!error && found && at.class == RT_DWARF_CLASS_CONSTANT)
        ret->size = at.number;
    return error;
}

/* The type at a position. Types are few, and what is of them many: what was found out is kept where no other
 * takes its place. */
static struct rt_error *type_at(struct rt_native *native, struct rt_dwarf_pass *pass, uint64_t position,
                                const struct rt_native_known_type **ret) {
    struct rt_native_known_type *known = &native->types[position % RT_NATIVE_MOST_TYPES];
    struct rt_dwarf_die die;
    *ret = known;
    if (known->name == position + 1)
        return NULL;
    *known = (struct rt_native_known_type){.type = {.kind = RT_NATIVE_OTHER}};
    struct rt_error *error = rt_dwarf_die_find(pass, position, &die, &known->is_found);
    if (!error && known->is_found) {
        known->is_pointer = is_pointer_tag(die.tag);
        error = classify(pass, &die, &known->type);
    }
    if (!error)
        known->name = position + 1;
    return error;
}

struct rt_error *rt_native_type_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                   const struct rt_dwarf_die *die, struct rt_native_type *ret) {
    const struct rt_native_known_type *type;
    struct rt_dwarf_die from = *die;
    *ret = (struct rt_native_type){.kind = RT_NATIVE_OTHER};
    for (int i = 0; i < MOST_LINKS; i++) {
        struct rt_dwarf_attribute at;
        struct rt_dwarf_die origin;
        bool found;
        struct rt_error *error = rt_dwarf_attribute_find(pass, &from, RT_DWARF_AT_type, &at, &found);
        if (!error && found && at.class == RT_DWARF_CLASS_REFERENCE) {
            error = type_at(native, pass, at.number, &type);
            if (!error && type->is_found)
                *ret = type->type;
            if (error || type->is_found)
                return error;
        }
        if (!error)
            error = follow(pass, &from, RT_DWARF_AT_abstract_origin, &origin, &found);
        if (!error && !found)
            error = follow(pass, &from, RT_DWARF_AT_specification, &origin, &found);
        if (error || !found)
            return error;
        from = origin;
    }
    return NULL;
}

struct rt_error *rt_native_base_type(struct rt_dwarf_pass *pass, uint64_t position,
                                     struct rt_native_integer *ret) {
    enum { BOOLEAN = 2, SIGNED = 5, SIGNED_CHAR = 6, UNSIGNED = 7, UNSIGNED_CHAR = 8 };
    struct rt_dwarf_attribute size, encoding;
    struct rt_dwarf_die die;
    bool found, has_size = false, has_encoding = false;
    *ret = (struct rt_native_integer){.bits = 0};
    struct rt_error *error = rt_dwarf_die_find(pass, position, &die, &found);
    if (!error && found)
        error = rt_dwarf_attribute_find(pass, &die, RT_DWARF_AT_byte_size, &size, &has_size);
    if (!error && has_size)
        error = rt_dwarf_attribute_find(pass, &die, RT_DWARF_AT_encoding, &encoding, &has_encoding);
    if (error || !has_encoding)
        return error;
    const uint64_t is = encoding.number;
    if ((is == SIGNED || is == SIGNED_CHAR || is == UNSIGNED || is == UNSIGNED_CHAR || is == BOOLEAN) &&
        size.number >= 1 && size.number <= 8)
        *ret = (struct rt_native_integer){.bits = (uint8_t)(8 * size.number),
                                          .is_signed = is == SIGNED || is == SIGNED_CHAR};
    return NULL;
}

/* ---- Names of what will be added ---- */

static bool reserve(struct rt_native *native) {
    if (native->pointer_count < native->pointer_capacity)
        return true;
    const size_t capacity = native->pointer_capacity ? 2 * native->pointer_capacity : 64;
    struct rt_native_pointer *grown = realloc(native->pointers, capacity * sizeof *grown);
    if (!grown)
        return false;
    native->pointers = grown;
    native->pointer_capacity = capacity;
    return true;
}

/* The entry of a pointer, which is made when there is none; it lives until the next call. NULL: no memory. */
static struct rt_native_pointer *pointer_at(struct rt_native *native, uint64_t position) {
    size_t low = 0, high = native->pointer_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (native->pointers[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == native->pointer_count || native->pointers[low].position != position) {
        if (!reserve(native))
            return NULL;
        struct rt_native_pointer *at = native->pointers + low;
        memmove(at + 1, at, (native->pointer_count++ - low) * sizeof *at);
        *at = (struct rt_native_pointer){.position = position};
    }
    return &native->pointers[low];
}

static struct rt_error *name_wide(struct rt_native *native, struct rt_dwarf_pass *pass, uint64_t position,
                                  uint64_t *ret) {
    struct rt_native_pointer *pointer = pointer_at(native, position);
    if (!pointer)
        return rt_error_out_of_memory();
    if (!pointer->wide)
        pointer->wide = rt_dwarf_new_name(pass);
    *ret = pointer->wide;
    return NULL;
}

static struct rt_error *name_target(struct rt_native *native, struct rt_dwarf_pass *pass, uint64_t position,
                                    uint64_t *ret) {
    struct rt_native_pointer *pointer = pointer_at(native, position);
    if (!pointer)
        return rt_error_out_of_memory();
    if (!pointer->target)
        pointer->target = rt_dwarf_new_name(pass);
    *ret = pointer->target;
    return NULL;
}

/* ---- Types of types ---- */

/* What of this type lies in memory as it was compiled to. */
static bool is_stored(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die) {
    struct rt_dwarf_attribute at;
    bool is_static = false;
    if (die->tag == RT_NATIVE_TAG_member) { /* a static one is a variable */
        struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_external, &at, &is_static);
        rt_error_destroy(error);
        return !is_static;
    }
    return is_pointer_tag(die->tag) || is_transparent(die->tag) || die->tag == RT_NATIVE_TAG_array_type ||
           die->tag == RT_NATIVE_TAG_inheritance;
}

/* A DW_AT_type that leads to a pointer: to one of the process, unless it is in memory. */
static struct rt_error *replace_type(struct rt_native *native, struct rt_dwarf_pass *pass,
                                     const struct rt_dwarf_die *die, struct rt_dwarf_attribute *at) {
    const struct rt_native_known_type *known;
    if (at->class != RT_DWARF_CLASS_REFERENCE)
        return NULL;
    struct rt_error *error = type_at(native, pass, at->number, &known);
    if (error || !known->is_found)
        return error;
    const struct rt_native_type *type = &known->type;
    if (type->kind == RT_NATIVE_FUNCTION && known->is_pointer) {
        if (!native->table_index)
            native->table_index = rt_dwarf_new_name(pass);
        at->number = native->table_index;
    } else if (type->kind == RT_NATIVE_POINTER && !is_stored(pass, die)) {
        if (type->position >= die->unit->offset && type->position < die->unit->end)
            return name_wide(native, pass, type->position, &at->number);
        rt_dwarf_count(pass, "left as it is: a variable whose pointer type is in another unit");
    }
    return NULL;
}

struct rt_error *rt_native_type_attribute(struct rt_native *native, struct rt_dwarf_pass *pass,
                                          const struct rt_dwarf_die *die, struct rt_dwarf_attribute *at) {
    struct rt_native_type type;
    struct rt_error *error = NULL;
    switch (at->name) {
    case RT_DWARF_AT_type:
        return is_pointer_tag(die->tag) && at->class == RT_DWARF_CLASS_REFERENCE
                   ? name_target(native, pass, die->position, &at->number)
                   : replace_type(native, pass, die, at);
    case RT_DWARF_AT_const_value:
        if (at->class != RT_DWARF_CLASS_CONSTANT)
            return NULL;
        error = rt_native_type_of(native, pass, die, &type);
        if (!error && type.kind == RT_NATIVE_POINTER) {
            const uint64_t pointer = at->number & UINT32_MAX;
            at->number = pointer ? native->memory_base + pointer : 0;
            at->is_signed = false;
            at->form = 0;
        }
        return error;
    default: return NULL;
    }
}

/* ---- Attributes ---- */

static void put_constant(struct rt_dwarf_pass *pass, unsigned name, uint64_t number) {
    const struct rt_dwarf_attribute at = {.name = name, .class = RT_DWARF_CLASS_CONSTANT, .number = number};
    rt_dwarf_put_attribute(pass, &at);
}

/* A pointer has the size of the unit's addresses where it has none of its own, and those are the process's
 * now. */
struct rt_error *rt_native_type_end(struct rt_native *native, struct rt_dwarf_pass *pass,
                                    const struct rt_dwarf_die *die) {
    struct rt_dwarf_attribute size, type,
        target = {.name = RT_DWARF_AT_type, .class = RT_DWARF_CLASS_REFERENCE};
    bool has_size, has_type;
    if (!is_pointer_tag(die->tag))
        return NULL;
    struct rt_error *error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_byte_size, &size, &has_size);
    if (!error)
        error = rt_dwarf_attribute_find(pass, die, RT_DWARF_AT_type, &type, &has_type);
    if (!error && !has_type)
        error = name_target(native, pass, die->position, &target.number);
    if (error)
        return error;
    if (!has_size)
        put_constant(pass, RT_DWARF_AT_byte_size, die->unit->address_size);
    if (!has_type)
        rt_dwarf_put_attribute(pass, &target);
    return NULL;
}

/* ---- Names of types, as C writes them ---- */

enum { NAME_SIZE = 256, MOST_NESTED = 8 };

static void append(char name[NAME_SIZE], const char *text, size_t size) {
    const size_t length = strlen(name);
    if (size > NAME_SIZE - 1 - length)
        size = NAME_SIZE - 1 - length;
    memcpy(name + length, text, size);
    name[length + size] = 0;
}

static const char *keyword(unsigned tag) {
    switch (tag) {
    case RT_DWARF_TAG_structure_type: return "struct ";
    case RT_NATIVE_TAG_union_type: return "union ";
    case RT_NATIVE_TAG_enumeration_type: return "enum ";
    case RT_NATIVE_TAG_const_type: return "const ";
    case RT_NATIVE_TAG_volatile_type: return "volatile ";
    default: return "";
    }
}

/* Appends the name of the type that a DIE has, which is void when it has none. */
static struct rt_error *append_type(struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                                    char name[NAME_SIZE], int depth) {
    struct rt_dwarf_attribute at;
    struct rt_dwarf_die type;
    bool found, has_name = false;
    struct rt_error *error = follow(pass, die, RT_DWARF_AT_type, &type, &found);
    if (!error && found)
        error = rt_dwarf_attribute_find(pass, &type, RT_DWARF_AT_name, &at, &has_name);
    if (error)
        return error;
    if (!found) {
        append(name, "void", 4);
        return NULL;
    }
    append(name, keyword(type.tag), strlen(keyword(type.tag)));
    if (has_name && at.class == RT_DWARF_CLASS_STRING) {
        append(name, (const char *)at.bytes.bytes, at.bytes.size);
    } else if (depth < MOST_NESTED && (is_pointer_tag(type.tag) || is_transparent(type.tag) ||
                                       type.tag == RT_NATIVE_TAG_array_type)) {
        error = append_type(pass, &type, name, depth + 1);
        const char *end = is_pointer_tag(type.tag) ? " *" : type.tag == RT_NATIVE_TAG_array_type ? " []" : "";
        append(name, end, strlen(end));
    } else {
        append(name, "{...}", 5);
    }
    return error;
}

/* ---- Adding them ---- */

/* GDB knows one pointer to a type, of one size, and makes addresses such pointers: so those are the
 * process's, and the input's lead to another name of the type. */
static struct rt_error *add_types_of(struct rt_native *native, struct rt_dwarf_pass *pass,
                                     const struct rt_native_pointer *entry) {
    struct rt_dwarf_die pointer;
    struct rt_dwarf_attribute type;
    char text[NAME_SIZE] = "";
    bool found, has_type = false;
    struct rt_error *error = rt_dwarf_die_find(pass, entry->position, &pointer, &found);
    if (error || !found)
        return error;
    error = rt_dwarf_attribute_find(pass, &pointer, RT_DWARF_AT_type, &type, &has_type);
    if (!error && has_type)
        error = replace_type(native, pass, &pointer, &type);
    if (!error)
        error = append_type(pass, &pointer, text, 0);
    if (error)
        return error;
    if (entry->target) {
        const struct rt_dwarf_attribute name = {.name = RT_DWARF_AT_name,
                                                .class = RT_DWARF_CLASS_STRING,
                                                .bytes = {(const uint8_t *)text, strlen(text)}};
        rt_dwarf_add_die(pass, entry->target, RT_DWARF_TAG_typedef, false);
        rt_dwarf_put_attribute(pass, &name);
        if (has_type)
            rt_dwarf_put_attribute(pass, &type);
        rt_dwarf_add_end(pass);
    }
    if (entry->wide) {
        rt_dwarf_add_die(pass, entry->wide, pointer.tag, false);
        if (has_type)
            rt_dwarf_put_attribute(pass, &type);
        put_constant(pass, RT_DWARF_AT_byte_size, 8);
        rt_dwarf_add_end(pass);
    }
    return NULL;
}

struct rt_error *rt_native_add_types(struct rt_native *native, struct rt_dwarf_pass *pass) {
    static const char name[] = "function table index";
    enum { ENCODING_UNSIGNED = 7 };
    struct rt_error *error = NULL;
    for (size_t i = 0; !error && i < native->pointer_count; i++)
        error = add_types_of(native, pass, &native->pointers[i]);
    if (!error && native->table_index) {
        const struct rt_dwarf_attribute at = {.name = RT_DWARF_AT_name,
                                              .class = RT_DWARF_CLASS_STRING,
                                              .bytes = {(const uint8_t *)name, sizeof name - 1}};
        rt_dwarf_add_die(pass, native->table_index, RT_DWARF_TAG_base_type, false);
        rt_dwarf_put_attribute(pass, &at);
        put_constant(pass, RT_DWARF_AT_byte_size, 4);
        put_constant(pass, RT_DWARF_AT_encoding, ENCODING_UNSIGNED);
        rt_dwarf_add_end(pass);
    }
    native->pointer_count = 0;
    native->table_index = 0;
    return error;
}
