/* Exporting a trace as a differential test of WASI preview 1: the calls that a recorded program made, with
 * all that they read and gave, as JSON and as a C program that makes them again on any engine and compares.
 */
#ifndef LOCKSTEP_HARNESS_EXPORT_H
#define LOCKSTEP_HARNESS_EXPORT_H

#include "harness/json.h"
#include "harness/options.h"

#include "runtime/trace/trace.h"

/* ---- What WASI says of its functions (export_tables.c, from export.def) ---- */

/* What a parameter is to a call. */
#define HX_EXPORT_ROLES(X)                                                                                   \
    X(VALUE)         /* a number */                                                                          \
    X(FD)            /* a descriptor */                                                                      \
    X(INPUT)         /* points to bytes that are read; the next parameter is their number */                 \
    X(FILLED)        /* points to bytes that are written; the next is their greatest number */               \
    X(RANDOM)        /* the same, of bytes that nobody can know */                                           \
    X(LISTING)       /* the same, of a folder's entries */                                                   \
    X(GATHERED)      /* points to ciovecs; the next is their number */                                       \
    X(SCATTERED)     /* points to iovecs; the next is their number, the first RESULT the bytes' */           \
    X(SUBSCRIPTIONS) /* poll_oneoff's, as many as its third parameter says */                                \
    X(EVENTS)        /* the same */                                                                          \
    X(STRINGS)       /* points to pointers to strings */                                                     \
    X(STRING_BYTES)  /* points to where those are */                                                         \
    X(RESULT)        /* points to a structure that is written */

enum hx_export_role {
#define HX_EXPORT_ROLE(name) HX_EXPORT_##name,
    HX_EXPORT_ROLES(HX_EXPORT_ROLE)
#undef HX_EXPORT_ROLE
};

/* How a field of a structure is compared; the words are those of the JSON. */
#define HX_EXPORT_HOWS(X)                                                                                    \
    X(EXACT, "exact")                                                                                        \
    X(EXACT_OF_FILES, "exact of what is no folder") /* file systems count folders' links and sizes freely */ \
    X(IGNORED, "ignored")                           /* not determined by the interface */                    \
    X(MAPPED, "mapped")     /* a descriptor: any number; later calls use the one that was given */           \
    X(MONOTONE, "monotone") /* a monotonic clock's reading is not before its last one */

enum hx_export_how {
#define HX_EXPORT_HOW(name, word) HX_EXPORT_##name,
    HX_EXPORT_HOWS(HX_EXPORT_HOW)
#undef HX_EXPORT_HOW
};
const char *hx_export_how_word(enum hx_export_how how);

enum hx_export_made { HX_EXPORT_COMPARED, HX_EXPORT_EMBEDDER, HX_EXPORT_NOT_MADE };

enum { HX_EXPORT_MAX_PARAMETERS = 9, HX_EXPORT_MAX_PREOPENS = 64 };

struct hx_export_structure {
    uint32_t size;
    size_t field_count;
    const struct hx_export_field {
        const char *name;
        uint32_t offset, size;
        enum hx_export_how how;
    } *fields;
};

struct hx_export_function {
    const char *name;
    const char *types; /* of the parameters: i is i32, I is i64 */
    bool has_errno;
    enum hx_export_made streams;
    uint32_t parameter_count;
    const struct hx_export_parameter {
        const char *name, *type; /* as witx has them */
        enum hx_export_role role;
        const struct hx_export_structure *structure; /* of a RESULT */
    } *parameters;
};

enum hx_export_number {
#define RT_WASI_FUNCTION(name, parameters, results) HX_EXPORT_##name,
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
    HX_EXPORT_FUNCTION_COUNT
};
extern const struct hx_export_function hx_export_functions[HX_EXPORT_FUNCTION_COUNT];

enum hx_export_errno {
#define RT_WASI_ERRNO(value, name, host) HX_EXPORT_E##name = value,
#define RT_WASI_ERRNO_OURS(value, name)  HX_EXPORT_E##name = value,
#include "runtime/wasi/errno.def"
#undef RT_WASI_ERRNO
#undef RT_WASI_ERRNO_OURS
};
/* "NOENT"; NULL for a number that no errno has. */
const char *hx_export_errno_name(uint32_t number);
/* The errno that is as good as a recorded one; that one itself when none is. */
uint32_t hx_export_also(enum hx_export_number function, uint32_t number);

/* ---- Calls (export_calls.c) ---- */

