/* One program of the self-test for traces: a program of the WASI generator is recorded, its replay agrees,
 * and then traces with a fault each are replayed. */
#include "harness/selftest.h"

#include "harness/engines.h"
#include "harness/program.h"
#include "harness/random.h"
#include "harness/replay_node.h"
#include "harness/trace_plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subject {
    const struct hx_selftest *selftest;
    struct hx_engines engines;
    struct rt_module *module;
    struct rt_trace_memory good;
    struct hx_trace_plants plants;
    struct hx_random random;
    struct rt_arena arena;
    unsigned time_limit;
    uint64_t seed;
    struct hx_node_judge node;       /* the second reader */
    char unjudged[HX_SELFTEST_TEXT]; /* why there is none; else "" */
    char source[320], wasm[320];
    char good_path[320], fault_path[320]; /* the traces, for Node */
};

/* ---- What is told of a fault ---- */

/* A guest's next event from `number` on; the trace's end where there is none. */
static uint64_t next_guest(const struct hx_trace_plants *plants, uint64_t number) {
    while (number < plants->event_count && !plants->is_guest[number])
        number++;
    return number;
}

/* By how many events the trace is longer than the good one, in front of the fault's end. */
static int64_t shift_of(const struct hx_trace_plant *plant) {
    return plant->class == HX_PLANT_TRACE_WRITE_LOST ? -1 : plant->class == HX_PLANT_TRACE_WRITE_DOUBLED;
}

/* Whether the replay names the event: that itself, where it is the guest's, or the next one that the guest
 * makes, with the import. */
static bool is_named_by_replay(const struct subject *subject, const struct hx_trace_plant *plant,
                               const struct rt_error *wrong) {
    const char *words = strstr(wrong->message, "event ");
    const uint64_t end = plant->first + plant->count;
    uint64_t expected = next_guest(&subject->plants, end) + (uint64_t)shift_of(plant);
    if (!words)
        return false;
    const uint64_t number = strtoull(words + strlen("event "), NULL, 10);
    switch (plant->class) {
    case HX_PLANT_TRACE_CALL_LOST:
    case HX_PLANT_TRACE_CALLS_SWAPPED:
    case HX_PLANT_TRACE_ARGUMENT: expected = plant->first; break;
    case HX_PLANT_TRACE_CALL_DOUBLED: expected = end; break;
    default: return number == expected;
    }
    return number == expected && strstr(wrong->message, plant->import);
}

/* Whether the replays came apart in the call that has the fault (of one that is there twice, the second), or
 * before the guest's next event. */
static bool is_named_beside(const struct hx_trace_plant *plant, const struct hx_replay_at *at) {
    const uint64_t copy = plant->class == HX_PLANT_TRACE_CALL_DOUBLED ? plant->count : 0;
    const uint64_t first = plant->first + copy, end = first + plant->count + (uint64_t)shift_of(plant);
    return at->number >= first && at->number < end && strcmp(at->import, plant->import) == 0;
}

/* Two replays side by side. */
struct beside {
    bool differs, is_cut; /* `is_cut`: there was no time for all of it */
    struct hx_replay_at at;
};

static struct rt_error *compare(struct subject *subject, enum rt_engine first, enum rt_engine second,
                                const struct rt_trace_memory *fault, struct beside *ret) {
    const struct rt_trace_memory *const traces[2] = {&subject->good, fault};
    struct hx_engines engines = subject->engines;
    struct hx_result result;
    engines.engines[0] = first;
    engines.engines[1] = second;
    hx_result_init(&result);
    struct rt_error *error =
        hx_replay_beside(&engines, subject->module, traces, subject->time_limit, &result, &ret->at);
    ret->differs = result.finding_count > 0;
    ret->is_cut = result.is_limited;
    hx_result_clear(&result);
    return error;
}

/* ---- Planting ---- */

/* Whether the fault changes what a replay shows, by Node's word, or, where that has none, by the
 * interpreter's: its replay refuses the trace, or beside the good trace's comes apart. */
