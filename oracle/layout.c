/* Two types, one per side, as one list of scalars with the place of each on both sides. Made once for a pair
 * of types and then used at every stop. */
#include "oracle/compare.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

struct builder {
    struct rt_arena *arena;
    struct or_leaf *leaves; /* malloc'd while it grows */
    size_t count, capacity;
    const char *mismatch;
    bool is_full, out_of_memory;
};

static enum or_class class_of(const struct st_type *type) {
    if (type->kind == ST_TYPE_POINTER)
        return OR_POINTER;
    if (type->kind == ST_TYPE_ENUM)
        return OR_ENUMERATION;
    if (type->kind != ST_TYPE_BASE)
        return OR_OPAQUE;
    switch (type->encoding) {
    case DW_ATE_signed:
    case DW_ATE_signed_char: return OR_SIGNED;
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF: return OR_UNSIGNED;
    case DW_ATE_boolean: return OR_BOOLEAN;
    case DW_ATE_float: return type->size == 4 || type->size == 8 ? OR_FLOAT : OR_OPAQUE;
    default: return OR_OPAQUE;
    }
}

static const char *type_name(const struct st_type *type) {
    return !type ? "void" : type->name ? type->name : "(unnamed)";
}

/* Base types whose size is the target's own choice: a difference there is the ABI's, not the debug
 * information's. */
static bool size_is_targets(const struct st_type *type) {
    return type->name &&
           ((strstr(type->name, "long") && !strstr(type->name, "long long")) || strstr(type->name, "wchar"));
}

static void add_leaf(struct builder *b, struct or_leaf leaf) {
    if (b->count == b->capacity) {
        if (b->count == OR_MAX_LEAVES) {
            b->is_full = true;
            return;
        }
        size_t capacity = b->capacity ? 2 * b->capacity : 16;
        void *leaves = realloc(b->leaves, capacity * sizeof(*b->leaves));
        if (!leaves) {
            b->out_of_memory = true;
            return;
        }
        b->leaves = leaves;
        b->capacity = capacity;
    }
    b->leaves[b->count++] = leaf;
}

static void mismatch(struct builder *b, const char *what, const struct st_type *x, const struct st_type *y) {
    if (!b->mismatch)
        b->mismatch = rt_arena_printf(b->arena, "%s: '%s' and '%s'", what, type_name(x), type_name(y));
}

static bool has_same_enumerators(const struct st_type *x, const struct st_type *y) {
    bool same = x->member_count == y->member_count;
    for (size_t i = 0; same && i < x->member_count; i++)
        same = x->enumerators[i].value == y->enumerators[i].value &&
               !strcmp(x->enumerators[i].name, y->enumerators[i].name);
    return same;
}

static void add_scalar(struct builder *b, const struct st_type *const t[2], const uint64_t bit[2],
                       const uint32_t bit_size[2]) {
    enum or_class class = class_of(t[0]);
    if (class != class_of(t[1]))
        mismatch(b, "different encodings", t[0], t[1]);
    if (class == OR_ENUMERATION && class_of(t[1]) == class && !has_same_enumerators(t[0], t[1]))
        mismatch(b, "different enumerators", t[0], t[1]);
    if (class != OR_POINTER && class != OR_OPAQUE && t[0]->size != t[1]->size &&
        !(size_is_targets(t[0]) && size_is_targets(t[1])))
        mismatch(b, "different sizes", t[0], t[1]);
    if (bit_size[0] != bit_size[1])
        mismatch(b, "different bit-field widths", t[0], t[1]);
    struct or_leaf leaf = {.class = (uint8_t)class, .bits = (uint8_t)bit_size[0], .type = {t[0], t[1]}};
    for (int side = 0; side < 2; side++) {
        leaf.offset[side] = (uint32_t)(bit[side] / 8);
        leaf.shift[side] = (uint8_t)(bit[side] % 8);
        uint64_t size = bit_size[side] ? (bit[side] % 8 + bit_size[side] + 7) / 8 : t[side]->size;
        if (size > 16 || size == 0 || bit_size[side] > 64)
            leaf.class = OR_OPAQUE;
        leaf.size[side] = size > 16 ? 16 : (uint8_t)size;
        if (leaf.class != OR_OPAQUE && !bit_size[side] && size > 8)
            leaf.class = OR_OPAQUE;
    }
    add_leaf(b, leaf);
}

static void flatten(struct builder *b, const struct st_type *x, const struct st_type *y, uint64_t bit_x,
                    uint64_t bit_y, const uint32_t bit_size[2], unsigned depth);

