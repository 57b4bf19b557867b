/* What the self-test gave, counted by class: for people, and as JSON. */
#include "harness/selftest.h"

#include "harness/json.h"

#include <stdlib.h>
#include <string.h>

/* Counts a miss, or a wrong name, with those of the same class and reason. */
static struct rt_error *add_miss(struct hx_recall *recall, const struct hx_fault *fault) {
    for (size_t i = 0; i < recall->miss_count; i++) {
        struct hx_miss *miss = &recall->misses[i];
        if (miss->class == fault->class && miss->is_noticed == fault->is_noticed &&
            strcmp(miss->reason, fault->reason) == 0) {
            miss->count++;
            return NULL;
        }
    }
    struct hx_miss *misses = realloc(recall->misses, (recall->miss_count + 1) * sizeof *misses);
    if (!misses)
        return rt_error_out_of_memory();
    recall->misses = misses;
    struct hx_miss *miss = &misses[recall->miss_count++];
    *miss = (struct hx_miss){.class = fault->class, .is_noticed = fault->is_noticed, .count = 1};
    memcpy(miss->reason, fault->reason, sizeof miss->reason);
    return NULL;
}

struct rt_error *hx_recall_add(struct hx_recall *recall, const struct hx_faults *faults) {
    struct rt_error *error = NULL;
    recall->programs += faults->agrees;
    recall->set_aside += !faults->agrees;
    for (size_t i = 0; !error && i < faults->count; i++) {
        const struct hx_fault *fault = &faults->items[i];
        recall->by_class[fault->class].planted++;
        recall->by_class[fault->class].visible += fault->is_visible;
        recall->by_class[fault->class].noticed += fault->is_noticed;
        recall->by_class[fault->class].named += fault->is_named;
        if (fault->is_visible && !fault->is_named)
            error = add_miss(recall, fault);
    }
    return error;
}

void hx_recall_clear(struct hx_recall *recall) {
    free(recall->misses);
    *recall = (struct hx_recall){0};
}

struct sum {
    uint64_t planted, visible, noticed, named;
};

static struct sum sum_of(const struct hx_recall *recall) {
    struct sum sum = {0};
    for (int i = 0; i < HX_PLANT_COUNT; i++) {
        sum.planted += recall->by_class[i].planted;
        sum.visible += recall->by_class[i].visible;
        sum.noticed += recall->by_class[i].noticed;
        sum.named += recall->by_class[i].named;
    }
    return sum;
}

double hx_recall_noticed(const struct hx_recall *recall) {
    const struct sum sum = sum_of(recall);
    return sum.visible ? 100.0 * (double)sum.noticed / (double)sum.visible : 0;
}

double hx_recall_named(const struct hx_recall *recall) {
    const struct sum sum = sum_of(recall);
    return sum.visible ? 100.0 * (double)sum.named / (double)sum.visible : 0;
}

void hx_recall_print(const struct hx_recall *recall, FILE *file) {
    const struct sum sum = sum_of(recall);
    fprintf(file, "%-20s %8s %8s %8s %8s\n", "class", "planted", "visible", "noticed", "named");
    for (int i = 0; i < HX_PLANT_COUNT; i++)
        if (recall->by_class[i].planted)
            fprintf(file, "%-20s %8llu %8llu %8llu %8llu\n", hx_plant_rows[i].word,
                    (unsigned long long)recall->by_class[i].planted,
                    (unsigned long long)recall->by_class[i].visible,
                    (unsigned long long)recall->by_class[i].noticed,
                    (unsigned long long)recall->by_class[i].named);
    fprintf(file, "%-20s %8llu %8llu %8llu %8llu\n", "all", (unsigned long long)sum.planted,
            (unsigned long long)sum.visible, (unsigned long long)sum.noticed, (unsigned long long)sum.named);
    fprintf(
        file,
        "%.1f %% of visible faults noticed, %.1f %% rightly named; %llu programs, %llu more did not agree\n",
        hx_recall_noticed(recall), hx_recall_named(recall), (unsigned long long)recall->programs,
        (unsigned long long)recall->set_aside);
    for (size_t i = 0; i < recall->miss_count; i++)
        fprintf(file, "%s %s %llux: %s\n", recall->misses[i].is_noticed ? "misnamed" : "missed",
                hx_plant_rows[recall->misses[i].class].word, (unsigned long long)recall->misses[i].count,
                recall->misses[i].reason);
}

void hx_recall_json(const struct hx_recall *recall, FILE *file) {
    struct hx_buffer text = {0};
    for (int i = 0; i < HX_PLANT_COUNT; i++) {
        struct hx_json json = {.out = &text};
        if (!recall->by_class[i].planted)
            continue;
        hx_json_open(&json, NULL, '{');
        hx_json_string(&json, "class", hx_plant_rows[i].word);
        hx_json_string(&json, "what", hx_plant_rows[i].what);
        hx_json_number(&json, "planted", recall->by_class[i].planted);
        hx_json_number(&json, "visible", recall->by_class[i].visible);
        hx_json_number(&json, "noticed", recall->by_class[i].noticed);
        hx_json_number(&json, "named", recall->by_class[i].named);
        hx_json_open(&json, "misses", '[');
        for (size_t k = 0; k < recall->miss_count; k++) {
            if (recall->misses[k].class != (enum hx_plant_class)i)
                continue;
            hx_json_open(&json, NULL, '{');
            hx_json_bool(&json, "noticed", recall->misses[k].is_noticed);
            hx_json_number(&json, "count", recall->misses[k].count);
            hx_json_string(&json, "reason", recall->misses[k].reason);
            hx_json_close(&json, '}');
        }
        hx_json_close(&json, ']');
        hx_json_close(&json, '}');
        hx_buffer_text(&text, "\n");
    }
    fputs(hx_buffer_string(&text), file);
    hx_buffer_clear(&text);
}
