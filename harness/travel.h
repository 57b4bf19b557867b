/* `lockstep replay --interactive`: a replay that a person, or a program, steps forwards and backwards.
 *
 * travel.c sets it up and reads commands; travel_commands.c has them; travel_places.c says what the words for
 * variables and places in the source stand for; travel_print.c shows stops, frames and values. */
#ifndef LOCKSTEP_HARNESS_TRAVEL_H
#define LOCKSTEP_HARNESS_TRAVEL_H

#include "harness/json.h"
#include "harness/replay_output.h"
#include "harness/wasi_command.h"

struct hx_travel_options {
    const char *module; /* its file */
    enum rt_engine engine;
    bool is_json;      /* answers are JSON Lines */
    uint64_t interval; /* of struct st_timeline_options */
    size_t budget;     /* the same */
};
/* Replays a trace by commands from standard input. Takes the reader. *ret_status is 1 when the replay was
 * found to diverge. */
RT_MUST_USE struct rt_error *hx_travel(const struct hx_travel_options *options,
                                       struct rt_trace_reader *reader, int *ret_status);

struct hx_travel;
/* At stop 0, without reading commands. Takes the reader. */
RT_MUST_USE struct rt_error *hx_travel_open(const struct hx_travel_options *options,
                                            struct rt_trace_reader *reader, struct hx_travel **ret);
void hx_travel_close(struct hx_travel *travel);

/* A breakpoint or watchpoint. */
struct hx_marker {
    unsigned number;
    bool is_watch;
    char *text;    /* as it was given */
    uint64_t *pcs; /* of a breakpoint */
    size_t pc_count;
    uint64_t address, size; /* of a watchpoint */
};

struct hx_travel {
    struct hx_wasi_command guest;
    struct rt_replayer *replayer;
    struct st_timeline *timeline;
    struct rt_error *diverged; /* how the replay ended, when it did not as recorded */
    struct rt_replay_result result;
    struct hx_replay_output output; /* goes back with the replay */
    uint64_t told;                  /* events before this one have been seen: they print nothing again */
    uint64_t telling;               /* the one that is told now */

    bool is_json, is_over;
    struct hx_buffer out; /* of the command that is under way */
    struct hx_json json;
    struct hx_marker *markers;
    size_t marker_count;
    unsigned markers_ever;
    size_t frame;    /* that is looked at; 0 is the innermost */
    uint32_t listed; /* line behind those that were listed last; 0: none yet */
};

/* ---- travel_commands.c ---- */

/* Does one line's command; an error is the line's. */
RT_MUST_USE struct rt_error *hx_travel_command(struct hx_travel *travel, const char *line);
void hx_travel_clear_markers(struct hx_travel *travel);

/* ---- travel_places.c ---- */

/* Something with a type: a variable or a part of one. */
struct hx_object {
    const struct st_type *type;
    const uint8_t *bytes; /* NULL: there is no value, `why` says why */
    const char *why;
    bool is_memory;
    uint64_t address;
    uint32_t bit_offset, bit_size; /* of a bit-field, in the bytes; else 0 */
    uint8_t copy[64];              /* of what is not in memory */
};

/* The frame that is looked at, and how many there are. */
RT_MUST_USE struct rt_error *hx_travel_frame(struct hx_travel *travel, const struct st_frame **ret,
                                             size_t *ret_count);
void hx_travel_locate(struct hx_travel *travel, const struct st_frame *frame,
                      const struct st_variable *variable, struct hx_object *ret);
/* What an object holds at a place in it. The whole must stay as long as the part; they may be one. */
void hx_travel_part(const struct hx_object *whole, const struct st_type *type, uint64_t offset,
                    struct hx_object *ret);
/* "name", and behind it ".member", "->member", "[index]"; before it "*". */
RT_MUST_USE struct rt_error *hx_travel_find(struct hx_travel *travel, const char *text,
                                            struct hx_object *ret);
/* "name..." of something in memory, or "ADDRESS,SIZE". */
RT_MUST_USE struct rt_error *hx_travel_memory(struct hx_travel *travel, const char *text,
                                              uint64_t *ret_address, uint64_t *ret_size);
/* "FILE:LINE", "LINE", "FUNCTION" or "*PC": the pcs, which are the caller's to free. */
RT_MUST_USE struct rt_error *hx_travel_pcs(struct hx_travel *travel, const char *text, uint64_t **ret,
                                           size_t *ret_count);

/* ---- travel_print.c ---- */

/* The present stop. */
RT_MUST_USE struct rt_error *hx_travel_print_stop(struct hx_travel *travel);
void hx_travel_print_frame(struct hx_travel *travel, size_t number, const struct st_frame *frame);
/* "name = value" and its type in JSON. */
void hx_travel_print_object(struct hx_travel *travel, const char *name, const struct hx_object *object);
/* The line's own file and number, at a frame; false when it has none. */
bool hx_travel_line(const struct hx_travel *travel, const struct st_frame *frame, const char **ret_file,
                    uint32_t *ret_line);

#endif
