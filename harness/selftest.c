/* One program of the self-test: compiled, found to agree, then faulted again and again. */
#include "harness/selftest.h"

#include "harness/pair.h"
#include "harness/process.h"
#include "harness/program.h"
#include "harness/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_FINDINGS = 3 };
#define OPTIMISED "-O2"

/* A base, and what its copies with faults are compared with. */
struct subject {
    enum hx_side side;
    enum hx_pairing pairing;
    char base_path[320], fault_path[320];
    char other_path[320]; /* the other side's build; of twins: the base */
    struct hx_dwarf_file base;
    struct hx_passes passes;
    struct hx_plants plants;
    struct hx_shown *shown; /* of the base */
    bool *is_used;          /* by index of a plant */
    struct hx_random random[HX_PLANT_COUNT];
    bool is_ready;
};

struct program {
    const struct hx_selftest *selftest;
    const char *source, *folder;
    uint64_t number; /* the program's seed, for the names of what is kept */
    struct rt_arena arena;
    struct subject subjects[HX_BUILD_SIDES][HX_TRACES]; /* by enum hx_side and enum hx_pairing */
    struct hx_faults *faults;
};

/* ---- Making the artifacts ---- */

/* Artifacts by side and pairing. */
static const char *const artifacts[HX_BUILD_SIDES][HX_TRACES] = {{HX_NATIVE, HX_NATIVE_OTHER},
                                                                 {HX_WASM, HX_WASM_OTHER}};

static bool is_wanted(const struct hx_selftest *selftest, enum hx_pairing pairing) {
    bool wanted = false;
    for (int class = 0; class < HX_PLANT_COUNT; class ++)
        wanted |= selftest->wanted[class] && hx_plant_rows[class].pairing == pairing;
    return wanted;
}

static struct rt_error *compile(const struct program *program) {
    const struct hx_tools *tools = program->selftest->check.tools;
    struct hx_tools optimised = *tools;
    struct rt_error *error = NULL;
    char from[320], to[320];
    optimised.optimisation = OPTIMISED;
    if (is_wanted(program->selftest, HX_TWINS))
        error = hx_compile(&optimised, program->source, program->folder);
    for (int side = 0; !error && is_wanted(program->selftest, HX_TWINS) && side < HX_BUILD_SIDES; side++) {
        snprintf(from, sizeof from, "%s/%s", program->folder, artifacts[side][HX_BUILDS]);
        snprintf(to, sizeof to, "%s/%s", program->folder, artifacts[side][HX_TWINS]);
        if (rename(from, to) != 0)
            error = rt_error_os(errno, "cannot rename %s", from);
    }
    return error ? error : hx_compile(tools, program->source, program->folder);
}

/* Writes the base of an artifact, and opens it. */
static struct rt_error *make_base(const struct program *program, struct subject *subject) {
    const char *artifact = artifacts[subject->side][subject->pairing];
    const char *other = artifacts[!subject->side][subject->pairing];
    char path[320];
    struct hx_dwarf_file file;
    snprintf(path, sizeof path, "%s/%s", program->folder, artifact);
    snprintf(subject->base_path, sizeof subject->base_path, "%s/base-%s", program->folder, artifact);
    snprintf(subject->fault_path, sizeof subject->fault_path, "%s/fault-%s", program->folder, artifact);
    if (subject->pairing == HX_TWINS)
        memcpy(subject->other_path, subject->base_path, sizeof subject->other_path);
    else
        snprintf(subject->other_path, sizeof subject->other_path, "%s/%s", program->folder, other);
    struct rt_error *error = hx_dwarf_file_open(path, &file);
    if (!error)
        error = hx_plant_base(&file, program->source, subject->base_path);
    hx_dwarf_file_close(&file);
    return error ? error : hx_dwarf_file_open(subject->base_path, &subject->base);
}

static struct rt_error *compare(const struct program *program, const struct subject *subject,
                                struct hx_result *ret) {
    const bool is_fault_first = subject->pairing == HX_BUILDS && subject->side == HX_SIDE_NATIVE;
    const char *const paths[2] = {is_fault_first ? subject->fault_path : subject->other_path,
                                  is_fault_first ? subject->other_path : subject->fault_path};
    return hx_selftest_compare(&program->selftest->check, subject->pairing, subject->side, paths, ret);
}

