/* Types: a graph of st_type from the DIEs of types, one node a DIE.
 *
 * A type is made when it is first asked for and filled in later from a list of work, so that a chain of types
 * of any length takes no stack and a structure may point to itself. When all are filled in, one walk along
 * "is part of" edges computes sizes and cuts what C cannot have: a type that contains itself, chains without
 * an end, members outside of their structure. Whoever walks the model later needs no checks of his own. */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/debug.h"

/* Types nested in each other deeper than this are cut. */
#define MAX_DEPTH 128

struct st_type_node {
    struct st_type type; /* first: a node's address is its type's */
    Dwarf_Die die;
    bool has_size;
    enum { UNSEEN, OPEN, DONE } state;
    uint16_t height; /* of the tree of types that are part of this one */
};

static struct st_type_node *node_of(const struct st_type *type) {
    return (struct st_type_node *)type;
}

/* A node without a DIE of its own: a dimension of an array. */
static struct rt_error *make_node(struct st_reader *reader, struct st_type_node **ret) {
    struct st_type_node **item = st_list_push(&reader->types, sizeof *item);
    struct st_type_node *node = item ? rt_arena_alloc(reader->arena, sizeof *node) : NULL;
    if (!node) {
        reader->types.count -= item != NULL;
        return st_reader_no_memory(reader);
    }
    *item = node;
    *ret = node;
    return NULL;
}

struct rt_error *st_type_of(struct st_reader *reader, Dwarf_Die *die, const struct st_type **ret) {
    uint64_t offset = dwarf_dieoffset(die);
    *ret = st_map_get(&reader->debug->types, offset);
    if (*ret)
        return NULL;
    struct st_type_node *node;
    struct rt_error *error = make_node(reader, &node);
    if (error)
        return error;
    node->die = *die;
    node->type.die = offset;
    *ret = &node->type;
    return st_map_put(&reader->debug->types, offset, node) ? NULL : rt_error_out_of_memory();
}

/* The type that an attribute refers to; NULL when there is none. */
static struct rt_error *referred(struct st_reader *reader, struct st_attributes *attributes,
                                 const struct st_type **ret) {
    Dwarf_Die die;
    *ret = NULL;
    if (!st_has(attributes, ST_AT_TYPE))
        return NULL;
    if (!dwarf_formref_die(&attributes->at[ST_AT_TYPE], &die)) {
        struct rt_cursor cursor = st_attribute_bytes(reader, &attributes->at[ST_AT_TYPE]);
        return rt_cursor_error(&cursor, "%s: .debug_info: reference to a type: %s", reader->debug->label,
                               dwarf_errmsg(-1));
    }
    return st_type_of(reader, &die, ret);
}

/* ---- Members ---- */

/* The offset that DW_AT_data_member_location gives: a constant, or a block that adds one. */
static bool member_location(const struct st_reader *reader, struct st_attributes *attributes, int64_t *ret) {
    *ret = 0;
    if (!st_has(attributes, ST_AT_DATA_MEMBER_LOCATION) ||
        st_attribute_constant(attributes, ST_AT_DATA_MEMBER_LOCATION, ret))
        return true;
    Dwarf_Block block;
    uint64_t number;
    uint8_t opcode;
    if (dwarf_formblock(&attributes->at[ST_AT_DATA_MEMBER_LOCATION], &block) != 0)
        return false;
    struct rt_cursor cursor =
        rt_cursor_make(block.data, block.length,
                       st_attribute_bytes(reader, &attributes->at[ST_AT_DATA_MEMBER_LOCATION]).base);
    struct rt_error *error = rt_cursor_u8(&cursor, "operation", &opcode);
    if (!error)
        error = rt_cursor_uleb(&cursor, 64, "member's offset", &number);
    bool known = !error && opcode == DW_OP_plus_uconst && rt_cursor_left(&cursor) == 0;
    rt_error_destroy(error);
    *ret = known ? (int64_t)number : 0;
    return known;
}

/* Where a member starts and how many bits it has (DWARF 5, section 5.7.6; the older DW_AT_bit_offset counts
 * from the storage unit's most significant bit: DWARF 3, section 5.6.6). */
