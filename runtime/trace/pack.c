/* Packing: from a block's events to a block in the sink, at once or in a thread of its own. With a thread,
 * whoever adds events fills one payload while the thread packs those before; a payload goes back and forth
 * between the two, under the lock, and what packing works on is the thread's while there is one in the queue.
 */
#include "runtime/trace/format.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { QUEUE = 4, DEFAULT_LEVEL = 1 };

struct payload {
    struct rt_trace_block block;
    struct rt_trace_memory bytes;
};

struct rt_trace_packer {
    struct rt_trace_sink sink;
    bool is_stored;
    ZSTD_CCtx *zstd;
    struct rt_trace_memory packed; /* header and payload of a block */
    struct rt_trace_index index;
    uint64_t offset; /* bytes that the sink has got */
    struct rt_error *failure;

    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct payload queue[QUEUE]; /* a ring */
    uint32_t first, count;       /* what is being packed counts */
    uint64_t stored;             /* with a queue: `offset` before the block that is being packed */
    bool is_ending, has_failed;
};

/* ---- One block ---- */

struct rt_error *rt_trace_packer_write(struct rt_trace_packer *packer, const void *bytes, size_t size) {
    struct rt_error *error = packer->sink.write(packer->sink.user, bytes, size);
    if (!error)
        packer->offset += size;
    return error;
}

/* The payload into `packed`, behind room for the header. */
static struct rt_error *pack(struct rt_trace_packer *packer, struct rt_trace_block *block,
                             const struct rt_trace_memory *raw) {
    struct rt_trace_memory *packed = &packer->packed;
    const size_t bound = ZSTD_compressBound(raw->size);

    packed->size = 0;
    if (!rt_trace_reserve(packed, RT_TRACE_BLOCK_HEADER_SIZE + bound))
        return rt_error_out_of_memory();
    uint8_t *const payload = packed->bytes + RT_TRACE_BLOCK_HEADER_SIZE;
    size_t size = raw->size;
    if (!packer->is_stored) {
        const size_t compressed = ZSTD_compress2(packer->zstd, payload, bound, raw->bytes, raw->size);
        if (ZSTD_isError(compressed))
            return rt_error_format(RT_OUT_OF_MEMORY, "trace: cannot compress: %s",
                                   ZSTD_getErrorName(compressed));
        size = compressed;
    }
    /* What does not get smaller is stored as it is. */
    block->codec = size < raw->size ? RT_TRACE_ZSTD : RT_TRACE_STORED;
    if (block->codec == RT_TRACE_STORED) {
        size = raw->size;
        memcpy(payload, raw->bytes, size);
    }
    block->size = (uint32_t)size;
    block->raw = (uint32_t)raw->size;
    rt_trace_block_encode(block, payload, packed->bytes);
    packed->size = RT_TRACE_BLOCK_HEADER_SIZE + size;
    return NULL;
}

static struct rt_error *pack_and_write(struct rt_trace_packer *packer, struct rt_trace_block *block,
                                       const struct rt_trace_memory *raw) {
    const uint64_t offset = packer->offset;
    struct rt_error *error = pack(packer, block, raw);

    if (!error)
        error = rt_trace_packer_write(packer, packer->packed.bytes, packer->packed.size);
    if (!error && !rt_trace_index_add(&packer->index, offset, block->first))
        error = rt_error_out_of_memory();
    return error;
}

/* ---- The thread ---- */

static void *run_thread(void *user) {
    struct rt_trace_packer *packer = user;

    pthread_mutex_lock(&packer->lock);
    for (;;) {
        while (!packer->count && !packer->is_ending)
            pthread_cond_wait(&packer->changed, &packer->lock);
        if (!packer->count)
            break;
        struct payload *payload = &packer->queue[packer->first];
        const bool has_failed = packer->has_failed;
        pthread_mutex_unlock(&packer->lock);
        /* What comes behind a block that is missing is of no use. */
        struct rt_error *error = has_failed ? NULL : pack_and_write(packer, &payload->block, &payload->bytes);
        pthread_mutex_lock(&packer->lock);
        if (error) {
            packer->failure = error;
            packer->has_failed = true;
        }
        packer->stored = packer->offset;
        packer->first = (packer->first + 1) % QUEUE;
        packer->count--;
        pthread_cond_broadcast(&packer->changed);
    }
    pthread_mutex_unlock(&packer->lock);
    return NULL;
}

static struct rt_error *start_thread(struct rt_trace_packer *packer) {
    sigset_t all, before;