static struct rt_error *see(struct subject *subject, const struct rt_trace_memory *trace,
                            struct hx_fault *fault) {
    const char *const paths[2] = {subject->good_path, subject->fault_path};
    struct rt_error *wrong = NULL;
    struct beside beside = {.differs = false};
    memcpy(fault->unjudged, subject->unjudged, sizeof fault->unjudged);
    if (!fault->unjudged[0]) {
        struct rt_error *error =
            hx_node_judge_ask(&subject->node, paths, subject->wasm, subject->time_limit, &fault->is_visible,
                              fault->unjudged, sizeof fault->unjudged);
        if (error || !fault->unjudged[0])
            return error;
    }
    struct rt_error *error = hx_replay_play(&subject->engines, subject->module, RT_ENGINE_INTERP, trace,
                                            subject->time_limit, &wrong);
    fault->is_visible = wrong != NULL;
    rt_error_destroy(wrong);
    if (!error && !fault->is_visible)
        error = compare(subject, RT_ENGINE_INTERP, RT_ENGINE_INTERP, trace, &beside);
    fault->is_visible |= beside.differs;
    return error;
}

static struct rt_error *judge(struct subject *subject, const struct hx_trace_plant *plant,
                              const struct rt_trace_memory *trace, struct hx_fault *fault) {
    struct rt_error *wrong = NULL;
    struct beside beside = {.differs = false};
    struct rt_error *error = see(subject, trace, fault);
    if (error || !fault->is_visible)
        return error;
    error = hx_replay_play(&subject->engines, subject->module, RT_ENGINE_COMPILED, trace, subject->time_limit,
                           &wrong);
    fault->is_noticed = wrong != NULL;
    fault->is_named = wrong && is_named_by_replay(subject, plant, wrong);
    if (!error && !fault->is_named) {
        error = compare(subject, RT_ENGINE_COMPILED, RT_ENGINE_INTERP, trace, &beside);
        fault->is_noticed |= beside.differs;
        fault->is_named = beside.differs && is_named_beside(plant, &beside.at);
    }
    if (!error && !fault->is_named)
        snprintf(fault->reason, sizeof fault->reason, "%s",
                 !fault->is_noticed
                     ? (beside.is_cut ? "the replays agree as far as time allows" : "both replays agree")
                 : beside.differs ? "the replays part in another event"
                                  : "the replay stops at another event");
    rt_error_destroy(wrong);
    return error;
}

static const struct hx_trace_plant *choose(struct subject *subject, enum hx_plant_class class) {
    uint32_t count = 0;
    for (size_t i = 0; i < subject->plants.count; i++)
        count += subject->plants.items[i].class == class;
    uint32_t left = count ? hx_random_below(&subject->random, count) : 0;
    for (size_t i = 0; i < subject->plants.count && count; i++)
        if (subject->plants.items[i].class == class && left-- == 0)
            return &subject->plants.items[i];
    return NULL;
}

static struct rt_error *plant_one(struct subject *subject, const struct hx_trace_plant *plant, size_t number,
                                  struct hx_fault *fault) {
    const struct hx_selftest_file files[] = {{subject->source, HX_SOURCE},
                                             {subject->wasm, HX_WASM},
                                             {subject->good_path, "good.trace"},
                                             {subject->fault_path, "fault.trace"}};
    struct rt_trace_memory trace;
    *fault = (struct hx_fault){.class = plant->class, .side = HX_SIDE_TRACE};
    snprintf(fault->where, sizeof fault->where, "event %llu, in %s", (unsigned long long)plant->event,
             plant->import);
    struct rt_error *error =
        hx_trace_plant_apply(&subject->good, plant, (uint32_t)hx_random_next(&subject->random), &trace);
    if (!error)
        error = hx_file_write(subject->fault_path, trace.bytes, trace.size, 0666);
    if (!error)
        error = judge(subject, plant, &trace, fault);
    if (!error && subject->selftest->keep && fault->is_visible && !fault->is_named)
        error = hx_selftest_keep(subject->selftest, subject->seed, number, fault, files,
                                 sizeof files / sizeof *files, NULL);
    free(trace.bytes);
    return error ? rt_error_context(error, "%s at %s", hx_plant_rows[plant->class].word, fault->where) : NULL;
}

static struct rt_error *plant_all(struct subject *subject, size_t most, struct hx_faults *faults) {
    for (int class = 0; class < HX_PLANT_COUNT; class ++) {
        bool is_visible = false;
        if (hx_plant_rows[class].pairing != HX_TRACES || !subject->selftest->wanted[class])
            continue;
        for (uint64_t i = 0;
             !is_visible && most && i < subject->selftest->tries && faults->count < HX_SELFTEST_MOST; i++) {
            const struct hx_trace_plant *plant = choose(subject, (enum hx_plant_class) class);
            if (!plant)
                break;
            struct rt_error *error = plant_one(subject, plant, faults->count, &faults->items[faults->count]);
            if (error)
                return error;
            is_visible = faults->items[faults->count++].is_visible;
            most -= is_visible;
        }
    }
    return NULL;
}

