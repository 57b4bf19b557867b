/* What a program does when it runs, and what it never does. Each statement is counted in a build of its own,
 * natively and without debug information; what never runs can go all at once, and as soon as the finding has
 * shown the program may end, after which less of it runs. */
#include "harness/reduce_changes.h"

#include "harness/process.h"
#include "harness/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER   "counted"
#define COUNTED  "counted.c"
#define COUNTERS "counters.c"
#define COUNTS   "counts"
#define PROGRAM  "counted"

/* Milliseconds. */
enum { BUILD_LIMIT = 20000, RUN_LIMIT = 5000 };
/* A finding that shows at the so-many-th run of its statement; programs to try for the place of an end. */
enum { MOST_VISITS = 1 << 10, MAX_ENDS = 24 };

/* Linked to the program. The counts are in a file, so that they stay however the program ends. */
static const char counters[] =
    "#include <fcntl.h>\n"
    "#include <sys/mman.h>\n"
    "unsigned *lockstep_counts;\n"
    "__attribute__((constructor)) static void lockstep_open(void) {\n"
    "    int fd = open(\"" COUNTS "\", O_RDWR);\n"
    "    lockstep_counts = mmap(0, LOCKSTEP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);\n"
    "}\n";

struct statement {
    struct hx_unit unit;
    size_t place;    /* where the count is put in: past labels */
    size_t next;     /* the index of the one after it and all in it */
    size_t function; /* the index of its function's unit among the top-level ones */
    bool is_last;    /* of the function's body */
    unsigned count;
};

struct statements {
    const char *text;
    size_t size;
    struct statement *items;
    size_t count, capacity;
    bool failed;
};

/* Past "label:", which a conditional's colon does not look like: a word stands before it, at the begin. */
static size_t past_labels(const char *text, struct hx_range range) {
    size_t at = range.begin;

    for (;;) {
        size_t end = at;
        while (end < range.end && hx_is_word(text[end]))
            end++;
        const size_t colon = end + strspn(text + end, " \t\r\n");
        if (end == at || colon >= range.end || text[colon] != ':')
            return at;
        at = colon + 1;
        at += strspn(text + at, " \t\r\n");
    }
}

static void collect(struct statements *all, struct hx_range block, size_t function, bool is_body) {
    struct hx_unit unit, after;

    for (size_t at = block.begin; !all->failed && hx_unit_next(all->text, at, block.end, &unit);
         at = unit.range.end) {
        if (all->count == all->capacity) {
            const size_t capacity = 2 * all->capacity + 256;
            struct statement *grown = realloc(all->items, capacity * sizeof *grown);
            all->failed |= !grown;
            if (!grown)
                return;
            all->items = grown;
            all->capacity = capacity;
        }
        const size_t index = all->count++;
        all->items[index] = (struct statement){
            .unit = unit,
            .place = past_labels(all->text, unit.range),
            .function = function,
            .is_last = is_body && !hx_unit_next(all->text, unit.range.end, block.end, &after)};
        for (size_t i = 0; i < unit.block_count; i++)
            if (unit.is_code[i])
                collect(all, unit.blocks[i], function, false);
        all->items[index].next = all->count;
    }
}

static void collect_all(struct statements *all) {
    struct hx_unit unit;
    size_t function = 0;

    for (size_t at = 0; hx_unit_next(all->text, at, all->size, &unit); at = unit.range.end, function++)
        if (unit.block_count == 1 && unit.is_code[0])
            collect(all, unit.blocks[0], function, true);
}

/* ---- Counting ---- */

static struct rt_error *write_counted(const struct statements *all, const struct hx_temp *folder) {
    struct hx_edit *edits = calloc(all->count + 1, sizeof *edits);
    struct hx_buffer text = {0}, zeros = {0};
    struct rt_arena arena;
    struct rt_error *error = NULL;
    bool failed = !edits;

    rt_arena_init(&arena, 0);
    for (size_t i = 0; i < all->count && !failed; i++) {
        const char *count = rt_arena_printf(&arena, "lockstep_counts[%zu]++; ", i);
        failed = !count;
        edits[i] = (struct hx_edit){{all->items[i].place, all->items[i].place}, count};
        hx_buffer_append(&zeros, (const unsigned[]){0}, sizeof(unsigned));
    }
    hx_buffer_text(&text, "extern unsigned *lockstep_counts;\n");
    if (!failed)
        hx_edit(all->text, all->size, edits, all->count, &text);
    if (failed)
        error = rt_error_out_of_memory();
    if (!error)
        error = hx_buffer_write(&text, folder->path, COUNTED, 0644);
    if (!error)
        error = hx_buffer_write(&zeros, folder->path, COUNTS, 0644);
    hx_buffer_clear(&text);
    hx_buffer_clear(&zeros);
    rt_arena_clear(&arena);
    free(edits);
    return error;
}

