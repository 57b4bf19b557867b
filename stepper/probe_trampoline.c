/* Trampolines: the out-of-line code of native probes. It lives in blocks within reach of a jump from the
 * image's code, each mapped twice: once to run, once to write.
 *
 *   a single:  [site] displaced instruction; jmp back
 *   a jump's:  [site] lea -128(%rsp), %rsp; call *stub(%rip); displaced instructions; jmp back
 *
 * [site] is the address of the struct st_site, eight bytes before the code. */
#include "stepper/image.h"
#include "stepper/x86_64/inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 1 << 20,
    BLOCK_SIZE_LEAST = 1 << 14,
    LOWEST_ADDRESS = 1 << 20, /* below, the system maps nothing, or little */
    TRAMPOLINE_ALIGNMENT = 16,
    LEA_SIZE = 5, /* lea -128(%rsp), %rsp */
    CALL_SIZE = 6 /* call *disp32(%rip) */
};

struct st_trampolines {
    struct st_trampolines *next;
    uint8_t *run, *write; /* the two views; the first eight bytes hold the stub's address */
    size_t size, used;
    uint32_t *starts; /* offsets of the [site] words, ascending */
    size_t start_count, start_room;
};

/* ---- Blocks ---- */

/* Where a block of `size` bytes may lie in the unmapped [low, high): as near to the image's code as there is
 * room. The reach of a jump is 2 GiB; RIP-relative operands of the displaced code may name any of the image's
 * segments, so some is left over. 0: nowhere. */
static uintptr_t place_in(const struct st_image *image, uintptr_t low, uintptr_t high, size_t size) {
    const uintptr_t reach = (uintptr_t)1900 << 20;
    uintptr_t lowest = image->text_high > reach ? image->text_high - reach : LOWEST_ADDRESS;
    low = low > lowest ? low : lowest;
    if (low >= high || high - low < size) {
        return 0;
    }
    uintptr_t place = high <= image->text_low ? high - size : low;
    return place < image->text_low + reach - size ? place : 0;
}

/* The nearest such place of all; 0 when there is none. Reservations may leave little room around the code. */
static uintptr_t find_place(const struct st_image *image, size_t size) {
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4096 + 128];
    unsigned long low, high, end = 0;
    uintptr_t best = 0, best_distance = UINTPTR_MAX;
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx", &low, &high) != 2) {
            continue;
        }
        uintptr_t place = place_in(image, end, low, size);
        uintptr_t distance = place < image->text_low ? image->text_low - place : place - image->text_low;
        if (place != 0 && distance < best_distance) {
            best = place;
            best_distance = distance;
        }
        end = high;
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return best;
}

/* Maps `file` to run, as much of it as there is room for near the image's code. */
static uint8_t *map_near(const struct st_image *image, int file, size_t *ret_size) {
    for (size_t size = BLOCK_SIZE; size >= BLOCK_SIZE_LEAST; size /= 4) {
        void *place = (void *)find_place(image, size);
        void *run = place != NULL
                        ? mmap(place, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0)
                        : MAP_FAILED;
        if (run == place && place != NULL) {
            *ret_size = size;
            return run;
        }
        if (run != MAP_FAILED) { /* a kernel before 4.17 takes the address for a hint */
            munmap(run, size);
        }
    }
    return NULL;
}

static struct rt_error *add_block(struct st_image *image) {
    struct st_trampolines *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        return rt_error_out_of_memory();
    }
    struct rt_error *error = NULL;
    int file = memfd_create("lockstep-trampolines", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, BLOCK_SIZE) != 0) {
        error = rt_error_os(errno, "making memory for trampolines");
        goto out;
    }
    block->write = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (block->write == MAP_FAILED) {
        error = rt_error_os(errno, "mapping trampolines to write");
        goto out;
    }
    block->run = map_near(image, file, &block->size);
    if (block->run == NULL) {
        munmap(block->write, BLOCK_SIZE);
        error = rt_error_format(RT_OS, "no free memory within 2 GiB of the code of %s for trampolines",
                                image->path);
        goto out;
    }
    uint64_t stub = (uint64_t)(uintptr_t)st_inject_jump;
    memcpy(block->write, &stub, sizeof(stub));
    block->used = TRAMPOLINE_ALIGNMENT;
    block->next = image->trampolines;
    image->trampolines = block;
    block = NULL;
out:
    if (file >= 0) {
        close(file);
    }
    free(block);
    return error;
}

void st_trampolines_destroy(struct st_image *image) {
    while (image->trampolines != NULL) {
        struct st_trampolines *block = image->trampolines;
        image->trampolines = block->next;
        munmap(block->run, block->size);
        munmap(block->write, BLOCK_SIZE);
        free(block->starts);
        free(block);
    }
}

/* ---- Writing ---- */

/* Begins a trampoline of at most `size` bytes of code: puts the site's address before it and remembers where
 * it starts. Nothing is taken until finish(). */
