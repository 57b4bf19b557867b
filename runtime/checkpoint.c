/* Checkpoints of a store: all that a running guest changes, and going back to it.
 *
 * Memories are copied page by page as they are written (track.h); tables, the engine's stack and what the
 * embedder adds are compared with the checkpoint before, and share with it what is the same (pages.h). The
 * rest is small and copied whole. */
#include "runtime/engine.h"
#include "runtime/track.h"

#include <stdlib.h>
#include <string.h>

/* A piece of memory that is live in part. */
struct stretch {
    struct rt_area area;
    struct rt_image image;
};

struct rt_checkpoint {
    struct rt_history *history;
    unsigned references;
    /* What there was: the newest of each kind, which is the head of a list. */
    struct rt_instance *instances;
    struct rt_memory *memories;
    struct rt_table *tables;
    struct rt_global *globals;
    /* In the lists' order. */
    struct rt_image *memory_images;
    struct table_image {
        uint32_t size; /* elements */
        struct rt_image image;
    } *table_images;
    size_t memory_count, table_count;
    /* The engine's, then the embedder's. */
    struct stretch *stretches;
    size_t stretch_count;
    uint8_t *small; /* see walk_small */
    size_t small_size;
};

struct rt_history {
    struct rt_store *store;
    struct rt_page_pool pool;
    struct rt_tracker **trackers;
    size_t tracker_count;
    struct rt_checkpoint *recent; /* the last that was taken or restored */
};

/* ---- Histories ---- */

struct rt_error *rt_history_create(struct rt_store *store, struct rt_history **ret) {
    if (RT_BOUNDARY(store))
        return rt_error_format(RT_USAGE, "going back in a store that is recorded: the recording cannot");
    struct rt_error *error = rt_trap_prepare_faults();
    if (error)
        return error;
    struct rt_history *history = calloc(1, sizeof *history);
    if (!history)
        return rt_error_out_of_memory();
    history->store = store;
    rt_page_pool_init(&history->pool);
    *ret = history;
    return NULL;
}

void rt_history_destroy(struct rt_history *history) {
    if (!history)
        return;
    rt_checkpoint_destroy(history->recent);
    for (size_t i = 0; i < history->tracker_count; i++)
        rt_tracker_destroy(history->trackers[i]);
    free(history->trackers);
    free(history);
}

struct rt_history_cost rt_history_cost(const struct rt_history *history) {
    return (struct rt_history_cost){.bytes = history->pool.bytes, .pages_copied = history->pool.copied};
}

static struct rt_tracker *find_tracker(const struct rt_history *history, const struct rt_memory *memory) {
    for (size_t i = 0; i < history->tracker_count; i++)
        if (rt_tracker_memory(history->trackers[i]) == memory)
            return history->trackers[i];
    return NULL;
}

static struct rt_error *track(struct rt_history *history, struct rt_memory *memory, struct rt_tracker **ret) {
    *ret = find_tracker(history, memory);
    if (*ret)
        return NULL;
    struct rt_tracker **grown =
        realloc(history->trackers, (history->tracker_count + 1) * sizeof *history->trackers);
    if (!grown)
        return rt_error_out_of_memory();
    history->trackers = grown;
    struct rt_error *error = rt_tracker_create(memory, &history->pool, ret);
    if (!error)
        history->trackers[history->tracker_count++] = *ret;
    return error;
}

/* ---- What is small ---- */

enum direction { MEASURE, SAVE, RESTORE };

struct walk {
    enum direction direction;
    uint8_t *at;
    size_t size; /* so far */
};

static void visit(struct walk *walk, void *address, size_t size) {
    if (walk->direction == SAVE && size)
        memcpy(walk->at + walk->size, address, size);
    if (walk->direction == RESTORE && size)
        memcpy(address, walk->at + walk->size, size);
    walk->size += size;
}

static void walk_instance(struct walk *walk, struct rt_instance *instance) {
    const struct rt_module *module = instance->module;
    const uint32_t own = module->global_count - module->imported_globals;

    if (own)
        visit(walk, rt_instance_global(instance, module->imported_globals), own * sizeof(struct rt_global));
    visit(walk, instance->data_dropped, module->data_count * sizeof *instance->data_dropped);
    for (uint32_t i = 0; i < module->element_count; i++) /* one that is dropped keeps its items */
        visit(walk, &instance->elements[i].count, sizeof instance->elements[i].count);
}

