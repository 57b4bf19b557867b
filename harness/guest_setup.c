/* A seed's setup: the entries that each has, with contents, arguments and environment that vary. */
#include "harness/guest_setup.h"

#include "harness/buffer.h"
#include "harness/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { MOST_WIDE = 60, MOST_WORDS = 9 };

/* The seed's numbers here are not those of its program. */
static const uint64_t stream = 0x5e7u;

/* ---- What there is ---- */

/* generate_wasi_template.c has the names of these that programs use. */
static const struct {
    enum hx_guest_kind kind;
    const char *path, *target;
    size_t most; /* bytes of a file */
} fixed[] = {
    {HX_GUEST_FOLDER, HX_GUEST_ROOT, NULL, 0},
    {HX_GUEST_FILE, HX_GUEST_ROOT "/notes.txt", NULL, 900},
    {HX_GUEST_FILE, HX_GUEST_ROOT "/data.bin", NULL, 70000},
    {HX_GUEST_FILE, HX_GUEST_ROOT "/empty", NULL, 0},
    {HX_GUEST_FOLDER, HX_GUEST_ROOT "/deep", NULL, 0},
    {HX_GUEST_FILE, HX_GUEST_ROOT "/deep/inner.txt", NULL, 300},
    {HX_GUEST_FOLDER, HX_GUEST_ROOT "/deep/deeper", NULL, 0},
    {HX_GUEST_FILE, HX_GUEST_ROOT "/deep/deeper/leaf", NULL, 9000},
    {HX_GUEST_LINK, HX_GUEST_ROOT "/link", "notes.txt", 0},
    {HX_GUEST_LINK, HX_GUEST_ROOT "/through", "deep", 0},
    {HX_GUEST_LINK, HX_GUEST_ROOT "/dangling", "nowhere", 0},
    {HX_GUEST_LINK, HX_GUEST_ROOT "/round", "round", 0},
    {HX_GUEST_LINK, HX_GUEST_ROOT "/outward", "../outside", 0},
    {HX_GUEST_FOLDER, HX_GUEST_EXTRA, NULL, 0},
    {HX_GUEST_FILE, HX_GUEST_EXTRA "/spare.bin", NULL, 2000},
    {HX_GUEST_FOLDER, HX_GUEST_EXTRA "/box", NULL, 0},
    {HX_GUEST_FILE, HX_GUEST_INPUT, NULL, 3000},
    {HX_GUEST_FILE, "outside", NULL, 100}, /* no guest may read it */
    {HX_GUEST_FOLDER, HX_GUEST_ROOT "/wide", NULL, 0},
};

/* Lines of words and numbers, so that what reads lines and numbers finds some. */
static char *make_text(struct hx_random *random, struct rt_arena *arena, size_t most, size_t *ret_size) {
    size_t size = most > 0 ? hx_random_below(random, (uint32_t)most + 1) : 0;
    char *text = rt_arena_array(arena, size + 1, 1);

    for (size_t i = 0; text && i < size; i++) {
        uint32_t kind = hx_random_below(random, 40);
        text[i] = (char)(kind == 0   ? '\n'
                         : kind < 6  ? ' '
                         : kind < 14 ? '0' + hx_random_below(random, 10)
                                     : 'a' + hx_random_below(random, 26));
    }
    *ret_size = size;
    return text;
}

static bool add_entries(struct hx_random *random, struct hx_guest_setup *setup) {
    uint32_t wide = hx_random_between(random, 6, MOST_WIDE);

    setup->entries = rt_arena_array(&setup->arena, COUNT(fixed) + wide, sizeof *setup->entries);
    if (!setup->entries)
        return false;
    for (size_t i = 0; i < COUNT(fixed) + wide; i++) {
        struct hx_guest_entry *entry = &setup->entries[i];
        if (i < COUNT(fixed))
            *entry = (struct hx_guest_entry){fixed[i].kind, fixed[i].path, fixed[i].target, 0};
        else
            *entry = (struct hx_guest_entry){.kind = HX_GUEST_FILE,
                                             .path = rt_arena_printf(&setup->arena, HX_GUEST_ROOT "/wide/e%u",
                                                                     (unsigned)(i - COUNT(fixed)))};
        if (entry->kind == HX_GUEST_FILE)
            entry->bytes =
                make_text(random, &setup->arena, i < COUNT(fixed) ? fixed[i].most : 40, &entry->size);
        if (!entry->path || (entry->kind != HX_GUEST_FOLDER && !entry->bytes))
            return false;
    }
    setup->entry_count = COUNT(fixed) + wide;
    return true;
}

