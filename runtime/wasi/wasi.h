/* What the files of runtime/wasi/ share: a guest's WASI state, its descriptors, guest memory access.
 * Private to the folder; the public part is "WASI preview 1" of runtime/runtime.h.
 *
 * A handler gets the raw arguments of one call and returns an errno. All pointers are guest addresses: one
 * that is out of range is EFAULT, checked before the call has any effect. */
#ifndef LOCKSTEP_RUNTIME_WASI_WASI_H
#define LOCKSTEP_RUNTIME_WASI_WASI_H

#include "runtime/runtime.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

enum {
    RT_WASI_BUFFER_SIZE = 64 * 1024, /* what one system call transfers for the guest at most */
    RT_WASI_MAX_VECTORS = 1024,      /* iovecs of one call, as Linux has it (IOV_MAX) */
    RT_WASI_MAX_DESCRIPTORS = 1024,  /* open at once */
    RT_WASI_MAX_SUBSCRIPTIONS = 1024 /* of one poll_oneoff */
};

/* ---- The witx types (values that the guest sees) ---- */

enum rt_wasi_errno {
#define RT_WASI_ERRNO(value, name, host) RT_WASI_E##name = value,
#define RT_WASI_ERRNO_OURS(value, name)  RT_WASI_E##name = value,
#include "runtime/wasi/errno.def"
#undef RT_WASI_ERRNO
#undef RT_WASI_ERRNO_OURS
};

enum rt_wasi_right {
#define RT_WASI_RIGHT(bit, name) RT_WASI_RIGHT_##name = 1 << (bit),
#include "runtime/wasi/rights.def"
#undef RT_WASI_RIGHT
    RT_WASI_RIGHTS_ALL = 0
#define RT_WASI_RIGHT(bit, name) | RT_WASI_RIGHT_##name
#include "runtime/wasi/rights.def"
#undef RT_WASI_RIGHT
};

enum rt_wasi_filetype {
    RT_WASI_UNKNOWN = 0,
    RT_WASI_BLOCK_DEVICE = 1,
    RT_WASI_CHARACTER_DEVICE = 2,
    RT_WASI_DIRECTORY = 3,
    RT_WASI_REGULAR_FILE = 4,
    RT_WASI_SOCKET_DGRAM = 5,
    RT_WASI_SOCKET_STREAM = 6,
    RT_WASI_SYMBOLIC_LINK = 7,
};

enum rt_wasi_fdflags {
    RT_WASI_FDFLAG_APPEND = 1,
    RT_WASI_FDFLAG_DSYNC = 2,
    RT_WASI_FDFLAG_NONBLOCK = 4,
    RT_WASI_FDFLAG_RSYNC = 8,
    RT_WASI_FDFLAG_SYNC = 16,
    RT_WASI_FDFLAGS_SYNC = RT_WASI_FDFLAG_DSYNC | RT_WASI_FDFLAG_RSYNC | RT_WASI_FDFLAG_SYNC,
    RT_WASI_FDFLAGS_ALL = 31,
};

enum rt_wasi_clock {
    RT_WASI_CLOCK_REALTIME = 0,
    RT_WASI_CLOCK_MONOTONIC = 1,
    RT_WASI_CLOCK_PROCESS = 2,
    RT_WASI_CLOCK_THREAD = 3,
};

/* ---- State ---- */

/* A place in a folder's listing: how many entries come before it, and where the host's listing goes on. */
struct rt_wasi_place {
    uint64_t index;
    int64_t offset;
};

struct rt_wasi_descriptor {
    bool is_open;
    bool is_borrowed; /* `host` is the embedder's: never closed or changed */
    int host;         /* the host's descriptor */
    int capture;      /* 1 or 2: written bytes go to the embedder's callback under this number; else 0 */
    enum rt_wasi_filetype type;
    uint16_t flags;              /* enum rt_wasi_fdflags */
    uint32_t base, inheriting;   /* enum rt_wasi_right */
    const char *preopen;         /* the guest's name of a preopened folder (the arena's), else NULL */
    struct rt_wasi_place listed; /* a folder: behind the last entry that was read whole */
};

struct rt_wasi_strings { /* arguments or environment: NUL-terminated, the arena's */
    const char *const *items;
    uint32_t count, size; /* size counts the terminators */
};

struct rt_wasi_vector { /* witx `iovec` and `ciovec` */
    uint32_t address, size;
};

/* What a host function is told: which WASI, which table entry, which of the two module names. */
struct rt_wasi_binding {
    struct rt_wasi *wasi;
    uint32_t function;
    bool is_snapshot_0;
    struct rt_func *func; /* made at the first import */
};

enum rt_wasi_function {
#define RT_WASI_FUNCTION(name, parameters, results) RT_WASI_FUNCTION_##name,
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
    RT_WASI_FUNCTION_COUNT,
};

struct rt_wasi {
    struct rt_store *store;
    struct rt_arena arena;
    struct rt_wasi_strings args, env;
    bool (*write)(void *user, int fd, const void *bytes, size_t size);
    void *write_user;

    bool is_deterministic;
    uint64_t ticks;        /* deterministic: the time that the next clock reading gives, in nanoseconds */
    uint64_t random_state; /* deterministic */

    struct rt_wasi_descriptor *descriptors;
    uint32_t descriptor_capacity;

    struct rt_wasi_binding bindings[2][RT_WASI_FUNCTION_COUNT]; /* by is_snapshot_0 */

