/* Traces: what crossed the boundary between guests and their host in one run, written and read. This is the
 * folder's public header; FORMAT.md specifies the file, and says what each event means.
 *
 * A writer puts events into a sink, a reader takes them from a source; both are structs of functions, so that
 * an embedder can bring its own. Neither keeps more than one block in memory, or a few in the background,
 * however long the trace is. */
#ifndef LOCKSTEP_RUNTIME_TRACE_H
#define LOCKSTEP_RUNTIME_TRACE_H

#include "runtime/runtime.h"

/* FORMAT.md's limits. */
enum {
    RT_TRACE_MAX_HEADER = 16 << 20,
    RT_TRACE_MAX_BLOCK = 4 << 20,
    RT_TRACE_MAX_EVENT = 2 << 20,
    RT_TRACE_MAX_WRITE = 1 << 20, /* bytes of one memory write; the writer splits longer ones */
    RT_TRACE_MAX_VALUES = 1000,
    RT_TRACE_MAX_ELEMENTS = 4096, /* of one table set; the writer splits longer ones */
    RT_TRACE_MAX_IMPORTS = 100000,
    RT_TRACE_MAX_DEPTH = 65535,
    RT_TRACE_MAX_INDEX = 65536,
};

/* ---- Sinks ---- */

/* Takes bytes in order. The functions' errors name the file or what else the bytes go to. */
struct rt_trace_sink {
    void *user;
    struct rt_error *(*write)(void *user, const void *bytes, size_t size);
    struct rt_error *(*finish)(void *user); /* all is written: keep it */
    void (*destroy)(void *user);            /* without a `finish` before: give up what is there */
};

/* A file that appears under its name when it is whole: until then its bytes are in "PATH.part" beside it,
 * which stays when this process dies and is a trace cut short; the next writer to the path starts it anew.
 * Giving up removes it. A path has one writer at a time; another one is RT_OS. What is no regular
 * file (a device, a named pipe) is written directly. A process that limits file sizes should ignore SIGXFSZ,
 * so that the limit is an error. */
RT_MUST_USE struct rt_error *rt_trace_sink_file(const char *path, struct rt_trace_sink *ret);
/* An open descriptor, a pipe for example, which stays the caller's. `name` is for errors; copied. */
RT_MUST_USE struct rt_error *rt_trace_sink_fd(int fd, const char *name, struct rt_trace_sink *ret);

/* Memory that grows; all zero is empty. The caller frees `bytes`. */
struct rt_trace_memory {
    uint8_t *bytes;
    size_t size, capacity;
};
struct rt_trace_sink rt_trace_sink_memory(struct rt_trace_memory *memory);
void rt_trace_sink_destroy(struct rt_trace_sink *sink); /* and forgets it */

/* ---- Sources ---- */

/* Where bytes come from. With a known `size`, `read` is asked for any offset; else for ascending ones without
 * gaps. It reads as many bytes as it can; *ret is less than `size` at the end only. */
struct rt_trace_source {
    void *user;
    uint64_t size; /* RT_TRACE_UNKNOWN: known at the end only */
    struct rt_error *(*read)(void *user, uint64_t offset, void *bytes, size_t size, size_t *ret);
    void (*destroy)(void *user);
    bool grows; /* without a known size: its end is that of what has been written so far; `read` may be asked
                 * again from any offset */
};
#define RT_TRACE_UNKNOWN UINT64_MAX

/* A file; what is no regular file is read in order. A file that grows is read to its size at this time. */
RT_MUST_USE struct rt_error *rt_trace_source_file(const char *path, struct rt_trace_source *ret);
/* An open descriptor that is read in order, and stays the caller's. */
RT_MUST_USE struct rt_error *rt_trace_source_fd(int fd, const char *name, struct rt_trace_source *ret);
/* Bytes that stay the caller's and must outlive the source. */
RT_MUST_USE struct rt_error *rt_trace_source_memory(const void *bytes, size_t size,
                                                    struct rt_trace_source *ret);