static bool add_words(struct hx_random *random, uint64_t seed, struct hx_guest_setup *setup) {
    static const char *const words[] = {
        "", "one", "--flag", "a longer argument", "-x=3", "\xc3\xa9t\xc3\xa9", "7", "."};
    static const char *const variables[] = {"HOME=/", "LANG=C.UTF-8",
                                            "EMPTY=", "LONG=0123456789012345678901234567890"};

    setup->args = rt_arena_array(&setup->arena, MOST_WORDS, sizeof *setup->args);
    setup->env = rt_arena_array(&setup->arena, COUNT(variables) + 1, sizeof *setup->env);
    if (!setup->args || !setup->env)
        return false;
    setup->args[setup->arg_count++] = "program";
    for (uint32_t left = hx_random_below(random, MOST_WORDS); left > 0; left--)
        setup->args[setup->arg_count++] = words[hx_random_below(random, COUNT(words))];
    setup->env[setup->env_count++] = rt_arena_printf(&setup->arena, "SEED=%llu", (unsigned long long)seed);
    for (size_t i = 0; i < COUNT(variables); i++)
        if (hx_random_chance(random, 70))
            setup->env[setup->env_count++] = variables[i];
    return setup->env[0] != NULL;
}

struct rt_error *hx_guest_setup_create(uint64_t seed, struct hx_guest_setup *ret) {
    struct hx_random random = {seed ^ stream << 48};

    *ret = (struct hx_guest_setup){0};
    rt_arena_init(&ret->arena, 0);
    if (add_entries(&random, ret) && add_words(&random, seed, ret))
        return NULL;
    hx_guest_setup_clear(ret);
    return rt_error_out_of_memory();
}

void hx_guest_setup_clear(struct hx_guest_setup *setup) {
    rt_arena_clear(&setup->arena);
}

/* ---- Making it ---- */

struct rt_error *hx_guest_setup_make(const struct hx_guest_setup *setup, const char *folder) {
    static const struct timespec times[2] = {{1000000000, 0}, {1100000000, 0}};
    char path[512];
    struct rt_error *error = NULL;

    for (size_t i = 0; i < setup->entry_count && !error; i++) {
        const struct hx_guest_entry *entry = &setup->entries[i];
        bool failed = false;
        snprintf(path, sizeof path, "%s/%s", folder, entry->path);
        switch (entry->kind) {
        case HX_GUEST_FOLDER: failed = mkdir(path, 0755) != 0; break;
        case HX_GUEST_LINK: failed = symlink(entry->bytes, path) != 0; break;
        case HX_GUEST_FILE: error = hx_file_write(path, entry->bytes, entry->size, 0644); break;
        }
        if (failed)
            error = rt_error_os(errno, "cannot make %s", path);
    }
    /* A folder's times change with what is made in it, so they are set from the last entry on. */
    for (size_t i = setup->entry_count; i-- > 0 && !error;) {
        snprintf(path, sizeof path, "%s/%s", folder, setup->entries[i].path);
        if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) != 0)
            error = rt_error_os(errno, "cannot set the times of %s", path);
    }
    return error;
}

void hx_guest_setup_command(const struct hx_guest_setup *setup, const char *program, struct hx_buffer *ret) {
    /* No argument or variable has a quote in it. */
    hx_buffer_print(ret, "lockstep run '%s' --dir " HX_GUEST_ROOT "::/ --dir " HX_GUEST_EXTRA "::/extra",
                    program);
    for (size_t i = 0; i < setup->env_count; i++)
        hx_buffer_print(ret, " --env '%s'", setup->env[i]);
    hx_buffer_text(ret, " --");
    for (size_t i = 1; i < setup->arg_count; i++)
        hx_buffer_print(ret, " '%s'", setup->args[i]);
    hx_buffer_text(ret, " <" HX_GUEST_INPUT "\n");
}