static struct rt_error *run_counted(const struct hx_reduction *reduction, const struct hx_temp *folder,
                                    size_t count, bool *ret_built) {
    char size[64], program[512];
    const char *words[] = {reduction->sanitizing_cc,
                           size,
                           "-w",
                           "-fno-strict-float-cast-overflow", /* as in compile.c */
                           "-fuse-ld=lld",
                           COUNTED,
                           COUNTERS,
                           "-o",
                           PROGRAM,
                           reduction->setup.tools->csmith_include,
                           NULL};
    struct hx_process process = {.argv = words, .directory = folder->path, .time_limit = BUILD_LIMIT};

    snprintf(size, sizeof size, "-DLOCKSTEP_SIZE=%zu", count * sizeof(unsigned));
    struct rt_error *error = hx_process_run(&process, 1);
    *ret_built = !error && hx_process_succeeded(&process);
    hx_process_clear(&process);
    if (error || !*ret_built)
        return error;
    snprintf(program, sizeof program, "%s/" PROGRAM, folder->path);
    const char *argv[] = {program, NULL};
    process = (struct hx_process){.argv = argv, .directory = folder->path, .time_limit = RUN_LIMIT};
    error = hx_process_run(&process, 1);
    hx_process_clear(&process);
    return error;
}

/* Counts how often each statement runs; *ret says whether that is known. */
static struct rt_error *count_runs(struct hx_reduction *reduction, struct statements *all, bool *ret) {
    const size_t size = all->count * sizeof(unsigned);
    struct hx_temp folder = {0};
    struct hx_buffer counts = {0};
    char path[512];

    *ret = false;
    struct rt_error *error = hx_temp_folder(reduction->temp, FOLDER, &folder);
    if (!error)
        error = write_counted(all, &folder);
    snprintf(path, sizeof path, "%s/" COUNTERS, folder.path);
    if (!error)
        error = hx_file_write(path, counters, strlen(counters), 0644);
    if (!error)
        error = run_counted(reduction, &folder, all->count, ret);
    snprintf(path, sizeof path, "%s/" COUNTS, folder.path);
    if (!error && *ret)
        error = hx_file_read(path, size, &counts);
    *ret = *ret && !error && counts.size == size;
    for (size_t i = 0; *ret && i < all->count; i++)
        memcpy(&all->items[i].count, counts.bytes + i * sizeof(unsigned), sizeof(unsigned));
    hx_buffer_clear(&counts);
    hx_temp_remove(&folder);
    return error;
}

/* The best program's statements with their counts; *ret_any: one of them has run. */
static struct rt_error *count_best(struct hx_reduction *reduction, struct statements *ret, bool *ret_any) {
    *ret = (struct statements){.text = hx_buffer_string(&reduction->best), .size = reduction->best.size};
    collect_all(ret);
    *ret_any = false;
    if (ret->failed)
        return rt_error_out_of_memory();
    struct rt_error *error = ret->count > 0 ? count_runs(reduction, ret, ret_any) : NULL;
    bool any = false;
    for (size_t i = 0; i < ret->count; i++)
        any |= ret->items[i].count > 0;
    *ret_any = *ret_any && any;
    return error;
}

/* ---- What never runs ---- */

/* A label stays for the jumps to it. A function's last `return` has to stay, and what it names with it. */
static void collect_idle(const struct statements *all, struct hx_changes *changes) {
    size_t function = 0, i = 0;
    struct hx_unit unit;

    for (size_t at = 0; hx_unit_next(all->text, at, all->size, &unit); at = unit.range.end, function++) {
        if (i == all->count || all->items[i].function != function)
            continue;
        const char *body = all->items[i].count == 0 ? hx_zero_body(all->text, &unit, &changes->arena) : NULL;
        if (body && strlen(body) < unit.blocks[0].end - unit.blocks[0].begin)
            hx_change_add(changes, unit.blocks[0], body);
        while (i < all->count && all->items[i].function == function) {
            const struct statement *statement = &all->items[i];
            const struct hx_range range = statement->unit.range;
            const bool is_return = hx_word_is(all->text, range.begin, range.end, "return");
            const bool is_idle = statement->count == 0;
            if (!body && is_idle && statement->place > range.begin)
                hx_change_add(changes, (struct hx_range){statement->place, range.end}, ";");
            else if (!body && is_idle && !(statement->is_last && is_return))
                hx_change_add(changes, range, "");
            i = is_idle ? statement->next : i + 1;
        }
    }
}

struct rt_error *hx_reduce_idle(struct hx_reduction *reduction) {
    struct hx_changes changes;
    struct statements all;
    bool any;