/* Memory that a sink may still write to, which stays the caller's: a trace that is followed while it is made.
 */
struct rt_trace_source rt_trace_source_growing(const struct rt_trace_memory *memory);
void rt_trace_source_destroy(struct rt_trace_source *source);

/* ---- The header ---- */

struct rt_trace_setting {
    const char *key, *value;
};
struct rt_trace_module {
    uint8_t hash[32]; /* SHA-256 of the binary */
    uint64_t size;    /* of the binary */
    const char *label;
    const struct rt_import *imports; /* without limits */
    size_t import_count;
};
struct rt_trace_header {
    uint16_t major, minor; /* read, not written */
    const char *engine;
    const struct rt_trace_setting *settings;
    size_t setting_count;
    const struct rt_trace_module *modules;
    size_t module_count;
    const char *const *command;
    size_t command_count;
};
/* The value of a setting; NULL when there is none. */
const char *rt_trace_setting(const struct rt_trace_header *header, const char *key);
/* Describes a module, which must outlive *ret. The label is not copied. */
RT_MUST_USE struct rt_error *rt_trace_module_describe(const struct rt_module *module, const char *label,
                                                      struct rt_arena *arena, struct rt_trace_module *ret);

/* ---- Events ---- */

struct rt_trace_place {
    uint32_t owner, index; /* owner 0 is the host, n + 1 instance n */
};
struct rt_trace_places {
    uint32_t count;
    const struct rt_trace_place *items;
};
struct rt_trace_bytes {
    const uint8_t *data; /* a name's are UTF-8, not terminated */
    size_t size;
};
/* In values, a reference is a number, in `i64`: 0 is null, n + 1 an entry of the trace's list. */
struct rt_trace_value {
    uint8_t type; /* enum rt_type */
    union rt_value value;
};
struct rt_trace_values {
    uint32_t count;
    const uint8_t *types;
    const union rt_value *values;
};
struct rt_trace_elements {
    uint8_t type;
    uint32_t count;
    const union rt_value *values;
};

/* What a field is, and its type in struct rt_trace_event. */
#define RT_TRACE_FIELD_TYPES(X)                                                                              \
    X(U32, uint32_t)                                                                                         \
    X(U64, uint64_t)                                                                                         \
    X(FLAG, bool)                                                                                            \
    X(INDEX, uint32_t)    /* RT_TRACE_NO_INDEX where there is none */                                        \
    X(LIMIT, uint64_t)    /* RT_TRACE_NO_LIMIT where there is none */                                        \
    X(FUNCTION, uint32_t) /* in the list of host functions */                                                \
    X(TRAP, uint32_t)     /* enum rt_trap, or RT_TRACE_FAILURE */                                            \
    X(OUTCOME, uint32_t)  /* enum rt_trace_outcome */                                                        \
    X(TYPE, uint8_t)      /* enum rt_type */                                                                 \
    X(PLACE, struct rt_trace_place)                                                                          \
    X(VALUE, struct rt_trace_value)                                                                          \
    X(VALUES, struct rt_trace_values)                                                                        \
    X(FUNCTYPE, struct rt_func_type)                                                                         \
    X(PLACES, struct rt_trace_places)                                                                        \
    X(ELEMENTS, struct rt_trace_elements)                                                                    \
    X(NAME, struct rt_trace_bytes)                                                                           \
    X(BYTES, struct rt_trace_bytes) /* the last field of its event */

enum rt_trace_field_type {
#define RT_TRACE_FIELD_TYPE(name, type) RT_TRACE_##name,
    RT_TRACE_FIELD_TYPES(RT_TRACE_FIELD_TYPE)
#undef RT_TRACE_FIELD_TYPE
};
#define RT_TRACE_FIELD_TYPE(name, type) typedef type rt_trace_field_##name;
RT_TRACE_FIELD_TYPES(RT_TRACE_FIELD_TYPE)
#undef RT_TRACE_FIELD_TYPE

