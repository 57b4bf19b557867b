/* Random modules by wasm-opt, and the modules of a folder. */
#include "harness/modules.h"

#include "harness/process.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What both engines have, of what this version of wasm-opt means by it: its reference types come with types
 * of the garbage collection proposal. */
static const char *const features[] = {
    "--enable-bulk-memory", "--enable-multivalue",      "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",    "--enable-mutable-globals", "--enable-simd"};

enum {
    SMALLEST = 256,
    LARGEST = 24 << 10, /* bytes of input: modules of up to some ten thousand instructions */
    TIME_LIMIT = 9000,
};

/* xorshift64*, seeded apart from its neighbours. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

static struct rt_error *write_input(const char *path, uint64_t seed) {
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15;
    uint8_t bytes[LARGEST];
    /* Small ones are as likely as large ones. */
    size_t size = SMALLEST << (next_random(&state) >> 32) % 7;

    size += next_random(&state) % size;
    if (size > LARGEST)
        size = LARGEST;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(next_random(&state) >> 56);
    return hx_file_write(path, bytes, size, 0600);
}

struct rt_error *hx_module_generate(const char *wasm_opt, uint64_t seed, const char *folder) {
    enum { FEATURES = sizeof features / sizeof *features };
    char path[512], how[128], complaint[240];
    const char *words[FEATURES + 8] = {wasm_opt,     "--quiet",  "--translate-to-fuzz",
                                       "random.bin", "--output", HX_WASM};
    struct hx_process process = {
        .argv = words, .directory = folder, .time_limit = TIME_LIMIT, .own_group = true};

    memcpy(&words[6], features, sizeof features);
    snprintf(path, sizeof path, "%s/random.bin", folder);
    struct rt_error *error = write_input(path, seed);
    if (!error)
        error = hx_process_run(&process, 1);
    if (!error && !hx_process_succeeded(&process))
        error = rt_error_format(RT_USAGE, "wasm-opt cannot make a module (%s): %s",
                                hx_process_describe(&process, how, sizeof how),
                                hx_process_complaint(&process, complaint, sizeof complaint));
    hx_process_clear(&process);
    return error;
}

/* ---- Folders ---- */

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_module(const FTSENT *entry) {
    size_t length = strlen(entry->fts_name);
    return entry->fts_info == FTS_F && length > 5 && strcmp(entry->fts_name + length - 5, ".wasm") == 0;
}

struct rt_error *hx_modules_list(const char *folder, struct rt_arena *arena, const char *const **ret,
                                 size_t *ret_count) {
    char *real = realpath(folder, NULL);
    char *const roots[] = {real, NULL};
    FTS *walk = real ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    const char **paths = NULL;
    size_t count = 0, capacity = 0;
    struct rt_error *error = walk ? NULL : rt_error_os(errno, "cannot open the folder %s", folder);

    for (FTSENT *entry; !error && (entry = fts_read(walk));) {
        if (!is_module(entry))
            continue;
        if (count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            const char **grown = rt_arena_array(arena, capacity, sizeof *grown);
            if (grown && count > 0)
                memcpy(grown, paths, count * sizeof *grown);
            paths = grown;
        }
        const char *copy = paths ? rt_arena_copy(arena, entry->fts_path, strlen(entry->fts_path)) : NULL;
        if (copy)
            paths[count++] = copy;
        else
            error = rt_error_out_of_memory();
    }
    if (walk)
        fts_close(walk);
    free(real);
    if (!error && count == 0)
        error = rt_error_format(RT_USAGE, "no *.wasm in the folder %s", folder);
    *ret = paths;
    *ret_count = count;
    return error;
}
