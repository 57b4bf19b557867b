/* One trial: is a candidate a sound program that shows the finding? The cheapest question comes first: most
 * candidates are no C at all. */
#include "harness/reduce.h"

#include "harness/process.h"
#include "harness/program.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define SOUND "sound" /* the program with sanitizers */
/* Nobody reads what UndefinedBehaviorSanitizer says, and the code for it takes a third longer to make. */
#define TRAPS "-fsanitize-trap=undefined"

/* Milliseconds that a program with sanitizers may run. */
enum { SANITIZED_LIMIT = 5000, ENDLESS_LIMIT = 1000, BUILD_LIMIT = 20000 };

/* Warnings of clang that mean undefined behaviour, or C that another compiler refuses. */
static const char *const warnings[] = {
    "-Werror=array-bounds",
    "-Werror=deprecated-non-prototype",
    "-Werror=division-by-zero",
    "-Werror=empty-translation-unit",
    "-Werror=excess-initializers",
    "-Werror=format",
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=incompatible-function-pointer-types",
    "-Werror=incompatible-library-redeclaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=incompatible-pointer-types-discards-qualifiers",
    "-Werror=int-conversion",
    "-Werror=int-to-pointer-cast",
    "-Werror=int-to-void-pointer-cast",
    "-Werror=main",
    "-Werror=main-return-type",
    "-Werror=missing-declarations",
    "-Werror=null-dereference",
    "-Werror=pointer-integer-compare",
    "-Werror=pointer-to-int-cast",
    "-Werror=return-stack-address",
    "-Werror=return-type",
    "-Werror=shift-count-negative",
    "-Werror=shift-count-overflow",
    "-Werror=sometimes-uninitialized",
    "-Werror=strict-prototypes",
    "-Werror=tentative-definition-incomplete-type",
    "-Werror=undefined-internal",
    "-Werror=uninitialized",
    "-Werror=unsequenced",
    "-Werror=visibility",
    "-Werror=void-pointer-to-int-cast",
};
enum { WARNINGS = sizeof warnings / sizeof *warnings };
static_assert(WARNINGS + 1 <= HX_MAX_WARNINGS, "they fit");

const char *hx_answer_words(enum hx_answer answer) {
    static const char *const words[] = {
#define HX_ANSWER(name, words) words,
#include "harness/reduce_answers.def"
#undef HX_ANSWER
    };
    return words[answer];
}

bool hx_target_is(const struct hx_target *target, const struct hx_finding *finding) {
    if (strcmp(target->signature, finding->body.signature) != 0 ||
        !rt_same_text(target->known, finding->known))
        return false;
    for (int i = 0; i < 2 && target->has_states; i++)
        if (!rt_same_text(target->states[i], finding->body.witnesses[i].state))
            return false;
    return true;
}

static struct rt_error *write_source(const struct hx_temp *folder, const char *text, size_t size) {
    char path[512];

    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder->path);
    return hx_file_write(path, text, size, 0644);
}

/* ---- Soundness ---- */