enum rt_trace_kind {
#define RT_TRACE_EVENT(code, name, member, order, fields) RT_TRACE_##name = code,
#include "runtime/trace/events.def"
#undef RT_TRACE_EVENT
};
#define RT_TRACE_INFORMATION 0x80 /* kinds from here on can be ignored */

enum rt_trace_outcome { RT_TRACE_RETURNED, RT_TRACE_EXITED, RT_TRACE_TRAPPED, RT_TRACE_FAILED };
enum { RT_TRACE_FAILURE = 255 };     /* a trap: the host function failed otherwise */
#define RT_TRACE_NO_INDEX UINT32_MAX /* of a guest trap: not known */
#define RT_TRACE_NO_LIMIT UINT64_MAX /* a maximum: none; the size before growing: it was refused */

struct rt_trace_event {
    uint64_t number; /* the reader's; the writer counts itself */
    uint32_t depth;  /* calls open before it; the reader's */
    uint32_t size;   /* bytes of the event in its block, uncompressed; the reader's */
    uint8_t kind;    /* enum rt_trace_kind, or one that this version does not know: then `unknown` */
    union {
#define RT_TRACE_EVENT(code, name, member, order, fields)                                                    \
    struct {                                                                                                 \
        fields                                                                                               \
    } member;
#define RT_TRACE_FIELD(member, type, field) rt_trace_field_##type field;
#include "runtime/trace/events.def"
#undef RT_TRACE_FIELD
#undef RT_TRACE_EVENT
        struct rt_trace_bytes unknown; /* the contents */
    };
};

/* Where an event may come (FORMAT.md, "Order"). */
enum rt_trace_order {
    RT_TRACE_ORDER_ANY,
    RT_TRACE_ORDER_HOST, /* the host has control */
    RT_TRACE_ORDER_CALL_GUEST,
    RT_TRACE_ORDER_END_GUEST,
    RT_TRACE_ORDER_CALL_IMPORT,
    RT_TRACE_ORDER_END_IMPORT,
    RT_TRACE_ORDER_LAST,
};

enum { RT_TRACE_MAX_FIELDS = 4 };
/* What events.def says of a kind: for code that treats all events alike, such as printing. */
struct rt_trace_kind_info {
    const char *name; /* NULL: there is no such kind */
    uint8_t order;    /* enum rt_trace_order */
    uint8_t field_count;
    struct rt_trace_field {
        const char *name;
        uint8_t type;    /* enum rt_trace_field_type */
        uint16_t offset; /* in struct rt_trace_event */
    } fields[RT_TRACE_MAX_FIELDS];
};
const struct rt_trace_kind_info *rt_trace_kind_info(uint8_t kind);
/* Whether two events say the same: kind and contents, not number, depth or size. */
bool rt_trace_event_equal(const struct rt_trace_event *a, const struct rt_trace_event *b);
/* The words for a trap's number; never NULL. */
const char *rt_trace_trap_name(uint32_t trap);

/* ---- Writing ---- */

struct rt_trace_writer;

struct rt_trace_writer_options {
    size_t block_size; /* a block ends at so many bytes; 0: 64 KiB; at most 1 MiB */
    bool is_stored;    /* do not compress */
    int level;         /* of zstd; 0: a fast one */
    /* Compress and write in a thread of its own, which has all signals blocked: the sink's `write` is called
     * there, what the sink has got lags behind by up to four blocks, and its errors come as late. A child
     * that was forked meanwhile must leave the writer alone. */
    bool in_background;
};

/* Writes the header; `options` may be NULL. Takes the sink, also when it fails. Nothing of `header` is kept.
 */
RT_MUST_USE struct rt_error *rt_trace_writer_create(struct rt_trace_sink sink,
                                                    const struct rt_trace_header *header,
                                                    const struct rt_trace_writer_options *options,
                                                    struct rt_trace_writer **ret);
