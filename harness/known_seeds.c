/* Which programs show a known defect: a seed that stops showing it means that a compiler has become better,
 * or that we see less. */
#include "harness/known.h"

#include <string.h>

enum { EXACT = 53 }; /* bits of a JSON number that are exact */

static struct rt_error *misfit(const char *path) {
    return rt_error_format(
        RT_MALFORMED,
        "%s: \"shown_by\" must be an array of objects with \"compiler\", \"opt\", and \"seeds\", "
        "an array of numbers",
        path);
}

static struct rt_error *read_numbers(const struct hx_json_value *array, const char *path,
                                     struct rt_arena *arena, struct hx_known_seeds *ret) {
    size_t count = 0;

    for (const struct hx_json_value *item = array->first; item; item = item->next)
        count++;
    uint64_t *seeds = rt_arena_array(arena, count, sizeof *seeds);
    if (!seeds)
        return rt_error_out_of_memory();
    for (const struct hx_json_value *item = array->first; item; item = item->next) {
        if (item->kind != HX_JSON_NUMBER || !(item->number >= 0 && item->number < (double)(1ull << EXACT)))
            return misfit(path);
        seeds[ret->count++] = (uint64_t)item->number;
    }
    ret->seeds = seeds;
    return NULL;
}

struct rt_error *hx_known_seeds_read(const struct hx_json_value *object, const char *path,
                                     struct rt_arena *arena, const struct hx_known_seeds **ret) {
    const struct hx_json_value *array = hx_json_member(object, "shown_by");
    struct rt_error *error = NULL;

    *ret = NULL;
    if (array && array->kind != HX_JSON_ARRAY)
        return misfit(path);
    for (const struct hx_json_value *item = array ? array->first : NULL; item && !error; item = item->next) {
        const struct hx_json_value *seeds =
            item->kind == HX_JSON_OBJECT ? hx_json_member(item, "seeds") : NULL;
        struct hx_known_seeds *group = rt_arena_alloc(arena, sizeof *group);
        if (!group)
            return rt_error_out_of_memory();
        if (!seeds || seeds->kind != HX_JSON_ARRAY)
            return misfit(path);
        *group = (struct hx_known_seeds){.compiler = hx_json_member_string(item, "compiler"),
                                         .optimisation = hx_json_member_string(item, "opt"),
                                         .next = *ret};
        if (!group->compiler || !group->optimisation)
            return misfit(path);
        error = read_numbers(seeds, path, arena, group);
        *ret = group;
    }
    return error;
}

bool hx_known_is_expected(const struct hx_known_defect *defect, const char *compiler,
                          const char *optimisation, uint64_t seed) {
    for (const struct hx_known_seeds *group = defect->shown_by; group; group = group->next)
        for (size_t i = 0; i < group->count; i++)
            if (group->seeds[i] == seed && strcmp(group->optimisation, optimisation) == 0 &&
                hx_known_match(group->compiler, compiler))
                return true;
    return false;
}

bool hx_known_is_missing(const struct hx_known_defect *defect, const struct hx_result *result) {
    if (result->verdict != HX_AGREE && result->verdict != HX_DIFFER)
        return false;
    for (size_t i = 0; i < result->finding_count; i++) {
        const char *known = result->findings[i].known;
        if (known && strcmp(known, defect->name) == 0)
            return false;
    }
    return true;
}
