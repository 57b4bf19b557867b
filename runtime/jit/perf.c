/* Files for perf. A map is a text file with a line for each function, for code that has no file (Linux,
 * tools/perf/Documentation/jit-interface.txt). A jitdump has functions with their code and lines, for
 * `perf inject --jit` (jitdump-specification.txt, there). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/frame_rules.h"
#include "runtime/jit/map.h"
#include "runtime/target.h"

/* ---- The map ---- */

struct rt_error *rt_perf_map_append(const struct rt_code_map *map, const char *path) {
    char usual[64];
    snprintf(usual, sizeof(usual), "/tmp/perf-%ld.map", (long)getpid());
    path = path ? path : usual;
    /* The folder is everybody's: somebody else's link there is not followed. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (!file) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return rt_error_os(errnum, "opening %s", path);
    }
    for (uint32_t i = 0; i < map->code->function_count; i++) {
        const struct rt_code_map_function *function = &map->functions[i];
        char name[RT_JIT_NAME_SIZE];
        fprintf(file, "%zx %zx %s\n", (size_t)function->range.low,
                (size_t)(function->range.high - function->range.low),
                rt_jit_name(map, function->function, name));
    }
    bool is_bad = ferror(file);
    is_bad |= fclose(file) != 0;
    return is_bad ? rt_error_os(errno, "writing %s", path) : NULL;
}

/* ---- The jitdump: opening and closing ---- */

enum { MAGIC = 0x4a695444, VERSION = 1, HEADER_SIZE = 40, PREFIX_SIZE = 16 };
enum { CODE_LOAD = 0, CODE_DEBUG_INFO = 2, CODE_CLOSE = 3 };

struct rt_jitdump {
    FILE *file;
    char *path;
    void *marker; /* the mapping that perf notices */
    size_t marker_size;
    uint64_t functions; /* so far */
    struct rt_buffer record;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time); /* what `perf record -k mono` has, too */
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void write_record(struct rt_jitdump *dump) {
    fwrite(dump->record.bytes, 1, dump->record.size, dump->file);
    dump->record.size = 0;
}

static struct rt_error *start(struct rt_jitdump *dump) {
    struct rt_buffer *record = &dump->record;
    if (!rt_buffer_reserve(record, HEADER_SIZE))
        return rt_error_out_of_memory();
    rt_put(record, MAGIC, 4);
    rt_put(record, VERSION, 4);
    rt_put(record, HEADER_SIZE, 4);
    rt_put(record, rt_target_host()->frame_rules->elf_machine, 4);
    rt_put(record, 0, 4);
    rt_put(record, (uint64_t)getpid(), 4);
    rt_put(record, now(), 8);
    rt_put(record, 0, 8); /* flags */
    write_record(dump);
    if (fflush(dump->file) != 0)
        return rt_error_os(errno, "writing %s", dump->path);
    dump->marker_size = (size_t)sysconf(_SC_PAGESIZE);
    dump->marker = mmap(NULL, dump->marker_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(dump->file), 0);
    if (dump->marker == MAP_FAILED) {
        dump->marker = NULL;
        return rt_error_os(errno, "mapping %s executable, as perf wants it", dump->path);
    }
    return NULL;
}

static void destroy(struct rt_jitdump *dump) {
    if (dump->file)
        fclose(dump->file);
    if (dump->marker)
        munmap(dump->marker, dump->marker_size);
    free(dump->record.bytes);
    free(dump->path);
    free(dump);
}

struct rt_error *rt_jitdump_create(const char *folder, struct rt_jitdump **ret) {
    if (!rt_target_host())
        return rt_error_format(RT_UNSUPPORTED, "not supported: a jitdump, where only the interpreter runs");
    struct rt_jitdump *dump = calloc(1, sizeof(*dump));
    if (!dump)
        return rt_error_out_of_memory();
    struct rt_error *error = NULL;
    if (asprintf(&dump->path, "%s/jit-%ld.dump", folder, (long)getpid()) < 0) {
        dump->path = NULL;
        error = rt_error_out_of_memory();
    } else if (!(dump->file = fopen(dump->path, "w+e"))) {
        error = rt_error_os(errno, "making %s", dump->path);
    }
    if (!error)
        error = start(dump);
    if (error) {
        destroy(dump);
        return error;
    }
    *ret = dump;
    return NULL;
}

/* The head of a record whose whole size is `size`; the caller has reserved that. */
static void put_prefix(struct rt_jitdump *dump, uint32_t id, size_t size) {
    rt_put(&dump->record, id, 4);
    rt_put(&dump->record, size, 4);
    rt_put(&dump->record, now(), 8);
}

struct rt_error *rt_jitdump_close(struct rt_jitdump *dump) {
    if (!dump)
        return NULL;
    struct rt_error *error = NULL;
    if (rt_buffer_reserve(&dump->record, PREFIX_SIZE)) {
        put_prefix(dump, CODE_CLOSE, PREFIX_SIZE);
        write_record(dump);
    }
    if (fflush(dump->file) != 0 || ferror(dump->file))
        error = rt_error_os(errno, "writing %s", dump->path);
    destroy(dump);
    return error;
}

/* ---- Functions ---- */

/* The line of a pc; NULL when none is before it. */
static const struct rt_perf_line *line_at(const struct rt_perf_line *lines, size_t count, uint32_t pc) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lines[middle].pc <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &lines[low - 1] : NULL;
}

