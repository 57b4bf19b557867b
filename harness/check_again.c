/* That one build ends and the other does not says something of the program, unless the machine was busy: such
 * a pair is compared once more, with ten times the time. */
#include "harness/job.h"

#include <string.h>

enum { PATIENCE = 10 };

static bool has_one_end(const struct hx_result *result) {
    for (size_t i = 0; i < result->finding_count; i++)
        if (strcmp(result->findings[i].kind, "timeout") == 0)
            return true;
    return false;
}

struct rt_error *hx_check_again(const struct hx_job *job, struct hx_result *result) {
    struct hx_result again;
    struct hx_two two;

    if (!has_one_end(result))
        return NULL;
    struct rt_error *error = hx_first_two(job->setup, &job->source, job->folder.path, &result->arena, &two);
    if (error)
        return error;
    hx_result_init(&again);
    error = hx_worker_compare(job, &two, PATIENCE * job->setup->time_limit, &again);
    /* A part that cannot be run leaves what was seen. */
    if (error || again.verdict == HX_SKIPPED) {
        hx_result_clear(&again);
        return error;
    }
    hx_result_clear(result);
    *result = again;
    return NULL;
}