/* A rewriting without a fault must agree, and show what the base shows. */
static struct rt_error *check_identity(const struct program *program, struct subject *subject) {
    struct hx_shown *shown = NULL;
    struct hx_changes changes;
    struct hx_result result;
    struct rt_error *error = hx_plant_apply(&subject->base, NULL, subject->fault_path);
    if (error)
        return error;
    error = compare(program, subject, &result);
    if (!error && result.verdict != HX_AGREE)
        error = rt_error_format(RT_USAGE, "does not agree without a fault: %s%s%s",
                                hx_verdict_name(result.verdict), result.finding_count ? ", " : "",
                                result.finding_count ? result.findings[0].body.signature : "");
    hx_result_clear(&result);
    if (!error)
        error = hx_shown_read(program->selftest->dwarfdump, subject->fault_path, &shown);
    if (!error)
        error = hx_shown_compare(subject->shown, shown, &subject->passes, &changes);
    if (!error && (changes.in_stops || changes.in_variables))
        error = rt_error_format(RT_USAGE, "rewriting without a fault changes what is shown");
    hx_shown_destroy(shown);
    return error;
}

/* Each class has numbers of its own, so that what is chosen does not depend on the others. */
static void seed_random(const struct program *program, struct subject *subject) {
    const uint64_t seed = hx_random_mix(program->selftest->seed) ^ program->number;
    for (int class = 0; class < HX_PLANT_COUNT; class ++)
        subject->random[class] =
            (struct hx_random){hx_random_mix(seed) + (uint64_t)(HX_BUILD_SIDES * class + (int)subject->side)};
}

static struct rt_error *make_subject(struct program *program, struct subject *subject) {
    seed_random(program, subject);
    struct rt_error *error = make_base(program, subject);
    if (!error)
        error = hx_passes_record(hx_side_witness(subject->side), subject->base_path, &subject->passes);
    if (!error) {
        const struct hx_live live = {subject->passes.pcs, subject->passes.pc_count};
        error = hx_plant_survey(&subject->base, &live, &program->arena, &subject->plants);
    }
    if (!error)
        error = hx_shown_read(program->selftest->dwarfdump, subject->base_path, &subject->shown);
    if (!error)
        error = check_identity(program, subject);
    if (!error && !(subject->is_used = rt_arena_array(&program->arena, subject->plants.count, sizeof(bool))))
        error = rt_error_out_of_memory();
    subject->is_ready = !error;
    return error;
}

/* All comparisons that are wanted. One that cannot be made is told and left out. */
static struct rt_error *make_subjects(struct program *program) {
    const struct hx_selftest *selftest = program->selftest;
    struct hx_faults *faults = program->faults;
    for (int i = 0; i < HX_BUILD_SIDES * HX_TRACES; i++) {
        const int side = i % HX_BUILD_SIDES, pairing = i / HX_BUILD_SIDES;
        struct subject *subject = &program->subjects[side][pairing];
        if (!selftest->sides[side] || !is_wanted(selftest, (enum hx_pairing)pairing))
            continue;
        subject->side = (enum hx_side)side;
        subject->pairing = (enum hx_pairing)pairing;
        struct rt_error *error = make_subject(program, subject);
        faults->agrees |= !error;
        if (error && error->code == RT_EXIT)
            return error;
        if (error) {
            const size_t length = strlen(faults->reason);
            snprintf(faults->reason + length, sizeof faults->reason - length, "%s%s at %s: %s",
                     length ? "; " : "", hx_side_words[side], pairing == HX_TWINS ? OPTIMISED : "-O0",
                     error->message);
        }
        rt_error_destroy(error);
    }
    return NULL;
}

static void clear_subject(struct subject *subject) {
    hx_dwarf_file_close(&subject->base);
    hx_passes_clear(&subject->passes);
    hx_shown_destroy(subject->shown);
}

/* ---- Choosing ---- */

/* A fault of the class that was not planted before, of those in code that ran if there are any. NULL: none is
 * left. */