    hx_changes_init(&changes);
    struct rt_error *error = count_best(reduction, &all, &any);
    if (!error && any) {
        collect_idle(&all, &changes);
        error = hx_changes_try(reduction, &changes, 1);
    }
    hx_changes_clear(&changes);
    free(all.items);
    return error;
}

/* ---- An early end ---- */

/* The innermost statement on a line; NULL when there is none. */
static const struct statement *find_statement(const struct statements *all, uint32_t line) {
    const struct statement *found = NULL;
    size_t begin = 0, end;

    for (uint32_t i = 1; i < line && begin < all->size; i++) {
        const char *newline = memchr(all->text + begin, '\n', all->size - begin);
        begin = newline ? (size_t)(newline - all->text) + 1 : all->size;
    }
    end = begin + strcspn(all->text + begin, "\n");
    begin += strspn(all->text + begin, " \t");
    for (size_t i = 0; i < all->count && line > 0; i++)
        if (all->items[i].unit.range.begin < end && all->items[i].unit.range.end > begin)
            found = &all->items[i];
    return found;
}

/* The program that ends at a place when that is reached for the so-many-th time. */
static void end_at(const struct statements *all, size_t place, unsigned visits, struct hx_buffer *ret) {
    char end[128] = " exit(0);";
    struct hx_edit edit = {{place, place}, end};

    if (visits > 1)
        snprintf(end, sizeof end, " { static int visits; if (++visits == %u) exit(0); }", visits);
    ret->size = 0;
    if (!strstr(all->text, "void exit(int);"))
        hx_buffer_text(ret, "void exit(int);\n");
    hx_edit(all->text, all->size, &edit, 1, ret);
}

/* What stands after a jump is never reached. */
static bool is_jump(const char *text, struct hx_range statement) {
    static const char *const jumps[] = {"return", "goto", "break", "continue"};

    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++)
        if (hx_word_is(text, statement.begin, statement.end, jumps[i]))
            return true;
    return false;
}

/* Ends after the statement, or, of one with blocks, when it goes into the first; for some numbers of visits.
 */
static size_t add_ends(const struct statements *all, const struct statement *statement,
                       struct hx_buffer *candidates, size_t count) {
    const struct hx_unit *unit = &statement->unit;
    const size_t places[] = {
        unit->block_count > 0 && unit->is_code[0] ? unit->blocks[0].begin : unit->range.end, unit->range.end};
    const size_t place_count = places[0] == places[1] ? 1 : 2;

    for (size_t i = 0; i < place_count; i++)
        for (unsigned visits = 1; visits <= MOST_VISITS && count < MAX_ENDS; visits *= 4) {
            if (visits > statement->count && visits > 1)
                break;
            end_at(all, places[i], visits, &candidates[count++]);
        }
    return count;
}

static struct rt_error *try_ends(struct hx_reduction *reduction, const struct hx_buffer *candidates,
                                 size_t count) {
    struct rt_error *error = NULL;

    for (size_t first = 0, index; first < count && !error && !hx_reduction_is_over(reduction);) {
        const size_t size = count - first < reduction->jobs ? count - first : reduction->jobs;
        error = hx_trials(reduction, candidates + first, size, &index);
        if (!error && index < size) {
            reduction->best.size = 0;
            hx_buffer_append(&reduction->best, candidates[first + index].bytes,
                             candidates[first + index].size);
            return reduction->best.failed ? rt_error_out_of_memory() : NULL;
        }
        first += size;
    }
    return error;
}

struct rt_error *hx_reduce_end(struct hx_reduction *reduction) {
    struct hx_buffer candidates[MAX_ENDS] = {0};
    uint32_t lines[HX_PLACE_LINES];
    struct statements all;
    size_t count = 0;
    bool any;

    if (strstr(hx_buffer_string(&reduction->best), "exit(0);"))
        return NULL;
    struct rt_error *error = hx_trial_locate(reduction, lines);
    if (error)
        return error;
    error = count_best(reduction, &all, &any);
    /* From the finding's own line to those of its callers: an end there comes later. */
    for (size_t i = 0; i < HX_PLACE_LINES && !error && any; i++) {
        const struct statement *statement = find_statement(&all, lines[i]);
        if (statement && statement->count > 0 && !is_jump(all.text, statement->unit.range))
            count = add_ends(&all, statement, candidates, count);
    }
    for (size_t i = 0; i < count && !error; i++)
        if (candidates[i].failed)
            error = rt_error_out_of_memory();
    if (!error)
        error = try_ends(reduction, candidates, count);
    for (size_t i = 0; i < MAX_ENDS; i++)
        hx_buffer_clear(&candidates[i]);
    free(all.items);
    return error;
}
