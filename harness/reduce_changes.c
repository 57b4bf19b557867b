/* Trying changes: in chunks, all at once, then halves, to single ones. Chunks are tried without sanitizers,
 * which take longer than all else and refuse few; what came of a sweep is tried with them, and the chunks
 * that it is not sound with are looked for by halving. */
#include "harness/reduce_changes.h"

#include <stdlib.h>
#include <string.h>

void hx_changes_init(struct hx_changes *changes) {
    *changes = (struct hx_changes){0};
    rt_arena_init(&changes->arena, 0);
}

void hx_changes_clear(struct hx_changes *changes) {
    free(changes->items);
    free(changes->edits);
    rt_arena_clear(&changes->arena);
}

/* Room for one more of an array. */
static bool grow(void **array, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity)
        return true;
    void *grown = realloc(*array, (2 * count + 64) * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = 2 * count + 64;
    return true;
}

void hx_change_begin(struct hx_changes *changes) {
    changes->failed |=
        !grow((void **)&changes->items, &changes->capacity, changes->count, sizeof *changes->items);
    if (!changes->failed)
        changes->items[changes->count++] = (struct hx_change){.first = changes->edit_count};
}

void hx_change_edit(struct hx_changes *changes, struct hx_range range, const char *with) {
    changes->failed |=
        !grow((void **)&changes->edits, &changes->edit_capacity, changes->edit_count, sizeof *changes->edits);
    if (changes->failed)
        return;
    changes->edits[changes->edit_count++] = (struct hx_edit){range, with};
    changes->items[changes->count - 1].count++;
}

void hx_change_add(struct hx_changes *changes, struct hx_range range, const char *with) {
    hx_change_begin(changes);
    hx_change_edit(changes, range, with);
}

/* ---- Trying them ---- */

/* Changes that were made together. */
struct chunk {
    size_t first, last; /* the one after the last */
};

struct trying {
    struct hx_reduction *reduction;
    struct hx_changes *changes;
    struct hx_buffer text; /* without any of the changes */
    struct hx_edit *edits; /* room for all of them */
    bool *before;          /* which changes were made before this sweep */
    struct chunk *made;    /* by this sweep, in order */
    size_t made_count;
};

/* The text with all changes made so far, and those of the chunk. */
static void apply(const struct trying *trying, struct chunk chunk, struct hx_buffer *ret) {
    const struct hx_changes *changes = trying->changes;
    size_t count = 0;

    for (size_t i = 0; i < changes->count; i++) {
        const struct hx_change *change = &changes->items[i];
        if (!change->is_made && (i < chunk.first || i >= chunk.last))
            continue;
        memcpy(trying->edits + count, changes->edits + change->first, change->count * sizeof *trying->edits);
        count += change->count;
    }
    ret->size = 0;
    hx_edit(hx_buffer_string(&trying->text), trying->text.size, trying->edits, count, ret);
}

static bool is_new(const struct hx_changes *changes, struct chunk chunk) {
    for (size_t i = chunk.first; i < chunk.last; i++)
        if (!changes->items[i].is_made)
            return true;
    return false;
}

/* What was made before this sweep stays. */
static void set_made(struct trying *trying, struct chunk chunk, bool is_made) {
    for (size_t i = chunk.first; i < chunk.last; i++)
        trying->changes->items[i].is_made = is_made || trying->before[i];
}

static struct rt_error *set_best(struct trying *trying) {
    apply(trying, (struct chunk){0, 0}, &trying->reduction->best);
    return trying->reduction->best.failed ? rt_error_out_of_memory() : NULL;
}

/* One sweep over all changes, from the last to the first: what is declared goes after what uses it. */
static struct rt_error *sweep(struct trying *trying, size_t size) {
    struct hx_buffer candidates[HX_MAX_TRIALS] = {0};
    struct hx_reduction *reduction = trying->reduction;
    struct chunk chunks[HX_MAX_TRIALS];
    struct rt_error *error = NULL;

    trying->made_count = 0;
    for (size_t end = trying->changes->count; end > 0 && !error && !hx_reduction_is_over(reduction);) {
        size_t count = 0, next = end, index;
        while (next > 0 && count < reduction->jobs) {
            chunks[count].last = next;
            next = chunks[count].first = next > size ? next - size : 0;
            if (!is_new(trying->changes, chunks[count]))
                continue;
            apply(trying, chunks[count], &candidates[count]);
            if (candidates[count].failed)
                error = rt_error_out_of_memory();
            count++;
        }
        if (!error)
            error = hx_trials(reduction, candidates, count, &index);
        if (!error && index < count) {
            trying->made[trying->made_count++] = chunks[index];
            set_made(trying, chunks[index], true);
            next = chunks[index].first;
        }
        end = next;
        hx_reduction_progress(reduction, false);
    }
    for (size_t i = 0; i < HX_MAX_TRIALS; i++)
        hx_buffer_clear(&candidates[i]);
    return error;
}

