/* The layout of a trace in bytes (FORMAT.md), as the writer and the reader share it (private to the folder):
 * fixed parts, numbers, single events, the header, and blocks. */
#ifndef LOCKSTEP_RUNTIME_TRACE_FORMAT_H
#define LOCKSTEP_RUNTIME_TRACE_FORMAT_H

#include "runtime/trace/trace.h"

enum {
    RT_TRACE_MAJOR = 1,
    RT_TRACE_MINOR = 0,
    RT_TRACE_MAGIC_SIZE = 8,
    RT_TRACE_PREAMBLE_SIZE = 20,
    RT_TRACE_BLOCK_HEADER_SIZE = 32,
    RT_TRACE_INDEX_ENTRY_SIZE = 16,
    RT_TRACE_TRAILER_SIZE = 24,
};
extern const uint8_t rt_trace_magic[RT_TRACE_MAGIC_SIZE];
#define RT_TRACE_BLOCK_MAGIC 0x4b424b4cu /* "LKBK", read as a u32 */
#define RT_TRACE_INDEX_MAGIC 0x58494b4cu /* "LKIX" */
#define RT_TRACE_END_MAGIC   0x4e454b4cu /* "LKEN" */

/* ---- Writing numbers ---- */

static inline uint8_t *rt_trace_put_fixed(uint8_t *out, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * i));
    return out + size;
}
static inline uint8_t *rt_trace_put_leb(uint8_t *out, uint64_t value) {
    for (; value > 0x7f; value >>= 7)
        *out++ = (uint8_t)(0x80 | (value & 0x7f));
    *out++ = (uint8_t)value;
    return out;
}

/* Room for `more` bytes behind what is there; false when memory is at its end. */
bool rt_trace_reserve(struct rt_trace_memory *memory, size_t more);
bool rt_trace_append(struct rt_trace_memory *memory, const void *bytes, size_t size);

/* ---- Reading numbers ---- */

/* A LEB128 number in its shortest form. */
struct rt_error *rt_trace_get_leb(struct rt_cursor *cursor, unsigned width, const char *what, uint64_t *ret);
struct rt_error *rt_trace_get_u32(struct rt_cursor *cursor, const char *what, uint32_t *ret);
struct rt_error *rt_trace_get_name(struct rt_cursor *cursor, const char *what, struct rt_trace_bytes *ret);
struct rt_error *rt_trace_get_type(struct rt_cursor *cursor, const char *what, uint8_t *ret);
struct rt_error *rt_trace_get_flag(struct rt_cursor *cursor, const char *what, bool *ret);
/* The types point into the cursor's bytes. */
struct rt_error *rt_trace_get_functype(struct rt_cursor *cursor, const char *what, struct rt_func_type *ret);
bool rt_trace_is_type(uint8_t type);
bool rt_trace_is_reference(uint8_t type);

/* ---- Events ---- */

/* The calls that are open, and whether `end` has come. */
struct rt_trace_nesting {
    uint32_t depth;
    bool has_ended;
};
/* Whether an event of this kind can come here; if so, takes it into account. Else *ret_why says why not. */
bool rt_trace_nest(struct rt_trace_nesting *nesting, uint8_t kind, const char **ret_why);

/* An upper bound of an event's encoding. */
size_t rt_trace_encoded_bound(const struct rt_trace_event *event);
/* Writes kind, size and contents to `out`, which has room for the bound, and sets *ret to their end. RT_USAGE
 * for what FORMAT.md does not allow in an event by itself. */
RT_MUST_USE struct rt_error *rt_trace_encode(const struct rt_trace_event *event, uint8_t *out, uint8_t **ret);

/* By their bits: NaNs too are equal to themselves. `type` is enum rt_type. */
bool rt_trace_value_equal(uint8_t type, const union rt_value *a, const union rt_value *b);
/* Two fields of a type of enum rt_trace_field_type. */
bool rt_trace_field_equal(uint8_t type, const void *a, const void *b);

/* What decoded events point to, besides their block. */
struct rt_trace_scratch {
    uint8_t types[RT_TRACE_MAX_VALUES];
    union rt_value values[RT_TRACE_MAX_ELEMENTS];
    struct rt_trace_place *places;
    size_t place_capacity;
};
/* Decodes contents by event->kind. With `is_exact`, nothing may follow what this version knows. */
RT_MUST_USE struct rt_error *rt_trace_decode(struct rt_cursor *contents, bool is_exact,
                                             struct rt_trace_scratch *scratch, struct rt_trace_event *event);

/* ---- The header ---- */

/* Preamble and header, appended to `ret`. */
RT_MUST_USE struct rt_error *rt_trace_header_encode(const struct rt_trace_header *header,
                                                    struct rt_trace_memory *ret);
/* From the preamble: the version and the header's size. Its checksum is the header's as well. */
RT_MUST_USE struct rt_error *rt_trace_preamble_decode(const uint8_t preamble[RT_TRACE_PREAMBLE_SIZE],
                                                      struct rt_trace_header *ret, uint32_t *ret_size);