/* Builds the program with sanitizers and runs it. NULL words are left out. */
static struct rt_error *sanitize(const struct hx_reduction *reduction, const struct hx_temp *folder,
                                 const char *const *sanitizers, bool *ret_sound) {
    const char *words[16];
    struct hx_process process;
    char program[512];
    size_t count = 0;

    words[count++] = reduction->sanitizing_cc;
    for (; *sanitizers; sanitizers++)
        if (**sanitizers)
            words[count++] = *sanitizers;
    words[count++] = "-fno-sanitize-recover=all";
    words[count++] = "-fno-strict-float-cast-overflow"; /* as in compile.c */
    words[count++] = "-w";
    words[count++] = "-fuse-ld=lld"; /* twice as fast with such runtimes as the default one */
    if (reduction->setup.tools->csmith_include)
        words[count++] = reduction->setup.tools->csmith_include;
    words[count++] = HX_SOURCE;
    words[count++] = "-o";
    words[count++] = SOUND;
    words[count] = NULL;
    process = (struct hx_process){.argv = words, .directory = folder->path, .time_limit = BUILD_LIMIT};
    struct rt_error *error = hx_process_run(&process, 1);
    bool is_built = !error && hx_process_succeeded(&process);
    hx_process_clear(&process);
    *ret_sound = false;
    if (error || !is_built)
        return error;
    snprintf(program, sizeof program, "%s/" SOUND, folder->path);
    const char *argv[] = {program, NULL};
    process = (struct hx_process){.argv = argv,
                                  .directory = folder->path,
                                  .time_limit = reduction->is_endless ? ENDLESS_LIMIT : SANITIZED_LIMIT};
    error = hx_process_run(&process, 1);
    /* The program's own exit status means nothing here. */
    *ret_sound = !error && (process.timed_out ? reduction->is_endless : WIFEXITED(process.status)) &&
                 !strstr(hx_buffer_string(&process.output), "Sanitizer: ");
    hx_process_clear(&process);
    return error;
}

/* MemorySanitizer and AddressSanitizer cannot be in one program; the other checks go with the first. */
static struct rt_error *is_defined(const struct hx_reduction *reduction, const struct hx_temp *folder,
                                   bool *ret) {
    const struct hx_soundness *soundness = &reduction->soundness;
    const char *const first[] = {
        soundness->memory ? "-fsanitize=memory" : "",
        soundness->undefined ? "-fsanitize=undefined" : "",
        soundness->undefined && !soundness->alignment ? "-fno-sanitize=alignment" : "",
        soundness->undefined && !soundness->conversion ? "-fno-sanitize=float-cast-overflow" : "",
        soundness->undefined ? TRAPS : "",
        NULL};
    const char *const second[] = {"-fsanitize=address", NULL};
    struct rt_error *error = NULL;

    *ret = true;
    if (soundness->memory || soundness->undefined)
        error = sanitize(reduction, folder, first, ret);
    if (!error && *ret && soundness->address)
        error = sanitize(reduction, folder, second, ret);
    return error;
}

static void leave_out(struct hx_soundness *soundness, const char *name) {
    hx_buffer_print(&soundness->left_out, "%s%s", soundness->left_out.size > 0 ? ", " : "", name);
}

/* True when the compiler's output names the warning, or one of those that it stands for:
 * "[-Werror,-Wformat-zero". */
static bool names_warning(const char *output, const char *name) {
    const size_t length = strlen(name);

    for (const char *place = output; (place = strstr(place, "-W")); place += 2) {
        const char *end = place + 2 + length;
        if (strncmp(place + 2, name, length) == 0 && (*end == ']' || *end == '-'))
            return true;
    }
    return false;
}

/* What the Wasm compiler warns of in the program as it is stays allowed. */
static struct rt_error *measure_warnings(struct hx_reduction *reduction, const struct hx_temp *folder) {
    struct hx_soundness *soundness = &reduction->soundness;
    const char *asked[WARNINGS + 3] = {"-Wno-everything", "-ferror-limit=0"};
    struct hx_process process;
    size_t count = 1;

    memcpy(asked + 2, warnings, sizeof warnings);
    struct rt_error *error =
        hx_compile_object(reduction->setup.tools, true, asked, HX_SOURCE, folder->path, &process);
    soundness->warnings[0] = asked[0];
    for (size_t i = 0; i < WARNINGS; i++) {
        const char *name = strchr(warnings[i], '=') + 1;
        if (!error && names_warning(hx_buffer_string(&process.output), name))
            leave_out(soundness, name);
        else
            soundness->warnings[count++] = warnings[i];
    }
    soundness->warnings[count] = NULL;
    hx_process_clear(&process);
    return error;
}