    /* Scratch of the call that is being served; calls of one WASI never overlap. */
    struct rt_wasi_vector vectors[RT_WASI_MAX_VECTORS];
    struct iovec host_vectors[RT_WASI_MAX_VECTORS];
    uint8_t buffer[RT_WASI_BUFFER_SIZE];
};

/* One call that is being served. */
struct rt_wasi_call {
    struct rt_wasi *wasi;
    struct rt_caller *caller;
    bool is_snapshot_0;     /* imported from "wasi_unstable", whose layouts differ in three places */
    struct rt_error *error; /* set by a handler that ends the guest */
};

#define RT_WASI_FUNCTION(name, parameters, results)                                                          \
    enum rt_wasi_errno rt_wasi_##name(struct rt_wasi_call *call, const union rt_value *args);
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION

/* The guest's number for a host errno; EIO for one that WASI does not have. */
enum rt_wasi_errno rt_wasi_errno_of(int host);

/* ---- Guest memory ---- */

/* Whether [address, address + size) is inside the guest's memory. */
static inline bool rt_wasi_in_memory(struct rt_wasi_call *call, uint32_t address, size_t size) {
    return rt_guest_view(call->caller, address, size) != NULL;
}

/* Little-endian stores into and loads from a structure's bytes. */
static inline void rt_wasi_store(uint8_t *to, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}
static inline uint64_t rt_wasi_load(const uint8_t *from, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* Writes one number to the guest: EFAULT or success. */
static inline enum rt_wasi_errno rt_wasi_write_u32(struct rt_wasi_call *call, uint32_t address,
                                                   uint32_t value) {
    uint8_t bytes[4];
    rt_wasi_store(bytes, value, sizeof bytes);
    return rt_guest_write(call->caller, address, bytes, sizeof bytes) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}
static inline enum rt_wasi_errno rt_wasi_write_u64(struct rt_wasi_call *call, uint32_t address,
                                                   uint64_t value) {
    uint8_t bytes[8];
    rt_wasi_store(bytes, value, sizeof bytes);
    return rt_guest_write(call->caller, address, bytes, sizeof bytes) ? RT_WASI_ESUCCESS : RT_WASI_EFAULT;
}

/* vectors.c: reads `count` iovecs at `address` into wasi->vectors and checks that each lies in memory.
 * EINVAL for more than RT_WASI_MAX_VECTORS, or more bytes together than a u32 counts. */
enum rt_wasi_errno rt_wasi_vectors_load(struct rt_wasi_call *call, uint32_t address, uint32_t count,
                                        uint32_t *ret_size);
/* The loaded vectors as host iovecs over the guest's memory, to send from; the number of them. */
int rt_wasi_vectors_view(struct rt_wasi_call *call, uint32_t count);
/* Copies wasi->buffer[0, size) into the loaded vectors, past the first `skip` bytes of them. */
void rt_wasi_vectors_scatter(struct rt_wasi_call *call, uint32_t count, uint32_t skip, uint32_t size);

/* ---- Descriptors (descriptors.c) ---- */

/* The open descriptor `fd` if it has all of `rights`: EBADF, ENOTCAPABLE. The pointer is good until the next
 * rt_wasi_descriptor_add. */
enum rt_wasi_errno rt_wasi_descriptor_get(struct rt_wasi *wasi, uint32_t fd, uint32_t rights,
                                          struct rt_wasi_descriptor **ret);
/* What `host` is: its type, flags, and the most rights that it can have. The host's errno is in `errno` when
 * this is false. */
bool rt_wasi_descriptor_describe(int host, struct rt_wasi_descriptor *ret);
/* Puts a copy at the lowest free number: EMFILE, ENOMEM. Takes over `descriptor->host` on success. */
enum rt_wasi_errno rt_wasi_descriptor_add(struct rt_wasi *wasi, const struct rt_wasi_descriptor *descriptor,
                                          uint32_t *ret);
/* Puts a copy at `fd`, which must be free: how the embedder's three streams get theirs. False: no memory. */
bool rt_wasi_descriptor_add_at(struct rt_wasi *wasi, uint32_t fd,
                               const struct rt_wasi_descriptor *descriptor);
/* Closes all. */
void rt_wasi_descriptors_clear(struct rt_wasi *wasi);

enum rt_wasi_filetype rt_wasi_filetype_of(mode_t mode);

/* ---- Files, paths and clocks ---- */

/* files.c: writes a witx `filestat`. */
enum rt_wasi_errno rt_wasi_filestat_write(struct rt_wasi_call *call, uint32_t address,
                                          const struct stat *stat, enum rt_wasi_filetype type);
/* files.c: turns the arguments of the two set_times functions into utimensat's. EINVAL. */
enum rt_wasi_errno rt_wasi_times(uint64_t accessed, uint64_t modified, uint32_t flags,
                                 struct timespec ret[2]);

/* paths.c: openat2(2) below `directory`, which no path leaves: EPERM for one that tries. The host's
 * descriptor, or -1 and the guest's errno in `ret_errno`. */
int rt_wasi_open_beneath(int directory, const char *path, int flags, mode_t mode,
                         enum rt_wasi_errno *ret_errno);

static inline uint64_t rt_wasi_nanoseconds(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* clocks.c: the time by one clock in nanoseconds; deterministic clocks tick. */
enum rt_wasi_errno rt_wasi_clock_now(struct rt_wasi *wasi, uint32_t clock, uint64_t *ret);

/* How many elements an array has. */
#define RT_WASI_COUNT(array) (sizeof(array) / sizeof(*(array)))

#endif
