/* What the self-test gave, counted by class: for people, and as JSON. */
#include "harness/selftest.h"

#include "harness/json.h"

#include <stdlib.h>
#include <string.h>

/* Counts a miss, or a wrong name, with those of the same class and reason. */
static struct rt_error *add_miss(struct hx_recall *recall, const struct hx_fault *fault) {
    for (size_t i = 0; i < recall->miss_count; i++) {
        struct hx_miss *miss = &recall->misses[i];
        if (miss->class == fault->class && miss->side == fault->side &&
            miss->is_noticed == fault->is_noticed && strcmp(miss->reason, fault->reason) == 0) {
            miss->count++;
            return NULL;
        }
    }
    struct hx_miss *misses = realloc(recall->misses, (recall->miss_count + 1) * sizeof *misses);
    if (!misses)
        return rt_error_out_of_memory();
    recall->misses = misses;
    struct hx_miss *miss = &misses[recall->miss_count++];
    *miss = (struct hx_miss){
        .class = fault->class, .side = fault->side, .is_noticed = fault->is_noticed, .count = 1};
    memcpy(miss->reason, fault->reason, sizeof miss->reason);
    return NULL;
}

struct rt_error *hx_recall_add(struct hx_recall *recall, const struct hx_faults *faults, uint64_t *left) {
    struct rt_error *error = NULL;
    recall->programs += faults->agrees;
    recall->in_part += faults->agrees && faults->reason[0];
    recall->set_aside += !faults->agrees;
    for (size_t i = 0; !error && *left && i < faults->count; i++) {
        const struct hx_fault *fault = &faults->items[i];
        struct hx_recall_count *count = &recall->counts[fault->side][fault->class];
        count->planted++;
        count->visible += fault->is_visible;
        *left -= fault->is_visible;
        count->noticed += fault->is_noticed;
        count->named += fault->is_named;
        count->unjudged += fault->unjudged[0] != 0;
        if (fault->unjudged[0] && !recall->unjudged[0])
            memcpy(recall->unjudged, fault->unjudged, sizeof recall->unjudged);
        if (fault->is_visible && !fault->is_named)
            error = add_miss(recall, fault);
    }
    return error;
}

void hx_recall_clear(struct hx_recall *recall) {
    free(recall->misses);
    *recall = (struct hx_recall){0};
}

static struct hx_recall_count sum_of(const struct hx_recall *recall, enum hx_side side) {
    struct hx_recall_count sum = {0};
    for (int i = 0; i < HX_PLANT_COUNT; i++) {
        const struct hx_recall_count *count = &recall->counts[side][i];
        sum.planted += count->planted;
        sum.visible += count->visible;
        sum.noticed += count->noticed;
        sum.named += count->named;
        sum.unjudged += count->unjudged;
    }
    return sum;
}

static double percent(uint64_t part, uint64_t whole) {
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

bool hx_recall_meets(const struct hx_recall *recall, double noticed, double named) {
    bool meets = true;
    for (int side = 0; side < HX_SIDE_COUNT; side++) {
        const struct hx_recall_count sum = sum_of(recall, (enum hx_side)side);
        if (sum.visible)
            meets &= percent(sum.noticed, sum.visible) >= noticed && percent(sum.named, sum.visible) >= named;
    }
    return meets;
}

static void print_count(const char *side, const char *what, const struct hx_recall_count *count, FILE *file) {
    fprintf(file, "%-6s %-20s %8llu %8llu %8llu %8llu\n", side, what, (unsigned long long)count->planted,
            (unsigned long long)count->visible, (unsigned long long)count->noticed,
            (unsigned long long)count->named);
}

void hx_recall_print(const struct hx_recall *recall, FILE *file) {
    fprintf(file, "%-6s %-20s %8s %8s %8s %8s\n", "side", "class", "planted", "visible", "noticed", "named");
    for (int side = 0; side < HX_SIDE_COUNT; side++) {
        const struct hx_recall_count sum = sum_of(recall, (enum hx_side)side);
        for (int i = 0; i < HX_PLANT_COUNT; i++)
            if (recall->counts[side][i].planted)
                print_count(hx_side_words[side], hx_plant_rows[i].word, &recall->counts[side][i], file);
        if (sum.planted)
            print_count(hx_side_words[side], "all", &sum, file);
    }
    for (int side = 0; side < HX_SIDE_COUNT; side++) {
        const struct hx_recall_count sum = sum_of(recall, (enum hx_side)side);
        if (sum.planted)
            fprintf(file, "%s: %.1f %% of visible faults noticed, %.1f %% rightly named\n",
                    hx_side_words[side], percent(sum.noticed, sum.visible), percent(sum.named, sum.visible));
        if (sum.unjudged)
            fprintf(file, "%s: of %llu faults the second reader could not say whether they are visible: %s\n",
                    hx_side_words[side], (unsigned long long)sum.unjudged, recall->unjudged);
    }
    fprintf(file, "%llu programs, %llu of them in part; %llu more did not agree\n",
            (unsigned long long)recall->programs, (unsigned long long)recall->in_part,
            (unsigned long long)recall->set_aside);
    for (size_t i = 0; i < recall->miss_count; i++) {
        const struct hx_miss *miss = &recall->misses[i];
        fprintf(file, "%s %s %s %llux: %s\n", miss->is_noticed ? "misnamed" : "missed",
                hx_side_words[miss->side], hx_plant_rows[miss->class].word, (unsigned long long)miss->count,
                miss->reason);
    }
}

static void print_misses(const struct hx_recall *recall, enum hx_side side, enum hx_plant_class class,
                         struct hx_json *json) {
    hx_json_open(json, "misses", '[');
    for (size_t i = 0; i < recall->miss_count; i++) {
        const struct hx_miss *miss = &recall->misses[i];
        if (miss->class != class || miss->side != side)
            continue;
        hx_json_open(json, NULL, '{');
        hx_json_bool(json, "noticed", miss->is_noticed);
        hx_json_number(json, "count", miss->count);
        hx_json_string(json, "reason", miss->reason);
        hx_json_close(json, '}');
    }
    hx_json_close(json, ']');
}

void hx_recall_json(const struct hx_recall *recall, FILE *file) {
    struct hx_buffer text = {0};
    for (int side = 0; side < HX_SIDE_COUNT; side++)
        for (int i = 0; i < HX_PLANT_COUNT; i++) {
            const struct hx_recall_count *count = &recall->counts[side][i];
            struct hx_json json = {.out = &text};
            if (!count->planted)
                continue;
            hx_json_open(&json, NULL, '{');
            hx_json_string(&json, "side", hx_side_words[side]);
            hx_json_string(&json, "class", hx_plant_rows[i].word);
            hx_json_string(&json, "what", hx_plant_rows[i].what);
            hx_json_number(&json, "planted", count->planted);
            hx_json_number(&json, "visible", count->visible);
            hx_json_number(&json, "noticed", count->noticed);
            hx_json_number(&json, "named", count->named);
            hx_json_number(&json, "unjudged", count->unjudged);
            print_misses(recall, (enum hx_side)side, (enum hx_plant_class)i, &json);
            hx_json_close(&json, '}');
            hx_buffer_text(&text, "\n");
        }
    fputs(hx_buffer_string(&text), file);
    hx_buffer_clear(&text);
}
