/* Call-frame information (DWARF 5, section 6.4): .debug_frame of the input, an FDE at a time; .debug_frame
 * and .eh_frame of the output. */
#include "runtime/dwarf/pass.h"

/* ---- Reading ---- */

struct entry { /* a CIE or an FDE */
    uint64_t offset;
    bool is_cie;
    uint64_t cie; /* of an FDE: the CIE's offset */
    struct rt_cursor contents;
};

static struct rt_error *read_entry(struct rt_cursor *cursor, struct entry *ret) {
    const uint8_t *bytes;
    uint64_t length, id = 0;
    uint8_t size;
    ret->offset = rt_cursor_offset(cursor);
    struct rt_error *error = rt_dwarf_read_length(cursor, &length, &size);
    if (error)
        return error;
    ret->contents = *cursor;
    ret->contents.end = cursor->next + length;
    error = rt_cursor_bytes(cursor, (size_t)length, "entry", &bytes);
    if (error || length == 0)
        return error;
    error = rt_dwarf_read_number(&ret->contents, size, "CIE pointer", &id);
    ret->is_cie = id == rt_dwarf_highest(size);
    ret->cie = id;
    return error;
}

/* *ret_reason: why what belongs to it is left out. */
static struct rt_error *read_cie(const struct rt_dwarf_pass *pass, struct rt_cursor cursor,
                                 struct rt_dwarf_cie *ret, const char **ret_reason) {
    uint8_t segment = 0, byte = 0;
    *ret = (struct rt_dwarf_cie){.address_size = pass->unit_count ? pass->units[0].address_size : 4,
                                 .augmentation = ""};
    struct rt_error *error = rt_cursor_u8(&cursor, "version", &ret->version);
    if (error)
        return error;
    if (ret->version != 1 && ret->version != 3 && ret->version != 4) {
        *ret_reason = "left out: call-frame information of an unknown version";
        return NULL;
    }
    error = rt_cursor_u8(&cursor, "augmentation", &byte);
    if (!error && byte) {
        *ret_reason = "left out: call-frame information with an augmentation";
        return NULL;
    }
    if (!error && ret->version >= 4)
        error = rt_cursor_u8(&cursor, "address size", &ret->address_size);
    if (!error && ret->version >= 4)
        error = rt_cursor_u8(&cursor, "segment selector size", &segment);
    if (!error && ((ret->address_size != 4 && ret->address_size != 8) || segment))
        *ret_reason = "left out: call-frame information of addresses that are neither of 4 nor of 8 bytes";
    if (!error)
        error = rt_dwarf_read_uleb(&cursor, "code alignment", &ret->code_alignment);
    if (!error)
        error = rt_cursor_sleb(&cursor, 64, "data alignment", &ret->data_alignment);
    if (!error)
        error = ret->version == 1 ? rt_dwarf_read_number(&cursor, 1, "return register", &ret->return_register)
                                  : rt_dwarf_read_uleb(&cursor, "return register", &ret->return_register);
    ret->instructions = (struct rt_dwarf_span){cursor.next, rt_cursor_left(&cursor)};
    return error;
}

/* The CIE at an offset. */
static struct rt_error *find_cie(const struct rt_dwarf_pass *pass, uint64_t offset, struct rt_dwarf_cie *ret,
                                 const char **ret_reason) {
    struct rt_cursor cursor;
    struct entry entry = {.is_cie = false};
    struct rt_error *error = rt_dwarf_section_at(pass, RT_DWARF_FRAME, offset, &cursor);
    if (!error)
        error = read_entry(&cursor, &entry);
    if (!error && !entry.is_cie)
        return rt_error_format(RT_MALFORMED, "at byte 0x%llx: an FDE's CIE is none",
                               (unsigned long long)offset);
    return error ? error : read_cie(pass, entry.contents, ret, ret_reason);
}

static struct rt_error *transform_fde(struct rt_dwarf_pass *pass, const struct entry *entry) {
    const struct rt_dwarf_visitor *visitor = pass->visitor;
    struct rt_cursor cursor = entry->contents;
    struct rt_dwarf_cie cie;
    struct rt_dwarf_range range;
    const char *reason = NULL;
    struct rt_error *error = find_cie(pass, entry->cie, &cie, &reason);
    if (!error && reason) {
        rt_dwarf_count(pass, reason);
        return NULL;
    }
    if (!error)
        error = rt_dwarf_read_number(&cursor, cie.address_size, "initial location", &range.low);
    if (!error)
        error = rt_dwarf_read_number(&cursor, cie.address_size, "address range", &range.high);
    if (error)
        return error;
    range.high += range.low;
    pass->stat->in.frames++;
    const struct rt_dwarf_span instructions = {cursor.next, rt_cursor_left(&cursor)};
    if (rt_dwarf_is_dead(pass, range.low))
        rt_dwarf_count(pass, "left out: call-frame information of dead code");
    else if (visitor->frame)
        return visitor->frame(visitor->user, pass, &cie, range, instructions);
    else
        rt_dwarf_put_fde(pass, RT_DWARF_FRAME, rt_dwarf_put_cie(pass, RT_DWARF_FRAME, &cie), range,
                         instructions);
    return NULL;
}

