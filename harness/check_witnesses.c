/* More than two witnesses: compares them pair by pair, and puts together what the pairs found. Every pair has
 * a worker of its own, because a loaded image runs once in a process, and so that a crash of one pair costs
 * the others nothing. */
#include "harness/job.h"

#include "harness/ask_front_end.h"
#include "harness/ask_gdb.h"
#include "harness/program.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PAIRS = OR_MAX_WITNESSES * (OR_MAX_WITNESSES - 1) / 2 };

bool hx_has_more_witnesses(const struct hx_setup *setup) {
    const struct hx_witnesses *witnesses = setup->witnesses;

    return witnesses && (witnesses->count > 2 || witnesses->items[0].folder || witnesses->items[1].folder);
}

/* Of a pair that was built elsewhere, its file; else the one in the program's folder. */
static const char *artifact_of(const struct hx_witness *witness, const struct hx_source *source,
                               const char *folder, struct rt_arena *arena) {
    const char *given = hx_witness_is_module(witness) ? source->wasm : source->native;

    return given && !witness->variant ? given : rt_arena_printf(arena, "%s/%s", folder, witness->artifact);
}

struct rt_error *hx_first_two(const struct hx_setup *setup, const struct hx_source *source,
                              const char *folder, struct rt_arena *arena, struct hx_two *ret) {
    struct hx_witness *plain = rt_arena_array(arena, 2, sizeof *plain);

    if (!plain)
        return rt_error_out_of_memory();
    plain[0] = (struct hx_witness){.name = "native", .kind = HX_WITNESS_NATIVE, .artifact = HX_NATIVE};
    plain[1] = (struct hx_witness){
        .name = "wasm", .kind = HX_WITNESS_WASM, .artifact = HX_WASM, .engine = setup->engine};
    for (int i = 0; i < 2; i++) {
        ret->witness[i] = source->pair[i]    ? source->pair[i]
                          : setup->witnesses ? &setup->witnesses->items[i]
                                             : &plain[i];
        ret->artifact[i] =
            source->pair[i] ? source->artifacts[i] : artifact_of(ret->witness[i], source, folder, arena);
        if (!ret->artifact[i])
            return rt_error_out_of_memory();
    }
    return NULL;
}

/* The comparison of one program by all of its witnesses. */
struct work {
    const struct hx_job *job;
    const struct hx_witnesses *witnesses;
    const char *problems[OR_MAX_WITNESSES]; /* why a witness cannot be asked, else NULL */
    struct hx_result parts[MAX_PAIRS];
    uint32_t pairs[MAX_PAIRS][2];
    size_t pair_count, first_count; /* pairs of the witnesses that are compared always */
};

/* Compiles the program by the other compiler of a witness, unless one before has it. */
static struct rt_error *compile(const struct work *work, size_t index) {
    const struct hx_witness *witness = &work->witnesses->items[index];
    struct hx_temp folder;

    if (!witness->folder)
        return NULL;
    for (size_t i = 0; i < index; i++)
        if (work->witnesses->items[i].folder == witness->folder)
            return NULL;
    hx_worker_begin_part(work->job, work->job->setup->time_limit);
    const char *file = hx_worker_text(work->job);
    struct rt_error *error = hx_temp_folder(&work->job->folder, witness->folder, &folder);
    if (error)
        return error;
    return hx_witness_is_module(witness)
               ? hx_compile_wasm(witness->tools, witness->tools->optimisation, file, folder.path)
               : hx_compile_native(witness->tools, file, folder.path);
}

/* Compares two witnesses in a worker of their own. */
static struct rt_error *compare(struct work *work, uint32_t a, uint32_t b, struct rt_arena *arena) {
    const struct hx_witness *items = work->witnesses->items;
    struct hx_result *part = &work->parts[work->pair_count];
    struct hx_two two = {.witness = {&items[a], &items[b]}};
    const char *problem = work->problems[a] ? work->problems[a] : work->problems[b];
    struct rt_error *error = NULL;

