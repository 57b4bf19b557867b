/* Write-protection of memories, page by page, and the images that are made and put back with it. */
#include "runtime/track.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A page that was written once is likely to be written again, and a fault costs as much as comparing a page a
 * hundred times: it stays open until it has not changed for so many images. One that is new is closed at
 * once. */
enum { IDLE = 64, FRESH = 255 };

struct rt_tracker {
    struct rt_memory *memory;
    struct rt_page_pool *pool;
    struct rt_image image; /* what the pages hold that are not written */
    size_t page_count;     /* of the largest that the memory can be */
    uint8_t *ages;         /* by page: 0 when it is protected, else 1 + images since it changed, or FRESH */
    uint32_t *written;     /* the pages that are not protected */
    size_t written_count;
};

/* ---- Finding a tracker ---- */

/* A list that only grows, so that a handler may walk it at any time; an entry without a tracker is used
 * again. */
struct entry {
    _Atomic uintptr_t low, high;
    struct rt_tracker *_Atomic tracker;
    struct entry *_Atomic next;
};
static struct entry *_Atomic entries;
static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER;

static struct rt_error *enter(struct rt_tracker *tracker) {
    struct rt_error *error = NULL;
    pthread_mutex_lock(&entries_lock);
    struct entry *entry = atomic_load(&entries);
    while (entry && atomic_load(&entry->tracker))
        entry = atomic_load(&entry->next);
    if (!entry) {
        entry = calloc(1, sizeof *entry);
        if (!entry) {
            error = rt_error_out_of_memory();
            goto out;
        }
        atomic_store(&entry->next, atomic_load(&entries));
        atomic_store(&entries, entry);
    }
    const uintptr_t base = (uintptr_t)tracker->memory->base;
    atomic_store(&entry->low, base);
    atomic_store(&entry->high, base + tracker->memory->reserved);
    atomic_store(&entry->tracker, tracker);
out:
    pthread_mutex_unlock(&entries_lock);
    return error;
}

static void leave(const struct rt_tracker *tracker) {
    pthread_mutex_lock(&entries_lock);
    for (struct entry *entry = atomic_load(&entries); entry; entry = atomic_load(&entry->next)) {
        if (atomic_load(&entry->tracker) == tracker)
            atomic_store(&entry->tracker, NULL);
    }
    pthread_mutex_unlock(&entries_lock);
}

static struct rt_tracker *find(uintptr_t address) {
    for (struct entry *entry = atomic_load(&entries); entry; entry = atomic_load(&entry->next)) {
        if (atomic_load(&entry->low) <= address && address < atomic_load(&entry->high))
            return atomic_load(&entry->tracker);
    }
    return NULL;
}

/* ---- Protection ---- */

static size_t pages_of(const struct rt_tracker *tracker) {
    return rt_memory_size(tracker->memory) / tracker->pool->page_size;
}

static uint8_t *address_of(const struct rt_tracker *tracker, size_t page) {
    return tracker->memory->base + page * tracker->pool->page_size;
}

static bool protect(const struct rt_tracker *tracker, size_t first, size_t end, int protection) {
    return !mprotect(address_of(tracker, first), (end - first) * tracker->pool->page_size, protection);
}

static void mark(struct rt_tracker *tracker, size_t page, uint8_t age) {
    if (tracker->ages[page])
        return;
    tracker->ages[page] = age;
    tracker->written[tracker->written_count++] = (uint32_t)page;
}

/* Lets pages be written. The kernel has only so many stretches of different protection: with no more to get,
 * all of the memory becomes one. */
static bool open_pages(struct rt_tracker *tracker, size_t first, size_t end) {
    if (!protect(tracker, first, end, PROT_READ | PROT_WRITE)) {
        first = 0;
        end = pages_of(tracker);
        if (!protect(tracker, first, end, PROT_READ | PROT_WRITE))
            return false;
    }
    for (size_t page = first; page < end; page++)
        mark(tracker, page, 1);
    return true;
}

bool rt_tracker_fault(uintptr_t address) {
    struct rt_tracker *tracker = find(address);
    if (!tracker)
        return false;
    const size_t page = (address - (uintptr_t)tracker->memory->base) / tracker->pool->page_size;
    return page < pages_of(tracker) && !tracker->ages[page] && open_pages(tracker, page, page + 1);
}

/* ---- Making ---- */

static void *reserve(size_t size) {
    void *found =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return found == MAP_FAILED ? NULL : found;
}

struct rt_error *rt_tracker_create(struct rt_memory *memory, struct rt_page_pool *pool,
                                   struct rt_tracker **ret) {
    struct rt_tracker *tracker = calloc(1, sizeof *tracker);
    if (!tracker)
        return rt_error_out_of_memory();
    tracker->memory = memory;
    tracker->pool = pool;
    tracker->page_count = (size_t)RT_MAX_PAGES * RT_PAGE_SIZE / pool->page_size;
    tracker->ages = reserve(tracker->page_count * sizeof *tracker->ages);
    tracker->written = reserve(tracker->page_count * sizeof *tracker->written);
    struct rt_error *error = rt_image_init(pool, NULL, 0, &tracker->image);
    if (!error && (!tracker->ages || !tracker->written))
        error = rt_error_out_of_memory();
    if (!error)
        error = enter(tracker);
    if (error)
        rt_tracker_destroy(tracker);
    else
        *ret = tracker;
    return error;
}

void rt_tracker_destroy(struct rt_tracker *tracker) {
    if (!tracker)
        return;
    leave(tracker);
    if (pages_of(tracker))
        (void)protect(tracker, 0, pages_of(tracker), PROT_READ | PROT_WRITE);
    rt_image_clear(tracker->pool, &tracker->image);
    if (tracker->ages)
        munmap(tracker->ages, tracker->page_count * sizeof *tracker->ages);
    if (tracker->written)
        munmap(tracker->written, tracker->page_count * sizeof *tracker->written);
    free(tracker);
}