static size_t walk_small(const struct rt_checkpoint *checkpoint, enum direction direction) {
    struct rt_store *store = checkpoint->history->store;
    struct walk walk = {.direction = direction, .at = checkpoint->small};

    visit(&walk, &store->entry, sizeof store->entry);
    visit(&walk, &store->pending_trap, sizeof store->pending_trap);
    visit(&walk, &store->trap_place, sizeof store->trap_place);
    for (struct rt_instance *i = checkpoint->instances; i; i = i->next)
        walk_instance(&walk, i);
    for (struct rt_global *global = checkpoint->globals; global; global = global->next)
        visit(&walk, &global->value, sizeof global->value);
    return walk.size;
}

static struct rt_error *take_small(struct rt_checkpoint *checkpoint) {
    checkpoint->small_size = walk_small(checkpoint, MEASURE);
    checkpoint->small = malloc(checkpoint->small_size);
    if (!checkpoint->small)
        return rt_error_out_of_memory();
    checkpoint->history->pool.bytes += checkpoint->small_size;
    walk_small(checkpoint, SAVE);
    return NULL;
}

/* ---- Stretches ---- */

static struct rt_error *take_stretch(struct rt_page_pool *pool, const struct rt_area *area,
                                     const struct rt_image *previous, struct rt_image *ret) {
    const size_t page = pool->page_size;
    struct rt_error *error = rt_image_init(pool, previous, area->size, ret);

    for (size_t i = area->from / page; i * page < area->to && !error; i++) {
        const size_t left = area->size - i * page;
        error = rt_image_set(pool, ret, i, (const uint8_t *)area->base + i * page, left < page ? left : page);
    }
    return error;
}

static void put_stretch(const struct rt_page_pool *pool, const struct rt_area *area,
                        const struct rt_image *image) {
    const size_t page = pool->page_size;

    for (size_t i = area->from / page; i * page < area->to; i++) {
        const size_t left = area->size - i * page;
        rt_image_put(image, i, (uint8_t *)area->base + i * page, left < page ? left : page);
    }
}

static struct rt_error *take_stretches(struct rt_checkpoint *checkpoint, const struct rt_area *areas,
                                       size_t count) {
    struct rt_history *history = checkpoint->history;
    const struct rt_checkpoint *recent = history->recent;
    const struct rt_engine_ops *engine = history->store->engine;
    struct rt_area own[RT_ENGINE_AREAS];
    const size_t own_count = engine && engine->areas ? engine->areas(history->store->engine_state, own) : 0;
    struct rt_error *error = NULL;

    checkpoint->stretches = calloc(own_count + count + 1, sizeof *checkpoint->stretches);
    if (!checkpoint->stretches)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < own_count + count && !error; i++) {
        struct stretch *stretch = &checkpoint->stretches[i];
        const struct rt_image *previous =
            recent && i < recent->stretch_count ? &recent->stretches[i].image : NULL;
        stretch->area = i < own_count ? own[i] : areas[i - own_count];
        checkpoint->stretch_count++;
        error = take_stretch(&history->pool, &stretch->area, previous, &stretch->image);
    }
    return error;
}

/* ---- Memories and tables ---- */

static struct rt_error *take_memories(struct rt_checkpoint *checkpoint) {
    struct rt_error *error = NULL;
    size_t count = 0;

    for (struct rt_memory *memory = checkpoint->memories; memory; memory = memory->next)
        count++;
    checkpoint->memory_images = calloc(count + 1, sizeof *checkpoint->memory_images);
    if (!checkpoint->memory_images)
        return rt_error_out_of_memory();
    for (struct rt_memory *memory = checkpoint->memories; memory && !error; memory = memory->next) {
        struct rt_tracker *tracker;
        error = track(checkpoint->history, memory, &tracker);
        if (!error)
            error = rt_tracker_take(tracker, &checkpoint->memory_images[checkpoint->memory_count]);
        checkpoint->memory_count += !error;
    }
    return error;
}

static struct rt_area elements_of(const struct rt_table *table) {
    const size_t size = table->size * sizeof *table->elements;
    return (struct rt_area){.base = table->elements, .size = size, .to = size};
}

/* A table's image in another checkpoint: lists grow at their head, so that its place counts from the end. */
static const struct rt_image *same_table(const struct rt_checkpoint *recent, size_t from_end) {
    return recent && from_end <= recent->table_count
               ? &recent->table_images[recent->table_count - from_end].image
               : NULL;
}