/* Adds an event, which is copied; long memory writes and table sets become several. RT_USAGE when it cannot
 * come here or is too large. After an error of the sink nothing can be added: every call gives that error. */
RT_MUST_USE struct rt_error *rt_trace_writer_add(struct rt_trace_writer *writer,
                                                 const struct rt_trace_event *event);
/* Ends the block, so that a reader of what the sink has got sees all events up to here. */
RT_MUST_USE struct rt_error *rt_trace_writer_flush(struct rt_trace_writer *writer);
/* Writes the last block, index and trailer, and finishes the sink. Nothing can be added after that. */
RT_MUST_USE struct rt_error *rt_trace_writer_finish(struct rt_trace_writer *writer);
/* Unfinished: gives up the sink. */
void rt_trace_writer_destroy(struct rt_trace_writer *writer);
/* Events and bytes so far; bytes of the block that is open count as raw only. */
struct rt_trace_totals {
    uint64_t events, raw, stored;
};
struct rt_trace_totals rt_trace_writer_totals(const struct rt_trace_writer *writer);

/* ---- Reading ---- */

struct rt_trace_reader;

/* Reads the header. Takes the source, also when it fails. */
RT_MUST_USE struct rt_error *rt_trace_reader_create(struct rt_trace_source source,
                                                    struct rt_trace_reader **ret);
void rt_trace_reader_destroy(struct rt_trace_reader *reader);
/* Lives as long as the reader. */
const struct rt_trace_header *rt_trace_reader_header(const struct rt_trace_reader *reader);
/* The next event, or NULL at the end; valid until the next call. Everything that FORMAT.md asks of a file's
 * framing and of an event by itself is checked, and "Order"; a struct rt_trace_checker checks the rest. An
 * error is RT_MALFORMED and names the offset in the file and the event, and comes again. Of a source that
 * grows, NULL before the index says that nothing more is there yet: the next call looks again. */
RT_MUST_USE struct rt_error *rt_trace_reader_next(struct rt_trace_reader *reader,
                                                  const struct rt_trace_event **ret);
/* Makes the next event that of this number, or the end when there are not so many. Uses the index where the
 * source can be read anywhere and has one, else the blocks' headers. Back is RT_USAGE in a source that is
 * read in order. */
RT_MUST_USE struct rt_error *rt_trace_reader_seek(struct rt_trace_reader *reader, uint64_t number);
/* Where a reader is: RT_USAGE where it is at the end or in a source that is read in order. Going back there
 * is cheap where the reader still has that block. */
struct rt_trace_position {
    uint64_t block;  /* offset of the block that holds the next event */
    uint64_t first;  /* number of the block's first event */
    uint64_t number; /* of the next event */
    size_t consumed; /* bytes of the block's contents before it */
    uint32_t depth;  /* calls open before it */
    bool has_ended;  /* `end` came before it */
};
RT_MUST_USE struct rt_error *rt_trace_reader_tell(const struct rt_trace_reader *reader,
                                                  struct rt_trace_position *ret);
RT_MUST_USE struct rt_error *rt_trace_reader_return(struct rt_trace_reader *reader,
                                                    const struct rt_trace_position *position);
/* At the end: whether the trace was cut short, and the bytes behind its last whole block. */
bool rt_trace_is_cut(const struct rt_trace_reader *reader, uint64_t *ret_behind);
/* The block that the last event was in. */
struct rt_trace_block_info {
    uint64_t offset, first;      /* in the file; number of its first event */
    uint32_t stored, raw, count; /* bytes of the payload; events */
};
struct rt_trace_block_info rt_trace_reader_block(const struct rt_trace_reader *reader);

/* ---- Checking ---- */

struct rt_trace_checker;

/* Checks, from the first event on, what is not about single events: numbers, types of values and links
 * against the header and the events before. The header must outlive it. */
