/* One program of the self-test: compiled, found to agree, then faulted again and again. */
#include "harness/selftest.h"

#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/program.h"
#include "harness/random.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_FINDINGS = 3, FILE_LIMIT = 256 << 20 };
#define OPTIMISED "-O2"

/* A base, and what is compared with it. */
struct subject {
    const char *reference; /* path of the shared object or the module */
    char base_path[320], fault_path[320];
    struct rt_module *base;
    struct hx_passes passes;
    struct hx_plants plants;
    struct hx_shown *shown; /* of the base */
    bool *is_used;          /* by index of a plant */
    bool is_ready;
};

struct program {
    const struct hx_selftest *selftest;
    const char *source, *folder;
    uint64_t number; /* the program's seed, for the names of what is kept */
    struct hx_random random;
    struct rt_arena arena;
    struct subject subjects[HX_TRACES]; /* by enum hx_pairing */
    struct hx_faults *faults;
};

/* ---- Making the artifacts ---- */

static struct rt_error *compile(const struct program *program) {
    const struct hx_tools *tools = program->selftest->check.tools;
    char from[320], to[320];
    struct rt_error *error = hx_compile_wasm(tools, OPTIMISED, program->source, program->folder);
    snprintf(from, sizeof from, "%s/" HX_WASM, program->folder);
    snprintf(to, sizeof to, "%s/" HX_WASM_OTHER, program->folder);
    if (!error && rename(from, to) != 0)
        error = rt_error_os(errno, "cannot rename %s", from);
    return error ? error : hx_compile(tools, program->source, program->folder);
}

static struct rt_error *write_module(const char *path, uint8_t *bytes, size_t size) {
    struct rt_error *error = hx_file_write(path, bytes, size, 0666);
    free(bytes);
    return error;
}

/* Writes the base of a module, and opens it. */
static struct rt_error *make_base(const struct program *program, const char *wasm, struct subject *subject) {
    char path[320];
    struct rt_module *module;
    uint8_t *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", program->folder, wasm);
    snprintf(subject->base_path, sizeof subject->base_path, "%s/base-%s", program->folder, wasm);
    snprintf(subject->fault_path, sizeof subject->fault_path, "%s/fault-%s", program->folder, wasm);
    struct rt_error *error = rt_module_open(path, &module);
    if (error)
        return error;
    error = hx_plant_base(module, program->source, &bytes, &size);
    rt_module_destroy(module);
    if (!error)
        error = write_module(subject->base_path, bytes, size);
    return error ? error : rt_module_open(subject->base_path, &subject->base);
}