/* The same trace written again has to be replayed, and to agree with itself. */
static struct rt_error *check_identity(struct subject *subject) {
    struct rt_trace_memory same;
    struct rt_error *wrong = NULL;
    struct beside beside = {.differs = false};
    struct rt_error *error = hx_trace_plant_apply(&subject->good, NULL, 0, &same);
    if (!error)
        error = hx_file_write(subject->good_path, same.bytes, same.size, 0666);
    if (!error)
        error = hx_replay_play(&subject->engines, subject->module, RT_ENGINE_COMPILED, &same,
                               subject->time_limit, &wrong);
    if (!error && !wrong)
        error = compare(subject, RT_ENGINE_COMPILED, RT_ENGINE_INTERP, &same, &beside);
    if (!error && (wrong || beside.differs))
        error = rt_error_format(RT_USAGE, "its replay differs without a fault%s%s", wrong ? ": " : "",
                                wrong ? wrong->message : "");
    rt_error_destroy(wrong);
    free(same.bytes);
    return error;
}

/* Finds Node, which has to say of the good trace that it shows what it shows. */
static struct rt_error *find_judge(struct subject *subject) {
    const char *const paths[2] = {subject->good_path, subject->good_path};
    bool differs = false;
    struct rt_error *error = hx_node_judge_find(&subject->arena, &subject->node);
    if (error) {
        snprintf(subject->unjudged, sizeof subject->unjudged, "%s", error->message);
        rt_error_destroy(error);
        return NULL;
    }
    error = hx_node_judge_ask(&subject->node, paths, subject->wasm, subject->time_limit, &differs,
                              subject->unjudged, sizeof subject->unjudged);
    if (!error && differs)
        snprintf(subject->unjudged, sizeof subject->unjudged, "Node's replays of one trace differ");
    return error;
}

struct rt_error *hx_selftest_traces(const struct hx_selftest *selftest, uint64_t seed,
                                    const struct hx_temp *folder, size_t most, struct hx_faults *ret) {
    const struct hx_tools *tools = selftest->check.tools;
    struct hx_guest_setup setup = {.entry_count = 0};
    struct subject subject = {.selftest = selftest,
                              .random = {hx_random_mix(selftest->seed) ^ ~seed},
                              .time_limit = selftest->check.time_limit,
                              .seed = seed};
    rt_arena_init(&subject.arena, 0);
    subject.engines = (struct hx_engines){.engines = {RT_ENGINE_COMPILED, RT_ENGINE_INTERP},
                                          .max_steps = HX_DEFAULT_STEPS,
                                          .is_coarse = true, /* a program has millions of instructions */
                                          .setup = &setup,
                                          .folder = folder,
                                          .is_replay = true};
    snprintf(subject.source, sizeof subject.source, "%s/" HX_SOURCE, folder->path);
    snprintf(subject.wasm, sizeof subject.wasm, "%s/" HX_WASM, folder->path);
    snprintf(subject.good_path, sizeof subject.good_path, "%s/good.trace", folder->path);
    snprintf(subject.fault_path, sizeof subject.fault_path, "%s/fault.trace", folder->path);
    struct rt_error *error = hx_generator_wasi.write(tools, seed, NULL, folder->path);
    if (!error)
        error = hx_compile_wasm(tools, tools->optimisation, HX_SOURCE, folder->path);
    if (!error)
        error = hx_guest_setup_create(seed, &setup);
    if (!error)
        error = rt_module_open(subject.wasm, &subject.module);
    if (!error)
        error = hx_replay_record(&subject.engines, subject.module, subject.time_limit, &subject.good);
    if (!error)
        error = check_identity(&subject);
    if (!error)
        error = find_judge(&subject);
    if (!error)
        error = hx_trace_plant_survey(&subject.good, &subject.arena, &subject.plants);
    if (!error)
        error = plant_all(&subject, most, ret);
    free(subject.good.bytes);
    rt_module_destroy(subject.module);
    hx_guest_setup_clear(&setup);
    rt_arena_clear(&subject.arena);
    return error;
}