static struct rt_error *take_tables(struct rt_checkpoint *checkpoint) {
    struct rt_page_pool *pool = &checkpoint->history->pool;
    struct rt_error *error = NULL;
    size_t count = 0;

    for (struct rt_table *table = checkpoint->tables; table; table = table->next)
        count++;
    checkpoint->table_images = calloc(count + 1, sizeof *checkpoint->table_images);
    if (!checkpoint->table_images)
        return rt_error_out_of_memory();
    for (struct rt_table *table = checkpoint->tables; table && !error; table = table->next, count--) {
        struct table_image *image = &checkpoint->table_images[checkpoint->table_count++];
        const struct rt_area area = elements_of(table);
        image->size = table->size;
        error = take_stretch(pool, &area, same_table(checkpoint->history->recent, count), &image->image);
    }
    return error;
}

static struct rt_error *put_tables(const struct rt_checkpoint *checkpoint) {
    const struct table_image *image = checkpoint->table_images;

    for (struct rt_table *table = checkpoint->tables; table; table = table->next, image++) {
        if (table->size != image->size) {
            void **elements = realloc(table->elements, ((size_t)image->size + 1) * sizeof *elements);
            if (!elements)
                return rt_error_out_of_memory();
            table->elements = elements;
            table->size = image->size;
        }
        const struct rt_area area = elements_of(table);
        put_stretch(&checkpoint->history->pool, &area, &image->image);
    }
    return NULL;
}

/* ---- Checkpoints ---- */

static void make_recent(struct rt_checkpoint *checkpoint) {
    struct rt_checkpoint *const before = checkpoint->history->recent;
    checkpoint->references++;
    checkpoint->history->recent = checkpoint;
    rt_checkpoint_destroy(before);
}

struct rt_error *rt_checkpoint_take(struct rt_history *history, const struct rt_area *areas, size_t count,
                                    struct rt_checkpoint **ret) {
    const struct rt_store *store = history->store;
    if (store->pending_error)
        return rt_error_format(RT_USAGE, "taking a checkpoint: a guest is being unwound");
    struct rt_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint)
        return rt_error_out_of_memory();
    *checkpoint = (struct rt_checkpoint){.history = history,
                                         .references = 1,
                                         .instances = store->instances,
                                         .memories = store->memories,
                                         .tables = store->tables,
                                         .globals = store->globals};
    struct rt_error *error = take_small(checkpoint);
    if (!error)
        error = take_stretches(checkpoint, areas, count);
    if (!error)
        error = take_tables(checkpoint);
    if (!error)
        error = take_memories(checkpoint);
    if (error) {
        rt_checkpoint_destroy(checkpoint);
        return error;
    }
    make_recent(checkpoint);
    *ret = checkpoint;
    return NULL;
}

struct rt_error *rt_checkpoint_restore(struct rt_checkpoint *checkpoint) {
    struct rt_history *history = checkpoint->history;
    const struct rt_image *image = checkpoint->memory_images;
    struct rt_error *error = NULL;

    for (struct rt_memory *memory = checkpoint->memories; memory && !error; memory = memory->next)
        error = rt_tracker_put(find_tracker(history, memory), image++);
    if (!error)
        error = put_tables(checkpoint);
    if (error)
        return error;
    for (size_t i = 0; i < checkpoint->stretch_count; i++)
        put_stretch(&history->pool, &checkpoint->stretches[i].area, &checkpoint->stretches[i].image);
    walk_small(checkpoint, RESTORE);
    rt_error_destroy(history->store->pending_error);
    history->store->pending_error = NULL;
    make_recent(checkpoint);
    return NULL;
}

void rt_checkpoint_destroy(struct rt_checkpoint *checkpoint) {
    if (!checkpoint || --checkpoint->references)
        return;
    struct rt_page_pool *pool = &checkpoint->history->pool;
    for (size_t i = 0; i < checkpoint->memory_count; i++)
        rt_image_clear(pool, &checkpoint->memory_images[i]);
    for (size_t i = 0; i < checkpoint->table_count; i++)
        rt_image_clear(pool, &checkpoint->table_images[i].image);
    for (size_t i = 0; i < checkpoint->stretch_count; i++)
        rt_image_clear(pool, &checkpoint->stretches[i].image);
    if (checkpoint->small)
        pool->bytes -= checkpoint->small_size;
    free(checkpoint->memory_images);
    free(checkpoint->table_images);
    free(checkpoint->stretches);
    free(checkpoint->small);
    free(checkpoint);
}
