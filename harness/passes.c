/* A run of a program as the pcs that it passed: what the second reader's rule is about. */
#include "harness/pair.h"
#include "harness/shown_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PASSES = 300000, MOST_DEPTH = 4096 };

struct recorder {
    struct hx_passes *passes;
    struct {
        uint64_t cfa;
        const struct st_function *function;
        uint32_t number;
    } frames[MOST_DEPTH]; /* the activations that have been entered and not left, outermost first */
    size_t depth;
};

bool hx_passes_drop(void *user, int fd, const void *bytes, size_t size) {
    (void)user, (void)fd, (void)bytes, (void)size;
    return true;
}

/* The number of the activation that the session is in. Stacks grow down: one whose CFA is below the present
 * one has been left. */
static uint32_t activation_of(struct recorder *recorder, const struct st_frame *frame, bool is_entry) {
    while (recorder->depth) {
        const size_t top = recorder->depth - 1;
        if (recorder->frames[top].cfa > frame->cfa || (recorder->frames[top].cfa == frame->cfa && !is_entry &&
                                                       recorder->frames[top].function == frame->function))
            break;
        recorder->depth--;
    }
    if (recorder->depth == 0 || recorder->frames[recorder->depth - 1].cfa != frame->cfa) {
        if (recorder->depth == MOST_DEPTH)
            recorder->depth--;
        recorder->frames[recorder->depth].cfa = frame->cfa;
        recorder->frames[recorder->depth].function = frame->function;
        recorder->frames[recorder->depth++].number = ++recorder->passes->activations;
    }
    return recorder->frames[recorder->depth - 1].number;
}

static struct rt_error *add_pass(struct hx_passes *passes, struct hx_pass pass) {
    if (passes->count == passes->capacity) {
        const size_t capacity = passes->capacity ? 2 * passes->capacity : 4096;
        void *items = realloc(passes->items, capacity * sizeof *passes->items);
        if (!items)
            return rt_error_out_of_memory();
        passes->items = items;
        passes->capacity = capacity;
    }
    passes->items[passes->count++] = pass;
    return NULL;
}

static struct rt_error *take_stop(struct recorder *recorder, struct st_session *session, uint64_t pc) {
    const struct st_frame *frame;
    struct rt_error *error = st_session_frame(session, &frame);
    if (error || !frame->function)
        return error;
    const bool is_entry = pc == frame->function->entry;
    const uint64_t low = is_entry && frame->function->low < pc ? frame->function->low : pc;
    return add_pass(recorder->passes, (struct hx_pass){low, pc, activation_of(recorder, frame, is_entry)});
}

static int compare_pcs(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int compare_probes(const void *a, const void *b) {
    const struct st_probe *x = a, *y = b;
    return compare_pcs(&x->pc, &y->pc);
}

static size_t unite_probes(struct st_probe *probes, size_t count) {
    size_t kept = 0;
    qsort(probes, count, sizeof *probes, compare_probes);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || probes[kept - 1].pc != probes[i].pc)
            probes[kept++] = probes[i];
    return kept;
}

/* Probes at all sites of a module's code, or at the line rows and functions' starts of native code. */
static struct rt_error *set_probes(const struct hx_debuggee *debuggee) {
    const struct st_debug *debug = st_session_debug(debuggee->session);
    size_t site_count = 0, row_count, function_count, count = 0;
    const struct rt_site *sites = debuggee->code ? rt_code_sites(debuggee->code, &site_count) : NULL;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    const struct st_function *functions = st_debug_functions(debug, &function_count);
    struct st_probe *probes = calloc(site_count + row_count + function_count + 1, sizeof *probes);
    if (!probes)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < site_count; i++)
        probes[count++] = (struct st_probe){.pc = sites[i].pc, .kind = ST_STEP};
    for (size_t i = 0; !sites && i < row_count; i++)
        if (!rows[i].end_sequence)
            probes[count++] = (struct st_probe){.pc = rows[i].pc, .kind = ST_STEP};
    for (size_t i = 0; !sites && i < function_count; i++)
        probes[count++] = (struct st_probe){.pc = functions[i].entry, .kind = ST_STEP};
    count = unite_probes(probes, count);
    struct rt_error *error = st_session_set_probes(debuggee->session, probes, count);
    free(probes);
    return error;
}

struct rt_error *hx_passes_silence(int kept[2]) {
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    kept[0] = kept[1] = -1;
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        kept[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (null < 0 || kept[i] < 0 || dup2(null, STDOUT_FILENO + i) < 0)
            return rt_error_os(errno, "cannot drop what a program prints");
    }
    close(null);
    return NULL;
}

void hx_passes_speak(const int kept[2]) {
    fflush(NULL);
    for (int i = 0; i < 2; i++)
        if (kept[i] >= 0) {
            dup2(kept[i], STDOUT_FILENO + i);
            close(kept[i]);
        }
}

static struct rt_error *list_pcs(struct hx_passes *passes) {
    passes->pcs = malloc((passes->count + 1) * sizeof *passes->pcs);
    if (!passes->pcs)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < passes->count; i++)
        passes->pcs[i] = passes->items[i].pc;
    qsort(passes->pcs, passes->count, sizeof *passes->pcs, compare_pcs);
    for (size_t i = 0; i < passes->count; i++)
        if (i == 0 || passes->pcs[i] != passes->pcs[passes->pc_count - 1])
            passes->pcs[passes->pc_count++] = passes->pcs[i];
    return NULL;
}

struct rt_error *hx_passes_record(enum hx_witness_kind kind, const char *path, struct hx_passes *ret) {
    const struct hx_load load = {
        .kind = kind, .path = path, .engine = RT_ENGINE_COMPILED, .write = hx_passes_drop, .all_rows = true};
    struct recorder *recorder = calloc(1, sizeof *recorder);
    struct st_event event = {.kind = ST_INTERRUPT};
    struct hx_debuggee debuggee = {.image = NULL};
    int kept[2];
    *ret = (struct hx_passes){0};
    if (!recorder)
        return rt_error_out_of_memory();
    recorder->passes = ret;
    struct rt_error *error = hx_passes_silence(kept);
    if (!error)
        error = hx_debuggee_open(&load, &debuggee);
    if (!error)
        error = set_probes(&debuggee);
    while (!error && event.kind != ST_EXIT && ret->count < MOST_PASSES) {
        error = st_session_next(debuggee.session, &event);
        if (!error && event.kind == ST_STEP)
            error = take_stop(recorder, debuggee.session, event.pc);
    }
    if (!error)
        error = list_pcs(ret);
    hx_debuggee_close(&debuggee);
    hx_passes_speak(kept);
    free(recorder);
    return error;
}

void hx_passes_clear(struct hx_passes *passes) {
    free(passes->items);
    free(passes->pcs);
    *passes = (struct hx_passes){0};
}