const struct rt_memory *rt_tracker_memory(const struct rt_tracker *tracker) {
    return tracker->memory;
}

/* ---- Taking an image ---- */

/* Forgets pages behind the memory's end. */
static void forget_behind(struct rt_tracker *tracker) {
    size_t kept = 0;
    for (size_t i = 0; i < tracker->written_count; i++) {
        const uint32_t page = tracker->written[i];
        if (page < pages_of(tracker))
            tracker->written[kept++] = page;
        else
            tracker->ages[page] = 0;
    }
    tracker->written_count = kept;
}

/* Takes account of what the memory has become since the last image: it has grown, or an instance that began
 * again has made it smaller. */
static void settle_size(struct rt_tracker *tracker) {
    forget_behind(tracker);
    for (size_t page = tracker->image.size / tracker->pool->page_size; page < pages_of(tracker); page++)
        mark(tracker, page, FRESH);
}

static bool is_idle(const struct rt_tracker *tracker, size_t page) {
    return tracker->ages[page] > IDLE;
}

/* Protects the pages that are idle. Those that are listed one after another are protected together. */
static struct rt_error *close_pages(struct rt_tracker *tracker) {
    size_t kept = 0, run;
    bool good = true;

    for (size_t i = 0; i < tracker->written_count && good; i += run) {
        const size_t first = tracker->written[i];
        run = 1;
        if (!is_idle(tracker, first)) {
            tracker->written[kept++] = (uint32_t)first;
            continue;
        }
        while (i + run < tracker->written_count && tracker->written[i + run] == first + run &&
               is_idle(tracker, first + run))
            run++;
        good = protect(tracker, first, first + run, PROT_READ);
        memset(tracker->ages + first, 0, run);
    }
    if (!good) { /* too many stretches: all becomes one */
        if (!protect(tracker, 0, pages_of(tracker), PROT_READ))
            return rt_error_os(errno, "protecting a memory of %u pages", tracker->memory->pages);
        memset(tracker->ages, 0, pages_of(tracker));
        kept = 0;
    }
    tracker->written_count = kept;
    return NULL;
}

/* The tracker's image becomes another. */
static struct rt_error *keep(struct rt_tracker *tracker, const struct rt_image *image) {
    struct rt_image kept;
    struct rt_error *error = rt_image_init(tracker->pool, image, image->size, &kept);
    if (error)
        return error;
    rt_image_clear(tracker->pool, &tracker->image);
    tracker->image = kept;
    return NULL;
}

static struct rt_error *take_page(struct rt_tracker *tracker, size_t page, struct rt_image *image) {
    struct rt_error *error =
        rt_image_set(tracker->pool, image, page, address_of(tracker, page), tracker->pool->page_size);
    const bool has_changed = rt_image_difference(&tracker->image, image, page, page + 1) == page;
    if (tracker->ages[page] != FRESH)
        tracker->ages[page] = has_changed ? 1 : (uint8_t)(tracker->ages[page] + 1);
    return error;
}

struct rt_error *rt_tracker_take(struct rt_tracker *tracker, struct rt_image *ret) {
    struct rt_image image;
    struct rt_error *error =
        rt_image_init(tracker->pool, &tracker->image, rt_memory_size(tracker->memory), &image);

    if (error)
        return error;
    settle_size(tracker);
    for (size_t i = 0; i < tracker->written_count && !error; i++)
        error = take_page(tracker, tracker->written[i], &image);
    if (!error)
        error = keep(tracker, &image);
    if (!error)
        error = close_pages(tracker);
    if (error)
        rt_image_clear(tracker->pool, &image);
    else
        *ret = image;
    return error;
}

/* ---- Putting one back ---- */

/* What lies behind a memory's end is zero, should it grow there again. */
static struct rt_error *resize(struct rt_tracker *tracker, size_t size) {
    struct rt_memory *memory = tracker->memory;
    const size_t now = rt_memory_size(memory), page_size = tracker->pool->page_size;
    const bool shrinks = size < now;
    uint8_t *const from = memory->base + (shrinks ? size : now);
    const size_t span = shrinks ? now - size : size - now;

    if (!span)
        return NULL;
    if ((shrinks && madvise(from, span, MADV_DONTNEED)) ||
        mprotect(from, span, shrinks ? PROT_NONE : PROT_READ | PROT_WRITE))
        return rt_error_os(errno, "making a memory of %zu bytes one of %zu", now, size);
    memory->pages = (uint32_t)(size / RT_PAGE_SIZE);
    forget_behind(tracker);
    for (size_t page = now / page_size; page < size / page_size; page++)
        mark(tracker, page, FRESH);
    return NULL;
}

struct rt_error *rt_tracker_put(struct rt_tracker *tracker, const struct rt_image *image) {
    const size_t page_size = tracker->pool->page_size, end = image->size / page_size;
    settle_size(tracker);
    struct rt_error *error = resize(tracker, image->size);

    for (size_t first = 0, run; first < end && !error; first += run) {
        first = rt_image_difference(&tracker->image, image, first, end);
        for (run = 0; first + run < end && rt_image_difference(&tracker->image, image, first + run,
                                                               first + run + 1) == first + run;)
            run++;
        if (run && !open_pages(tracker, first, first + run))
            error = rt_error_os(errno, "writing a memory of %zu bytes", image->size);
        run += !run;
    }
    for (size_t i = 0; i < tracker->written_count && !error; i++)
        rt_image_put(image, tracker->written[i], address_of(tracker, tracker->written[i]), page_size);
    return error ? error : keep(tracker, image);
}
