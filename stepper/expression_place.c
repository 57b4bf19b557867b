/* What an expression described, as a place: an address, a register's content, a value, or pieces of them put
 * together bit by bit (DWARF 5, section 2.6). */
#include <inttypes.h>
#include <string.h>

#include "stepper/expression.h"

/* ---- Pieces (section 2.6.1.2) ---- */

static void copy_bits(uint8_t *to, uint8_t *known, uint64_t at, const uint8_t *from, uint64_t skip,
                      uint64_t count) {
    if (at % 8 == 0 && skip % 8 == 0 && count % 8 == 0) {
        memcpy(to + at / 8, from + skip / 8, count / 8);
        memset(known + at / 8, 0xff, count / 8);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t source = skip + i, target = at + i;
        unsigned bit = from[source / 8] >> (source % 8) & 1;
        to[target / 8] = (uint8_t)((to[target / 8] & ~(1u << target % 8)) | bit << target % 8);
        known[target / 8] |= (uint8_t)(1u << target % 8);
    }
}

bool st_evaluation_piece(struct st_evaluation *e, uint64_t bits, uint64_t skip) {
    struct st_place *place = e->pieces;
    if (!place)
        return st_evaluation_fail(e, "pieces where an address is needed");
    if (!e->has_pieces) {
        e->has_pieces = true;
        e->piece_bits = 0;
        memset(e->known, 0, sizeof e->known);
        memset(place->bytes, 0, sizeof place->bytes);
    }
    if (bits > 8 * ST_MAX_OBJECT - e->piece_bits || skip > 8 * ST_MAX_OBJECT)
        return st_evaluation_fail(e, "not supported: an object in pieces of more than %d bytes",
                                  ST_MAX_OBJECT);

    uint8_t buffer[16] = {0};
    const uint8_t *from = buffer;
    size_t size = (size_t)(bits + skip + 7) / 8;
    size_t available = 0;
    if (e->describes == ST_DESCRIBES_REGISTER) {
        if (!st_evaluation_register(e, e->register_number, buffer, &available))
            return false;
    } else if (e->describes == ST_DESCRIBES_BLOCK) {
        from = e->block;
        available = e->block_size;
    } else if (e->describes == ST_DESCRIBES_VALUE) {
        memcpy(buffer, &e->stack[e->depth - 1].bits, 8);
        available = e->stack[e->depth - 1].size;
    } else if (e->describes == ST_DESCRIBES_ADDRESS && e->depth > 0) {
        uint64_t address = st_evaluation_address(e, e->stack[e->depth - 1]);
        from = e->machine->memory(e->machine->user, address, size);
        if (!from)
            return st_evaluation_fail(e, "memory at 0x%" PRIx64 " (%zu bytes) is not readable", address,
                                      size);
        available = size;
    }
    uint64_t known = 8 * (uint64_t)available > skip ? 8 * (uint64_t)available - skip : 0;
    copy_bits(place->bytes, e->known, e->piece_bits, from, skip, bits < known ? bits : known);
    e->piece_bits += bits;
    e->describes = ST_DESCRIBES_ADDRESS;
    e->depth = 0;
    return true;
}

static void finish_pieces(struct st_evaluation *e, size_t size) {
    struct st_place *place = e->pieces;
    size_t bytes = (size_t)(e->piece_bits + 7) / 8;
    place->valid = 0;
    for (size_t i = 0; i < bytes; i++) {
        bool is_last = i == e->piece_bits / 8;
        uint8_t all = is_last ? (uint8_t)((1u << e->piece_bits % 8) - 1) : 0xff;
        if ((e->known[i] & all) == all)
            place->valid |= (uint64_t)1 << i;
    }
    place->kind = place->valid ? ST_PLACE_VALUE : ST_PLACE_OPTIMIZED_OUT;
    place->size = size && size <= ST_MAX_OBJECT ? size : bytes;
    if (place->size < ST_MAX_OBJECT)
        place->valid &= ((uint64_t)1 << place->size) - 1;
}

/* ---- Results ---- */

void st_place_set_bytes(struct st_place *ret, const void *bytes, size_t available, size_t size) {
    if (size == 0 || size > ST_MAX_OBJECT)
        size = available < ST_MAX_OBJECT ? available : ST_MAX_OBJECT;
    if (available > size)
        available = size;
    memset(ret->bytes, 0, size);
    memcpy(ret->bytes, bytes, available);
    ret->kind = ST_PLACE_VALUE;
    ret->size = size;
    ret->valid = available >= 64 ? UINT64_MAX : ((uint64_t)1 << available) - 1;
}

bool st_evaluation_finish(struct st_evaluation *e, size_t size, struct st_place *ret) {
    uint8_t bytes[16];
    size_t available;
    const struct st_value *top = e->stack + e->depth - 1;
    if (e->has_pieces) {
        if (e->describes != ST_DESCRIBES_ADDRESS || e->depth)
            return st_evaluation_fail(e, "operations after the last piece");
        finish_pieces(e, size);
        return true;
    }
    switch (e->describes) {
    case ST_DESCRIBES_ADDRESS:
        if (e->depth == 0) {
            ret->kind = ST_PLACE_OPTIMIZED_OUT;
            return true;
        }
        ret->kind = ST_PLACE_MEMORY;
        ret->address = st_evaluation_address(e, *top);
        return true;
    case ST_DESCRIBES_REGISTER:
        if (!st_evaluation_register(e, e->register_number, bytes, &available))
            return false;
        st_place_set_bytes(ret, bytes, available, size);
        return true;
    case ST_DESCRIBES_VALUE: st_place_set_bytes(ret, &top->bits, top->size, size); return true;
    case ST_DESCRIBES_BLOCK:
        if (e->block_size > ST_MAX_OBJECT)
            return st_evaluation_fail(e, "not supported: an implicit value of %zu bytes", e->block_size);
        st_place_set_bytes(ret, e->block, e->block_size, size);
        return true;
    case ST_DESCRIBES_NOTHING:
        ret->kind = ST_PLACE_OPTIMIZED_OUT;
        ret->reason = e->reason;
        return true;
    }
    return false;
}
