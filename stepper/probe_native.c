/* Native probes: which sites there are, what form each takes, and patching them into the image's code all at
 * once. */
#include "stepper/image.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TRAP_OPCODE = 0xcc, JUMP_OPCODE = 0xe9, SHORT_JUMP_OPCODE = 0xeb };

/* ---- The table of sites ---- */

static size_t slot_of(const struct st_image *image, uintptr_t address) {
    return (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (image->site_slots - 1);
}

/* Runs in signal handlers: only reads. */
struct st_site *st_site_find(const struct st_image *image, uintptr_t address) {
    if (image->site_slots == 0) {
        return NULL;
    }
    size_t slot = slot_of(image, address);
    while (image->sites[slot] != NULL && image->sites[slot]->address != address) {
        slot = (slot + 1) & (image->site_slots - 1);
    }
    return image->sites[slot];
}

static void insert_site(struct st_image *image, struct st_site *site) {
    size_t slot = slot_of(image, site->address);
    while (image->sites[slot] != NULL) {
        slot = (slot + 1) & (image->site_slots - 1);
    }
    image->sites[slot] = site;
}

static struct rt_error *grow_sites(struct st_image *image) {
    size_t slots = image->site_slots ? image->site_slots * 2 : 256;
    struct st_site **table = calloc(slots, sizeof(struct st_site *));
    if (table == NULL) {
        return rt_error_out_of_memory();
    }
    struct st_site **old = image->sites;
    size_t old_slots = image->site_slots;
    image->sites = table;
    image->site_slots = slots;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i] != NULL) {
            insert_site(image, old[i]);
        }
    }
    free(old);
    return NULL;
}

/* The site at an address, made when there is code that can be displaced; else *ret is NULL. */
static struct rt_error *site_at(struct st_image *image, uintptr_t address, struct st_site **ret) {
    *ret = st_site_find(image, address);
    if (*ret != NULL) {
        return NULL;
    }
    struct st_instruction instruction;
    if (!st_image_is_text(image, address) || !st_code_instruction(image, address, &instruction) ||
        instruction.is_fixed) {
        return NULL;
    }
    if (image->site_count * 2 >= image->site_slots) {
        struct rt_error *error = grow_sites(image);
        if (error != NULL) {
            return error;
        }
    }
    struct st_site *site = rt_arena_alloc(&image->arena, sizeof(*site));
    if (site == NULL) {
        return rt_error_out_of_memory();
    }
    site->address = address;
    site->image = image;
    insert_site(image, site);
    image->site_count++;
    *ret = site;
    return NULL;
}

/* ---- Forms ---- */

static const unsigned reach_sizes[ST_REACH_COUNT] = {ST_SHORT_JUMP_SIZE, ST_JUMP_SIZE, 2 * ST_JUMP_SIZE};

/* The run that a jump of this reach displaces at the site, made if need be; NULL when there is none, or it
 * would cover `next`, the next probe. */
static struct rt_error *find_run(struct st_site *site, enum st_reach reach, uintptr_t next,
                                 struct st_displaced **ret) {
    if (!(site->tried & 1u << reach)) {
        struct st_run run;
        if (st_code_run(site->image, site->address, reach_sizes[reach], &run)) {
            struct rt_error *error = st_trampoline_jump(site, &run, &site->runs[reach]);
            if (error != NULL) {
                return error;
            }
        }
        site->tried |= (uint8_t)(1u << reach);
    }
    struct st_displaced *run = site->runs[reach];
    *ret = run != NULL && run->length <= next - site->address ? run : NULL;
    return NULL;
}

/* A jump where it fits, else a trap. */
static struct rt_error *choose_form(struct st_site *site, uintptr_t next, bool prefer_traps) {
    site->wanted = (struct st_patch){.form = ST_PROBE_TRAP};
    site->is_host = false;
    if (!prefer_traps) {
        struct rt_error *error = find_run(site, ST_REACH_NEAR, next, &site->wanted.run);
        if (error != NULL || site->wanted.run != NULL) {
            site->wanted.form = ST_PROBE_JUMP;
            return error;
        }
    }
    struct st_instruction instruction;
    if (site->single == 0 && st_code_instruction(site->image, site->address, &instruction)) {
        struct rt_error *error = st_trampoline_single(site, &instruction, &site->single);
        if (error != NULL) {
            return error;
        }
    }
    site->wanted.form = site->single != 0 ? ST_PROBE_TRAP : ST_PROBE_NONE;
    return NULL;
}

