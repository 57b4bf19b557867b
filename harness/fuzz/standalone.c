/* A main() that runs a fuzz target over files and folders, with no fuzzer: for ctest, for debuggers, and for
 * coverage. It prints the name of each input before that runs, so that the last line names what crashed.
 *
 * Usage: replay_TARGET FILE|FOLDER...; exit status 2 when one cannot be read. */
#include "harness/fuzz/fuzz.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

/* The whole file, in memory of its very size, so that a sanitizer sees each byte read past it; NULL and errno
 * when it cannot be read. */
static uint8_t *read_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = file ? malloc(size ? size : 1) : NULL;
    if (bytes && fread(bytes, 1, size, file) != size) {
        free(bytes);
        bytes = NULL;
    }
    if (file)
        fclose(file);
    return bytes;
}

static int compare(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(int argc, char **argv) {
    size_t count = 0;
    bool is_readable = argc > 1;
    if (argc <= 1) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    FTS *walk = fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, compare);
    for (FTSENT *entry; walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
            continue;
        size_t size = entry->fts_info == FTS_F ? (size_t)entry->fts_statp->st_size : 0;
        uint8_t *bytes = entry->fts_info == FTS_F ? read_file(entry->fts_path, size) : NULL;
        if (!bytes) {
            fprintf(stderr, "replay: cannot read %s: %s\n", entry->fts_path,
                    strerror(entry->fts_errno ? entry->fts_errno : errno));
            is_readable = false;
            continue;
        }
        fprintf(stderr, "replay: %s\n", entry->fts_path);
        LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
        count++;
    }
    if (walk)
        fts_close(walk);
    fprintf(stderr, "replay: %zu inputs, nothing found\n", count);
    return is_readable && count > 0 ? 0 : 2;
}
