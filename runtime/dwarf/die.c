/* DIEs of the output: their abbreviations, which all units share, the references between them, and those that
 * a visitor adds. A DIE's values are gathered aside until all of its attributes are known. */
#include "runtime/dwarf/pass.h"

void rt_dwarf_die_begin(struct rt_dwarf_pass *pass) {
    pass->key.size = 0;
    pass->values.size = 0;
    pass->die_fixups.size = 0;
    pass->is_open = true;
    pass->is_added = false;
    pass->pcs_written = false;
    rt_dwarf_put_number(&pass->key, 0, 4); /* the tag, by rt_dwarf_die_write */
}

/* ---- Abbreviations ---- */

/* Writes the declaration that a key stands for: a tag and whether it has children, then names and forms. */
static void write_abbrev(struct rt_dwarf_pass *pass, uint32_t code, const uint32_t *key, size_t count) {
    struct rt_dwarf_bytes *out = &pass->out[RT_DWARF_ABBREV];
    rt_dwarf_put_uleb(out, code);
    rt_dwarf_put_uleb(out, key[0] >> 1);
    rt_dwarf_put_number(out, key[0] & 1, 1);
    for (size_t i = 1; i < count; i++) {
        rt_dwarf_put_uleb(out, key[i] >> 16);
        rt_dwarf_put_uleb(out, key[i] & 0xffff);
        if ((key[i] & 0xffff) != RT_DWARF_FORM_implicit_const || count - i < 3)
            continue;
        rt_dwarf_put_sleb(out, (int64_t)((uint64_t)key[i + 2] << 32 | key[i + 1]));
        i += 2;
    }
    rt_dwarf_put_number(out, 0, 2);
}

/* Whether an abbreviation is the one that pass->key describes. */
static bool has_key(const struct rt_dwarf_pass *pass, uint32_t code) {
    const uint32_t *starts = RT_DWARF_ITEMS(&pass->abbrev_starts, uint32_t);
    const size_t count = RT_DWARF_COUNT(&pass->abbrev_starts, uint32_t);
    const size_t end = code < count ? starts[code] : pass->abbrev_keys.size;
    return end - starts[code - 1] == pass->key.size &&
           memcmp(pass->abbrev_keys.bytes + starts[code - 1], pass->key.bytes, pass->key.size) == 0;
}

/* The code of the abbreviation that pass->key describes. */
static uint32_t find_abbrev(struct rt_dwarf_pass *pass) {
    const uint32_t *key = RT_DWARF_ITEMS(&pass->key, uint32_t);
    struct rt_dwarf_map_entry *entry;
    for (uint64_t hash = rt_dwarf_hash(0, pass->key.bytes, pass->key.size) | 1;; hash += 2) {
        entry = rt_dwarf_map_find(&pass->abbrev_codes, pass->budget, hash);
        if (!entry)
            return 0;
        if (!entry->key) {
            const uint32_t code = (uint32_t)pass->abbrev_codes.count + 1;
            const uint32_t start = (uint32_t)pass->abbrev_keys.size;
            rt_dwarf_put(&pass->abbrev_keys, pass->key.bytes, pass->key.size);
            rt_dwarf_put(&pass->abbrev_starts, &start, sizeof start);
            rt_dwarf_map_fill(&pass->abbrev_codes, entry, hash, code, 0);
            write_abbrev(pass, code, key, RT_DWARF_COUNT(&pass->key, uint32_t));
            return code;
        }
        if (has_key(pass, entry->value))
            return entry->value;
    }
}

/* ---- References ---- */

/* Where a DIE went; false when it has not been written yet. */
static bool find_written(const struct rt_dwarf_pass *pass, uint64_t target, uint32_t *ret) {
    if (target & RT_DWARF_NEW)
        *ret = RT_DWARF_ITEMS(&pass->names, uint32_t)[(target & ~RT_DWARF_NEW) - 1];
    else
        *ret = pass->written[target];
    return *ret != 0;
}