/* A set of sites under way: ascending, those without code left out. */
struct site_set {
    struct st_site **sites;
    size_t count;
};

static uintptr_t next_of(const struct site_set *set, size_t index) {
    return index + 1 < set->count ? set->sites[index + 1]->address : UINTPTR_MAX;
}

/* Makes site `index` the host of an island for a short jump at `from`, when its own jump can be made wide and
 * the island lies within reach. */
static struct rt_error *try_host(const struct site_set *set, size_t index, uintptr_t from, uintptr_t *ret) {
    struct st_site *host = set->sites[index];
    intptr_t distance = (intptr_t)(host->address + ST_JUMP_SIZE) - (intptr_t)(from + ST_SHORT_JUMP_SIZE);
    if (host->is_host || host->wanted.form != ST_PROBE_JUMP || host->wanted.island != 0 ||
        distance < INT8_MIN || distance > INT8_MAX) {
        return NULL;
    }
    struct st_displaced *run;
    struct rt_error *error = find_run(host, ST_REACH_WIDE, next_of(set, index), &run);
    if (error == NULL && run != NULL) {
        host->wanted.run = run;
        host->is_host = true;
        *ret = host->address + ST_JUMP_SIZE;
    }
    return error;
}

/* Turns a trap into a short jump, if there is a host near enough. Most statements that are too short for a
 * jump, as the jump that ends a loop's body or a function's epilogue, have one. */
static struct rt_error *try_island(const struct site_set *set, size_t index) {
    struct st_site *site = set->sites[index];
    struct st_displaced *run;
    struct rt_error *error = find_run(site, ST_REACH_SHORT, next_of(set, index), &run);
    uintptr_t island = 0;
    for (size_t distance = 1; error == NULL && run != NULL && island == 0; distance++) {
        enum { FARTHEST = 256 };
        bool is_below = distance <= index && site->address - set->sites[index - distance]->address < FARTHEST;
        bool is_above =
            index + distance < set->count && set->sites[index + distance]->address - site->address < FARTHEST;
        if (!is_below && !is_above) {
            return NULL;
        }
        if (is_below) {
            error = try_host(set, index - distance, site->address, &island);
        }
        if (is_above && island == 0 && error == NULL) {
            error = try_host(set, index + distance, site->address, &island);
        }
    }
    if (island != 0) {
        site->wanted = (struct st_patch){.form = ST_PROBE_JUMP, .run = run, .island = island};
    }
    return error;
}

static struct rt_error *choose_forms(const struct site_set *set, bool prefer_traps) {
    struct rt_error *error = NULL;
    for (size_t i = 0; i < set->count && error == NULL; i++) {
        error = choose_form(set->sites[i], next_of(set, i), prefer_traps);
    }
    for (size_t i = 0; i < set->count && error == NULL && !prefer_traps; i++) {
        if (set->sites[i]->wanted.form == ST_PROBE_TRAP) {
            error = try_island(set, i);
        }
    }
    return error;
}

/* ---- Patching ---- */

static bool is_settled(const struct st_site *site) {
    return site->now.form == site->wanted.form && site->now.run == site->wanted.run &&
           site->now.island == site->wanted.island;
}

/* Makes the code in [low, high) writable, or what it was. 0, or errno. */
static int protect(const struct st_image *image, uintptr_t low, uintptr_t high, bool is_writable) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct st_segment *segment = &image->segments[i];
        uintptr_t from = segment->low > low ? segment->low : low;
        uintptr_t to = segment->high < high ? segment->high : high;
        if (!segment->is_executable || from >= to) {
            continue;
        }
        from &= ~page;
        to = (to + page) & ~page;
        if (mprotect((void *)from, to - from, is_writable ? PROT_READ | PROT_WRITE : segment->protection) !=
            0) {
            return errno;
        }
    }
    return 0;
}

static struct rt_error *protect_or_say(const struct st_image *image, uintptr_t low, uintptr_t high,
                                       bool is_writable) {
    int errnum = protect(image, low, high, is_writable);
    return errnum == 0 ? NULL : rt_error_os(errnum, "changing the protection of the code of %s", image->path);
}

/* An island goes with its host, whose patch changes when it stops being one. */
static void restore(const struct st_site *site) {
    size_t size = site->now.form == ST_PROBE_JUMP ? site->now.run->length : site->now.form == ST_PROBE_TRAP;
    memcpy((void *)site->address, site->image->text + (site->address - site->image->text_low), size);
}

