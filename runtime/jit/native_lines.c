/* Line rows of compiled code: one sequence for each part of a function that the input has rows for. A row is
 * at the first machine code of the instructions that it stands for, and one over markers of control flow at
 * that of what follows them, where jumps to there come by, too. At a probe site it is at the site, which is
 * behind a loop's label. A row whose instructions have no code is left out, and the next one begins its
 * statement if that is of the same line. Traps lie behind a function's end, and belong to their instructions'
 * rows: no statement begins there. */
#include "runtime/jit/native.h"

#include <stdlib.h>

/* A sequence that is being read, and what was put of it. */
struct reading {
    const struct rt_dwarf_row *rows; /* the last one ends it */
    size_t count;
    bool prologue_end; /* of a row that was left out */
    bool is_stmt;      /* of one, whose line is that of the next to be put */
    bool is_open;
    size_t shown; /* the last row that was put */
    size_t at;    /* the last row that was found */
};

static void put(struct rt_dwarf_pass *pass, struct reading *reading, size_t index, uintptr_t machine,
                bool is_stmt) {
    struct rt_dwarf_row row = reading->rows[index];
    row.address = machine;
    row.is_stmt = (row.is_stmt || reading->is_stmt) && is_stmt;
    row.prologue_end = is_stmt && (row.prologue_end || reading->prologue_end);
    row.basic_block = false;
    row.epilogue_begin = row.epilogue_begin && is_stmt;
    rt_dwarf_put_row(pass, &row);
    if (is_stmt)
        reading->prologue_end = reading->is_stmt = false;
    reading->is_open = true;
    reading->shown = index;
}

static void end(struct rt_dwarf_pass *pass, struct reading *reading, uintptr_t machine) {
    if (!reading->is_open)
        return;
    const struct rt_dwarf_row row = {.address = machine,
                                     .file = reading->rows[reading->shown].file,
                                     .line = reading->rows[reading->shown].line,
                                     .end_sequence = true};
    rt_dwarf_put_row(pass, &row);
    reading->is_open = false;
}

/* The last row at a pc or before it; row 0 where there is none. */
static size_t last_row(const struct reading *reading, uint64_t pc) {
    size_t low = 0, high = reading->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (reading->rows[middle].address <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

/* The row of a pc; false when it is in none. Pcs are asked for in ascending order but for a few. */
static bool row_of(struct reading *reading, uint32_t pc, size_t *ret) {
    const struct rt_dwarf_row *rows = reading->rows;
    if (rows[reading->at].address > pc)
        reading->at = last_row(reading, pc);
    while (reading->at + 1 < reading->count && rows[reading->at + 1].address <= pc)
        reading->at++;
    *ret = reading->at;
    return rows[reading->at].address <= pc && reading->at + 1 < reading->count;
}

static int by_pc(const void *a, const void *b) {
    const struct rt_site *x = a, *y = b;
    return (x->pc > y->pc) - (x->pc < y->pc);
}

/* Where the statement at `pc` is, whose machine code begins at `at`. */
static uintptr_t past_label(const struct rt_native *native, uint32_t pc, uintptr_t at) {
    size_t count;
    const struct rt_site *sites = rt_code_sites(rt_code_map_code(native->map), &count), key = {.pc = pc};
    const struct rt_site *site = count ? bsearch(&key, sites, count, sizeof *sites, by_pc) : NULL;
    return site && site->machine > at ? site->machine : at;
}

static struct rt_error *put_function(struct rt_native *native, struct rt_dwarf_pass *pass,
                                     struct reading *reading, uint32_t function) {
    const struct rt_dwarf_row *rows = reading->rows;
    const struct rt_code_map_entry *entries;
    size_t count, index, first = 0;
    uint32_t start, code, past;
    struct rt_error *error = rt_code_map_entries(native->map, function, &native->arena, &entries, &count);
    if (error || !rt_module_function_range(native->module, function, &start, &code, &past))
        return error;
    const struct rt_machine_range machine = rt_code_map_function(native->map, function)->range;
    if (rows[0].address < start)
        first = last_row(reading, start - 1) + 1;
    if (first + 1 >= reading->count || rows[first].address >= past)
        return NULL;
    for (size_t i = 0, next = first; i < count; i++) {
        uintptr_t at = i == 0 ? machine.low : entries[i].machine;
        bool has_row = row_of(reading, entries[i].pc, &index) && index >= first;
        if (entries[i].pc < rows[first].address) { /* the prologue is the first row's */
            index = first;
            has_row = true;
        }
        if (!has_row) {
            end(pass, reading, at);
        } else if (entries[i].is_trap) {
            if (!reading->is_open || reading->shown != index)
                put(pass, reading, index, at, false);
        } else if (!reading->is_open || reading->shown != index) {
            for (; next < index; next++) {
                const bool is_moved =
                    rows[next].file == rows[index].file && rows[next].line == rows[index].line;
                reading->prologue_end |= rows[next].prologue_end;
                reading->is_stmt |= rows[next].is_stmt && is_moved;
                if (rows[next].is_stmt && rows[next].address != rows[index].address && !is_moved)
                    rt_dwarf_count(pass, "left out: a row whose instructions have no machine code");
            }
            if (i > 0 && entries[i].pc == rows[index].address)
                at = past_label(native, entries[i].pc, at);
            put(pass, reading, index, at, true);
            next = index + 1;
        }
    }
    end(pass, reading, machine.high);
    return NULL;
}

struct rt_error *rt_native_sequence(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_unit *unit,
                                    const struct rt_dwarf_row *rows, size_t count) {
    struct rt_native *native = user;
    struct rt_native_part part;
    struct rt_error *error = NULL;
    struct rt_dwarf_row *moved = rt_arena_array(&native->arena, count, sizeof *moved);
    struct reading reading = {.rows = moved, .count = count};
    (void)unit;
    if (!moved)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        moved[i] = rows[i];
        if (!rows[i].end_sequence && rows[i].address <= UINT32_MAX)
            moved[i].address = rt_module_past_markers(native->module, (uint32_t)rows[i].address);
    }
    uint64_t low = rows[0].address;
    const uint64_t high = rows[count - 1].address;
    while (!error && rt_native_next_part(native, low, high, &part)) {
        reading.prologue_end = false;
        error = put_function(native, pass, &reading, part.function);
        low = part.high;
    }
    rt_arena_clear(&native->arena);
    return error;
}
