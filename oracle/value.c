/* One scalar: its bits, whether two of them mean the same, and how a debugger prints it. Pointers compare by
 * what they mean: null, or the variable and the place in it that they point to. */
#include "oracle/compare.h"

#include <string.h>

enum { MAX_PRINTED = 4 }; /* scalars of an object that are told one by one */

uint64_t or_leaf_bits(const struct or_leaf *leaf, int side, const uint8_t *object) {
    const uint8_t *bytes = object + leaf->offset[side];
    uint64_t bits = 0;
    memcpy(&bits, bytes, leaf->size[side] < 8 ? leaf->size[side] : 8);
    if (!leaf->bits)
        return bits;
    bits >>= leaf->shift[side];
    if (leaf->size[side] > 8)
        bits |= (uint64_t)bytes[8] << (64 - leaf->shift[side]);
    return leaf->bits < 64 ? bits & ((UINT64_C(1) << leaf->bits) - 1) : bits;
}

static unsigned width_of(const struct or_leaf *leaf, int side) {
    return leaf->bits ? leaf->bits : leaf->size[side] * 8u;
}

static int64_t sign_extend(uint64_t bits, unsigned width) {
    unsigned unused = 64 - width;
    return width && width < 64 ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

static bool is_nan(const struct or_leaf *leaf, uint64_t bits) {
    return leaf->size[0] == 4 ? (bits & 0x7fffffffu) > 0x7f800000u
                              : (bits & UINT64_C(0x7fffffffffffffff)) > UINT64_C(0x7ff0000000000000);
}

static bool is_filling(uint64_t bits, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        if ((uint8_t)(bits >> 8 * i) != OR_FILL_BYTE)
            return false;
    return true;
}

/* A pointer's bits as an address that variables have. */
static uint64_t address_of(const struct or_comparison *comparison, const struct or_leaf *leaf, int side,
                           uint64_t bits) {
    const struct or_side *s = &comparison->sides[side];
    return bits && leaf->size[side] < s->address_size ? s->pointer_base + bits : bits;
}

/* The offset in a module's memory that a pointer of any size holds. */
static uint64_t offset_of(const struct or_comparison *comparison, int side, uint64_t bits) {
    const uint64_t base = comparison->sides[side].pointer_base;
    return base && bits >= base ? bits - base : bits;
}

/* A pointer whose storage is full of filling; one that is made of a smaller one shows that counted from
 * somewhere. */
static bool is_filled_pointer(const struct or_comparison *comparison, const struct or_leaf *leaf, int side,
                              uint64_t bits) {
    const uint64_t filling = OR_FILL_BYTE * UINT64_C(0x01010101);
    const uint64_t base = comparison->sides[side].pointer_base;
    return is_filling(bits, leaf->size[side]) || (base && bits == base + filling);
}

/* A variable that a pointer points into. Pointers one past a variable's end count as into it. */
struct target {
    const struct or_variable *variable;
    const struct or_copy *copy;
    uint64_t offset; /* native */
};

/* What the visitor says of one candidate. */
enum match { MATCH_EQUAL, MATCH_OTHER, MATCH_NONE };

static enum match match_target(const struct target *target, uint64_t wasm) {
    uint64_t offset;
    if (!or_layout_map(target->variable->layout, target->offset, &offset))
        return MATCH_NONE;
    return target->copy->address[1] + offset == wasm ? MATCH_EQUAL : MATCH_OTHER;
}

/* In the variable, not one past its end. */
static bool is_inside(const struct target *target, int side) {
    return target->offset < target->variable->layout->size[side];
}

static bool holds(const struct or_variable *variable, const struct or_copy *copy, int side,
                  uint64_t address) {
    return address >= copy->address[side] && address - copy->address[side] <= variable->layout->size[side];
}

/* Index in by_address of the last watched variable that starts at or below the address; SIZE_MAX when none
 * does, as long as they are still being gathered. */
static size_t watched_below(const struct or_watch *watch, int side, uint64_t address) {
    size_t low = 0, high = watch->by_address[side] ? watch->item_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (watch->items[watch->by_address[side][middle]].copy.address[side] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : SIZE_MAX;
}

/* The variables that hold an address on a side: at most two (a start, and the end of the one before). */
static size_t find_targets(struct or_comparison *comparison, int side, uint64_t address,
                           struct target ret[2]) {
    size_t count = 0;
    const struct or_watch *watch = &comparison->watch;
    size_t at = watched_below(watch, side, address);
    for (size_t back = 0; at != SIZE_MAX && back < 3 && at >= back && count < 2; back++) {
        const struct or_watched *item = &watch->items[watch->by_address[side][at - back]];
        if (holds(&item->variable, &item->copy, side, address))
            ret[count++] = (struct target){&item->variable, &item->copy, address - item->copy.address[side]};
    }
    for (size_t d = comparison->pair_count; d-- > 0 && count < 2;) {
        const struct or_frame_pair *pair = &comparison->pairs[d];
        for (size_t i = 0; pair->plan && i < pair->copy_count && count < 2; i++)
            if (holds(&pair->plan->variables[i], &pair->copies[i], side, address))
                ret[count++] = (struct target){&pair->plan->variables[i], &pair->copies[i],
                                               address - pair->copies[i].address[side]};
    }
    return count;
}

static enum or_outcome compare_pointers(struct or_comparison *comparison, const struct or_leaf *leaf,
                                        uint64_t native, uint64_t wasm) {
    if (native == 0 && wasm == 0)
        return OR_EQUAL;
    if (is_filled_pointer(comparison, leaf, 0, native) && is_filled_pointer(comparison, leaf, 1, wasm))
        return OR_EQUAL;
    if (comparison->options.is_one_module)
        return offset_of(comparison, 0, native) == offset_of(comparison, 1, wasm) ? OR_EQUAL : OR_WRONG;
    native = address_of(comparison, leaf, 0, native);
    wasm = address_of(comparison, leaf, 1, wasm);
    if (native == 0 || wasm == 0)
        return OR_WRONG;
    struct target targets[2];
    size_t count = find_targets(comparison, OR_NATIVE, native, targets);
    bool saw_other = false;
    for (size_t i = 0; i < count; i++) {
        enum match match = match_target(&targets[i], wasm);
        if (match == MATCH_EQUAL)
            return OR_EQUAL;
        saw_other |= match == MATCH_OTHER && is_inside(&targets[i], OR_NATIVE);
    }
    /* Both must be in known variables to be called different: storage without a name (a string literal, a
     * frame that is gone, a constant whose DIE has no address) has no meaning that the two sides share, and
     * may follow upon any variable. */
    count = saw_other ? find_targets(comparison, OR_WASM, wasm, targets) : 0;
    for (size_t i = 0; i < count; i++)
        if (is_inside(&targets[i], OR_WASM))
            return OR_WRONG;
    return OR_UNKNOWABLE;
}

enum or_outcome or_leaf_compare(struct or_comparison *comparison, const struct or_leaf *leaf, uint64_t native,
                                uint64_t wasm) {
    switch ((enum or_class)leaf->class) {
    case OR_SIGNED:
    case OR_ENUMERATION: {
        unsigned a = width_of(leaf, 0), b = width_of(leaf, 1);
        if (a == b)
            return native == wasm ? OR_EQUAL : OR_WRONG;
        return sign_extend(native, a < b ? a : b) == sign_extend(wasm, a < b ? a : b) ? OR_EQUAL : OR_WRONG;
    }
    case OR_UNSIGNED:
    case OR_BOOLEAN: {
        unsigned a = width_of(leaf, 0), b = width_of(leaf, 1), width = a < b ? a : b;
        uint64_t mask = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX;
        return (native & mask) == (wasm & mask) ? OR_EQUAL : OR_WRONG;
    }
    case OR_FLOAT:
        return native == wasm || (is_nan(leaf, native) && is_nan(leaf, wasm)) ? OR_EQUAL : OR_WRONG;
    case OR_POINTER: return compare_pointers(comparison, leaf, native, wasm);
    case OR_OPAQUE: break;
    }
    return OR_UNKNOWABLE;
}

static const char *print_pointer(struct or_comparison *comparison, int side, uint64_t address) {
    struct rt_arena *arena = &comparison->report->arena;
    struct target target[2];
    if (!address)
        return "null";
    if (!find_targets(comparison, side, address, target))
        return rt_arena_printf(arena, "0x%llx", (unsigned long long)address);
    if (!target->offset)
        return rt_arena_printf(arena, "&%s (0x%llx)", target->variable->side[side]->name,
                               (unsigned long long)address);
    return rt_arena_printf(arena, "&%s + %llu (0x%llx)", target->variable->side[side]->name,
                           (unsigned long long)target->offset, (unsigned long long)address);
}

const char *or_leaf_print(struct or_comparison *comparison, const struct or_leaf *leaf, int side,
                          uint64_t bits) {
    struct rt_arena *arena = &comparison->report->arena;
    int64_t number = sign_extend(bits, width_of(leaf, side));
    switch ((enum or_class)leaf->class) {
    case OR_ENUMERATION:
        for (size_t i = 0; i < leaf->type[side]->member_count; i++)
            if (leaf->type[side]->enumerators[i].value == number)
                return leaf->type[side]->enumerators[i].name;
        return rt_arena_printf(arena, "%lld", (long long)number);
    case OR_SIGNED: return rt_arena_printf(arena, "%lld", (long long)number);
    case OR_UNSIGNED: return rt_arena_printf(arena, "%llu", (unsigned long long)bits);
    case OR_BOOLEAN:
        return bits > 1 ? rt_arena_printf(arena, "%llu", (unsigned long long)bits) : bits ? "true" : "false";
    case OR_FLOAT:
        if (leaf->size[side] == 4) {
            float value;
            memcpy(&value, &bits, sizeof(value));
            return rt_arena_printf(arena, "%.9g", (double)value);
        } else {
            double value;
            memcpy(&value, &bits, sizeof(value));
            return rt_arena_printf(arena, "%.17g", value);
        }
    case OR_POINTER: return print_pointer(comparison, side, address_of(comparison, leaf, side, bits));
    case OR_OPAQUE: break;
    }
    return rt_arena_printf(arena, "0x%llx", (unsigned long long)bits);
}

/* A local that the comparison filled at its function's first stop, and nothing has been assigned to since. */
static bool is_unassigned(const struct or_comparison *comparison, const struct or_variable *variable,
                          int side, const uint8_t *object) {
    const struct st_variable *v = variable->side[side];
    const uint64_t size = variable->layout->size[side];
    uint64_t filled = 0;
    while (filled < size && object[filled] == OR_FILL_BYTE)
        filled++;
    return comparison->sides[side].fill_locals && !v->is_static && !v->is_parameter && size && filled == size;
}

/* The same in each run: addresses are not. */
static const char *print_stable(struct or_comparison *comparison, const struct or_leaf *leaf, int side,
                                uint64_t bits) {
    struct target target[2];
    if (leaf->class != OR_POINTER || !bits)
        return or_leaf_print(comparison, leaf, side, bits);
    if (!find_targets(comparison, side, address_of(comparison, leaf, side, bits), target))
        return "(address)";
    struct rt_arena *arena = &comparison->report->arena;
    const char *name = target->variable->side[side]->name;
    return target->offset ? rt_arena_printf(arena, "&%s + %llu", name, (unsigned long long)target->offset)
                          : rt_arena_printf(arena, "&%s", name);
}

const char *or_object_print(struct or_comparison *comparison, const struct or_variable *variable, int side,
                            const uint8_t *object) {
    struct rt_arena *arena = &comparison->report->arena;
    const struct or_layout *layout = variable->layout;
    const char *text = "";
    if (is_unassigned(comparison, variable, side, object))
        return "(unassigned)";
    for (size_t i = 0; text && i < layout->leaf_count && i < MAX_PRINTED; i++) {
        const struct or_leaf *leaf = &layout->leaves[i];
        const char *path = or_layout_path(layout, i, arena);
        const char *value = print_stable(comparison, leaf, side, or_leaf_bits(leaf, side, object));
        text = *path ? rt_arena_printf(arena, "%s%s%s = %s", text, i ? ", " : "", path, value) : value;
    }
    if (text && layout->leaf_count > MAX_PRINTED)
        text = rt_arena_printf(arena, "%s, ... (%zu scalars)", text, layout->leaf_count);
    return text && *text ? text : "(available)";
}
