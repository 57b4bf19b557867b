/* Which entries a section of call-frame information has: CIEs, and FDEs by the pcs that they cover. */
#include <stdlib.h>
#include <string.h>

#include "stepper/call_frames.h"

enum { /* encodings of pointers: a form, what it is relative to, and a flag */
       FORM = 0x0f,
       RELATIVE = 0x70,
       INDIRECT = 0x80,
       ABSOLUTE = 0x00,
       PC_RELATIVE = 0x10,
       OMITTED = 0xff,
};

enum { AUGMENTATION_MAX = 16 };

/* ---- What entries are made of ---- */

static struct rt_error *not_read(const struct rt_cursor *cursor, const char *what, unsigned value) {
    return rt_error_format(RT_UNSUPPORTED, "at byte 0x%llx: not supported: %s 0x%x",
                           (unsigned long long)rt_cursor_offset(cursor), what, value);
}

struct rt_error *st_call_frames_pointer(const struct st_call_frames *frames, struct rt_cursor *cursor,
                                        uint8_t encoding, uint64_t *ret) {
    static const char what[] = "address";
    const uint64_t address = frames->address + rt_cursor_offset(cursor);
    struct rt_error *error;
    uint16_t half;
    uint32_t word;
    int64_t number;
    *ret = 0;
    if (encoding == OMITTED || (encoding & INDIRECT) ||
        ((encoding & RELATIVE) != ABSOLUTE && (encoding & RELATIVE) != PC_RELATIVE))
        return not_read(cursor, "an address's encoding", encoding);
    switch (encoding & FORM) {
    case 0x0:
    case 0x4:
    case 0xc: error = rt_cursor_u64(cursor, what, ret); break;
    case 0x1: error = rt_cursor_uleb(cursor, 64, what, ret); break;
    case 0x2:
    case 0xa:
        error = rt_cursor_u16(cursor, what, &half);
        if (!error)
            *ret = (encoding & FORM) == 0x2 ? half : (uint64_t)(int16_t)half;
        break;
    case 0x3:
    case 0xb:
        error = rt_cursor_u32(cursor, what, &word);
        if (!error)
            *ret = (encoding & FORM) == 0x3 ? word : (uint64_t)(int32_t)word;
        break;
    case 0x9:
        error = rt_cursor_sleb(cursor, 64, what, &number);
        if (!error)
            *ret = (uint64_t)number;
        break;
    default: return not_read(cursor, "an address's encoding", encoding);
    }
    if (!error && (encoding & RELATIVE) == PC_RELATIVE)
        *ret += address;
    return error;
}

/* A length or an offset of the entry's format: 4 or 8 bytes. */
static struct rt_error *read_number(struct rt_cursor *cursor, bool is_64, const char *what, uint64_t *ret) {
    uint32_t word = 0;
    if (is_64)
        return rt_cursor_u64(cursor, what, ret);
    struct rt_error *error = rt_cursor_u32(cursor, what, &word);
    *ret = word;
    return error;
}

struct header {
    uint64_t length, cie; /* the CIE's offset, of an FDE */
    bool is_cie;
    struct rt_cursor contents;
};

/* Moves the cursor behind the entry. */
static struct rt_error *read_header(const struct st_call_frames *frames, struct rt_cursor *cursor,
                                    struct header *ret) {
    const uint8_t *bytes;
    uint64_t id = 0;
    struct rt_error *error = read_number(cursor, false, "entry's length", &ret->length);
    const bool is_64 = !error && ret->length == UINT32_MAX;
    if (is_64)
        error = rt_cursor_u64(cursor, "entry's length", &ret->length);
    ret->contents = *cursor;
    if (error || ret->length == 0)
        return error;
    if (ret->length > rt_cursor_left(cursor))
        return rt_cursor_error(cursor, "an entry of %llu bytes, of which %zu are there",
                               (unsigned long long)ret->length, rt_cursor_left(cursor));
    error = rt_cursor_bytes(cursor, (size_t)ret->length, "entry", &bytes);
    if (error)
        return error;
    ret->contents.end = cursor->next;
    const uint64_t at = rt_cursor_offset(&ret->contents);
    error = read_number(&ret->contents, is_64, "CIE pointer", &id);
    if (frames->is_eh) {
        ret->is_cie = id == 0;
        ret->cie = at - id; /* counted back from itself */
    } else {
        ret->is_cie = id == (is_64 ? UINT64_MAX : UINT32_MAX);
        ret->cie = id;
    }
    return error;
}