static struct rt_error *begin(struct st_site *site, size_t size, struct st_emitter *ret) {
    struct st_image *image = site->image;
    size_t whole = sizeof(uint64_t) + size;
    if (image->trampolines == NULL || image->trampolines->size - image->trampolines->used < whole) {
        struct rt_error *error = add_block(image);
        if (error != NULL) {
            return error;
        }
    }
    struct st_trampolines *block = image->trampolines;
    if (block->start_count == block->start_room) {
        size_t room = block->start_room ? block->start_room * 2 : 64;
        uint32_t *starts = realloc(block->starts, room * sizeof(*starts));
        if (starts == NULL) {
            return rt_error_out_of_memory();
        }
        block->starts = starts;
        block->start_room = room;
    }
    uint64_t word = (uint64_t)(uintptr_t)site;
    memcpy(block->write + block->used, &word, sizeof(word));
    ret->next = block->write + block->used + sizeof(word);
    ret->end = ret->next + size;
    ret->address = (uint64_t)(uintptr_t)(block->run + block->used + sizeof(word));
    return NULL;
}

static void finish(struct st_image *image, const struct st_emitter *out) {
    struct st_trampolines *block = image->trampolines;
    block->starts[block->start_count++] = (uint32_t)block->used;
    size_t used = (size_t)(out->next - block->write);
    block->used = (used + TRAMPOLINE_ALIGNMENT - 1) & ~(size_t)(TRAMPOLINE_ALIGNMENT - 1);
}

static bool falls_through(const struct st_instruction *instruction) {
    return instruction->flow == ST_FLOW_NEXT || instruction->flow == ST_FLOW_BRANCH;
}

static bool emit_return(struct st_emitter *out, const struct st_instruction *last) {
    return !falls_through(last) || st_emit_jump(out, last->address + last->length);
}

struct rt_error *st_trampoline_single(struct st_site *site, const struct st_instruction *instruction,
                                      uintptr_t *ret) {
    struct st_emitter out;
    *ret = 0;
    struct rt_error *error = begin(site, ST_RELOCATED_MAX + ST_JUMP_SIZE, &out);
    if (error != NULL) {
        return error;
    }
    uintptr_t start = out.address;
    if (st_instruction_relocate(instruction, &out) && emit_return(&out, instruction)) {
        finish(site->image, &out);
        *ret = start;
    }
    return NULL;
}

static void emit_entry(const struct st_trampolines *block, struct st_emitter *out) {
    uint8_t entry[LEA_SIZE + CALL_SIZE] = {0x48, 0x8d, 0x64, 0x24, 0x80, 0xff, 0x15};
    int32_t stub = (int32_t)((int64_t)(uintptr_t)block->run - (int64_t)(out->address + sizeof(entry)));
    memcpy(entry + LEA_SIZE + 2, &stub, sizeof(stub));
    memcpy(out->next, entry, sizeof(entry));
    out->next += sizeof(entry);
    out->address += sizeof(entry);
}

struct rt_error *st_trampoline_jump(struct st_site *site, const struct st_run *run,
                                    struct st_displaced **ret) {
    struct st_emitter out;
    *ret = NULL;
    struct st_displaced *displaced = rt_arena_alloc(&site->image->arena, sizeof(*displaced));
    if (displaced == NULL) {
        return rt_error_out_of_memory();
    }
    struct rt_error *error =
        begin(site, LEA_SIZE + CALL_SIZE + ST_RUN_MAX * ST_RELOCATED_MAX + ST_JUMP_SIZE, &out);
    if (error != NULL) {
        return error;
    }
    displaced->entry = out.address;
    displaced->length = (uint8_t)run->length;
    displaced->count = (uint8_t)run->count;
    emit_entry(site->image->trampolines, &out);
    for (unsigned i = 0; i < run->count; i++) {
        const struct st_instruction *instruction = &run->instructions[i];
        displaced->offsets[i] = (uint8_t)(instruction->address - site->address);
        displaced->copies[i] = out.address;
        if (!st_instruction_relocate(instruction, &out)) {
            return NULL;
        }
    }
    if (emit_return(&out, &run->instructions[run->count - 1])) {
        finish(site->image, &out);
        *ret = displaced;
    }
    return NULL;
}

/* ---- Looking up ---- */

struct st_site *st_trampoline_site(uintptr_t back) {
    return *(struct st_site **)(back - CALL_SIZE - LEA_SIZE - sizeof(uint64_t));
}

static const struct st_trampolines *block_at(const struct st_image *image, uintptr_t pc) {
    const struct st_trampolines *block = image->trampolines;
    while (block != NULL && pc - (uintptr_t)block->run >= block->size) {
        block = block->next;
    }
    return block;
}

uintptr_t st_trampoline_original(const struct st_image *image, uintptr_t pc, uint64_t *ret_stack) {
    *ret_stack = 0;
    const struct st_trampolines *block = block_at(image, pc);
    if (block == NULL) {
        return 0;
    }
    size_t low = 0, high = block->start_count; /* the last start at or below pc is low - 1 */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)block->run + block->starts[middle] <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return 0;
    }
    uintptr_t start = (uintptr_t)block->run + block->starts[low - 1];
    const struct st_site *site = *(struct st_site *const *)start;
    uintptr_t code = start + sizeof(uint64_t);
    const struct st_displaced *run = NULL;
    for (unsigned i = 0; i < ST_REACH_COUNT; i++) {
        run = site->runs[i] != NULL && site->runs[i]->entry == code ? site->runs[i] : run;
    }
    if (run == NULL) { /* the single instruction */
        return site->address;
    }
    if (pc == code + LEA_SIZE) {
        *ret_stack = ST_RED_ZONE; /* the call had no room for its return address */
    }
    uintptr_t original = site->address;
    for (unsigned i = 0; i < run->count && run->copies[i] <= pc; i++) {
        original = site->address + run->offsets[i];
    }
    return original;
}