/* A piece of guest memory that a call reads or writes. */
struct hx_export_region {
    uint32_t parameter;     /* that led to it */
    uint32_t item;          /* of an array of vectors: which one + 1; 0 is what the parameter points to */
    uint32_t address, size; /* as the guest has it; size is the room, of what is written */
    bool is_outside;        /* not wholly in memory; then there are no bytes */
    const uint8_t *before;  /* of what is read; else NULL */
    const uint8_t *after;   /* of what is written; else NULL */
    uint32_t written;       /* so many bytes of `after` are the host's */
};

struct hx_export_call {
    uint64_t event;
    enum hx_export_number number;
    uint64_t args[HX_EXPORT_MAX_PARAMETERS];
    enum hx_export_end { HX_EXPORT_RETURNED, HX_EXPORT_EXITED, HX_EXPORT_TRAPPED } end;
    uint32_t errnum;      /* of one that returned */
    uint64_t memory_size; /* of the guest, in bytes */
    struct hx_export_region *regions;
    size_t region_count;
};

struct hx_export {
    struct rt_arena arena;
    struct hx_export_call *calls;
    size_t call_count, call_capacity;
    size_t other_calls;       /* of imports that are not WASI's */
    const char *trace, *wasm; /* the files' names */
    uint8_t hash[32];         /* of the module */
    const char *engine;       /* that recorded */
    const char *const *command;
    size_t command_count;
    size_t first, end; /* the calls that were chosen: [first, end) */

    /* What the program was run with, as far as its calls tell (export_setup.c). */
    struct hx_export_strings {
        const char *const *items;
        size_t count;
        bool is_known; /* the program asked for them */
    } args, env;
    struct hx_export_preopen {
        uint32_t fd;
        const char *name;
    } preopens[HX_EXPORT_MAX_PREOPENS];
    size_t preopen_count;
    struct hx_buffer input; /* what it read from standard input */
};

/* Replays the trace to see what its calls read. RT_DIVERGED when the replay does. Clear in every case. */
RT_MUST_USE struct rt_error *hx_export_read(const char *trace, const char *wasm, struct hx_export *ret);
void hx_export_clear(struct hx_export *export);
/* Fills in what the program was run with. */
RT_MUST_USE struct rt_error *hx_export_find_setup(struct hx_export *export);

/* The region that a parameter itself points to; NULL when it points to none. */
const struct hx_export_region *hx_export_region(const struct hx_export_call *call, uint32_t parameter,
                                                uint32_t item);
static inline const struct hx_export_function *hx_export_function(const struct hx_export_call *call) {
    return &hx_export_functions[call->number];
}
static inline bool hx_export_succeeded(const struct hx_export_call *call) {
    return call->end == HX_EXPORT_RETURNED && call->errnum == 0;
}
/* A little-endian number of 1 to 8 bytes. */
uint64_t hx_export_load(const uint8_t *bytes, uint32_t size);

/* Which descriptors are the program's standard streams, as it closes and renumbers them. */
struct hx_export_streams {
    int64_t at[3]; /* of standard input, output and error; -1 once closed */
};
void hx_export_streams_init(struct hx_export_streams *streams);
/* 0, 1, 2, or -1 for a descriptor that is none. */
int hx_export_stream(const struct hx_export_streams *streams, uint64_t fd);
void hx_export_streams_after(struct hx_export_streams *streams, const struct hx_export_call *call);

/* ---- Outputs ---- */

/* export_json.c: a line that tells of the whole, then one a call. */
void hx_export_json_header(const struct hx_export *export, struct hx_buffer *out);
void hx_export_json_call(const struct hx_export *export, size_t number, struct hx_buffer *out);

/* export_listing.c: the entries that a listing gave which begins with a call, "." and ".." left out. */
struct hx_export_listing {
    struct hx_buffer entries; /* of each: type, size of the name in two bytes, the name */
    size_t count;
    bool is_complete; /* to the end of the folder */
};
void hx_export_list(const struct hx_export *export, size_t number, struct hx_export_listing *ret);

/* export_c.c: the C program. RT_USAGE when it would be too large. */
RT_MUST_USE struct rt_error *hx_export_c(const struct hx_export *export, struct hx_buffer *out);
/* The text of export_test.h, which every program holds; export_run.sh and export_run.mjs, which run it. */
extern const char hx_export_test_text[], hx_export_run_text[], hx_export_node_text[];

/* export_files.c: what the calls tell of what was in a preopened folder at first, made in an empty one. */
RT_MUST_USE struct rt_error *hx_export_make_files(const struct hx_export *export, size_t preopen,
                                                  const char *folder);

/* export_folder.c: a folder with the program and all that it needs. `dirs` are guest folders as they were
 * when the recording began, copied; others are made of what the calls tell. */
RT_MUST_USE struct rt_error *hx_export_folder(const struct hx_export *export, const char *path,
                                              const struct rt_wasi_dir *dirs, size_t dir_count);

#endif
