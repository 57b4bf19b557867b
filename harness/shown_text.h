/* The text of llvm-dwarfdump as a table of DIEs and line rows (private to shown*.c). */
#ifndef LOCKSTEP_HARNESS_SHOWN_TEXT_H
#define LOCKSTEP_HARNESS_SHOWN_TEXT_H

#include "harness/shown.h"

#define HX_SHOWN_ATTRIBUTES(X)                                                                               \
    X(name)                                                                                                  \
    X(type)                                                                                                  \
    X(decl_line)                                                                                             \
    X(location)                                                                                              \
    X(const_value)                                                                                           \
    X(low_pc)                                                                                                \
    X(high_pc)                                                                                               \
    X(ranges)                                                                                                \
    X(abstract_origin)                                                                                       \
    X(specification)                                                                                         \
    X(frame_base)                                                                                            \
    X(call_line)                                                                                             \
    X(byte_size)                                                                                             \
    X(encoding)                                                                                              \
    X(count)                                                                                                 \
    X(upper_bound)                                                                                           \
    X(data_member_location)                                                                                  \
    X(bit_size)                                                                                              \
    X(data_bit_offset)

enum hx_shown_attribute {
#define X(name) HX_SHOWN_##name,
    HX_SHOWN_ATTRIBUTES(X)
#undef X
        HX_SHOWN_COUNT,
};

struct hx_text { /* a part of the tool's output */
    const char *start;
    size_t size; /* 0: not there */
};

struct hx_shown_die {
    uint64_t offset;
    struct hx_text tag;
    uint32_t depth;
    uint32_t end;                      /* index of the next DIE that is not below it */
    struct hx_text at[HX_SHOWN_COUNT]; /* the value between its parentheses */
    uint64_t type_hash;                /* 0: not made yet */
};

struct hx_shown_row {
    uint64_t address;
    uint32_t line, order;
    bool is_stmt, prologue_end, end_sequence;
};

struct hx_shown {
    struct hx_buffer text;
    struct hx_shown_die *dies;
    size_t die_count, die_capacity;
    struct hx_shown_row *rows; /* ascending by address, then as they came */
    size_t row_count, row_capacity;
    unsigned address_size; /* of its units */
};

/* A variable that two files show differently at a stop's pc, and where each says that it is. */
struct hx_shown_pair {
    uint64_t pc;
    struct hx_where {
        struct hx_text location, frame_base;
    } where[2];
    uint64_t size; /* bytes; 0: not known */
    bool is_pointer;
};
/* shown.c: all of them, ascending by pc. The caller frees *ret. */
RT_MUST_USE struct rt_error *hx_shown_pairs(struct hx_shown *a, struct hx_shown *b,
                                            const struct hx_passes *passes, struct hx_shown_pair **ret,
                                            size_t *ret_count);

/* passes.c: what a native program of this process prints is dropped between the two. */
RT_MUST_USE struct rt_error *hx_passes_silence(int kept[2]);
void hx_passes_speak(const int kept[2]);
bool hx_passes_drop(void *user, int fd, const void *bytes, size_t size);

bool hx_text_is(struct hx_text text, const char *word);
/* The number at the start of a text, "0x1f2" or decimal. */
uint64_t hx_text_number(struct hx_text text);
/* The part between the first pair of quotation marks; empty when there is none. */
struct hx_text hx_text_quoted(struct hx_text text);

#endif