/* The fields; all that it points to is copied into the arena. */
RT_MUST_USE struct rt_error *rt_trace_header_decode(const uint8_t preamble[RT_TRACE_PREAMBLE_SIZE],
                                                    const uint8_t *bytes, size_t size, struct rt_arena *arena,
                                                    struct rt_trace_header *ret);

/* ---- Blocks ---- */

enum rt_trace_codec { RT_TRACE_STORED, RT_TRACE_ZSTD };

struct rt_trace_block {
    uint8_t codec;
    uint16_t depth;
    uint32_t size, raw, count;
    uint64_t first;
    uint32_t crc;
};
void rt_trace_block_encode(const struct rt_trace_block *block, const uint8_t *payload,
                           uint8_t out[RT_TRACE_BLOCK_HEADER_SIZE]);
/* Checks the limits; `offset` is the header's in the file, for errors. */
RT_MUST_USE struct rt_error *rt_trace_block_decode(const uint8_t bytes[RT_TRACE_BLOCK_HEADER_SIZE],
                                                   uint64_t offset, struct rt_trace_block *ret);
/* Checks header and payload against the checksum. */
bool rt_trace_block_is_whole(const uint8_t header[RT_TRACE_BLOCK_HEADER_SIZE],
                             const struct rt_trace_block *block, const uint8_t *payload);

/* ---- The index ---- */

struct rt_trace_index_entry {
    uint64_t offset, first;
};
/* Entries in ascending order, thinned out so that they never are more than RT_TRACE_MAX_INDEX. */
struct rt_trace_index {
    struct rt_trace_index_entry *entries;
    uint32_t count, capacity;
    uint64_t blocks, stride; /* blocks so far; every how manieth is listed (0 is 1) */
};
bool rt_trace_index_add(struct rt_trace_index *index, uint64_t offset, uint64_t first);
void rt_trace_index_clear(struct rt_trace_index *index);
/* The last entry at or before an event; NULL when there is none. */
const struct rt_trace_index_entry *rt_trace_index_find(const struct rt_trace_index *index, uint64_t number);
/* Index and trailer, appended to `ret`, of a file where the index begins at `offset`. */
RT_MUST_USE struct rt_error *rt_trace_index_encode(const struct rt_trace_index *index, uint64_t offset,
                                                   uint64_t events, struct rt_trace_memory *ret);
/* The bytes of an index with so many entries. */
static inline size_t rt_trace_index_size(uint32_t count) {
    return 12 + (size_t)count * RT_TRACE_INDEX_ENTRY_SIZE;
}
/* From the index's first eight bytes. */
RT_MUST_USE struct rt_error *rt_trace_index_count(const uint8_t bytes[8], uint64_t offset, uint32_t *ret);
/* Reads a whole index, whose size fits, that begins at `offset`; `data` is the offset of the first block. */
RT_MUST_USE struct rt_error *rt_trace_index_decode(const uint8_t *bytes, uint32_t count, uint64_t offset,
                                                   uint64_t data, struct rt_trace_index *ret);
/* False when this is no trailer, or damaged. */
bool rt_trace_trailer_decode(const uint8_t bytes[RT_TRACE_TRAILER_SIZE], uint64_t *ret_offset,
                             uint64_t *ret_events);

/* ---- Packing (pack.c): blocks into a sink, and their places for the index ---- */

struct rt_trace_packer;
/* Takes the sink, also when it fails. */
RT_MUST_USE struct rt_error *rt_trace_packer_create(struct rt_trace_sink sink,
                                                    const struct rt_trace_writer_options *options,
                                                    struct rt_trace_packer **ret);
/* Gives up the sink, when it is not finished. */
void rt_trace_packer_destroy(struct rt_trace_packer *packer);
/* A block with these events; size, raw size, codec and checksum are filled in. In the background, takes the
 * bytes and gives back other memory, whose contents are of no use, and the error may be of a block before. */
RT_MUST_USE struct rt_error *rt_trace_packer_add(struct rt_trace_packer *packer,
                                                 const struct rt_trace_block *block,
                                                 struct rt_trace_memory *bytes);
/* Waits until the sink has all blocks. */
RT_MUST_USE struct rt_error *rt_trace_packer_flush(struct rt_trace_packer *packer);
/* What is no block: before the first one. */
RT_MUST_USE struct rt_error *rt_trace_packer_write(struct rt_trace_packer *packer, const void *bytes,
                                                   size_t size);
/* Index and trailer, and finishes the sink; all is flushed. */
RT_MUST_USE struct rt_error *rt_trace_packer_finish(struct rt_trace_packer *packer, uint64_t events);
/* Bytes that the sink has got. */
uint64_t rt_trace_packer_stored(struct rt_trace_packer *packer);

#endif