RT_MUST_USE struct rt_error *rt_trace_checker_create(const struct rt_trace_header *header,
                                                     struct rt_trace_checker **ret);
void rt_trace_checker_destroy(struct rt_trace_checker *checker);
RT_MUST_USE struct rt_error *rt_trace_checker_add(struct rt_trace_checker *checker,
                                                  const struct rt_trace_event *event);
/* What the events so far say of a host function: its name (terminated) and type; false when there is none. */
bool rt_trace_checker_function(const struct rt_trace_checker *checker, uint32_t function,
                               const char **ret_name, struct rt_func_type *ret_type);
/* The host function whose call is open and innermost; false when there is none. */
bool rt_trace_checker_callee(const struct rt_trace_checker *checker, uint32_t *ret);
/* The module of an instance; false when there is no such instance. */
bool rt_trace_checker_module(const struct rt_trace_checker *checker, uint32_t instance, uint32_t *ret);

/* ---- Recording ---- */

struct rt_recorder;

struct rt_recorder_options {
    /* All modules that the store will have instances of. Label: a file's name, or "". */
    const struct rt_recorder_module {
        const struct rt_code *code;
        const char *label;
    } *modules;
    size_t module_count;
    const char *engine; /* who records, for people */
    const char *const *command;
    size_t command_count;
    const struct rt_trace_writer_options *writer; /* NULL: the defaults */
};

/* Records all that crosses the boundary between the store's guests and the host from now on: instantiations,
 * calls in both directions with what they end in, and what the host changes through rt_guest_write,
 * rt_memory_write, rt_memory_grow, rt_global_set, rt_table_set and rt_table_grow. What the host makes is
 * recorded when a guest first gets it, with its contents then. The stack in the header is the store's at this
 * time (unknown after rt_store_set_stack_limit). RT_USAGE when the store has instances or is recorded
 * already. Takes the sink, also when it fails; nothing of the options is kept but the codes' modules, which
 * must outlive the recorder.
 *
 * When writing fails, the call that is running ends with that error, and so does every later one: a run is
 * recorded to its end or fails. */
RT_MUST_USE struct rt_error *rt_recorder_create(struct rt_store *store, struct rt_trace_sink sink,
                                                const struct rt_recorder_options *options,
                                                struct rt_recorder **ret);
/* Stops recording and finishes the trace: with `end`, as the last outermost call has ended, unless a call is
 * still open. What failed before is the error. */
RT_MUST_USE struct rt_error *rt_recorder_finish(struct rt_recorder *recorder);
/* Adds a `message`, which a replay passes over: text or bytes that the embedder wants to keep at this place
 * of the run. `name` is UTF-8 and tells whose it is. When it cannot be written, recording has failed: as
 * above. */
RT_MUST_USE struct rt_error *rt_recorder_message(struct rt_recorder *recorder, const char *name,
                                                 const void *bytes, size_t size);
/* Ends the block, so that a reader of what the sink has got sees all events up to here: for who follows the
 * recording while it goes on. Cheap when there are none. What failed before is the error. */
RT_MUST_USE struct rt_error *rt_recorder_flush(struct rt_recorder *recorder);
struct rt_trace_totals rt_recorder_totals(const struct rt_recorder *recorder);
/* What events call a reference of the store's guests: 0 null, n + 1 an entry of the trace's list,
 * RT_TRACE_UNNAMED when no event has named it. */
#define RT_TRACE_UNNAMED UINT64_MAX
uint64_t rt_recorder_reference(const struct rt_recorder *recorder, enum rt_type type, const void *reference);
/* Before the store. Unfinished: gives up the trace. */
void rt_recorder_destroy(struct rt_recorder *recorder);

/* ---- Replaying ---- */

struct rt_replayer;