struct rt_error *hx_soundness_measure(struct hx_reduction *reduction, const char *text, size_t size,
                                      const struct hx_temp *folder) {
    struct hx_soundness *soundness = &reduction->soundness;
    const struct {
        const char *words[4];
        const char *name;
        bool *is_on;
    } sanitizers[] = {
        {{"-fsanitize=undefined", "-fno-sanitize=alignment,float-cast-overflow", TRAPS},
         "UndefinedBehaviorSanitizer",
         &soundness->undefined},
        {{"-fsanitize=alignment", "-fsanitize-trap=alignment"},
         "its check of alignment",
         &soundness->alignment},
        {{"-fsanitize=float-cast-overflow", "-fsanitize-trap=float-cast-overflow"},
         "its check of conversions from floats",
         &soundness->conversion},
        {{"-fsanitize=memory"}, "MemorySanitizer", &soundness->memory},
        {{"-fsanitize=address"}, "AddressSanitizer", &soundness->address},
    };
    struct rt_error *error = write_source(folder, text, size);
    bool passes_all = false;

    hx_buffer_clear(&soundness->left_out);
    if (!error)
        error = measure_warnings(reduction, folder);
    /* Most pass all of them, which two builds tell. */
    for (size_t i = 0; i < sizeof sanitizers / sizeof *sanitizers; i++)
        *sanitizers[i].is_on = true;
    if (!error)
        error = is_defined(reduction, folder, &passes_all);
    for (size_t i = 0; i < sizeof sanitizers / sizeof *sanitizers && !error && !passes_all; i++) {
        error = sanitize(reduction, folder, sanitizers[i].words, sanitizers[i].is_on);
        if (!error && !*sanitizers[i].is_on)
            leave_out(soundness, sanitizers[i].name);
    }
    if (!error && soundness->left_out.failed)
        error = rt_error_out_of_memory();
    return error;
}

/* ---- The trial ---- */

/* Builds both sides as far as they can be built; HX_ANSWER_SAME is "both are there". */
static struct rt_error *build(const struct hx_reduction *reduction, const struct hx_temp *folder,
                              enum hx_answer *ret) {
    const struct hx_tools *tools = reduction->setup.tools;
    struct rt_error *error = NULL;
    bool is_linked = false;

    /* Wasm first: what is ill-formed ends there, before any code is made. */
    for (int side = 0; side < 2; side++) {
        struct hx_process process;
        error = hx_compile_object(tools, side == 0, side == 0 ? reduction->soundness.warnings : NULL,
                                  HX_SOURCE, folder->path, &process);
        bool is_compiled = !error && hx_process_succeeded(&process);
        hx_process_clear(&process);
        *ret = side == 0 ? HX_ANSWER_ILL_FORMED : HX_ANSWER_UNBUILDABLE;
        if (error || !is_compiled)
            return error;
    }
    error = hx_link_objects(tools, folder->path, &is_linked);
    *ret = is_linked ? HX_ANSWER_SAME : HX_ANSWER_UNBUILDABLE;
    return error;
}

/* Whether the comparison is one to judge a finding of that kind by: to the end and with the same output,
 * unless the finding is about that. */
static bool is_judged(const struct hx_reduction *reduction, const struct hx_result *result) {
    return result->verdict != HX_SKIPPED &&
           (result->verdict != HX_DIFFER || !result->reason || reduction->is_endless);
}

/* *ret_finding: where the answer is that it shows the finding. */
static enum hx_answer find_target(const struct hx_reduction *reduction, const struct hx_temp *folder,
                                  struct hx_result *result, const struct hx_finding **ret_finding) {
    const struct hx_known_context context = hx_known_context_of(reduction->setup.tools, folder->path);

    hx_known_mark(reduction->setup.known, &context, result);
    if (!is_judged(reduction, result))
        return HX_ANSWER_ENDS_DIFFERENTLY;
    for (size_t i = 0; i < result->finding_count; i++)
        if (hx_target_is(&reduction->target, &result->findings[i])) {
            *ret_finding = &result->findings[i];
            return HX_ANSWER_SAME;
        }
    return result->verdict == HX_OUTPUT || result->verdict == HX_TIMEOUT ? HX_ANSWER_ENDS_DIFFERENTLY
                                                                         : HX_ANSWER_OTHER;
}