static bool member_bits(const struct st_reader *reader, struct st_attributes *attributes,
                        struct st_member *member) {
    int64_t offset, bits = 0, bit_offset;
    if (!member_location(reader, attributes, &offset) || offset < 0 || offset > INT64_MAX / 16)
        return false;
    offset *= 8;
    if (st_has(attributes, ST_AT_BIT_SIZE) &&
        (!st_attribute_constant(attributes, ST_AT_BIT_SIZE, &bits) || bits < 0 || bits > 4096))
        return false;
    if (st_attribute_constant(attributes, ST_AT_DATA_BIT_OFFSET, &bit_offset)) {
        offset += bit_offset;
    } else if (bits && st_attribute_constant(attributes, ST_AT_BIT_OFFSET, &bit_offset)) {
        Dwarf_Word size = st_attribute_number(attributes, ST_AT_BYTE_SIZE);
        Dwarf_Die die;
        if (size == 0 &&
            (!st_has(attributes, ST_AT_TYPE) || !dwarf_formref_die(&attributes->at[ST_AT_TYPE], &die) ||
             dwarf_aggregate_size(&die, &size) != 0))
            return false;
        if (size > 4096 || bit_offset < -4096 || bit_offset > 4096)
            return false;
        offset += (int64_t)size * 8 - bit_offset - bits;
    }
    member->bit_offset = (uint64_t)offset;
    member->bit_size = (uint32_t)bits;
    return offset >= 0;
}

/* Calls `visit` for each child with that tag. */
static struct rt_error *
for_children(struct st_reader *reader, Dwarf_Die *die, int tag,
             struct rt_error *(*visit)(struct st_reader *, struct st_attributes *, void *), void *user) {
    Dwarf_Die child;
    struct st_attributes attributes;
    int result = dwarf_child(die, &child);
    while (result == 0) {
        if (dwarf_tag(&child) == tag) {
            struct rt_error *error = st_attributes_read(reader, &child, &attributes);
            if (!error)
                error = visit(reader, &attributes, user);
            if (error)
                return error;
        }
        void *address = child.addr;
        result = dwarf_siblingof(&child, &child);
        if (result == 0 && (uintptr_t)child.addr <= (uintptr_t)address)
            return rt_error_format(RT_MALFORMED, "%s: DIE at .debug_info+0x%llx: its sibling comes before it",
                                   reader->debug->label, (unsigned long long)dwarf_dieoffset(&child));
    }
    return result < 0 ? st_reader_broken_die(reader, die) : NULL;
}

static struct rt_error *visit_member(struct st_reader *reader, struct st_attributes *attributes, void *user) {
    if (st_has(attributes, ST_AT_EXTERNAL) || st_has(attributes, ST_AT_DECLARATION))
        return NULL; /* a class's static member */
    struct st_member *member = st_list_push(user, sizeof *member);
    if (!member)
        return rt_error_out_of_memory();
    member->name = st_attribute_string(attributes, ST_AT_NAME);
    member->line = (uint32_t)st_attribute_number(attributes, ST_AT_DECL_LINE);
    if (!member_bits(reader, attributes, member))
        member->bit_offset = UINT64_MAX; /* outside: the structure will be incomplete */
    return referred(reader, attributes, &member->type);
}

static struct rt_error *visit_enumerator(struct st_reader *reader, struct st_attributes *attributes,
                                         void *user) {
    (void)reader;
    struct st_enumerator *enumerator = st_list_push(user, sizeof *enumerator);
    if (!enumerator)
        return rt_error_out_of_memory();
    const char *name = st_attribute_string(attributes, ST_AT_NAME);
    enumerator->name = name ? name : "";
    if (!st_attribute_constant(attributes, ST_AT_CONST_VALUE, &enumerator->value))
        enumerator->value = 0;
    return NULL;
}

/* ---- Arrays ---- */

struct dimension {
    uint64_t count;
    bool is_known;
};

static struct rt_error *visit_dimension(struct st_reader *reader, struct st_attributes *attributes,
                                        void *user) {
    (void)reader;
    struct dimension *dimension = st_list_push(user, sizeof *dimension);
    if (!dimension)
        return rt_error_out_of_memory();
    int64_t count, lower = 0, upper;
    if (st_attribute_constant(attributes, ST_AT_COUNT, &count)) {
        *dimension = (struct dimension){(uint64_t)count, count >= 0};
    } else if (st_attribute_constant(attributes, ST_AT_UPPER_BOUND, &upper)) {
        st_attribute_constant(attributes, ST_AT_LOWER_BOUND, &lower);
        /* An upper bound of -1, in whatever width, is how a compiler says "no elements". */
        if (upper == UINT32_MAX && lower == 0)
            upper = -1;
        if (!__builtin_sub_overflow(upper, lower, &count) && count >= -1)
            *dimension = (struct dimension){(uint64_t)count + 1, true};
    }
    return NULL;
}

