/* What is shown at each pc of a run, by the rule of shown.h, and what two files show differently. */
#include "harness/shown_text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 1024, MOST_TYPE_DEPTH = 24, MOST_ORIGINS = 4, MOST_INLINED = 8 };
#define NO_DIE UINT32_MAX

/* ---- Hashes: FNV-1a ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
    for (const uint8_t *p = bytes, *end = p + size; p < end; p++)
        hash = (hash ^ *p) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

static uint64_t mix_text(uint64_t hash, struct hx_text text) {
    return mix(hash, text.size ? text.start : "", text.size);
}

static uint64_t mix_number(uint64_t hash, uint64_t number) {
    return mix(hash, &number, sizeof number);
}

/* ---- DIEs ---- */

static uint32_t die_at(const struct hx_shown *shown, uint64_t offset) {
    size_t low = 0, high = shown->die_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (shown->dies[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < shown->die_count && shown->dies[low].offset == offset ? (uint32_t)low : NO_DIE;
}

/* An attribute of a DIE, or of what it is an instance of. */
static struct hx_text find(const struct hx_shown *shown, uint32_t index, enum hx_shown_attribute attribute) {
    for (int i = 0; index != NO_DIE && i < MOST_ORIGINS; i++) {
        const struct hx_shown_die *die = &shown->dies[index];
        if (die->at[attribute].size)
            return die->at[attribute];
        const struct hx_text origin = die->at[HX_SHOWN_abstract_origin].size
                                          ? die->at[HX_SHOWN_abstract_origin]
                                          : die->at[HX_SHOWN_specification];
        if (!origin.size)
            break;
        index = die_at(shown, hx_text_number(origin));
    }
    return (struct hx_text){0};
}

/* The range "[0x..., 0x...)" at the start of a text that has one somewhere; the text loses it. */
static bool take_range(struct hx_text *text, uint64_t *low, uint64_t *high) {
    const char *open = text->size ? memchr(text->start, '[', text->size) : NULL;
    if (!open)
        return false;
    struct hx_text rest = {open + 1, text->size - (size_t)(open + 1 - text->start)};
    const char *comma = memchr(rest.start, ',', rest.size);
    if (!comma || (size_t)(comma - rest.start) + 2 > rest.size)
        return false;
    *low = hx_text_number(rest);
    *text = (struct hx_text){comma + 2, rest.size - (size_t)(comma + 2 - rest.start)};
    *high = hx_text_number(*text);
    return true;
}

static bool has_pc(const struct hx_shown_die *die, uint64_t pc) {
    struct hx_text ranges = die->at[HX_SHOWN_ranges];
    uint64_t low, high;
    if (die->at[HX_SHOWN_low_pc].size && die->at[HX_SHOWN_high_pc].size)
        return pc >= hx_text_number(die->at[HX_SHOWN_low_pc]) &&
               pc < hx_text_number(die->at[HX_SHOWN_high_pc]);
    while (take_range(&ranges, &low, &high))
        if (pc >= low && pc < high)
            return true;
    return false;
}

/* The first function that has the pc. */
static uint32_t function_at(const struct hx_shown *shown, uint64_t pc) {
    for (uint32_t i = 0; i < shown->die_count; i = shown->dies[i].depth ? shown->dies[i].end : i + 1)
        if (shown->dies[i].depth == 1 && hx_text_is(shown->dies[i].tag, "DW_TAG_subprogram") &&
            has_pc(&shown->dies[i], pc))
            return i;
    return NO_DIE;
}

/* ---- Types ---- */

static uint64_t type_hash(struct hx_shown *shown, struct hx_text reference, unsigned depth);

/* What a type is, with its parts, but not what it points to: of that the name alone counts. */
static uint64_t hash_type_die(struct hx_shown *shown, uint32_t index, unsigned depth) {
    static const enum hx_shown_attribute kept[] = {HX_SHOWN_name,
                                                   HX_SHOWN_const_value,
                                                   HX_SHOWN_byte_size,
                                                   HX_SHOWN_encoding,
                                                   HX_SHOWN_count,
                                                   HX_SHOWN_upper_bound,
                                                   HX_SHOWN_data_member_location,
                                                   HX_SHOWN_bit_size,
                                                   HX_SHOWN_data_bit_offset};
    const struct hx_shown_die *die = &shown->dies[index];
    const bool is_pointer =
        hx_text_is(die->tag, "DW_TAG_pointer_type") || hx_text_is(die->tag, "DW_TAG_subroutine_type");
    uint64_t hash = mix_text(0xcbf29ce484222325u, die->tag);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        hash = mix_text(hash, die->at[kept[i]]);
    const struct hx_text target = die->at[HX_SHOWN_type];
    hash = is_pointer || hx_text_is(die->tag, "DW_TAG_subrange_type")
               ? mix_text(hash, hx_text_quoted(target))
               : mix_number(hash, type_hash(shown, target, depth + 1));
    for (uint32_t i = index + 1; !is_pointer && i < die->end && depth < MOST_TYPE_DEPTH;
         i = shown->dies[i].end)
        hash = mix_number(hash, hash_type_die(shown, i, depth + 1));
    return hash;
}

static uint64_t type_hash(struct hx_shown *shown, struct hx_text reference, unsigned depth) {
    const uint32_t index = reference.size ? die_at(shown, hx_text_number(reference)) : NO_DIE;
    if (index == NO_DIE || depth > MOST_TYPE_DEPTH)
        return 1;
    if (!shown->dies[index].type_hash)
        shown->dies[index].type_hash = hash_type_die(shown, index, depth) | 1;
    return shown->dies[index].type_hash;
}

/* ---- Variables ---- */

struct shown_variable {
    struct hx_text name, function;
    uint64_t hash;
    struct hx_where where;
    struct hx_text type;
};

/* All that is shown at a pc. */
struct shown_place {
    uint64_t frames; /* functions and calls */
    struct shown_variable variables[MOST_SHOWN];
    size_t count;
};

/* A location's text that holds at pc; empty: none does. A list begins with its offset, which means nothing.
 */
static struct hx_text location_at(struct hx_text location, uint64_t pc) {
    uint64_t low, high;
    if (!location.size || !memchr(location.start, '[', location.size) || location.start[0] != '0')
        return location;
    while (take_range(&location, &low, &high)) {
        const char *colon = memchr(location.start, ':', location.size);
        if (!colon || pc < low || pc >= high)
            continue;
        const size_t left = location.size - (size_t)(colon - location.start);
        const char *end = memchr(colon, '\n', left);
        return (struct hx_text){colon, end ? (size_t)(end - colon) : left};
    }
    return (struct hx_text){0};
}

static bool contains(struct hx_text text, const char *word) {
    return text.size && memmem(text.start, text.size, word, strlen(word)) != NULL;
}

/* The closing parentheses are the last thing of a value. */
static struct hx_text without_end(struct hx_text text) {
    while (text.size && (text.start[text.size - 1] == ')' || text.start[text.size - 1] == ' '))
        text.size--;
    return text;
}

static void add_variable(struct hx_shown *shown, uint32_t index, uint32_t function, uint64_t pc,
                         struct shown_place *place) {
    const struct hx_text location = without_end(location_at(find(shown, index, HX_SHOWN_location), pc));
    if (place->count == MOST_SHOWN)
        return;
    struct shown_variable variable = {.name = hx_text_quoted(find(shown, index, HX_SHOWN_name)),
                                      .where = {.location = location},
                                      .type = find(shown, index, HX_SHOWN_type)};
    uint64_t hash = mix_text(0xcbf29ce484222325u, shown->dies[index].tag);
    hash = mix_text(hash, variable.name);
    hash = mix_text(hash, find(shown, index, HX_SHOWN_decl_line));
    hash = mix_text(hash, find(shown, index, HX_SHOWN_const_value));
    hash = mix_number(hash, type_hash(shown, find(shown, index, HX_SHOWN_type), 0));
    hash = mix_text(hash, location);
    if (function != NO_DIE) {
        variable.function = hx_text_quoted(find(shown, function, HX_SHOWN_name));
        variable.where.frame_base = without_end(find(shown, function, HX_SHOWN_frame_base));
        if (contains(location, "DW_OP_fbreg"))
            hash = mix_text(hash, variable.where.frame_base);
    }
    variable.hash = hash;
    place->variables[place->count++] = variable;
}

static bool is_variable(const struct hx_shown_die *die) {
    return hx_text_is(die->tag, "DW_TAG_variable") || hx_text_is(die->tag, "DW_TAG_formal_parameter");
}

/* The variables of a scope, then those of the scope within it that has the pc. An inlined call's replace
 * those around it. */
static void show_scope(struct hx_shown *shown, uint32_t scope, uint32_t function, uint64_t pc,
                       struct shown_place *place) {
    uint32_t within = NO_DIE;
    for (uint32_t i = scope + 1; i < shown->dies[scope].end; i = shown->dies[i].end) {
        const struct hx_shown_die *die = &shown->dies[i];
        const bool is_call = hx_text_is(die->tag, "DW_TAG_inlined_subroutine");
        if (is_variable(die))
            add_variable(shown, i, function, pc, place);
        else if (within == NO_DIE && (is_call || hx_text_is(die->tag, "DW_TAG_lexical_block")) &&
                 has_pc(die, pc))
            within = i;
    }
    if (within == NO_DIE)
        return;
    if (hx_text_is(shown->dies[within].tag, "DW_TAG_inlined_subroutine")) {
        place->frames = mix_text(place->frames, find(shown, within, HX_SHOWN_name));
        place->frames = mix_text(place->frames, shown->dies[within].at[HX_SHOWN_call_line]);
        place->count = 0;
        function = within;
    }
    show_scope(shown, within, function, pc, place);
}

static void show_place(struct hx_shown *shown, uint64_t pc, struct shown_place *place) {
    const uint32_t function = function_at(shown, pc);
    place->frames = 0;
    place->count = 0;
    if (function == NO_DIE)
        return;
    place->frames = mix_text(1, find(shown, function, HX_SHOWN_name));
    show_scope(shown, function, function, pc, place);
}

static void show_globals(struct hx_shown *shown, struct shown_place *place) {
    place->frames = 0;
    place->count = 0;
    for (uint32_t i = 0; i < shown->die_count; i++)
        if (shown->dies[i].depth == 1 && hx_text_is(shown->dies[i].tag, "DW_TAG_variable") &&
            shown->dies[i].at[HX_SHOWN_name].size)
            add_variable(shown, i, NO_DIE, 0, place);
}

/* ---- Sizes ---- */

/* Bytes of a type; 0: not known. */
static uint64_t type_size(const struct hx_shown *shown, struct hx_text reference, unsigned depth,
                          bool *ret_is_pointer) {
    const uint32_t index = reference.size ? die_at(shown, hx_text_number(reference)) : NO_DIE;
    *ret_is_pointer = false;
    if (index == NO_DIE || depth > MOST_TYPE_DEPTH)
        return 0;
    const struct hx_shown_die *die = &shown->dies[index];
    *ret_is_pointer = hx_text_is(die->tag, "DW_TAG_pointer_type");
    if (*ret_is_pointer)
        return shown->address_size;
    if (die->at[HX_SHOWN_byte_size].size)
        return hx_text_number(die->at[HX_SHOWN_byte_size]);
    uint64_t size = type_size(shown, die->at[HX_SHOWN_type], depth + 1, ret_is_pointer);
    for (uint32_t i = index + 1; i < die->end; i = shown->dies[i].end)
        size *= shown->dies[i].at[HX_SHOWN_count].size
                    ? hx_text_number(shown->dies[i].at[HX_SHOWN_count])
                    : hx_text_number(shown->dies[i].at[HX_SHOWN_upper_bound]) + 1;
    return size;
}

/* ---- Differences of variables ---- */

static void add_change(struct hx_changes *changes, const struct shown_variable *variable) {
    const struct hx_changed changed = {.function = variable->function.start,
                                       .name = variable->name.start,
                                       .function_size = variable->function.size,
                                       .name_size = variable->name.size};
    changes->in_variables = true;
    for (size_t i = 0; i < changes->variable_count; i++) {
        const struct hx_changed *old = &changes->variables[i];
        if (old->name_size == changed.name_size && old->function_size == changed.function_size &&
            (!changed.name_size || !memcmp(old->name, changed.name, changed.name_size)) &&
            (!changed.function_size || !memcmp(old->function, changed.function, changed.function_size)))
            return;
    }
    if (changes->variable_count < HX_MOST_CHANGES)
        changes->variables[changes->variable_count++] = changed;
}

/* Those of `a` that `b` has not. */
static void add_missing(const struct shown_place *a, const struct shown_place *b,
                        struct hx_changes *changes) {
    for (size_t i = 0; i < a->count; i++) {
        size_t k = 0;
        while (k < b->count && b->variables[k].hash != a->variables[i].hash)
            k++;
        if (k == b->count)
            add_change(changes, &a->variables[i]);
    }
}

static void compare_places(const struct shown_place *a, const struct shown_place *b,
                           struct hx_changes *changes) {
    bool same = a->frames == b->frames && a->count == b->count;
    changes->in_variables |= a->frames != b->frames;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->variables[i].hash == b->variables[i].hash;
    if (same)
        return;
    add_missing(a, b, changes);
    add_missing(b, a, changes);
}

/* ---- Stops ---- */

/* The row in force for the code at pc, of those from `low` on; NULL: none begins there. */
static const struct hx_shown_row *row_at(const struct hx_shown *shown, uint64_t low, uint64_t pc) {
    size_t first = 0, end = shown->row_count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (shown->rows[middle].address <= pc)
            first = middle + 1;
        else
            end = middle;
    }
    for (; first > 0 && shown->rows[first - 1].address >= low; first--)
        if (!shown->rows[first - 1].end_sequence)
            return &shown->rows[first - 1];
    return NULL;
}

/* Where the body of a function begins. */
static uint64_t body_of(const struct hx_shown *shown, uint32_t function) {
    for (size_t i = 0; i < shown->row_count; i++)
        if (shown->rows[i].prologue_end && has_pc(&shown->dies[function], shown->rows[i].address))
            return shown->rows[i].address;
    return 0;
}

struct stop {
    uint64_t function; /* its name's hash, an inlined one's where the pc is in one */
    uint32_t line;     /* 0: no stop */
    uint32_t inlined;  /* calls around it */
    bool is_made;      /* a pass of the pc was a stop of its own */
};

/* The inlined calls around a pc, from a scope inwards. */
static void enter_calls(const struct hx_shown *shown, uint32_t scope, uint64_t pc, struct stop *stop) {
    for (uint32_t i = scope + 1; i < shown->dies[scope].end; i = shown->dies[i].end) {
        const struct hx_shown_die *die = &shown->dies[i];
        const bool is_call = hx_text_is(die->tag, "DW_TAG_inlined_subroutine");
        if ((!is_call && !hx_text_is(die->tag, "DW_TAG_lexical_block")) || !has_pc(die, pc))
            continue;
        if (is_call) {
            stop->function = mix_text(1, find(shown, i, HX_SHOWN_name));
            stop->inlined++;
        }
        enter_calls(shown, i, pc, stop);
        return;
    }
}

static struct stop stop_at(const struct hx_shown *shown, uint64_t low, uint64_t pc) {
    const struct hx_shown_row *row = row_at(shown, low, pc);
    const uint32_t function = row && row->is_stmt && row->line ? function_at(shown, pc) : NO_DIE;
    if (function == NO_DIE || pc < body_of(shown, function))
        return (struct stop){0};
    struct stop stop = {.function = mix_text(1, find(shown, function, HX_SHOWN_name)), .line = row->line};
    enter_calls(shown, function, pc, &stop);
    if (stop.inlined >= MOST_INLINED)
        stop.inlined = MOST_INLINED - 1;
    return stop;
}

static size_t index_of(const struct hx_passes *passes, uint64_t pc) {
    size_t low = 0, high = passes->pc_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (passes->pcs[middle] < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The sequence of stops of a run, and for each of its pcs what a stop there is. */
struct stops {
    struct stop *at;       /* by index of a pc */
    struct stop *sequence; /* malloc'd, as many as there are passes at most */
    size_t count;
};

static void clear_stops(struct stops *stops) {
    free(stops->at);
    free(stops->sequence);
}

static struct rt_error *make_stops(const struct hx_shown *shown, const struct hx_passes *passes,
                                   struct stops *ret) {
    /* Of each activation, by inlined calls, the statement it stopped at last. */
    uint64_t(*last)[MOST_INLINED] = calloc(passes->activations + 1, sizeof *last);
    bool *is_known = calloc(passes->pc_count + 1, sizeof *is_known);
    ret->at = calloc(passes->pc_count + 1, sizeof *ret->at);
    ret->sequence = malloc((passes->count + 1) * sizeof *ret->sequence);
    ret->count = 0;
    struct rt_error *error = last && is_known && ret->at && ret->sequence ? NULL : rt_error_out_of_memory();
    for (size_t i = 0; !error && i < passes->count; i++) {
        const struct hx_pass *pass = &passes->items[i];
        const size_t index = index_of(passes, pass->pc);
        if (!is_known[index])
            ret->at[index] = stop_at(shown, pass->low, pass->pc);
        is_known[index] = true;
        const struct stop stop = ret->at[index];
        if (!stop.line)
            continue;
        uint64_t *const before = last[pass->activation];
        const uint64_t statement = mix_number(stop.function, stop.line);
        if (before[stop.inlined] != statement) {
            ret->sequence[ret->count++] = stop;
            ret->at[index].is_made = true;
        }
        before[stop.inlined] = statement;
        for (uint32_t k = stop.inlined + 1; k < MOST_INLINED; k++)
            before[k] = 0;
    }
    free(last);
    free(is_known);
    return error;
}

static void compare_stops(const struct stops *a, const struct stops *b, struct hx_changes *changes) {
    const size_t common = a->count < b->count ? a->count : b->count;
    size_t i = 0;
    while (i < common && a->sequence[i].line == b->sequence[i].line &&
           a->sequence[i].function == b->sequence[i].function)
        i++;
    changes->in_stops = i < a->count || i < b->count;
    changes->lines[0] = i < a->count ? a->sequence[i].line : 0;
    changes->lines[1] = i < b->count ? b->sequence[i].line : 0;
}

struct rt_error *hx_shown_compare(struct hx_shown *a, struct hx_shown *b, const struct hx_passes *passes,
                                  struct hx_changes *ret) {
    struct hx_shown *const both[2] = {a, b};
    struct shown_place *places = malloc(2 * sizeof *places);
    struct stops stops[2] = {0};
    *ret = (struct hx_changes){0};
    struct rt_error *error = places ? NULL : rt_error_out_of_memory();
    for (int i = 0; !error && i < 2; i++)
        error = make_stops(both[i], passes, &stops[i]);
    if (!error)
        compare_stops(&stops[0], &stops[1], ret);
    for (int i = 0; !error && passes->count && i < 2; i++)
        show_globals(both[i], &places[i]);
    if (!error && passes->count)
        compare_places(&places[0], &places[1], ret);
    for (size_t k = 0; !error && k < passes->pc_count; k++) {
        if (!stops[0].at[k].is_made && !stops[1].at[k].is_made)
            continue;
        for (int i = 0; i < 2; i++)
            show_place(both[i], passes->pcs[k], &places[i]);
        compare_places(&places[0], &places[1], ret);
    }
    clear_stops(&stops[0]);
    clear_stops(&stops[1]);
    free(places);
    return error;
}

/* ---- Places of one variable in both ---- */

struct pairs {
    struct hx_shown_pair *items;
    size_t count, capacity;
};

/* Adds the variables that both have by one name, and show differently. */
static struct rt_error *add_pairs(const struct hx_shown *shown, uint64_t pc,
                                  const struct shown_place places[2], struct pairs *pairs) {
    for (size_t i = 0; i < places[0].count; i++) {
        const struct shown_variable *a = &places[0].variables[i];
        const struct shown_variable *b = i < places[1].count ? &places[1].variables[i] : NULL;
        if (!b || a->hash == b->hash || a->name.size != b->name.size || !a->where.location.size ||
            !b->where.location.size || !a->name.size || memcmp(a->name.start, b->name.start, a->name.size))
            continue;
        if (pairs->count == pairs->capacity) {
            const size_t capacity = pairs->capacity ? 2 * pairs->capacity : 64;
            void *items = realloc(pairs->items, capacity * sizeof *pairs->items);
            if (!items)
                return rt_error_out_of_memory();
            pairs->items = items;
            pairs->capacity = capacity;
        }
        struct hx_shown_pair *pair = &pairs->items[pairs->count++];
        *pair = (struct hx_shown_pair){.pc = pc, .where = {a->where, b->where}};
        pair->size = type_size(shown, a->type, 0, &pair->is_pointer);
    }
    return NULL;
}

struct rt_error *hx_shown_pairs(struct hx_shown *a, struct hx_shown *b, const struct hx_passes *passes,
                                struct hx_shown_pair **ret, size_t *ret_count) {
    struct hx_shown *const both[2] = {a, b};
    struct shown_place *places = malloc(2 * sizeof *places);
    struct stops stops[2] = {0};
    struct pairs pairs = {0};
    struct rt_error *error = places ? NULL : rt_error_out_of_memory();
    for (int i = 0; !error && i < 2; i++)
        error = make_stops(both[i], passes, &stops[i]);
    for (size_t k = 0; !error && k < passes->pc_count; k++) {
        if (!stops[0].at[k].is_made && !stops[1].at[k].is_made)
            continue;
        for (int globals = 0; !error && globals < 2; globals++) {
            for (int i = 0; i < 2 && globals; i++)
                show_globals(both[i], &places[i]);
            for (int i = 0; i < 2 && !globals; i++)
                show_place(both[i], passes->pcs[k], &places[i]);
            error = add_pairs(a, passes->pcs[k], places, &pairs);
        }
    }
    clear_stops(&stops[0]);
    clear_stops(&stops[1]);
    free(places);
    *ret = pairs.items;
    *ret_count = pairs.count;
    return error;
}