/* The lines of the program's own source alone. */
static void take_lines(const struct or_finding *finding, uint32_t ret[HX_PLACE_LINES]) {
    const struct or_testimony *witness = &finding->witnesses[finding->witnesses[0].stack_count == 0];

    if (rt_same_text(finding->file, HX_SOURCE) || rt_same_text(finding->file, "./" HX_SOURCE))
        ret[0] = finding->line;
    for (size_t i = 1; i < HX_PLACE_LINES && i < witness->stack_count; i++)
        if (rt_same_text(witness->stack[i].file, HX_SOURCE))
            ret[i] = witness->stack[i].line;
}

/* `ret_lines` may be NULL. */
static struct rt_error *step(const struct hx_reduction *reduction, const struct hx_temp *folder,
                             enum hx_answer *ret, uint32_t *ret_lines) {
    const struct hx_finding *finding = NULL;
    char native[512], wasm[512], text[512];
    struct hx_result result;
    struct hx_job job;

    snprintf(native, sizeof native, "%s/" HX_NATIVE, folder->path);
    snprintf(wasm, sizeof wasm, "%s/" HX_WASM, folder->path);
    snprintf(text, sizeof text, "%s/" HX_SOURCE, folder->path);
    struct hx_source source = {.native = native, .wasm = wasm, .text = text};
    /* Of a build that is compared with itself, the other one is not asked. */
    if (reduction->setup.is_self && strstr(reduction->target.signature, "/native/"))
        source.wasm = NULL;
    else if (reduction->setup.is_self)
        source.native = NULL;
    hx_job_init(&job);
    hx_result_init(&result);
    struct rt_error *error = hx_job_run(&reduction->setup, &source, folder, &job, &result);
    if (!error)
        *ret = find_target(reduction, folder, &result, &finding);
    if (finding && ret_lines)
        take_lines(&finding->body, ret_lines);
    hx_result_clear(&result);
    hx_job_clear(&job);
    return error;
}

struct rt_error *hx_trial_locate(const struct hx_reduction *reduction, uint32_t ret[HX_PLACE_LINES]) {
    struct hx_temp folder = {0};
    enum hx_answer answer;

    memset(ret, 0, HX_PLACE_LINES * sizeof *ret);
    struct rt_error *error = hx_temp_folder(reduction->temp, "place", &folder);
    if (!error)
        error = write_source(&folder, hx_buffer_string(&reduction->best), reduction->best.size);
    if (!error)
        error = build(reduction, &folder, &answer);
    if (!error && answer == HX_ANSWER_SAME)
        error = step(reduction, &folder, &answer, ret);
    hx_temp_remove(&folder);
    return error;
}

struct rt_error *hx_trial_run(const struct hx_reduction *reduction, const char *text, size_t size,
                              const struct hx_temp *folder, enum hx_answer *ret) {
    bool is_sound = true;
    struct rt_error *error = write_source(folder, text, size);

    *ret = HX_ANSWER_FAILED;
    if (!error && reduction->extent == HX_EXTENT_SOUNDNESS)
        *ret = HX_ANSWER_SAME;
    else if (!error)
        error = build(reduction, folder, ret);
    if (!error && *ret == HX_ANSWER_SAME && reduction->extent != HX_EXTENT_SOUNDNESS)
        error = step(reduction, folder, ret, NULL);
    if (!error && *ret == HX_ANSWER_SAME && reduction->extent != HX_EXTENT_FINDING)
        error = is_defined(reduction, folder, &is_sound);
    if (!is_sound)
        *ret = HX_ANSWER_UNDEFINED;
    if (error)
        *ret = HX_ANSWER_FAILED;
    return error;
}