/* What a CIE says beside its program. */
struct common {
    bool is_augmented; /* FDEs have augmentation data */
};

/* The augmentation's data, by its letters. */
static struct rt_error *read_augmentation(const struct st_call_frames *frames, const char *letters,
                                          struct rt_cursor *cursor, struct st_frame_entry *ret,
                                          struct common *ret_common) {
    const uint8_t *bytes;
    uint64_t size, ignored;
    uint8_t encoding;
    if (!*letters)
        return NULL;
    if (*letters != 'z')
        return not_read(cursor, "a CIE's augmentation that begins with", (unsigned char)*letters);
    ret_common->is_augmented = true;
    struct rt_error *error = rt_cursor_uleb(cursor, 32, "augmentation's size", &size);
    struct rt_cursor data = *cursor;
    if (!error)
        error = rt_cursor_bytes(cursor, (size_t)size, "augmentation", &bytes);
    if (!error)
        data.end = cursor->next;
    while (!error && *++letters) {
        switch (*letters) {
        case 'R': error = rt_cursor_u8(&data, "encoding of addresses", &ret->encoding); break;
        case 'L': error = rt_cursor_u8(&data, "encoding of the LSDA", &encoding); break;
        case 'P': /* a personality routine may be anywhere: where does not matter here */
            error = rt_cursor_u8(&data, "encoding of the personality", &encoding);
            if (!error)
                error = st_call_frames_pointer(frames, &data, encoding & FORM, &ignored);
            break;
        case 'S':
        case 'B': break;
        default: return NULL; /* an unknown one: the size says where it ends */
        }
    }
    return error;
}

static struct rt_error *read_cie(const struct st_call_frames *frames, uint64_t offset,
                                 struct st_frame_entry *ret, struct common *ret_common) {
    struct header header;
    uint8_t version, byte = 0;
    uint64_t return_register = 0;
    if (offset >= frames->size)
        return rt_error_format(RT_MALFORMED, "a CIE at 0x%llx, past the section's end",
                               (unsigned long long)offset);
    struct rt_cursor section = rt_cursor_make(frames->bytes, frames->size, 0);
    section.next += offset;
    struct rt_error *error = read_header(frames, &section, &header);
    if (error)
        return error;
    struct rt_cursor *cursor = &header.contents;
    if (header.length == 0 || !header.is_cie)
        return rt_cursor_error(cursor, "an FDE's CIE is none");
    ret->encoding = ABSOLUTE;
    error = rt_cursor_u8(cursor, "version", &version);
    if (error)
        return error;
    if (version != 1 && version != 3 && version != 4)
        return not_read(cursor, "call-frame information of version", version);
    const char *letters = (const char *)cursor->next;
    const size_t left = rt_cursor_left(cursor);
    const size_t length = strnlen(letters, left < AUGMENTATION_MAX ? left : AUGMENTATION_MAX);
    if (length == left || length == AUGMENTATION_MAX)
        return rt_cursor_error(cursor, "an augmentation without an end");
    cursor->next += length + 1;
    if (version == 4) {
        error = rt_cursor_u8(cursor, "address size", &byte);
        if (!error && byte != 8)
            return not_read(cursor, "an address size of", byte);
        if (!error)
            error = rt_cursor_u8(cursor, "segment selector size", &byte);
        if (!error && byte != 0)
            return not_read(cursor, "a segment selector size of", byte);
    }
    if (!error)
        error = rt_cursor_uleb(cursor, 64, "code alignment factor", &ret->code_alignment);
    if (!error)
        error = rt_cursor_sleb(cursor, 64, "data alignment factor", &ret->data_alignment);
    if (!error && version == 1) {
        error = rt_cursor_u8(cursor, "return address register", &byte);
        return_register = byte;
    } else if (!error) {
        error = rt_cursor_uleb(cursor, 32, "return address register", &return_register);
    }
    if (!error && return_register != ST_RULE_RETURN_ADDRESS)
        return not_read(cursor, "a return address in register", (unsigned)return_register);
    if (!error)
        error = read_augmentation(frames, letters, cursor, ret, ret_common);
    ret->initial = *cursor;
    return error;
}