/* A block of trampolines lies within reach, or st_trampoline_jump had failed to jump back. */
static void write_jump(uintptr_t at, uintptr_t target) {
    int32_t displacement = (int32_t)((int64_t)target - (int64_t)(at + ST_JUMP_SIZE));
    *(uint8_t *)at = JUMP_OPCODE;
    memcpy((uint8_t *)at + 1, &displacement, sizeof(displacement));
}

static void patch(const struct st_site *site, const struct st_patch *what) {
    uint8_t *code = (uint8_t *)site->address;
    if (what->form == ST_PROBE_TRAP) {
        code[0] = TRAP_OPCODE;
    } else if (what->island != 0) {
        code[0] = SHORT_JUMP_OPCODE;
        code[1] = (uint8_t)(what->island - (site->address + ST_SHORT_JUMP_SIZE));
        write_jump(what->island, what->run->entry);
    } else if (what->form == ST_PROBE_JUMP) {
        write_jump(site->address, what->run->entry);
    }
}

/* Another view of the same memory was written: the processor must forget what it fetched ahead. */
static void serialize(void) {
    uint32_t eax, ebx, ecx, edx;
    __cpuid(0, eax, ebx, ecx, edx);
    (void)eax, (void)ebx, (void)ecx, (void)edx;
}

struct code_span {
    uintptr_t low, high;
};

static void widen(const struct st_site *site, struct code_span *span) {
    /* No patch is longer; an island lies within its host's, before or behind the site. */
    uintptr_t end = site->address + ST_RUN_MAX + sizeof(((struct st_instruction *)0)->bytes);
    uintptr_t low = site->address, island = site->wanted.island;
    if (island != 0) {
        low = island < low ? island : low;
        end = island + ST_JUMP_SIZE > end ? island + ST_JUMP_SIZE : end;
    }
    end = end < site->image->text_high ? end : site->image->text_high;
    span->low = low < span->low ? low : span->low;
    span->high = end > span->high ? end : span->high;
}

/* Brings each site of the old and the new set to what is wanted of it, with the code's protection switched
 * twice. */
static struct rt_error *apply(struct st_image *image, const struct site_set *set) {
    struct code_span span = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < image->enabled_count; i++) {
        if (!is_settled(image->enabled[i])) {
            widen(image->enabled[i], &span);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!is_settled(set->sites[i])) {
            widen(set->sites[i], &span);
        }
    }
    if (span.low >= span.high) {
        return NULL;
    }
    /* Islands are written again: a host that changes puts its original bytes over them first. */
    for (size_t i = 0; i < set->count; i++) {
        if (set->sites[i]->wanted.island != 0) {
            widen(set->sites[i], &span);
        }
    }
    struct rt_error *error = protect_or_say(image, span.low, span.high, true);
    if (error != NULL) {
        return error;
    }
    /* First all that goes: what comes may cover the same bytes. */
    for (size_t i = 0; i < image->enabled_count; i++) {
        struct st_site *site = image->enabled[i];
        if (!is_settled(site)) {
            restore(site);
            site->now = (struct st_patch){.form = ST_PROBE_NONE};
        }
    }
    /* Hosts before the islands on them. */
    for (int islands = 0; islands < 2; islands++) {
        for (size_t i = 0; i < set->count; i++) {
            struct st_site *site = set->sites[i];
            bool has_island = site->wanted.island != 0;
            if (has_island == islands && (has_island || !is_settled(site))) {
                patch(site, &site->wanted);
                site->now = site->wanted;
            }
        }
    }
    serialize();
    return protect_or_say(image, span.low, span.high, false);
}

/* ---- Lifting ---- */

static bool covers(const struct st_site *site, uintptr_t address) {
    size_t size = site->now.form == ST_PROBE_JUMP ? site->now.run->length : site->now.form == ST_PROBE_TRAP;
    return address - site->address < size;
}

/* Of the enabled site, and of those whose islands go with it. */
static void lift_site(const struct st_image *image, struct st_site *site, struct code_span *span) {
    site->is_lifted = true;
    widen(site, span);
    for (size_t i = 0; i < image->enabled_count; i++) {
        struct st_site *other = image->enabled[i];
        if (other->now.island != 0 && other != site && covers(site, other->now.island)) {
            other->is_lifted = true;
            widen(other, span);
        }
    }
}