    work->pairs[work->pair_count][0] = a;
    work->pairs[work->pair_count++][1] = b;
    hx_result_init(part);
    if (problem) {
        part->verdict = HX_SKIPPED;
        part->reason = problem;
        return NULL;
    }
    for (int i = 0; i < 2 && !error; i++) {
        two.artifact[i] = artifact_of(two.witness[i], &work->job->source, work->job->folder.path, arena);
        if (!two.artifact[i])
            error = rt_error_out_of_memory();
    }
    return error ? error : hx_worker_compare(work->job, &two, work->job->setup->time_limit, part);
}

/* ---- Putting them together ---- */

/* Whatever is worst of the pairs that are compared always; a pair that could not be compared is no agreement.
 */
static const struct hx_result *worst_of(const struct work *work) {
    static const enum hx_verdict order[] = {HX_CRASH,   HX_OUTPUT,  HX_DIFFER,
                                            HX_TIMEOUT, HX_SKIPPED, HX_EXHAUSTED};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (size_t p = 0; p < work->first_count; p++)
            if (work->parts[p].verdict == order[i])
                return &work->parts[p];
    return &work->parts[0];
}

/* The oracle's own findings, and output: what or_blame can judge. */
static bool is_judged(const struct hx_finding *finding) {
    return strcmp(finding->kind, or_kind_name(finding->body.kind)) == 0;
}

static struct rt_error *report_of(const struct work *work, size_t p, struct rt_arena *arena,
                                  struct or_pair_report *ret) {
    const struct hx_result *part = &work->parts[p];
    const struct hx_witness *a = &work->witnesses->items[work->pairs[p][0]],
                            *b = &work->witnesses->items[work->pairs[p][1]];
    struct or_finding *findings = rt_arena_array(arena, part->finding_count, sizeof *findings);

    *ret = (struct or_pair_report){.witness = {work->pairs[p][0], work->pairs[p][1]},
                                   .is_complete = part->is_complete,
                                   .is_output = part->verdict == HX_OUTPUT,
                                   .is_one_module = hx_witnesses_run_one_module(a, b),
                                   .stops = part->stops,
                                   .findings = findings,
                                   .has_left_out = part->findings_left_out > 0,
                                   .places = part->places,
                                   .place_count = part->place_count};
    if (!findings)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < part->finding_count; i++)
        if (is_judged(&part->findings[i]))
            findings[ret->finding_count++] = part->findings[i].body;
    if (part->place_count == 0) /* it died, or never began */
        ret->problem = part->reason ? part->reason : hx_verdict_name(part->verdict);
    return NULL;
}

/* One of the pairs that are compared always shows it. */
static bool is_shown(const struct work *work, const struct or_finding *finding) {
    for (size_t i = 0; i < 2; i++) {
        size_t w = 0;
        while (w < work->witnesses->count &&
               strcmp(work->witnesses->items[w].name, finding->witnesses[i].name) != 0)
            w++;
        if (w >= work->witnesses->first_count)
            return false;
    }
    return true;
}

static bool has_signature(const struct hx_result *result, const char *signature) {
    for (size_t i = 0; i < result->finding_count; i++)
        if (strcmp(result->findings[i].body.signature, signature) == 0)
            return true;
    return false;
}

static struct rt_error *merge_findings(const struct work *work, struct hx_result *result) {
    struct or_account accounts[OR_MAX_WITNESSES];
    struct or_pair_report reports[MAX_PAIRS];
    struct or_finding *findings;
    size_t count;
    struct rt_error *error = NULL;

    for (size_t i = 0; i < work->witnesses->count; i++) {
        const struct hx_witness *witness = &work->witnesses->items[i];
        accounts[i] =
            (struct or_account){.name = witness->name,
                                .parts = witness->parts,
                                .part_count = witness->part_count,
                                .has_own_lines = witness->compiler && hx_compiler_is_gcc(witness->compiler),
                                .may_find_places = witness->kind == HX_WITNESS_JIT};
    }
    for (size_t p = 0; p < work->pair_count && !error; p++)
        error = report_of(work, p, &result->arena, &reports[p]);
    if (!error)
        error = or_blame(accounts, (uint32_t)work->witnesses->count, reports, work->pair_count,
                         &result->arena, &findings, &count);
    for (size_t i = 0; !error && i < count; i++)
        if (is_shown(work, &findings[i]) &&
            !hx_result_add(result, or_kind_name(findings[i].kind), &findings[i]))
            error = rt_error_out_of_memory();
    /* Crashes and time-outs: of a pair, and once each. */
    for (size_t p = 0; p < work->first_count; p++)
        for (size_t i = 0; i < work->parts[p].finding_count && !error; i++) {
            const struct hx_finding *finding = &work->parts[p].findings[i];
            if (!is_judged(finding) && !has_signature(result, finding->body.signature) &&
                !hx_result_add(result, finding->kind, &finding->body))
                error = rt_error_out_of_memory();
        }
    return error;
}