    pthread_mutex_init(&packer->lock, NULL);
    pthread_cond_init(&packer->changed, NULL);
    /* Signals are for the threads that the embedder knows of. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int status = pthread_create(&packer->thread, NULL, run_thread, packer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    packer->has_thread = status == 0;
    return status == 0 ? NULL : rt_error_os(status, "trace: cannot start the thread that packs it");
}

static void end_thread(struct rt_trace_packer *packer) {
    if (!packer->has_thread)
        return;
    pthread_mutex_lock(&packer->lock);
    packer->is_ending = true;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->lock);
    pthread_join(packer->thread, NULL);
    packer->has_thread = false;
}

/* Waits until there are at most so many in the queue, and says how packing went so far. */
static struct rt_error *wait_for_room(struct rt_trace_packer *packer, uint32_t most) {
    while (packer->count > most)
        pthread_cond_wait(&packer->changed, &packer->lock);
    return packer->has_failed ? rt_error_format(packer->failure->code, "%s", packer->failure->message) : NULL;
}

/* ---- For the writer ---- */

struct rt_error *rt_trace_packer_add(struct rt_trace_packer *packer, const struct rt_trace_block *block,
                                     struct rt_trace_memory *bytes) {
    if (!packer->has_thread) {
        struct rt_trace_block own = *block;
        return pack_and_write(packer, &own, bytes);
    }
    pthread_mutex_lock(&packer->lock);
    struct rt_error *error = wait_for_room(packer, QUEUE - 1);
    if (!error) {
        if (!packer->count)
            packer->stored = packer->offset;
        struct payload *payload = &packer->queue[(packer->first + packer->count) % QUEUE];
        const struct rt_trace_memory back = payload->bytes;
        *payload = (struct payload){*block, *bytes};
        *bytes = back;
        packer->count++;
        pthread_cond_broadcast(&packer->changed);
    }
    pthread_mutex_unlock(&packer->lock);
    return error;
}

struct rt_error *rt_trace_packer_flush(struct rt_trace_packer *packer) {
    if (!packer->has_thread)
        return NULL;
    pthread_mutex_lock(&packer->lock);
    struct rt_error *error = wait_for_room(packer, 0);
    pthread_mutex_unlock(&packer->lock);
    return error;
}

struct rt_error *rt_trace_packer_finish(struct rt_trace_packer *packer, uint64_t events) {
    struct rt_trace_memory tail = {0};
    struct rt_error *error = rt_trace_index_encode(&packer->index, packer->offset, events, &tail);

    if (!error)
        error = rt_trace_packer_write(packer, tail.bytes, tail.size);
    if (!error)
        error = packer->sink.finish(packer->sink.user);
    free(tail.bytes);
    return error;
}

uint64_t rt_trace_packer_stored(struct rt_trace_packer *packer) {
    if (!packer->has_thread)
        return packer->offset;
    pthread_mutex_lock(&packer->lock);
    const uint64_t stored = packer->count ? packer->stored : packer->offset;
    pthread_mutex_unlock(&packer->lock);
    return stored;
}

static struct rt_error *set_up(struct rt_trace_packer *packer,
                               const struct rt_trace_writer_options *options) {
    const int level = options->level ? options->level : DEFAULT_LEVEL;

    packer->is_stored = options->is_stored;
    packer->zstd = ZSTD_createCCtx();
    if (!packer->zstd)
        return rt_error_out_of_memory();
    const size_t result = ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, level);
    if (ZSTD_isError(result))
        return rt_error_format(RT_USAGE, "trace: compression level %d: %s", level, ZSTD_getErrorName(result));
    return options->in_background ? start_thread(packer) : NULL;
}

struct rt_error *rt_trace_packer_create(struct rt_trace_sink sink,
                                        const struct rt_trace_writer_options *options,
                                        struct rt_trace_packer **ret) {
    struct rt_trace_packer *packer = calloc(1, sizeof *packer);

    if (!packer) {
        rt_trace_sink_destroy(&sink);
        return rt_error_out_of_memory();
    }
    packer->sink = sink;
    struct rt_error *error = set_up(packer, options);
    if (error)
        rt_trace_packer_destroy(packer);
    else
        *ret = packer;
    return error;
}

void rt_trace_packer_destroy(struct rt_trace_packer *packer) {
    if (!packer)
        return;
    end_thread(packer);
    rt_trace_sink_destroy(&packer->sink);
    rt_error_destroy(packer->failure);
    rt_trace_index_clear(&packer->index);
    ZSTD_freeCCtx(packer->zstd);
    for (size_t i = 0; i < QUEUE; i++)
        free(packer->queue[i].bytes.bytes);
    free(packer->packed.bytes);
    free(packer);
}
