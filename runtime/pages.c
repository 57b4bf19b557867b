/* Images of memory: pages that are counted, in runs that are counted. Both are written only while one image
 * has them. */
#include "runtime/pages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUN_PAGES = 64 };

struct page {
    uint32_t references;
    uint8_t bytes[];
};

struct rt_page_run {
    uint32_t references;
    struct page *pages[RUN_PAGES]; /* NULL: zeros */
};

/* ---- Bytes ----
 *
 * A stack may be among what is copied, where the address sanitizer knows of borders that do not matter here.
 */

#ifdef LOCKSTEP_ASAN
__attribute__((no_sanitize("address"))) static void copy(uint8_t *to, const uint8_t *from, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((volatile uint8_t *)to)[i] = from[i];
}

__attribute__((no_sanitize("address"))) static bool is_same(const uint8_t *a, const uint8_t *b, size_t size) {
    size_t i = 0;
    while (i < size && ((const volatile uint8_t *)a)[i] == b[i])
        i++;
    return i == size;
}
#else
static void copy(uint8_t *to, const uint8_t *from, size_t size) {
    memcpy(to, from, size);
}

static bool is_same(const uint8_t *a, const uint8_t *b, size_t size) {
    return memcmp(a, b, size) == 0;
}
#endif

static const uint8_t zeros[65536];

/* ---- The pool ---- */

void rt_page_pool_init(struct rt_page_pool *pool) {
    const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    *pool = (struct rt_page_pool){.page_size = page_size < sizeof zeros ? page_size : sizeof zeros};
}

static void release_page(struct rt_page_pool *pool, struct page *page) {
    if (!page || --page->references)
        return;
    pool->bytes -= sizeof *page + pool->page_size;
    free(page);
}

static void release_run(struct rt_page_pool *pool, struct rt_page_run *run) {
    if (!run || --run->references)
        return;
    for (size_t i = 0; i < RUN_PAGES; i++)
        release_page(pool, run->pages[i]);
    pool->bytes -= sizeof *run;
    free(run);
}

/* ---- Images ---- */

static size_t runs_for(const struct rt_page_pool *pool, size_t size) {
    const size_t bytes = RUN_PAGES * pool->page_size;
    return size / bytes + (size % bytes != 0);
}

struct rt_error *rt_image_init(struct rt_page_pool *pool, const struct rt_image *previous, size_t size,
                               struct rt_image *ret) {
    *ret = (struct rt_image){.size = size, .run_count = runs_for(pool, size)};
    ret->runs = calloc(ret->run_count + 1, sizeof *ret->runs);
    if (!ret->runs)
        return rt_error_out_of_memory();
    pool->bytes += ret->run_count * sizeof *ret->runs;
    for (size_t i = 0; previous && i < previous->run_count && i < ret->run_count; i++) {
        ret->runs[i] = previous->runs[i];
        if (ret->runs[i])
            ret->runs[i]->references++;
    }
    return NULL;
}

void rt_image_clear(struct rt_page_pool *pool, struct rt_image *image) {
    if (!image->runs)
        return;
    for (size_t i = 0; i < image->run_count; i++)
        release_run(pool, image->runs[i]);
    pool->bytes -= image->run_count * sizeof *image->runs;
    free(image->runs);
    *image = (struct rt_image){0};
}

/* The run of a page, this image's alone. */
static struct rt_page_run *own_run(struct rt_page_pool *pool, struct rt_page_run **slot) {
    struct rt_page_run *const shared = *slot;
    if (shared && shared->references == 1)
        return shared;
    struct rt_page_run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    pool->bytes += sizeof *run;
    run->references = 1;
    for (size_t i = 0; shared && i < RUN_PAGES; i++) {
        run->pages[i] = shared->pages[i];
        if (run->pages[i])
            run->pages[i]->references++;
    }
    if (shared)
        shared->references--;
    *slot = run;
    return run;
}

static struct page *page_of(const struct rt_image *image, size_t index) {
    const struct rt_page_run *run =
        index / RUN_PAGES < image->run_count ? image->runs[index / RUN_PAGES] : NULL;
    return run ? run->pages[index % RUN_PAGES] : NULL;
}

struct rt_error *rt_image_set(struct rt_page_pool *pool, struct rt_image *image, size_t index,
                              const uint8_t *bytes, size_t size) {
    const struct page *const before = page_of(image, index);
    struct page *page = NULL;

    if (is_same(before ? before->bytes : zeros, bytes, size))
        return NULL;
    if (!is_same(zeros, bytes, size)) {
        page = malloc(sizeof *page + pool->page_size);
        if (!page)
            return rt_error_out_of_memory();
        page->references = 1;
        copy(page->bytes, bytes, size);
        memset(page->bytes + size, 0, pool->page_size - size);
        pool->bytes += sizeof *page + pool->page_size;
        pool->copied++;
    }
    struct rt_page_run *run = own_run(pool, &image->runs[index / RUN_PAGES]);
    if (!run) {
        release_page(pool, page);
        return rt_error_out_of_memory();
    }
    release_page(pool, run->pages[index % RUN_PAGES]);
    run->pages[index % RUN_PAGES] = page;
    return NULL;
}

void rt_image_put(const struct rt_image *image, size_t index, uint8_t *to, size_t size) {
    const struct page *page = page_of(image, index);
    copy(to, page ? page->bytes : zeros, size);
}

size_t rt_image_difference(const struct rt_image *a, const struct rt_image *b, size_t from, size_t end) {
    while (from < end) {
        const size_t run = from / RUN_PAGES;
        if (run < a->run_count && run < b->run_count && a->runs[run] == b->runs[run])
            from = (run + 1) * RUN_PAGES;
        else if (page_of(a, from) == page_of(b, from))
            from++;
        else
            return from;
    }
    return end;
}