struct rt_error *rt_dwarf_frames_transform(struct rt_dwarf_pass *pass) {
    const struct rt_dwarf_span *span = &pass->input->at[RT_DWARF_FRAME];
    struct rt_cursor cursor = rt_cursor_make(span->bytes, span->size, 0);
    while (rt_cursor_left(&cursor)) {
        struct entry entry = {.is_cie = true};
        struct rt_error *error = read_entry(&cursor, &entry);
        if (!error && !entry.is_cie)
            error = transform_fde(pass, &entry);
        if (!error)
            error = rt_dwarf_check(pass);
        if (error)
            return rt_dwarf_section_error(error, RT_DWARF_FRAME);
    }
    return NULL;
}

/* ---- Writing ---- */

struct written_cie {
    enum rt_dwarf_section section;
    uint32_t start, size, address_size; /* in the section */
};

/* Fills an entry up with DW_CFA_nop (0) to a multiple of the address size, and stores its length. */
static void end_entry(struct rt_dwarf_pass *pass, struct rt_dwarf_bytes *out, uint32_t start,
                      unsigned address_size) {
    while (!pass->budget->failed && (out->size - start) % address_size)
        rt_dwarf_put_number(out, 0, 1);
    if (!pass->budget->failed)
        rt_dwarf_store(out->bytes + start, out->size - start - 4, 4);
}

/* The section, where it is one of call-frame information. */
static struct rt_dwarf_bytes *frames_of(struct rt_dwarf_pass *pass, enum rt_dwarf_section section) {
    if (section == RT_DWARF_FRAME || section == RT_DWARF_EH_FRAME)
        return &pass->out[section];
    pass->misuse = "call-frame information is put into a section of another kind";
    return NULL;
}

uint64_t rt_dwarf_put_cie(struct rt_dwarf_pass *pass, enum rt_dwarf_section section,
                          const struct rt_dwarf_cie *cie) {
    struct rt_dwarf_bytes *out = frames_of(pass, section);
    const bool is_eh = section == RT_DWARF_EH_FRAME;
    if (!out)
        return 0;
    const uint32_t start = (uint32_t)out->size;
    rt_dwarf_put_number(out, 0, 4);
    rt_dwarf_put_number(out, is_eh ? 0 : UINT32_MAX, 4);
    rt_dwarf_put_number(out, is_eh ? 1 : 4, 1);
    rt_dwarf_put(out, is_eh ? "zR" : cie->augmentation, strlen(is_eh ? "zR" : cie->augmentation) + 1);
    if (!is_eh) {
        rt_dwarf_put_number(out, cie->address_size, 1);
        rt_dwarf_put_number(out, 0, 1);
    }
    rt_dwarf_put_uleb(out, cie->code_alignment);
    rt_dwarf_put_sleb(out, cie->data_alignment);
    if (is_eh)
        rt_dwarf_put_number(out, cie->return_register, 1);
    else
        rt_dwarf_put_uleb(out, cie->return_register);
    if (is_eh) /* addresses of FDEs are absolute (DW_EH_PE_absptr) */
        rt_dwarf_put_number(out, 1, 2);
    rt_dwarf_put(out, cie->instructions.bytes, cie->instructions.size);
    end_entry(pass, out, start, cie->address_size);
    if (pass->budget->failed)
        return 0;
    const uint32_t size = (uint32_t)out->size - start;
    const struct written_cie *written = RT_DWARF_ITEMS(&pass->cies, struct written_cie);
    for (size_t i = 0; i < RT_DWARF_COUNT(&pass->cies, struct written_cie); i++) {
        if (written[i].section == section && written[i].size == size &&
            memcmp(out->bytes + written[i].start, out->bytes + start, size) == 0) {
            out->size = start;
            return i;
        }
    }
    const struct written_cie added = {section, start, size, cie->address_size};
    rt_dwarf_put(&pass->cies, &added, sizeof added);
    return RT_DWARF_COUNT(&pass->cies, struct written_cie) - 1;
}

void rt_dwarf_put_fde(struct rt_dwarf_pass *pass, enum rt_dwarf_section section, uint64_t cie,
                      struct rt_dwarf_range range, struct rt_dwarf_span instructions) {
    struct rt_dwarf_bytes *out = frames_of(pass, section);
    if (!out || cie >= RT_DWARF_COUNT(&pass->cies, struct written_cie))
        return;
    const struct written_cie written = RT_DWARF_ITEMS(&pass->cies, struct written_cie)[cie];
    const uint32_t start = (uint32_t)out->size;
    rt_dwarf_put_number(out, 0, 4);
    rt_dwarf_put_number(out, section == RT_DWARF_EH_FRAME ? start + 4 - written.start : written.start, 4);
    rt_dwarf_put_number(out, range.low, written.address_size);
    rt_dwarf_put_number(out, range.high - range.low, written.address_size);
    if (section == RT_DWARF_EH_FRAME)
        rt_dwarf_put_number(out, 0, 1); /* no augmentation data */
    rt_dwarf_put(out, instructions.bytes, instructions.size);
    end_entry(pass, out, start, written.address_size);
    pass->stat->out.frames++;
}
