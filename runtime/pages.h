/* Images: what a stretch of memory held at some moment, kept page by page (private to runtime/).
 *
 * Images share the pages that are the same in them, and runs of such pages: what an image costs is what
 * differs from the one that it was made after. A page of zeros costs nothing. */
#ifndef LOCKSTEP_RUNTIME_PAGES_H
#define LOCKSTEP_RUNTIME_PAGES_H

#include "runtime/base.h"

struct rt_page_run;

struct rt_image {
    size_t size;               /* bytes of the stretch */
    struct rt_page_run **runs; /* NULL: all zeros */
    size_t run_count;
};

/* Where images get their pages from, and what they take together. */
struct rt_page_pool {
    size_t page_size;
    size_t bytes;    /* of all images: their pages and runs */
    uint64_t copied; /* pages, ever */
};

void rt_page_pool_init(struct rt_page_pool *pool);

/* An image of `size` bytes that holds what `previous` (may be NULL) does, as far as both reach, and zeros
 * behind. */
RT_MUST_USE struct rt_error *rt_image_init(struct rt_page_pool *pool, const struct rt_image *previous,
                                           size_t size, struct rt_image *ret);
void rt_image_clear(struct rt_page_pool *pool, struct rt_image *image);

/* Page `index` holds these bytes from here on: `size` of them, a page's or, for the last page, less. */
RT_MUST_USE struct rt_error *rt_image_set(struct rt_page_pool *pool, struct rt_image *image, size_t index,
                                          const uint8_t *bytes, size_t size);
/* Writes page `index` to `to`, where `size` bytes of it belong. */
void rt_image_put(const struct rt_image *image, size_t index, uint8_t *to, size_t size);
/* The first page from `from` on that the images do not share, below `end`; `end` when they share all. What is
 * not shared may have the same bytes all the same. */
size_t rt_image_difference(const struct rt_image *a, const struct rt_image *b, size_t from, size_t end);

#endif