static const struct hx_plant *choose(struct subject *subject, enum hx_plant_class class) {
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < subject->plants.count; i++)
        if (subject->plants.items[i].class == class && !subject->is_used[i])
            counts[subject->plants.items[i].is_live]++;
    const bool is_live = counts[1] > 0;
    if (!counts[is_live])
        return NULL;
    uint32_t left = hx_random_below(&subject->random[class], (uint32_t)counts[is_live]);
    for (size_t i = 0; i < subject->plants.count; i++) {
        const struct hx_plant *plant = &subject->plants.items[i];
        if (plant->class != class || subject->is_used[i] || plant->is_live != is_live || left-- > 0)
            continue;
        subject->is_used[i] = true;
        return &subject->plants.items[i];
    }
    return NULL;
}

/* ---- Judging ---- */

static bool is_wanted_kind(const struct hx_finding *finding, unsigned kinds) {
    for (int kind = 0; kind < OR_KIND_COUNT; kind++)
        if (kinds >> kind & 1 && strcmp(finding->kind, or_kind_name((enum or_kind)kind)) == 0)
            return true;
    return false;
}

static bool same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static bool names_function(const struct or_finding *finding, const struct hx_plant *plant) {
    bool is_named = same(finding->function, plant->function) || same(finding->function, plant->partner);
    for (int i = 0; i < 2; i++)
        is_named |= same(finding->witnesses[i].function, plant->function) ||
                    same(finding->witnesses[i].function, plant->partner);
    return is_named;
}

static bool names_line(const struct or_finding *finding, const struct hx_plant *plant) {
    bool is_named = false;
    for (int i = 0; i < 2; i++)
        is_named |= plant->lines[i] &&
                    (finding->line == plant->lines[i] || finding->witnesses[0].line == plant->lines[i] ||
                     finding->witnesses[1].line == plant->lines[i]);
    return is_named;
}

/* One of the variables that the second reader says are shown in another way. */
static bool names_variable(const struct or_finding *finding, const struct hx_changes *changes) {
    const size_t size = finding->variable ? strcspn(finding->variable, "[.") : 0;
    for (size_t i = 0; size && i < changes->variable_count; i++)
        if (changes->variables[i].name_size == size &&
            !memcmp(changes->variables[i].name, finding->variable, size))
            return true;
    return false;
}

/* What is wrong with a finding's names; NULL: nothing. */
static const char *wrong_name(const struct or_finding *finding, const struct hx_plant *plant,
                              const struct hx_changes *changes) {
    const unsigned names = hx_plant_rows[plant->class].names;
    if (names & HX_NAMES_FUNCTION && plant->function && !names_function(finding, plant))
        return "names another function";
    if (names & HX_NAMES_LINE && !names_line(finding, plant))
        return "names another line";
    if (names & HX_NAMES_VARIABLE && !names_variable(finding, changes))
        return finding->variable ? "names another variable" : "names no variable";
    return NULL;
}

static void judge(const struct hx_plant *plant, const struct hx_changes *changes,
                  const struct hx_result *result, struct hx_fault *fault) {
    const unsigned kinds = hx_plant_rows[plant->class].kinds;
    const char *wrong = NULL, *other = NULL;
    unsigned seen = 0;
    for (size_t i = 0; i < result->finding_count && seen < FIRST_FINDINGS && !fault->is_named; i++) {
        const struct hx_finding *finding = &result->findings[i];
        if (!is_wanted_kind(finding, kinds)) {
            other = finding->body.signature;
            continue;
        }
        seen++;
        fault->is_noticed = true;
        const char *problem = wrong_name(&finding->body, plant, changes);
        fault->is_named = !problem;
        wrong = wrong ? wrong : problem;
    }
    if (result->verdict == HX_SKIPPED && kinds == HX_KINDS_ANY) {
        fault->is_noticed = true;
        wrong = "the file is refused";
    }
    if (fault->is_named)
        return;
    if (fault->is_noticed)
        snprintf(fault->reason, sizeof fault->reason, "%s", wrong);
    else if (other)
        snprintf(fault->reason, sizeof fault->reason, "a finding of another kind: %s", other);
    else if (result->verdict == HX_AGREE)
        snprintf(fault->reason, sizeof fault->reason, "the comparison agrees");
    else
        snprintf(fault->reason, sizeof fault->reason, "%s: %.*s", hx_verdict_name(result->verdict), 100,
                 result->reason ? result->reason : "");
}