static bool same_name(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

static void flatten_members(struct builder *b, const struct st_type *const t[2], const uint64_t bit[2],
                            unsigned depth) {
    if (t[0]->member_count != t[1]->member_count) {
        mismatch(b, "different members", t[0], t[1]);
        return;
    }
    size_t first = b->count;
    for (size_t i = 0; i < t[0]->member_count; i++) {
        const struct st_member *m = &t[0]->members[i], *n = &t[1]->members[i];
        if (!same_name(m->name, n->name)) {
            mismatch(b, "different members", t[0], t[1]);
            return;
        }
        if (t[0]->kind == ST_TYPE_UNION && m->bit_offset != n->bit_offset)
            mismatch(b, "a union's members at different offsets", t[0], t[1]);
        flatten(b, m->type, n->type, bit[0] + m->bit_offset, bit[1] + n->bit_offset,
                (uint32_t[2]){m->bit_size, n->bit_size}, depth + 1);
    }
    if (t[0]->kind != ST_TYPE_UNION)
        return;
    /* Bytes of a union that one member wrote as a pointer (or in another layout) mean something else on each
     * target. */
    bool is_ambiguous = false;
    for (size_t i = first; i < b->count; i++)
        is_ambiguous |= b->leaves[i].class == OR_POINTER || b->leaves[i].size[0] != b->leaves[i].size[1] ||
                        b->leaves[i].offset[0] - bit[0] / 8 != b->leaves[i].offset[1] - bit[1] / 8;
    for (size_t i = first; is_ambiguous && i < b->count; i++)
        b->leaves[i].class = OR_OPAQUE;
}

/* Compiled WebAssembly's debug information has a pointer to a function as what it is there, the index of an
 * entry of a table. */
static bool is_function_pointer(const struct st_type *type) {
    const struct st_type *target = type->kind == ST_TYPE_POINTER ? st_type_strip(type->target) : NULL;
    return target && target->kind == ST_TYPE_FUNCTION;
}

static bool is_index(const struct st_type *type) {
    return type->kind == ST_TYPE_BASE && type->size == 4 && class_of(type) == OR_UNSIGNED;
}

static void flatten(struct builder *b, const struct st_type *x, const struct st_type *y, uint64_t bit_x,
                    uint64_t bit_y, const uint32_t bit_size[2], unsigned depth) {
    const struct st_type *t[2] = {st_type_strip(x), st_type_strip(y)};
    uint64_t bit[2] = {bit_x, bit_y};
    if (b->is_full || b->out_of_memory || !t[0] || !t[1])
        return;
    if (depth > MAX_DEPTH || bit_x / 8 > UINT32_MAX || bit_y / 8 > UINT32_MAX) {
        b->is_full = true;
        return;
    }
    if (is_function_pointer(t[0]) + is_function_pointer(t[1]) == 1 && (is_index(t[0]) || is_index(t[1]))) {
        add_leaf(b, (struct or_leaf){.class = OR_OPAQUE,
                                     .offset = {(uint32_t)(bit_x / 8), (uint32_t)(bit_y / 8)},
                                     .size = {(uint8_t)t[0]->size, (uint8_t)t[1]->size},
                                     .type = {t[0], t[1]}});
        return;
    }
    if (t[0]->kind != t[1]->kind) {
        mismatch(b, "different kinds of type", x, y);
        return;
    }
    switch (t[0]->kind) {
    case ST_TYPE_BASE:
    case ST_TYPE_POINTER:
    case ST_TYPE_ENUM: add_scalar(b, t, bit, bit_size); break;
    case ST_TYPE_STRUCT:
    case ST_TYPE_UNION: flatten_members(b, t, bit, depth); break;
    case ST_TYPE_ARRAY: {
        const struct st_type *e[2] = {st_type_strip(t[0]->target), st_type_strip(t[1]->target)};
        if (t[0]->count != t[1]->count)
            mismatch(b, "different numbers of elements", x, y);
        for (uint64_t i = 0; e[0] && e[1] && i < t[0]->count && i < t[1]->count && !b->is_full; i++) {
            size_t before = b->count;
            flatten(b, e[0], e[1], bit_x + i * e[0]->size * 8, bit_y + i * e[1]->size * 8,
                    (uint32_t[2]){0, 0}, depth + 1);
            if (b->count == before) /* nothing to compare in an element: nor in the others */
                break;
        }
        break;
    }
    default: break;
    }
}

static bool leaves_are_identical(const struct builder *b) {
    for (size_t i = 0; i < b->count; i++) {
        const struct or_leaf *leaf = &b->leaves[i];
        if (leaf->offset[0] != leaf->offset[1] || leaf->size[0] != leaf->size[1] ||
            leaf->shift[0] != leaf->shift[1])
            return false;
    }
    return true;
}

struct rt_error *or_layout_get(struct or_layouts *layouts, struct rt_arena *arena, const struct st_type *a,
                               const struct st_type *b, const struct or_layout **ret) {
    size_t bucket = ((uintptr_t)a / 16 * 31 + (uintptr_t)b / 16) % 256;
    for (struct or_layout *l = layouts->buckets[bucket]; l; l = l->next)
        if (l->type[0] == a && l->type[1] == b) {
            *ret = l;
            return NULL;
        }
    struct or_layout *layout = rt_arena_alloc(arena, sizeof(*layout));
    if (!layout)
        return rt_error_out_of_memory();
    struct builder builder = {.arena = arena};
    if (!a != !b)
        mismatch(&builder, "different kinds of type", a, b);
    else
        flatten(&builder, a, b, 0, 0, (uint32_t[2]){0, 0}, 0);
    *layout = (struct or_layout){.type = {a, b},
                                 .size = {a ? a->size : 0, b ? b->size : 0},
                                 .leaf_count = builder.count,
                                 .mismatch = builder.mismatch,
                                 .is_identical = leaves_are_identical(&builder),
                                 .next = layouts->buckets[bucket]};
    /* Leaves must lie inside both objects: sizes come from untrusted DWARF. */
    for (size_t i = 0; i < builder.count; i++)
        for (int side = 0; side < 2; side++)
            if ((uint64_t)builder.leaves[i].offset[side] + builder.leaves[i].size[side] >
                    layout->size[side] &&
                !layout->mismatch) {
                layout->mismatch = "a member lies outside its type";
                layout->leaf_count = 0;
            }
    layout->leaves = (struct or_leaf *)(void *)rt_arena_copy(arena, builder.leaves,
                                                             builder.count * sizeof(struct or_leaf));
    free(builder.leaves);
    if (builder.out_of_memory || !layout->leaves)
        return rt_error_out_of_memory();
    layouts->buckets[bucket] = layout;
    *ret = layout;
    return NULL;
}

/* Number of leaves under a type, counted as flatten() makes them. */
static size_t count_leaves(const struct st_type *type, unsigned depth) {
    type = st_type_strip(type);
    if (!type || depth > MAX_DEPTH)
        return 0;
    size_t count = 0;
    switch (type->kind) {
    case ST_TYPE_BASE:
    case ST_TYPE_POINTER:
    case ST_TYPE_ENUM: return 1;
    case ST_TYPE_STRUCT:
    case ST_TYPE_UNION:
        for (size_t i = 0; i < type->member_count; i++)
            count += count_leaves(type->members[i].type, depth + 1);
        return count;
    case ST_TYPE_ARRAY: return type->count * count_leaves(type->target, depth + 1);
    default: return 0;
    }
}

const char *or_layout_path(const struct or_layout *layout, size_t leaf, struct rt_arena *arena) {
    const struct st_type *type = st_type_strip(layout->type[0]);
    const char *path = "";
    for (unsigned depth = 0; type && depth <= MAX_DEPTH; depth++) {
        if (type->kind == ST_TYPE_ARRAY) {
            size_t each = count_leaves(type->target, depth + 1);
            if (!each)
                break;
            path = rt_arena_printf(arena, "%s[%zu]", path, leaf / each);
            leaf %= each;
            type = st_type_strip(type->target);
        } else if (type->kind == ST_TYPE_STRUCT || type->kind == ST_TYPE_UNION) {
            size_t i = 0, each = 0;
            for (; i < type->member_count; leaf -= each, i++)
                if (leaf < (each = count_leaves(type->members[i].type, depth + 1)))
                    break;
            if (i == type->member_count)
                break;
            if (type->members[i].name)
                path = rt_arena_printf(arena, "%s.%s", path, type->members[i].name);
            type = st_type_strip(type->members[i].type);
        } else {
            break;
        }
        if (!path)
            return "";
    }
    return path;
}

bool or_layout_map(const struct or_layout *layout, uint64_t native, uint64_t *ret) {
    if (native == layout->size[0]) {
        *ret = layout->size[1];
        return true;
    }
    if (layout->is_identical && layout->size[0] == layout->size[1]) {
        *ret = native;
        return native < layout->size[0];
    }
    for (size_t i = 0; i < layout->leaf_count; i++) {
        const struct or_leaf *leaf = &layout->leaves[i];
        if (native >= leaf->offset[0] && native < leaf->offset[0] + leaf->size[0]) {
            *ret = leaf->offset[1] + (native - leaf->offset[0]);
            return true;
        }
    }
    return false;
}
