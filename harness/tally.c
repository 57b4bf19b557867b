/* The counts of a campaign and its summary. */
#include "harness/tally.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_REASONS = 10, SHOWN_SIGNATURES = 50 };

void hx_tally_init(struct hx_tally *tally) {
    *tally = (struct hx_tally){0};
    rt_arena_init(&tally->arena, 0);
}

void hx_tally_clear(struct hx_tally *tally) {
    free(tally->signatures.items);
    free(tally->reasons.items);
    free(tally->gone.items);
    free(tally->stops);
    free(tally->values);
    rt_arena_clear(&tally->arena);
    *tally = (struct hx_tally){0};
}

static bool is_same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct hx_sighting *find(const struct hx_sightings *sightings, const char *text, const char *known) {
    for (size_t i = 0; i < sightings->count; i++)
        if (is_same(sightings->items[i].known, known) && strcmp(sightings->items[i].text, text) == 0)
            return &sightings->items[i];
    return NULL;
}

static struct hx_sighting *add(struct hx_tally *tally, struct hx_sightings *sightings, const char *text,
                               const char *known) {
    if (sightings->count == sightings->capacity) {
        size_t capacity = sightings->capacity ? sightings->capacity * 2 : 16;
        struct hx_sighting *items = realloc(sightings->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        sightings->items = items;
        sightings->capacity = capacity;
    }
    const char *copy = rt_arena_copy(&tally->arena, text, strlen(text));
    const char *name = known ? rt_arena_copy(&tally->arena, known, strlen(known)) : NULL;
    if (!copy || (known && !name))
        return NULL;
    sightings->items[sightings->count] =
        (struct hx_sighting){.text = copy, .known = name, .seed = UINT64_MAX, .smallest_size = UINT64_MAX};
    return &sightings->items[sightings->count++];
}

/* False when memory is at its end. `size` is that of the seed's program. */
static bool see(struct hx_tally *tally, struct hx_sightings *sightings, const char *text, const char *known,
                uint64_t seed, uint64_t size, bool *ret_is_new) {
    struct hx_sighting *sighting = find(sightings, text, known);

    *ret_is_new = !sighting;
    if (!sighting)
        sighting = add(tally, sightings, text, known);
    if (!sighting)
        return false;
    sighting->count++;
    if (seed < sighting->seed)
        sighting->seed = seed;
    if (size < sighting->smallest_size ||
        (size == sighting->smallest_size && seed < sighting->smallest_seed)) {
        sighting->smallest_size = size;
        sighting->smallest_seed = seed;
    }
    return true;
}

static bool add_compared(struct hx_tally *tally, const struct hx_result *result) {
    if (tally->compared == tally->capacity) {
        size_t capacity = tally->capacity ? tally->capacity * 2 : 64;
        uint64_t *stops = realloc(tally->stops, capacity * sizeof *stops);
        if (stops)
            tally->stops = stops;
        uint64_t *values = realloc(tally->values, capacity * sizeof *values);
        if (values)
            tally->values = values;
        if (!stops || !values)
            return false;
        tally->capacity = capacity;
    }
    tally->stops[tally->compared] = result->engines ? result->steps : result->stops;
    tally->values[tally->compared++] = result->values;
    return true;
}

struct rt_error *hx_tally_add(struct hx_tally *tally, struct hx_result *result) {
    uint64_t size = result->source_size ? result->source_size : UINT64_MAX;
    bool is_new;

    tally->programs++;
    tally->verdicts[result->verdict]++;
    tally->steps += result->steps;
    tally->events += result->events;
    tally->readable += result->readable[0];
    tally->same += result->same;
    tally->limited += result->is_limited;
    for (int i = 0; i < HX_STAGE_COUNT; i++)
        tally->seconds[i] += result->seconds[i];
    if (result->worker_kib > tally->worker_kib)
        tally->worker_kib = result->worker_kib;
    for (size_t i = 0; i < result->finding_count; i++) {
        struct hx_finding *finding = &result->findings[i];
        tally->findings++;
        tally->unknown += finding->known == NULL;
        if (!see(tally, &tally->signatures, finding->body.signature, finding->known, result->seed, size,
                 &finding->is_new))
            return rt_error_out_of_memory();
    }
    if (result->verdict == HX_SKIPPED && result->reason &&
        !see(tally, &tally->reasons, result->reason, NULL, result->seed, size, &is_new))
        return rt_error_out_of_memory();
    if (result->verdict != HX_SKIPPED && !add_compared(tally, result))
        return rt_error_out_of_memory();
    return NULL;
}

struct rt_error *hx_tally_miss(struct hx_tally *tally, const char *defect, uint64_t seed) {
    bool is_new;

    return see(tally, &tally->gone, defect, NULL, seed, UINT64_MAX, &is_new) ? NULL
                                                                             : rt_error_out_of_memory();
}

struct hx_sighting *hx_tally_sighting(struct hx_tally *tally, const struct hx_finding *finding) {
    return find(&tally->signatures, finding->body.signature, finding->known);
}

static int compare_numbers(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t median(uint64_t *numbers, size_t count) {
    if (count == 0)
        return 0;
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

void hx_tally_medians(struct hx_tally *tally, uint64_t *ret_stops, uint64_t *ret_values) {
    *ret_stops = median(tally->stops, tally->compared);
    *ret_values = median(tally->values, tally->compared);
}

static void print_signatures(const struct hx_tally *tally, FILE *file) {
    size_t count = tally->signatures.count;

    for (size_t i = 0; i < count && i < SHOWN_SIGNATURES; i++) {
        const struct hx_sighting *sighting = &tally->signatures.items[i];
        fprintf(file, "  %-7s %5llu times, first with seed %llu: %s\n", sighting->known ? "known" : "unknown",
                (unsigned long long)sighting->count, (unsigned long long)sighting->seed, sighting->text);
        if (sighting->known)
            fprintf(file, "          known as %s\n", sighting->known);
        else if (sighting->folder)
            fprintf(file, "          kept in %s\n", sighting->folder);
    }
    if (count > SHOWN_SIGNATURES)
        fprintf(file, "  and %zu signatures more\n", count - SHOWN_SIGNATURES);
}

/* "2,000". */
static const char *grouped(uint64_t number, char text[32]) {
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number), at = 0;

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static void print_unexplained(const struct hx_tally *tally, FILE *file) {
    char signatures[32], programs[32];
    uint64_t unknown = 0;

    for (size_t i = 0; i < tally->signatures.count; i++)
        unknown += tally->signatures.items[i].known == NULL;
    fprintf(file, "unexplained: %s signature%s in %s program%s\n", grouped(unknown, signatures),
            unknown == 1 ? "" : "s", grouped(tally->programs, programs), tally->programs == 1 ? "" : "s");
}

void hx_tally_print(struct hx_tally *tally, double seconds, FILE *file) {
    uint64_t stops, values;

    fprintf(file, "%llu programs:", (unsigned long long)tally->programs);
    for (int i = 0; i < HX_VERDICT_COUNT; i++)
        if (tally->verdicts[i] > 0 || i == HX_AGREE)
            fprintf(file, "%s %llu %s", i == HX_AGREE ? "" : ",", (unsigned long long)tally->verdicts[i],
                    hx_verdict_name((enum hx_verdict)i));
    hx_tally_medians(tally, &stops, &values);
    fprintf(file, "\nmedian of a program: %llu %s, %llu values compared\n", (unsigned long long)stops,
            tally->steps > 0 ? "instructions" : "stops", (unsigned long long)values);
    if (tally->steps > 0)
        fprintf(file, "%llu instructions compared; %llu programs were stopped at a limit\n",
                (unsigned long long)tally->steps, (unsigned long long)tally->limited);
    if (tally->readable > 0)
        fprintf(file,
                "%llu parameters and locals that the first witness shows at stops; %llu (%.4f %%) alike by "
                "the second\n",
                (unsigned long long)tally->readable, (unsigned long long)tally->same,
                100 * (double)tally->same / (double)tally->readable);
    if (tally->events > 0)
        fprintf(file, "%llu events of recordings compared with their replays\n",
                (unsigned long long)tally->events);
    if (tally->findings > 0)
        fprintf(file, "%llu findings of %zu signatures, %llu of them known\n",
                (unsigned long long)tally->findings, tally->signatures.count,
                (unsigned long long)(tally->findings - tally->unknown));
    print_signatures(tally, file);
    print_unexplained(tally, file);
    for (size_t i = 0; i < tally->gone.count; i++)
        fprintf(file,
                "  known defect that no longer shows: %s, with %llu seeds, of which %llu is the first\n",
                tally->gone.items[i].text, (unsigned long long)tally->gone.items[i].count,
                (unsigned long long)tally->gone.items[i].seed);
    for (size_t i = 0; i < tally->reasons.count && i < SHOWN_REASONS; i++)
        fprintf(file, "  skipped %5llu times, first with seed %llu: %s\n",
                (unsigned long long)tally->reasons.items[i].count,
                (unsigned long long)tally->reasons.items[i].seed, tally->reasons.items[i].text);
    if (tally->recalled > 0)
        fprintf(file, "%llu of the programs were done before; the others took ",
                (unsigned long long)tally->recalled);
    fprintf(file, "%.1f s, %.0f programs a minute\n", seconds,
            seconds > 0 ? (double)(tally->programs - tally->recalled) * 60 / seconds : 0.0);
}