struct rt_replayer_options {
    struct rt_code *const *codes; /* of the trace's modules, in their order; both engines can replay */
    size_t code_count;
    /* Told of each event that happens in the call of an import, from `import call` to its end, before it has
     * its effect: the guest's memory is as the host found it. `import` is the innermost import's name. NULL:
     * not called. */
    void (*at_event)(void *user, struct rt_caller *caller, const char *import,
                     const struct rt_trace_event *event);
    void *user;
};

struct rt_replay_result {
    enum rt_trace_outcome outcome; /* with `has_end` */
    uint32_t status;
    uint32_t trap;   /* of the last outermost call, when it trapped: see struct rt_trace_event */
    bool has_end;    /* else the recording was stopped before, or the trace is cut */
    bool is_cut;     /* what came behind the last whole block was not replayed: */
    uint64_t behind; /* so many bytes */
    uint64_t events; /* replayed */
};

/* Prepares a replay in a store without instances. Takes the reader, also when it fails. RT_DIVERGED when a
 * module is another than the recorded one (both hashes are named), RT_UNSUPPORTED for a setting of the
 * trace's that the codes do not provide. */
RT_MUST_USE struct rt_error *rt_replayer_create(struct rt_store *store, struct rt_trace_reader *reader,
                                                const struct rt_replayer_options *options,
                                                struct rt_replayer **ret);
/* Replays what comes before the first call of a guest: then its instance is there for a debugger to look at.
 */
RT_MUST_USE struct rt_error *rt_replayer_start(struct rt_replayer *replayer);
/* The newest instance; NULL while there is none. */
struct rt_instance *rt_replayer_instance(const struct rt_replayer *replayer);
/* Replays to the end of the trace: makes the guest's calls, answers its imports from the trace, and compares
 * what it does with what was recorded, bit by bit. The first difference ends the replay with RT_DIVERGED; the
 * message names the event and shows both sides. A trace that is damaged or makes no sense is RT_MALFORMED. Of
 * a call stack that was exhausted nothing but that is compared: where that happens is the engine's affair.
 * A guest that goes on for ever without a call of the host keeps the replay going, too. */
RT_MUST_USE struct rt_error *rt_replayer_run(struct rt_replayer *replayer, struct rt_replay_result *ret);
/* What the last import that did not return said, by a trap or a failure; "" when there was none. */
const char *rt_replayer_failure(const struct rt_replayer *replayer);
/* The same as rt_recorder_reference, of the replay's guests. */
uint64_t rt_replayer_reference(const struct rt_replayer *replayer, enum rt_type type, const void *reference);
/* Before the store. */
void rt_replayer_destroy(struct rt_replayer *replayer);

/* How far a replay is, to go back to, after rt_replayer_start or while a guest runs: beside it, a checkpoint
 * of the store and of the stack that rt_replayer_run is on. Events are told to `at_event` again on the way
 * from there; their numbers say which have been told. RT_USAGE when the trace is from a source that is read
 * in order. */
struct rt_replay_mark;
RT_MUST_USE struct rt_error *rt_replay_mark_take(const struct rt_replayer *replayer,
                                                 struct rt_replay_mark **ret);
/* Of the same replayer. */
RT_MUST_USE struct rt_error *rt_replay_mark_restore(const struct rt_replay_mark *mark,
                                                    struct rt_replayer *replayer);
void rt_replay_mark_destroy(struct rt_replay_mark *mark);
/* Tells of every write of the host's that is replayed, when it is done. NULL: not any more. */
typedef void (*rt_replay_write_fn)(void *user, const struct rt_memory *memory, uint64_t address, size_t size);
void rt_replayer_watch(struct rt_replayer *replayer, rt_replay_write_fn at_write, void *user);

/* Where two events differ, in words: "argument 1: expected i32 5, got i32 6". `checker` knows the names of
 * host functions. The expected one is that of the trace. */
RT_MUST_USE struct rt_error *rt_trace_difference(const struct rt_trace_checker *checker,
                                                 const struct rt_trace_event *expected,
                                                 const struct rt_trace_event *got);

#endif
