/* Control builds: the program once more, with words for both compilers that turn off what a known defect is
 * in. A finding that these builds do not show has its cause there, by the compiler's own word. */
#include "harness/job.h"

#include "harness/known.h"
#include "harness/program.h"

#include <string.h>

#define FOLDER "control" /* in the program's folder */

/* The last control build, and what its comparison showed; several defects may ask for the same. */
struct control {
    const char *words; /* NULL: there is none yet */
    const char *names[2];
    struct hx_result result;
};

static const struct hx_witness *witness_of(const struct hx_setup *setup, const struct hx_two *plain,
                                           const char *name) {
    for (int i = 0; i < 2; i++)
        if (strcmp(plain->witness[i]->name, name) == 0)
            return plain->witness[i];
    for (size_t i = 0; setup->witnesses && i < setup->witnesses->count; i++)
        if (strcmp(setup->witnesses->items[i].name, name) == 0)
            return &setup->witnesses->items[i];
    return NULL;
}

/* Both builds with these words in the folder "control" of the program's. */
static struct rt_error *build(const struct hx_job *job, const char *words, struct rt_arena *arena,
                              struct hx_temp *ret) {
    struct hx_tools tools = *job->setup->tools;

    tools.more_words = hx_tools_words(words, strlen(words), arena);
    if (!tools.more_words)
        return rt_error_out_of_memory();
    struct rt_error *error = hx_temp_folder(&job->folder, FOLDER, ret);
    if (error)
        return error;
    hx_worker_begin_part(job, job->setup->time_limit);
    return hx_compile(&tools, hx_worker_text(job), ret->path);
}

/* Compares these two witnesses' control builds, which may take twice the time: a finding is not gone because
 * a machine was busy. */
static struct rt_error *compare(const struct hx_job *job, const struct hx_witness *const witnesses[2],
                                const struct hx_temp *folder, struct rt_arena *arena,
                                struct hx_result *result) {
    struct hx_two two = {.witness = {witnesses[0], witnesses[1]}};

    for (int i = 0; i < 2; i++) {
        two.artifact[i] = rt_arena_printf(arena, "%s/%s", folder->path, witnesses[i]->artifact);
        if (!two.artifact[i])
            return rt_error_out_of_memory();
    }
    return hx_worker_compare(job, &two, 2 * job->setup->time_limit, result);
}

/* A program that these compilers cannot build so leaves a result that shows nothing gone. */
static struct rt_error *make(const struct hx_job *job, const char *words,
                             const struct hx_witness *const witnesses[2], struct rt_arena *arena,
                             struct control *control) {
    struct hx_temp folder;

    control->words = words;
    for (int i = 0; i < 2; i++)
        control->names[i] = witnesses[i]->name;
    hx_result_clear(&control->result);
    hx_result_init(&control->result);
    control->result.verdict = HX_SKIPPED;
    struct rt_error *error = build(job, words, arena, &folder);
    if (error && error->code == RT_USAGE) {
        rt_error_destroy(error);
        return NULL;
    }
    return error ? error : compare(job, witnesses, &folder, arena, &control->result);
}

/* It went about as far as the program itself was compared (a statement less makes stops less), and has
 * nothing in this line or of this variable. */
static bool is_gone(const struct hx_finding *finding, const struct hx_result *result,
                    const struct hx_result *control) {
    const struct or_finding *body = &finding->body;

    if (control->verdict != HX_AGREE && control->verdict != HX_DIFFER && control->verdict != HX_TIMEOUT)
        return false;
    if (control->findings_left_out > 0 ||
        (!control->is_complete && control->stops < result->stops - result->stops / 10))
        return false;
    for (size_t i = 0; i < control->finding_count; i++) {
        const struct or_finding *other = &control->findings[i].body;
        if (!rt_same_text(other->function, body->function))
            continue;
        if (other->line == body->line || (body->variable && rt_same_text(other->variable, body->variable)))
            return false;
    }
    return true;
}

static struct rt_error *look(const struct hx_job *job, const char *words, const struct hx_two *plain,
                             struct hx_result *result, struct hx_finding *finding, struct control *control) {
    const struct hx_witness *witnesses[2];
    struct rt_error *error = NULL;

    for (int i = 0; i < 2; i++) {
        witnesses[i] = witness_of(job->setup, plain, finding->body.witnesses[i].name);
        if (!witnesses[i] || witnesses[i]->folder) /* another compiler's */
            return NULL;
    }
    if (!rt_same_text(control->words, words) || !rt_same_text(control->names[0], witnesses[0]->name) ||
        !rt_same_text(control->names[1], witnesses[1]->name))
        error = make(job, words, witnesses, &result->arena, control);
    if (!error && is_gone(finding, result, &control->result)) {
        finding->gone_with = rt_arena_copy(&result->arena, words, strlen(words));
        if (!finding->gone_with)
            error = rt_error_out_of_memory();
    }
    return error;
}

struct rt_error *hx_check_controls(const struct hx_job *job, struct hx_result *result) {
    const struct hx_setup *setup = job->setup;
    const struct hx_known *known = setup->known;
    const struct hx_known_context context = hx_known_context_of(setup->tools, job->folder.path);
    struct control control = {.words = NULL};
    struct hx_two plain;

    if (!known || !setup->tools || !hx_worker_text(job) || result->finding_count == 0)
        return NULL;
    struct rt_error *error = hx_first_two(setup, &job->source, job->folder.path, &result->arena, &plain);
    hx_result_init(&control.result);
    for (size_t d = 0; d < known->count; d++)
        for (size_t i = 0; i < result->finding_count && !error; i++) {
            struct hx_finding *finding = &result->findings[i];
            const char *words =
                finding->gone_with ? NULL : hx_known_control(&known->defects[d], &context, finding);
            if (words)
                error = look(job, words, &plain, result, finding, &control);
        }
    hx_result_clear(&control.result);
    return error;
}