/* A rewriting without a fault must agree, and show what the base shows. */
static struct rt_error *check_identity(const struct program *program, enum hx_pairing pairing,
                                       struct subject *subject) {
    struct hx_shown *shown = NULL;
    struct hx_changes changes;
    struct hx_result result;
    uint8_t *bytes;
    size_t size;
    struct rt_error *error = hx_plant_apply(subject->base, NULL, &bytes, &size);
    if (!error)
        error = write_module(subject->fault_path, bytes, size);
    if (error)
        return error;
    error = hx_selftest_compare(&program->selftest->check, pairing, subject->reference, subject->fault_path,
                                &result);
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

static struct rt_error *make_subject(struct program *program, enum hx_pairing pairing) {
    struct subject *subject = &program->subjects[pairing];
    struct rt_error *error = make_base(program, pairing == HX_TWINS ? HX_WASM_OTHER : HX_WASM, subject);
    subject->reference = pairing == HX_TWINS
                             ? subject->base_path
                             : rt_arena_printf(&program->arena, "%s/" HX_NATIVE, program->folder);
    if (!error && !subject->reference)
        error = rt_error_out_of_memory();
    if (!error)
        error = hx_passes_record(subject->base_path, &subject->passes);
    if (!error) {
        const struct hx_live live = {subject->passes.pcs, subject->passes.pc_count};
        error = hx_plant_survey(subject->base, &live, &program->arena, &subject->plants);
    }
    if (!error)
        error = hx_shown_read(program->selftest->dwarfdump, subject->base_path, &subject->shown);
    if (!error)
        error = check_identity(program, pairing, subject);
    if (!error && !(subject->is_used = rt_arena_array(&program->arena, subject->plants.count, sizeof(bool))))
        error = rt_error_out_of_memory();
    subject->is_ready = !error;
    return error;
}

static void clear_subject(struct subject *subject) {
    rt_module_destroy(subject->base);
    hx_passes_clear(&subject->passes);
    hx_shown_destroy(subject->shown);
}

/* ---- Choosing ---- */

/* A fault of the class that was not planted before, of those in code that ran if there are any. NULL: none is
 * left. */
static struct hx_plant *choose(struct program *program, struct subject *subject, enum hx_plant_class class) {
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < subject->plants.count; i++)
        if (subject->plants.items[i].class == class && !subject->is_used[i])
            counts[subject->plants.items[i].is_live]++;
    const bool is_live = counts[1] > 0;
    if (!counts[is_live])
        return NULL;
    uint32_t left = hx_random_below(&program->random, (uint32_t)counts[is_live]);
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
        wrong = "the module is refused";
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

static struct rt_error *copy_file(const char *from, const char *folder, const char *name) {
    struct hx_buffer bytes = {0};
    char to[512];
    snprintf(to, sizeof to, "%s/%s", folder, name);
    struct rt_error *error = hx_file_read(from, FILE_LIMIT, &bytes);
    if (!error)
        error = hx_file_write(to, bytes.bytes, bytes.size, 0666);
    hx_buffer_clear(&bytes);
    return error;
}

static struct rt_error *keep(const struct program *program, const struct subject *subject,
                             const struct hx_fault *fault, const struct hx_result *result) {
    char folder[320], source[512];
    struct hx_buffer text = {0};
    snprintf(folder, sizeof folder, "%s/%llu-%s-%zu", program->selftest->keep,
             (unsigned long long)program->number, hx_plant_rows[fault->class].word, program->faults->count);
    if ((mkdir(program->selftest->keep, 0777) != 0 && errno != EEXIST) ||
        (mkdir(folder, 0777) != 0 && errno != EEXIST))
        return rt_error_os(errno, "cannot make %s", folder);
    snprintf(source, sizeof source, "%s%s%s", program->source[0] == '/' ? "" : program->folder,
             program->source[0] == '/' ? "" : "/", program->source);
    hx_buffer_print(&text, "%s: %s\n%s\n%s\n", hx_plant_rows[fault->class].word,
                    hx_plant_rows[fault->class].what, fault->where, fault->reason);
    hx_result_json(result, &text);
    hx_buffer_text(&text, "\n");
    struct rt_error *error = copy_file(source, folder, HX_SOURCE);
    if (!error)
        error = copy_file(subject->reference, folder,
                          subject->reference == subject->base_path ? "twin.wasm" : HX_NATIVE);
    if (!error)
        error = copy_file(subject->base_path, folder, "base.wasm");
    if (!error)
        error = copy_file(subject->fault_path, folder, "fault.wasm");
    snprintf(source, sizeof source, "%s/fault.txt", folder);
    if (!error)
        error = hx_file_write(source, text.bytes, text.size, 0666);
    hx_buffer_clear(&text);
    return error;
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

/* Plants one fault and sees what comes of it. */
static struct rt_error *plant_one(struct program *program, struct subject *subject,
                                  const struct hx_plant *plant, struct hx_fault *fault) {
    const struct hx_selftest *selftest = program->selftest;
    struct hx_shown *shown = NULL;
    struct hx_changes changes;
    struct hx_result result;
    uint8_t *bytes;
    size_t size;
    *fault = (struct hx_fault){.class = plant->class};
    describe(plant, fault->where, sizeof fault->where);
    struct rt_error *error = hx_plant_apply(subject->base, plant, &bytes, &size);
    if (!error)
        error = write_module(subject->fault_path, bytes, size);
    if (!error)
        error = hx_shown_read(selftest->dwarfdump, subject->fault_path, &shown);
    if (!error)
        error = hx_shown_compare(subject->shown, shown, &subject->passes, &changes);
    if (!error)
        fault->is_visible = changes.in_stops || changes.in_variables;
    if (!error && fault->is_visible) {
        error = hx_selftest_compare(&selftest->check, hx_plant_rows[plant->class].pairing, subject->reference,
                                    subject->fault_path, &result);
        if (!error)
            judge(plant, &changes, &result, fault);
        if (!error && selftest->keep && !fault->is_named)
            error = keep(program, subject, fault, &result);
        hx_result_clear(&result);
    }
    hx_shown_destroy(shown);
    return error ? rt_error_context(error, "%s %s", hx_plant_rows[plant->class].word, fault->where) : NULL;
}

static struct rt_error *plant_all(struct program *program, size_t most) {
    struct hx_faults *faults = program->faults;
    size_t visible = 0;
    for (int class = 0; class < HX_PLANT_COUNT; class ++) {
        bool is_visible = false;
        if (hx_plant_rows[class].pairing == HX_TRACES)
            continue;
        struct subject *subject = &program->subjects[hx_plant_rows[class].pairing];
        for (uint64_t i = 0;
             program->selftest->wanted[class] && subject->is_ready && !is_visible && visible < most &&
             i < program->selftest->tries && faults->count < HX_SELFTEST_MOST;
             i++) {
            const struct hx_plant *plant = choose(program, subject, (enum hx_plant_class) class);
            if (!plant)
                break;
            struct rt_error *error = plant_one(program, subject, plant, &faults->items[faults->count]);
            if (error)
                return error;
            is_visible = faults->items[faults->count++].is_visible;
            visible += is_visible;
        }
    }
    return NULL;
}

static bool is_wanted(const struct hx_selftest *selftest, enum hx_pairing pairing) {
    bool wanted = false;
    for (int class = 0; class < HX_PLANT_COUNT; class ++)
        wanted |= selftest->wanted[class] && hx_plant_rows[class].pairing == pairing;
    return wanted;
}

struct rt_error *hx_selftest_program(const struct hx_selftest *selftest, const struct hx_source *source,
                                     const struct hx_temp *folder, size_t most, struct hx_faults *ret) {
    struct program program = {.selftest = selftest,
                              .source = source->has_seed ? HX_SOURCE : source->c_file,
                              .folder = folder->path,
                              .number = source->seed,
                              .random = {hx_random_mix(selftest->seed) ^ source->seed},
                              .faults = ret};
    struct rt_error *error = NULL;
    *ret = (struct hx_faults){0};
    rt_arena_init(&program.arena, 0);
    if (source->has_seed)
        error = selftest->check.generator->write(selftest->check.tools, source->seed,
                                                 selftest->check.csmith_words, folder->path);
    if (!error)
        error = compile(&program);
    for (int pairing = 0; !error && pairing < HX_TRACES; pairing++)
        if (is_wanted(selftest, (enum hx_pairing)pairing))
            error = make_subject(&program, (enum hx_pairing)pairing);
    ret->agrees = !error;
    if (!error)
        error = plant_all(&program, most);
    for (int i = 0; i < HX_TRACES; i++)
        clear_subject(&program.subjects[i]);
    rt_arena_clear(&program.arena);
    return error;
}

/* All that is wanted of a source. A file has no recording: which folders it would run with is not known. */
static struct rt_error *take_source(const struct hx_selftest *selftest, const struct hx_source *source,
                                    const struct hx_temp *folder, size_t most, struct hx_faults *ret) {
    struct rt_error *error = NULL;
    if (is_wanted(selftest, HX_BUILDS) || is_wanted(selftest, HX_TWINS))
        error = hx_selftest_program(selftest, source, folder, most, ret);
#ifdef LOCKSTEP_RR
    size_t visible = 0;
    for (size_t i = 0; i < ret->count; i++)
        visible += ret->items[i].is_visible;
    if (!error && source->has_seed && is_wanted(selftest, HX_TRACES) && visible < most) {
        error = hx_selftest_traces(selftest, source->seed, folder, most - visible, ret);
        ret->agrees = !error;
    }
#endif
    return error;
}

struct rt_error *hx_selftest_run(const struct hx_selftest *selftest, const struct hx_source *source,
                                 const struct hx_temp *temp, size_t most, struct hx_faults *ret) {
    struct hx_faults *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct hx_temp folder;
    int status = 0;
    if (shared == MAP_FAILED)
        return rt_error_os(errno, "cannot share memory with a program's process");
    struct rt_error *error = hx_temp_folder(temp, "program", &folder);
    fflush(NULL);
    const pid_t pid = error ? -1 : fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        error = take_source(selftest, source, &folder, most, shared);
        if (error)
            snprintf(shared->reason, sizeof shared->reason, "%s", error->message);
        _exit(0);
    }
    if (!error && pid < 0)
        error = rt_error_os(errno, "cannot start a program's process");
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *ret = *shared;
    if (!error && status)
        hx_status_describe(status, ret->reason, sizeof ret->reason);
    if (!error && hx_interrupted())
        error = rt_error_format(RT_EXIT, "interrupted");
    hx_temp_remove(&folder);
    munmap(shared, sizeof *shared);
    return error;
}