static void store_reference(uint8_t *at, uint32_t offset, uint32_t unit, enum rt_dwarf_reference_kind kind) {
    const uint32_t in_unit = offset - unit;
    if (kind != RT_DWARF_IN_UNIT_LEB) {
        rt_dwarf_store(at, kind == RT_DWARF_IN_UNIT ? in_unit : offset, 4);
        return;
    }
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)((in_unit >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
}

void rt_dwarf_refer(struct rt_dwarf_pass *pass, uint64_t target, enum rt_dwarf_section section, size_t place,
                    enum rt_dwarf_reference_kind kind) {
    const bool is_value = section == RT_DWARF_SECTION_COUNT;
    uint32_t offset;
    if (pass->budget->failed)
        return;
    if (find_written(pass, target, &offset)) {
        store_reference((is_value ? &pass->values : &pass->out[section])->bytes + place, offset,
                        pass->unit_start, kind);
        return;
    }
    struct rt_dwarf_fixup *fixup =
        RT_DWARF_PUSH(is_value ? &pass->die_fixups : &pass->fixups, struct rt_dwarf_fixup);
    if (fixup)
        *fixup = (struct rt_dwarf_fixup){.target = target,
                                         .place = (uint32_t)place,
                                         .unit = pass->unit_start,
                                         .kind = (uint8_t)kind,
                                         .section = (uint8_t)section};
}

struct rt_error *rt_dwarf_fix_references(struct rt_dwarf_pass *pass) {
    const struct rt_dwarf_fixup *fixups = RT_DWARF_ITEMS(&pass->fixups, struct rt_dwarf_fixup);
    const size_t count = RT_DWARF_COUNT(&pass->fixups, struct rt_dwarf_fixup);
    for (size_t i = 0; i < count; i++) {
        uint32_t offset;
        if (!find_written(pass, fixups[i].target, &offset))
            return rt_error_format(RT_USAGE, "%s at 0x%x refers to a DIE that was named and never added",
                                   rt_dwarf_section_name((enum rt_dwarf_section)fixups[i].section),
                                   fixups[i].place);
        if (fixups[i].kind == RT_DWARF_IN_UNIT_LEB && (offset - fixups[i].unit) >> 28)
            return rt_error_format(RT_UNSUPPORTED, "not supported: a unit of more than 256 MiB");
        store_reference(pass->out[fixups[i].section].bytes + fixups[i].place, offset, fixups[i].unit,
                        (enum rt_dwarf_reference_kind)fixups[i].kind);
    }
    return NULL;
}

/* ---- Writing one ---- */

uint32_t rt_dwarf_die_write(struct rt_dwarf_pass *pass, unsigned tag, bool has_children, uint32_t *code) {
    struct rt_dwarf_bytes *out = &pass->out[pass->section];
    const uint32_t offset = (uint32_t)out->size;
    pass->is_open = false;
    pass->stat->out.dies++;
    if (pass->budget->failed)
        return offset;
    RT_DWARF_ITEMS(&pass->key, uint32_t)[0] = tag << 1 | has_children;
    if (!*code || !has_key(pass, *code))
        *code = find_abbrev(pass);
    rt_dwarf_put_uleb(out, *code);
    const uint32_t start = (uint32_t)out->size;
    rt_dwarf_put(out, pass->values.bytes, pass->values.size);
    const size_t count = RT_DWARF_COUNT(&pass->die_fixups, struct rt_dwarf_fixup);
    for (size_t i = 0; i < count; i++) {
        struct rt_dwarf_fixup fixup = RT_DWARF_ITEMS(&pass->die_fixups, struct rt_dwarf_fixup)[i];
        fixup.place += start;
        fixup.section = (uint8_t)pass->section;
        rt_dwarf_put(&pass->fixups, &fixup, sizeof fixup);
    }
    return offset;
}

/* ---- Added DIEs ---- */

uint64_t rt_dwarf_new_name(struct rt_dwarf_pass *pass) {
    rt_dwarf_put_number(&pass->names, 0, 4);
    /* When memory is refused the name leads nowhere, and the pass ends. */
    return RT_DWARF_NEW | RT_DWARF_COUNT(&pass->names, uint32_t);
}

/* Writes the innermost added DIE, whose attributes are complete. */
static void write_added(struct rt_dwarf_pass *pass) {
    const size_t count = RT_DWARF_COUNT(&pass->added, struct rt_dwarf_added);
    struct rt_dwarf_added *added = RT_DWARF_ITEMS(&pass->added, struct rt_dwarf_added);
    if (count == 0 || added[count - 1].is_written || pass->budget->failed)
        return;
    uint32_t code = 0;
    added[count - 1].is_written = true;
    const uint32_t offset =
        rt_dwarf_die_write(pass, added[count - 1].tag, added[count - 1].has_children, &code);
    if (added[count - 1].name)
        RT_DWARF_ITEMS(&pass->names, uint32_t)[(added[count - 1].name & ~RT_DWARF_NEW) - 1] = offset;
}

void rt_dwarf_add_die(struct rt_dwarf_pass *pass, uint64_t name, unsigned tag, bool has_children) {
    const size_t count = RT_DWARF_COUNT(&pass->added, struct rt_dwarf_added);
    if ((pass->is_open && !pass->is_added) ||
        (count && !RT_DWARF_ITEMS(&pass->added, struct rt_dwarf_added)[count - 1].has_children)) {
        pass->misuse = "a DIE is added where none can be: while attributes are written, or below a leaf";
        return;
    }
    write_added(pass);
    rt_dwarf_die_begin(pass);
    pass->is_added = true;
    const struct rt_dwarf_added added = {.name = name, .tag = tag, .has_children = has_children};
    rt_dwarf_put(&pass->added, &added, sizeof added);
}

void rt_dwarf_add_end(struct rt_dwarf_pass *pass) {
    if (pass->added.size == 0) {
        pass->misuse = "an added DIE ends that did not begin";
        return;
    }
    write_added(pass);
    pass->added.size -= sizeof(struct rt_dwarf_added);
    const struct rt_dwarf_added *ended = (const void *)(pass->added.bytes + pass->added.size);
    if (ended->has_children)
        rt_dwarf_put_number(&pass->out[pass->section], 0, 1);
}