/* ---- Keeping ---- */

static struct rt_error *keep(const struct program *program, const struct subject *subject,
                             const struct hx_fault *fault, const struct hx_result *result) {
    const bool is_native = subject->side == HX_SIDE_NATIVE, is_twin = subject->pairing == HX_TWINS;
    char source[512];
    const struct hx_selftest_file files[] = {{source, HX_SOURCE},
                                             {subject->base_path, is_native ? "base.so" : "base.wasm"},
                                             {subject->fault_path, is_native ? "fault.so" : "fault.wasm"},
                                             {subject->other_path, is_native ? HX_WASM : HX_NATIVE}};
    const char *folder = program->source[0] == '/' ? "" : program->folder;
    snprintf(source, sizeof source, "%s%s%s", folder, folder[0] ? "/" : "", program->source);
    return hx_selftest_keep(program->selftest, program->number, program->faults->count, fault, files,
                            is_twin ? 3 : 4, result);
}

/* ---- Planting ---- */

static void describe(const struct hx_plant *plant, char *text, size_t size) {
    int length = snprintf(text, size, "at 0x%llx", (unsigned long long)plant->at);
    if (plant->variable && (size_t)length < size)
        length += snprintf(text + length, size - (size_t)length, ", %s", plant->variable);
    if (plant->function && (size_t)length < size)
        length += snprintf(text + length, size - (size_t)length, " in %s", plant->function);
    if (plant->lines[0] && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, ", line %u, then %u", plant->lines[0],
                 plant->lines[1]);
}

/* Whether a row is over code that does nothing but jump. */
static struct rt_error *is_over_jump(const struct subject *subject, struct rt_dwarf_range code, bool *ret) {
    const struct hx_load load = {
        .kind = hx_side_witness(subject->side), .path = subject->base_path, .engine = RT_ENGINE_COMPILED};
    struct hx_debuggee debuggee;
    struct rt_error *error = hx_debuggee_open(&load, &debuggee);
    *ret = !error && st_session_is_idle_code(debuggee.session, code.low, code.high);
    hx_debuggee_close(&debuggee);
    return error;
}

/* Why a fault was missed: what the code is that a row is over, or what the places hold that it changed. */
static struct rt_error *explain(const struct subject *subject, const struct hx_plant *plant,
                                struct hx_shown *shown, struct hx_fault *fault) {
    struct hx_values values;
    bool is_jump;
    if (plant->code.low < plant->code.high) {
        struct rt_error *error = is_over_jump(subject, plant->code, &is_jump);
        if (!error && is_jump)
            snprintf(fault->reason, sizeof fault->reason, "a row over code that only jumps");
        return error;
    }
    struct rt_error *error = hx_shown_values(subject->shown, shown, hx_side_witness(subject->side),
                                             subject->base_path, &subject->passes, &values);
    const char *words = NULL;
    if (!error && values.different)
        words = values.is_pointer ? "a wrong value, of a pointer" : "a wrong value";
    else if (!error && values.same && !values.unknown)
        words = "a wrong place with the right value at each stop";
    else if (!error && values.unknown)
        words = "the comparison agrees, and the places are not evaluated here";
    if (words)
        snprintf(fault->reason, sizeof fault->reason, "%s", words);
    return error;
}

/* Plants one fault and sees what comes of it. */
static struct rt_error *plant_one(struct program *program, struct subject *subject,
                                  const struct hx_plant *plant, struct hx_fault *fault) {
    const struct hx_selftest *selftest = program->selftest;
    struct hx_shown *shown = NULL;
    struct hx_changes changes;
    struct hx_result result;
    *fault = (struct hx_fault){.class = plant->class, .side = subject->side};
    describe(plant, fault->where, sizeof fault->where);
    struct rt_error *error = hx_plant_apply(&subject->base, plant, subject->fault_path);
    if (!error)
        error = hx_shown_read(selftest->dwarfdump, subject->fault_path, &shown);
    if (!error)
        error = hx_shown_compare(subject->shown, shown, &subject->passes, &changes);
    if (!error)
        fault->is_visible = changes.in_stops || changes.in_variables;
    if (!error && fault->is_visible) {
        error = compare(program, subject, &result);
        if (!error)
            judge(plant, &changes, &result, fault);
        if (!error && !fault->is_noticed && result.verdict == HX_AGREE)
            error = explain(subject, plant, shown, fault);
        if (!error && selftest->keep && !fault->is_named)
            error = keep(program, subject, fault, &result);
        hx_result_clear(&result);
    }
    hx_shown_destroy(shown);
    return error ? rt_error_context(error, "%s %s", hx_plant_rows[plant->class].word, fault->where) : NULL;
}