/* One node a dimension, the outermost is the DIE's own. */
static struct rt_error *fill_array(struct st_reader *reader, struct st_type_node *node,
                                   struct st_attributes *attributes) {
    struct st_list dimensions = {.items = NULL};
    const struct st_type *element;
    struct rt_error *error = referred(reader, attributes, &element);
    if (!error)
        error = for_children(reader, &node->die, DW_TAG_subrange_type, visit_dimension, &dimensions);
    for (size_t i = 0; !error && i < dimensions.count; i++) {
        const struct dimension *dimension = (struct dimension *)dimensions.items + i;
        struct st_type_node *inner = NULL;
        node->type.kind = ST_TYPE_ARRAY;
        node->type.count = dimension->is_known ? dimension->count : 0;
        node->type.is_complete = dimension->is_known;
        if (i + 1 < dimensions.count && (error = make_node(reader, &inner)))
            break;
        if (inner) {
            inner->type.die = node->type.die;
            node->type.target = &inner->type;
            node = inner;
        }
    }
    if (dimensions.count == 0)
        node->type.kind = ST_TYPE_ARRAY;
    node->type.target = element;
    st_list_clear(&dimensions);
    return error;
}

/* ---- Filling in ---- */

static const struct tag {
    int tag;
    enum st_type_kind kind;
} tags[] = {
    {DW_TAG_base_type, ST_TYPE_BASE},         {DW_TAG_pointer_type, ST_TYPE_POINTER},
    {DW_TAG_reference_type, ST_TYPE_POINTER}, {DW_TAG_rvalue_reference_type, ST_TYPE_POINTER},
    {DW_TAG_structure_type, ST_TYPE_STRUCT},  {DW_TAG_class_type, ST_TYPE_STRUCT},
    {DW_TAG_union_type, ST_TYPE_UNION},       {DW_TAG_array_type, ST_TYPE_ARRAY},
    {DW_TAG_enumeration_type, ST_TYPE_ENUM},  {DW_TAG_subroutine_type, ST_TYPE_FUNCTION},
    {DW_TAG_subprogram, ST_TYPE_FUNCTION},    {DW_TAG_typedef, ST_TYPE_TYPEDEF},
    {DW_TAG_const_type, ST_TYPE_CONST},       {DW_TAG_volatile_type, ST_TYPE_VOLATILE},
    {DW_TAG_restrict_type, ST_TYPE_RESTRICT}, {DW_TAG_atomic_type, ST_TYPE_ATOMIC},
};

static enum st_type_kind kind_of_tag(int tag) {
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i].tag == tag)
            return tags[i].kind;
    return ST_TYPE_OTHER;
}

static struct rt_error *fill(struct st_reader *reader, struct st_type_node *node) {
    struct st_type *type = &node->type;
    struct st_attributes attributes;
    struct rt_error *error = st_attributes_read(reader, &node->die, &attributes);
    if (error)
        return error;
    /* A skeleton stands for a type unit's type. */
    if (st_has(&attributes, ST_AT_SIGNATURE)) {
        Dwarf_Die die;
        if (dwarf_formref_die(&attributes.at[ST_AT_SIGNATURE], &die)) {
            node->die = die;
            if ((error = st_attributes_read(reader, &die, &attributes)))
                return error;
        }
    }
    type->kind = kind_of_tag(dwarf_tag(&node->die));
    type->name = st_attribute_string(&attributes, ST_AT_NAME);
    type->encoding = (uint8_t)st_attribute_number(&attributes, ST_AT_ENCODING);
    type->size = st_attribute_number(&attributes, ST_AT_BYTE_SIZE);
    node->has_size = st_has(&attributes, ST_AT_BYTE_SIZE);
    type->is_complete = !st_attribute_flag(&attributes, ST_AT_DECLARATION);
    if (type->kind == ST_TYPE_ARRAY)
        return fill_array(reader, node, &attributes);
    if ((error = referred(reader, &attributes, &type->target)))
        return error;

