/* What a debugger shows of variables at a stop, as digests: two steppers that have come to one stop must have
 * the same. */
#include "oracle/self.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 16 };

uint64_t or_self_hash(const void *bytes, size_t size, uint64_t seed) {
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ byte[i]) * 0x100000001b3;
    return seed;
}

static bool has_all_bytes(const struct st_place *place, uint64_t size) {
    if (size > sizeof place->bytes || place->size < size)
        return false;
    uint64_t all = size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1;
    return (place->valid & all) == all;
}

const uint8_t *or_self_bytes(const struct or_self *self, const struct st_place *place, uint64_t size) {
    if (place->kind == ST_PLACE_MEMORY)
        return st_session_memory(self->session, place->address, size);
    return place->kind == ST_PLACE_VALUE && has_all_bytes(place, size) ? place->bytes : NULL;
}

/* Optimised code leaves stack slots as it found them until they are assigned, and the steppers' stubs have
 * been there: what such a slot holds is nobody's word. */
static bool is_garbage(const struct or_self *self, const struct st_place *place) {
    return !self->options.is_unoptimised && place->kind == ST_PLACE_MEMORY &&
           st_session_on_stack(self->session, place->address);
}

/* Scalar by scalar: padding has no value. */
static struct rt_error *digest_of(struct or_self *self, const struct st_variable *variable, uint64_t *ret) {
    const struct or_layout *layout;
    struct st_place place;
    uint64_t size = variable->type->size;
    st_locate(self->session, self->frame, variable, &place);
    *ret = or_self_hash(&(uint32_t){place.kind}, sizeof(uint32_t), 0xcbf29ce484222325);
    if (place.kind == ST_PLACE_MEMORY)
        *ret = or_self_hash(&place.address, sizeof place.address, *ret);
    const uint8_t *bytes = size <= LARGEST ? or_self_bytes(self, &place, size) : NULL;
    if (!bytes || is_garbage(self, &place))
        return NULL;
    struct rt_error *error =
        or_layout_get(&self->layouts, &self->report->arena, variable->type, variable->type, &layout);
    for (size_t i = 0; !error && i < layout->leaf_count; i++) {
        if (layout->leaves[i].class == OR_OPAQUE)
            continue;
        uint64_t bits = or_leaf_bits(&layout->leaves[i], 0, bytes);
        *ret = or_self_hash(&bits, sizeof bits, *ret);
    }
    return error;
}

static struct rt_error *add(struct or_self *self, const struct st_variable *variable) {
    if (self->digest_count == self->digest_room) {
        size_t room = self->digest_room ? 2 * self->digest_room : 64;
        void *digests = realloc(self->digests, room * sizeof *self->digests);
        if (!digests)
            return rt_error_out_of_memory();
        self->digests = digests;
        self->digest_room = room;
    }
    struct or_self_digest *digest = &self->digests[self->digest_count++];
    digest->variable = variable;
    return digest_of(self, variable, &digest->digest);
}

struct rt_error *or_self_show(struct or_self *self, const struct or_self_site *site, bool with_statics) {
    const struct or_self_function *function = &self->functions[site->function];
    struct rt_error *error = NULL;
    self->digest_count = 0;
    /* In a prologue, parameters are where nothing has been stored yet. */
    for (size_t i = 0; !error && site->is_settled && i < function->variable_count; i++)
        if (or_self_is_visible(&function->variables[i], site))
            error = add(self, function->variables[i].variable);
    for (size_t i = 0; !error && with_statics && i < self->static_count; i++)
        error = add(self, self->statics[i]);
    return error;
}

void or_self_fill(struct or_self *self, const struct or_self_site *site) {
    const struct or_self_function *function = &self->functions[site->function];
    self->live->is_filled = true;
    for (size_t i = 0; i < function->variable_count; i++) {
        const struct or_self_variable *variable = &function->variables[i];
        struct st_place place;
        if (variable->variable->is_parameter || !variable->is_slot)
            continue;
        st_locate(self->session, self->frame, variable->variable, &place);
        void *bytes = place.kind == ST_PLACE_MEMORY
                          ? st_session_writable(self->session, place.address, variable->size)
                          : NULL;
        if (bytes)
            memset(bytes, OR_FILL_BYTE, variable->size);
    }
}