static void put_line(struct rt_buffer *record, uintptr_t machine, const struct rt_perf_line *line) {
    rt_put(record, machine, 8);
    rt_put(record, line->line, 4);
    rt_put(record, 0, 4); /* discriminator */
    rt_put_bytes(record, line->file, strlen(line->file) + 1);
}

/* Lines of a function, one entry wherever the line changes, and one at its last byte: perf makes a line table
 * of them that ends at the last entry. */
static struct rt_error *add_lines(struct rt_jitdump *dump, const struct rt_code_map *map,
                                  const struct rt_code_map_function *function,
                                  const struct rt_perf_line *lines, size_t line_count) {
    const struct rt_code_map_entry *entries;
    size_t count;
    struct rt_arena arena;
    rt_arena_init(&arena, 0);
    struct rt_error *error = rt_code_map_entries(map, function->function, &arena, &entries, &count);
    const struct rt_perf_line **changes = error ? NULL : rt_arena_array(&arena, count, sizeof(*changes));
    if (!error && !changes)
        error = rt_error_out_of_memory();
    size_t size = PREFIX_SIZE + 16, changed = 0;
    uintptr_t end = function->range.high - 1, last_machine = 0;
    const struct rt_perf_line *last = NULL;
    for (size_t i = 0; i < count && !error; i++) {
        const struct rt_perf_line *line = line_at(lines, line_count, entries[i].pc);
        if (!line || !line->line || (last && last->line == line->line && strcmp(last->file, line->file) == 0))
            continue;
        size += 16 + strlen(line->file) + 1;
        changes[i] = last = line;
        last_machine = entries[i].machine;
        changed++;
    }
    if (last && last_machine < end)
        size += 16 + strlen(last->file) + 1;
    else
        last = NULL;
    if (!error && changed && size > UINT32_MAX)
        error = rt_error_format(RT_UNSUPPORTED, "not supported: %zu bytes of lines for one function", size);
    if (!error && changed && !rt_buffer_reserve(&dump->record, size))
        error = rt_error_out_of_memory();
    if (!error && changed) {
        put_prefix(dump, CODE_DEBUG_INFO, size);
        rt_put(&dump->record, function->range.low, 8);
        rt_put(&dump->record, changed + (last != NULL), 8);
        for (size_t i = 0; i < count; i++) {
            if (changes[i])
                put_line(&dump->record, entries[i].machine, changes[i]);
        }
        if (last)
            put_line(&dump->record, end, last);
        write_record(dump);
    }
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *add_function(struct rt_jitdump *dump, const struct rt_code_map *map,
                                     const struct rt_code_map_function *function) {
    struct rt_buffer *record = &dump->record;
    char name[RT_JIT_NAME_SIZE];
    size_t name_size = strlen(rt_jit_name(map, function->function, name)) + 1;
    size_t code_size = function->range.high - function->range.low;
    size_t size = PREFIX_SIZE + 40 + name_size + code_size;
    if (size > UINT32_MAX)
        return rt_error_format(RT_UNSUPPORTED, "not supported: a function of %zu bytes", code_size);
    if (!rt_buffer_reserve(record, size))
        return rt_error_out_of_memory();
    put_prefix(dump, CODE_LOAD, size);
    rt_put(record, (uint64_t)getpid(), 4);
    rt_put(record, (uint64_t)syscall(SYS_gettid), 4);
    rt_put(record, function->range.low, 8);
    rt_put(record, function->range.low, 8);
    rt_put(record, code_size, 8);
    rt_put(record, dump->functions++, 8);
    rt_put_bytes(record, name, name_size);
    rt_put_bytes(record, (const void *)function->range.low, code_size);
    write_record(dump);
    return NULL;
}

struct rt_error *rt_jitdump_add(struct rt_jitdump *dump, const struct rt_code_map *map,
                                const struct rt_perf_line *lines, size_t line_count) {
    struct rt_error *error = NULL;
    for (uint32_t i = 0; i < map->code->function_count && !error; i++) {
        /* What describes a function comes before it. */
        if (line_count)
            error = add_lines(dump, map, &map->functions[i], lines, line_count);
        if (!error)
            error = add_function(dump, map, &map->functions[i]);
    }
    if (!error && fflush(dump->file) != 0)
        error = rt_error_os(errno, "writing %s", dump->path);
    return error;
}