/* Faults of one class in one side, until one is visible. Adds to *ret_visible. */
static struct rt_error *plant_class(struct program *program, enum hx_side side, enum hx_plant_class class,
                                    size_t *ret_visible) {
    struct subject *subject = &program->subjects[side][hx_plant_rows[class].pairing];
    struct hx_faults *faults = program->faults;
    bool is_visible = false;
    for (uint64_t i = 0;
         subject->is_ready && !is_visible && i < program->selftest->tries && faults->count < HX_SELFTEST_MOST;
         i++) {
        const struct hx_plant *plant = choose(subject, class);
        if (!plant)
            break;
        struct rt_error *error = plant_one(program, subject, plant, &faults->items[faults->count]);
        if (error)
            return error;
        is_visible = faults->items[faults->count++].is_visible;
        *ret_visible += is_visible;
    }
    return NULL;
}

static struct rt_error *plant_all(struct program *program, size_t most) {
    struct rt_error *error = NULL;
    size_t visible = 0;
    for (int class = 0; class < HX_PLANT_COUNT; class ++) {
        if (hx_plant_rows[class].pairing == HX_TRACES || !program->selftest->wanted[class])
            continue;
        for (int side = 0; !error && visible < most && side < HX_BUILD_SIDES; side++)
            error = plant_class(program, (enum hx_side)side, (enum hx_plant_class) class, &visible);
    }
    return error;
}

struct rt_error *hx_selftest_program(const struct hx_selftest *selftest, const struct hx_source *source,
                                     const struct hx_temp *folder, size_t most, struct hx_faults *ret) {
    struct program program = {.selftest = selftest,
                              .source = source->has_seed ? HX_SOURCE : source->c_file,
                              .folder = folder->path,
                              .number = source->seed,
                              .faults = ret};
    struct rt_error *error = NULL;
    *ret = (struct hx_faults){0};
    rt_arena_init(&program.arena, 0);
    if (source->has_seed)
        error = selftest->check.generator->write(selftest->check.tools, source->seed,
                                                 selftest->check.csmith_words, folder->path);
    if (!error)
        error = compile(&program);
    if (!error)
        error = make_subjects(&program);
    if (!error)
        error = plant_all(&program, most);
    for (int i = 0; i < HX_BUILD_SIDES * HX_TRACES; i++)
        clear_subject(&program.subjects[i % HX_BUILD_SIDES][i / HX_BUILD_SIDES]);
    rt_arena_clear(&program.arena);
    return error;
}

struct rt_error *hx_selftest_source(const struct hx_selftest *selftest, const struct hx_source *source,
                                    const struct hx_temp *folder, size_t most, struct hx_faults *ret) {
    struct rt_error *error = NULL;
    if ((selftest->sides[HX_SIDE_NATIVE] || selftest->sides[HX_SIDE_WASM]) &&
        (is_wanted(selftest, HX_BUILDS) || is_wanted(selftest, HX_TWINS)))
        error = hx_selftest_program(selftest, source, folder, most, ret);
#ifdef LOCKSTEP_RR
    size_t visible = 0;
    for (size_t i = 0; i < ret->count; i++)
        visible += ret->items[i].is_visible;
    if (!error && source->has_seed && selftest->sides[HX_SIDE_TRACE] && is_wanted(selftest, HX_TRACES) &&
        visible < most) {
        error = hx_selftest_traces(selftest, source->seed, folder, most - visible, ret);
        ret->agrees |= !error;
    }
#endif
    return error;
}