/* Whether the changes that are made now leave a sound program with the finding. This is asked at the end of
 * the time, too, and at Ctrl-C. */
static struct rt_error *is_sound(struct trying *trying, enum hx_extent extent, bool *ret) {
    struct hx_buffer text = {0};
    struct hx_trial trial;

    *ret = false;
    trying->reduction->extent = extent;
    apply(trying, (struct chunk){0, 0}, &text);
    struct rt_error *error = text.failed ? rt_error_out_of_memory() : NULL;
    if (!error)
        error = hx_trial_start(trying->reduction, 0, text.bytes, text.size, &trial);
    if (!error)
        *ret = hx_trial_finish(&trial) == HX_ANSWER_SAME;
    trying->reduction->extent = HX_EXTENT_WHOLE;
    hx_buffer_clear(&text);
    return error;
}

/* Makes this sweep's chunks from `first` on: those before `end`. */
static void make_until(struct trying *trying, size_t first, size_t end) {
    for (size_t i = first; i < trying->made_count; i++)
        set_made(trying, trying->made[i], i < end);
}

/* Those before `first` are sound alone, and with all others they are not: *ret is the first with which they
 * are not. */
static struct rt_error *find_unsound(struct trying *trying, size_t first, size_t *ret) {
    size_t low = first, high = trying->made_count;
    struct rt_error *error = NULL;

    while (low + 1 < high && !error) {
        const size_t middle = low + (high - low) / 2;
        bool sound;
        make_until(trying, first, middle);
        error = is_sound(trying, HX_EXTENT_WHOLE, &sound);
        low = sound ? middle : low;
        high = sound ? high : middle;
    }
    *ret = low;
    return error;
}

/* Takes those chunks back that make what this sweep made unsound; when the time is up, all from the first
 * that may be one. */
static struct rt_error *keep_sound(struct trying *trying) {
    struct rt_error *error = NULL;

    for (size_t first = 0, unsound; first < trying->made_count && !error; first = unsound + 1) {
        bool sound;
        /* The last chunk that was made has shown the finding with all others. */
        error = is_sound(trying, first == 0 ? HX_EXTENT_SOUNDNESS : HX_EXTENT_WHOLE, &sound);
        if (error || sound)
            break;
        if (hx_reduction_is_over(trying->reduction)) {
            make_until(trying, first, first);
            break;
        }
        error = find_unsound(trying, first, &unsound);
        make_until(trying, first, trying->made_count);
        set_made(trying, trying->made[unsound], false);
    }
    return error;
}

/* One sweep in haste, then what is sound of it. Of one chunk there is nothing to save. */
static struct rt_error *sweep_soundly(struct trying *trying, size_t size) {
    for (size_t i = 0; i < trying->changes->count; i++)
        trying->before[i] = trying->changes->items[i].is_made;
    const bool is_hasty = size < trying->changes->count;
    trying->reduction->extent = is_hasty ? HX_EXTENT_FINDING : HX_EXTENT_WHOLE;
    struct rt_error *error = sweep(trying, size);
    trying->reduction->extent = HX_EXTENT_WHOLE;
    if (!error && is_hasty && trying->made_count > 0)
        error = keep_sound(trying);
    if (!error && trying->made_count > 0)
        error = set_best(trying);
    return error;
}

struct rt_error *hx_changes_try(struct hx_reduction *reduction, struct hx_changes *changes, size_t least) {
    struct trying trying = {.reduction = reduction,
                            .changes = changes,
                            .edits = calloc(changes->edit_count + 1, sizeof *trying.edits),
                            .before = calloc(changes->count + 1, sizeof *trying.before),
                            .made = calloc(changes->count + 1, sizeof *trying.made)};
    struct rt_error *error = NULL;

    hx_buffer_append(&trying.text, reduction->best.bytes, reduction->best.size);
    if (!trying.edits || !trying.before || !trying.made || trying.text.failed || changes->failed)
        error = rt_error_out_of_memory();
    for (size_t size = changes->count; size >= least && size > 0 && !error; size /= 2) {
        if (hx_reduction_is_over(reduction))
            break;
        error = sweep_soundly(&trying, size);
    }
    free(trying.edits);
    free(trying.made);
    free(trying.before);
    hx_buffer_clear(&trying.text);
    return error;
}