static struct rt_error *merge(const struct work *work, struct hx_result *result) {
    const struct hx_result *first = &work->parts[0], *worst = worst_of(work);

    result->verdict = worst->verdict;
    result->reason = worst->reason ? rt_arena_printf(&result->arena, "%s", worst->reason) : NULL;
    result->stops = first->stops;
    result->values = first->values;
    result->unchanged = first->unchanged;
    result->repeats = first->repeats;
    memcpy(result->readable, first->readable, sizeof result->readable);
    result->same = first->same;
    result->pairs = rt_arena_array(&result->arena, work->pair_count, sizeof *result->pairs);
    if (!result->pairs || (worst->reason && !result->reason))
        return rt_error_out_of_memory();
    for (size_t p = 0; p < work->pair_count; p++) {
        const struct hx_result *part = &work->parts[p];
        result->findings_left_out += p < work->first_count ? part->findings_left_out : 0;
        result->pairs[p] = (struct hx_pair_result){
            .names = {work->witnesses->items[work->pairs[p][0]].name,
                      work->witnesses->items[work->pairs[p][1]].name},
            .verdict = part->verdict,
            .reason = part->reason ? rt_arena_printf(&result->arena, "%s", part->reason) : NULL,
            .findings = part->finding_count,
            .stops = part->stops,
            .values = part->values,
            .unchanged = part->unchanged,
            .readable = {part->readable[0], part->readable[1]},
            .same = part->same};
        if (part->reason && !result->pairs[p].reason)
            return rt_error_out_of_memory();
        result->pair_count++;
    }
    return merge_findings(work, result);
}

static bool has_findings(const struct work *work) {
    size_t count = 0;

    for (size_t p = 0; p < work->first_count; p++)
        count += work->parts[p].finding_count;
    return count > 0;
}

/* Compiles and compares the witnesses that are asked when the first ones differ, with each of those. One that
 * cannot be made is left out. */
static struct rt_error *ask_more(struct work *work, struct rt_arena *arena) {
    const struct hx_witnesses *witnesses = work->witnesses;
    struct rt_error *error = NULL;

    for (size_t w = witnesses->first_count; w < witnesses->count && !error; w++) {
        struct rt_error *problem = compile(work, w);
        if (problem && !(work->problems[w] = rt_arena_printf(arena, "%s", problem->message)))
            error = rt_error_out_of_memory();
        rt_error_destroy(problem);
        for (size_t first = 0; first < witnesses->first_count && !error; first++)
            error = compare(work, (uint32_t)first, (uint32_t)w, arena);
    }
    return error;
}

struct rt_error *hx_check_witnesses(const struct hx_job *job, struct hx_result *result) {
    struct work work = {.job = job, .witnesses = job->setup->witnesses};
    const size_t first = work.witnesses->first_count;
    struct rt_error *error = NULL;

    for (size_t w = 0; w < first && !error; w++)
        error = compile(&work, w);
    for (size_t a = 0; a < first; a++)
        for (size_t b = a + 1; b < first && !error; b++)
            error = compare(&work, (uint32_t)a, (uint32_t)b, &result->arena);
    work.first_count = work.pair_count;
    const bool asks_more = !error && work.witnesses->count > first && has_findings(&work);
    if (asks_more)
        error = ask_more(&work, &result->arena);
    if (!error)
        error = merge(&work, result);
    if (!error && asks_more) {
        hx_worker_begin_part(job, job->setup->time_limit);
        error = hx_ask_gdb(job, result);
    }
    if (!error && asks_more) {
        hx_worker_begin_part(job, job->setup->time_limit);
        error = hx_ask_front_end(job, result);
    }
    for (size_t p = 0; p < work.pair_count; p++)
        hx_result_clear(&work.parts[p]);
    return error;
}