    struct st_list items = {.items = NULL};
    size_t item_size = 0;
    if (type->kind == ST_TYPE_STRUCT || type->kind == ST_TYPE_UNION) {
        item_size = sizeof(struct st_member);
        error = for_children(reader, &node->die, DW_TAG_member, visit_member, &items);
    } else if (type->kind == ST_TYPE_ENUM) {
        item_size = sizeof(struct st_enumerator);
        error = for_children(reader, &node->die, DW_TAG_enumerator, visit_enumerator, &items);
    } else if (type->kind == ST_TYPE_POINTER && !node->has_size) {
        uint8_t address_size = 0;
        Dwarf_Die unit;
        if (dwarf_diecu(&node->die, &unit, &address_size, NULL))
            type->size = address_size;
    }
    if (!error && items.count) {
        void *copy = rt_arena_array(reader->arena, items.count, item_size);
        if (copy) {
            memcpy(copy, items.items, items.count * item_size);
            type->member_count = items.count;
            if (type->kind == ST_TYPE_ENUM)
                type->enumerators = copy;
            else
                type->members = copy;
        } else {
            error = st_reader_no_memory(reader);
        }
    }
    st_list_clear(&items);
    return error;
}

/* ---- Sizes, and cuts ---- */

static void settle(struct st_type_node *node, unsigned depth);

/* Settles a type that is part of `node`; false when it cannot be a part of it. */
static bool settle_part(struct st_type_node *node, const struct st_type *part, unsigned depth) {
    struct st_type_node *inner = node_of(part);
    if (!inner)
        return true;
    if (inner->state == OPEN || depth >= MAX_DEPTH)
        return false;
    settle(inner, depth + 1);
    if (inner->height + 1 >= MAX_DEPTH)
        return false;
    if (node->height < inner->height + 1)
        node->height = (uint16_t)(inner->height + 1);
    return true;
}

static void settle_members(struct st_type_node *node, unsigned depth) {
    struct st_type *type = &node->type;
    bool fits = type->size < UINT64_MAX / 8;
    for (size_t i = 0; i < type->member_count; i++) {
        const struct st_member *member = &type->members[i];
        if (!settle_part(node, member->type, depth)) {
            fits = false;
            break;
        }
        uint64_t bits = member->bit_size, end;
        if (bits == 0 && member->type)
            bits = member->type->size < UINT64_MAX / 8 ? member->type->size * 8 : UINT64_MAX;
        if (__builtin_add_overflow(member->bit_offset, bits, &end) || end > type->size * 8)
            fits = false;
    }
    if (!fits) {
        type->is_complete = false;
        type->members = NULL;
        type->member_count = 0;
    }
}

static void settle(struct st_type_node *node, unsigned depth) {
    struct st_type *type = &node->type;
    if (node->state == DONE)
        return;
    node->state = OPEN;
    switch (type->kind) {
    case ST_TYPE_STRUCT:
    case ST_TYPE_UNION: settle_members(node, depth); break;
    case ST_TYPE_ARRAY:
        type->size = 0;
        if (!settle_part(node, type->target, depth)) {
            type->target = NULL;
            type->is_complete = false;
        }
        if (!type->target || __builtin_mul_overflow(type->count, type->target->size, &type->size) ||
            type->size > (uint64_t)1 << 40) {
            type->size = type->count = 0;
            type->is_complete = false;
        }
        break;
    case ST_TYPE_ENUM:
        if (!settle_part(node, type->target, depth))
            type->target = NULL;
        if (!node->has_size && type->target)
            type->size = type->target->size;
        break;
    case ST_TYPE_TYPEDEF:
    case ST_TYPE_CONST:
    case ST_TYPE_VOLATILE:
    case ST_TYPE_RESTRICT:
    case ST_TYPE_ATOMIC:
        if (!settle_part(node, type->target, depth)) {
            type->kind = ST_TYPE_OTHER;
            type->target = NULL;
        }
        type->size = type->target ? type->target->size : 0;
        type->is_complete = type->target && type->target->is_complete;
        break;
    default: break;
    }
    node->state = DONE;
}

struct rt_error *st_types_finish(struct st_reader *reader) {
    struct rt_error *error = NULL;
    /* Filling one in may ask for more. */
    for (; !error && reader->types_done < reader->types.count; reader->types_done++) {
        struct st_type_node *node = ((struct st_type_node **)reader->types.items)[reader->types_done];
        if (node->die.addr)
            error = fill(reader, node);
    }
    for (size_t i = 0; !error && i < reader->types.count; i++)
        settle(((struct st_type_node **)reader->types.items)[i], 0);
    return error;
}