/* The FDE behind a header. */
static struct rt_error *read_fde(const struct st_call_frames *frames, const struct header *header,
                                 struct st_frame_entry *ret) {
    struct rt_cursor cursor = header->contents;
    struct common common = {.is_augmented = false};
    const uint8_t *bytes;
    uint64_t size = 0;
    struct rt_error *error = read_cie(frames, header->cie, ret, &common);
    if (!error)
        error = st_call_frames_pointer(frames, &cursor, ret->encoding, &ret->low);
    if (!error)
        error = st_call_frames_pointer(frames, &cursor, ret->encoding & FORM, &size);
    ret->high = ret->low + size;
    if (!error && common.is_augmented) {
        error = rt_cursor_uleb(&cursor, 32, "augmentation's size", &size);
        if (!error)
            error = rt_cursor_bytes(&cursor, (size_t)size, "augmentation", &bytes);
    }
    ret->operations = cursor;
    return error;
}

/* ---- The section ---- */

/* Counts the FDEs, and with `ranges` notes what they cover. */
static struct rt_error *walk(const struct st_call_frames *frames, struct st_frame_range *ranges,
                             size_t *ret) {
    struct rt_cursor cursor = rt_cursor_make(frames->bytes, frames->size, 0);
    size_t count = 0;
    *ret = 0;
    while (rt_cursor_left(&cursor)) {
        const uint64_t offset = rt_cursor_offset(&cursor);
        struct st_frame_entry entry;
        struct header header;
        struct rt_error *error = read_header(frames, &cursor, &header);
        if (!error && header.length == 0) {
            if (frames->is_eh)
                break;
            continue;
        }
        if (!error && !header.is_cie && ranges) {
            error = read_fde(frames, &header, &entry);
            if (!error)
                ranges[count] = (struct st_frame_range){entry.low, entry.high, offset};
        }
        if (error)
            return rt_error_context(error, "%s", frames->name);
        count += !header.is_cie;
    }
    *ret = count;
    return NULL;
}

static int by_low(const void *a, const void *b) {
    const struct st_frame_range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

struct rt_error *st_call_frames_read(struct rt_arena *arena, struct st_call_frames *ret) {
    struct st_frame_range *ranges = NULL;
    size_t count;
    struct rt_error *error = walk(ret, NULL, &count);
    if (!error && !(ranges = rt_arena_array(arena, count, sizeof *ranges)))
        error = rt_error_out_of_memory();
    if (!error)
        error = walk(ret, ranges, &count);
    if (error)
        return error;
    qsort(ranges, count, sizeof *ranges, by_low);
    ret->ranges = ranges;
    ret->count = count;
    return NULL;
}

bool st_call_frames_find(const struct st_call_frames *frames, uint64_t pc, struct st_frame_entry *ret) {
    size_t low = 0, high = frames->count;
    struct header header;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (frames->ranges[middle].low <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || pc >= frames->ranges[low - 1].high)
        return false;
    struct rt_cursor cursor = rt_cursor_make(frames->bytes, frames->size, 0);
    cursor.next += frames->ranges[low - 1].offset;
    struct rt_error *error = read_header(frames, &cursor, &header);
    if (!error)
        error = read_fde(frames, &header, ret);
    const bool found = !error;
    rt_error_destroy(error);
    return found;
}