void st_image_lift(struct st_image *image, uintptr_t address) {
    struct code_span span = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < image->enabled_count; i++) {
        if (covers(image->enabled[i], address)) {
            lift_site(image, image->enabled[i], &span);
        }
    }
    if (span.low >= span.high || protect(image, span.low, span.high, true) != 0) {
        return;
    }
    for (size_t i = 0; i < image->enabled_count; i++) {
        if (image->enabled[i]->is_lifted) {
            restore(image->enabled[i]);
        }
    }
    serialize();
    (void)protect(image, span.low, span.high, false);
    image->is_lifted = true;
}

void st_image_lower(struct st_image *image) {
    struct code_span span = {UINTPTR_MAX, 0};
    if (!image->is_lifted) {
        return;
    }
    for (size_t i = 0; i < image->enabled_count; i++) {
        if (image->enabled[i]->is_lifted) {
            widen(image->enabled[i], &span);
        }
    }
    if (protect(image, span.low, span.high, true) != 0) {
        return;
    }
    for (int islands = 0; islands < 2; islands++) { /* hosts before the islands on them */
        for (size_t i = 0; i < image->enabled_count; i++) {
            struct st_site *site = image->enabled[i];
            if (site->is_lifted && (site->now.island != 0) == islands) {
                patch(site, &site->now);
                site->is_lifted = false;
            }
        }
    }
    serialize();
    (void)protect(image, span.low, span.high, false);
    image->is_lifted = false;
}

static void want_what_is(struct st_site *const *sites, size_t count) {
    for (size_t i = 0; i < count; i++) {
        sites[i]->wanted = sites[i]->now;
    }
}

struct rt_error *st_image_set_probes(struct st_image *image, struct st_probe *probes, size_t count,
                                     bool prefer_traps) {
    struct site_set set = {calloc(count ? count : 1, sizeof(struct st_site *)), 0};
    if (set.sites == NULL) {
        return rt_error_out_of_memory();
    }
    struct rt_error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++) {
        struct st_site *site;
        error = site_at(image, (uintptr_t)probes[i].pc + image->bias, &site);
        if (error == NULL && site != NULL) {
            set.sites[set.count++] = site;
        }
    }
    for (size_t i = 0; i < image->enabled_count; i++) {
        image->enabled[i]->wanted = (struct st_patch){.form = ST_PROBE_NONE};
    }
    if (error == NULL) {
        error = choose_forms(&set, prefer_traps);
    }
    if (error == NULL) {
        error = apply(image, &set);
    }
    if (error != NULL) {
        /* The old set stays: nothing has been patched, or the code's memory is past help. */
        want_what_is(set.sites, set.count);
        want_what_is(image->enabled, image->enabled_count);
        free(set.sites);
        return error;
    }
    size_t made = 0;
    for (size_t i = 0, j = 0; i < count; i++) {
        bool has_site = j < set.count && set.sites[j]->address == (uintptr_t)probes[i].pc + image->bias;
        struct st_site *site = has_site ? set.sites[j++] : NULL;
        probes[i].made = site != NULL ? site->now.form : ST_PROBE_NONE;
        if (probes[i].made != ST_PROBE_NONE) {
            site->cookie = probes[i].cookie;
            site->kind = (uint8_t)probes[i].kind;
            set.sites[made++] = site;
        }
    }
    free(image->enabled);
    image->enabled = set.sites;
    image->enabled_count = made;
    return NULL;
}

/* ---- Going on ---- */

uintptr_t st_image_resume(const struct st_image *image, uintptr_t address) {
    for (uintptr_t before = 1; before < ST_RUN_MAX; before++) {
        const struct st_site *site = st_site_find(image, address - before);
        if (site == NULL || site->now.form != ST_PROBE_JUMP || before >= site->now.run->length) {
            continue;
        }
        for (unsigned i = 0; i < site->now.run->count; i++) {
            if (site->now.run->offsets[i] == before) {
                return site->now.run->copies[i];
            }
        }
        return 0;
    }
    return address;
}

uintptr_t st_site_resume(const struct st_site *site) {
    switch (site->now.form) {
    case ST_PROBE_JUMP: return site->now.run->copies[0];
    case ST_PROBE_TRAP: return site->single;
    default: return st_image_resume(site->image, site->address);
    }
}
